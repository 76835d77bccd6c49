"""The normal form of many addresses at once: plain ones by one regular expression, all others as `Address` does it."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from bounceproc.address import MAX_OCTETS, Address
from bounceproc.errors import InvalidAddressError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MORE: Final = b"*+" if sys.version_info >= (3, 11, 5) else b"*"
"""Any number of a group: before Python 3.11.5 a possessive one may end in the middle of its last turn."""
_LABEL: Final = rb"[a-z0-9_][a-z0-9_-]*+(?<!-)"
_PLAIN: Final = rb"[a-z0-9!#$%&'*+/=?^_`{|}~.-]++@" + _LABEL + rb"(?:\." + _LABEL + rb")" + _MORE
"""What `Address.parse` takes as it is once it is in lower case; possessive, so that no line is looked at twice."""
_ONE: Final = re.compile(_PLAIN)
_ALL: Final = re.compile(_PLAIN + rb"(?:\n" + _PLAIN + rb")" + _MORE)

NOT_UTF8: Final = "it is not UTF-8: name the encoding"


class Forms(NamedTuple):
    """The normal forms of many cells, in their order."""

    names: list[bytes]
    """Empty for a cell that has none."""
    wrong: dict[int, str]
    """Why a cell is no address, by its place; empty for a blank one."""
    plain: bool
    """Whether there is one `@` in each name."""

    def domains(self) -> list[bytes]:
        """The domain of each name."""
        if self.plain:
            return b"\n".join(self.names).replace(b"@", b"\n").split(b"\n")[1::2]
        return [name.rpartition(b"@")[2] for name in self.names]


def normal_forms(cells: Sequence[bytes]) -> Forms:
    """The normal forms of cells, of which there is at least one, in UTF-8."""
    joined = b"\n".join(cells).lower()  # bytes have no upper case but that of ASCII
    names = joined.split(b"\n")
    if len(names) == len(cells) and _ALL.fullmatch(joined) and max(map(len, names)) <= MAX_OCTETS:
        return Forms(names, {}, plain=True)
    wrong: dict[int, str] = {}
    return Forms([_normal_form(place, cell, wrong) for place, cell in enumerate(cells)], wrong, plain=False)


def normal_form(written: bytes) -> bytes:
    """The normal form of one address in UTF-8.

    Raises:
        InvalidAddressError: it is none.
        UnicodeDecodeError: it is not UTF-8.

    """
    lowered = written.lower()
    if len(lowered) <= MAX_OCTETS and _ONE.fullmatch(lowered):
        return lowered
    return Address.parse(written.decode()).normal.encode()


def _normal_form(place: int, cell: bytes, wrong: dict[int, str]) -> bytes:
    try:
        return normal_form(cell)
    except UnicodeDecodeError:
        wrong[place] = NOT_UTF8
    except InvalidAddressError as error:
        wrong[place] = error.why if cell.decode().strip() else ""
    return b""
