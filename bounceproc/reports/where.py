"""Where in a message a text stands: for people who ask why. Looked for afterwards, so that reading pays nothing for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bounceproc.reports.mime import parse, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bounceproc.reports.mime import Part

LOOKED_FOR: Final = 60
"""Characters of a text that have to stand somewhere: readers unfold, join and cut what comes behind."""

MAX_LINES: Final = 5000
"""Lines of one part that are looked through."""

_RETURNED: Final = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
"""Our own mail come back: looked through last, for it holds every address."""


@dataclass(frozen=True, slots=True)
class Place:
    """One line of one part."""

    part: int
    """Number of the part, counted from 1 in the order of the message; 0 is the message's own header."""
    type: str
    line: int
    """Number of the line in that part, counted from 1."""
    field: str | None = None
    """Name of the field, where the part consists of fields."""

    def __str__(self) -> str:
        what = f"part {self.part}, {self.type}" if self.part else "the header"
        return f"{what}, {f'field {self.field}' if self.field else f'line {self.line}'}"


def where(message: bytes, text: str) -> Place | None:
    """The first place of a text, case and white space aside; None where it stands nowhere, as when a reader put it together.

    Parts that report come before parts that tell people, those before the message's header and the returned copy.
    """
    wanted = _squeezed(text)[:LOOKED_FOR]
    if not wanted:
        return None
    root = parse(message)
    parts = list(enumerate(root.leaves(), 1))
    parts.sort(key=lambda numbered: _rank(numbered[1]))
    for number, part in parts:
        if part.type not in _RETURNED and (place := _in_part(number, part, wanted)):
            return place
    if place := _in_fields(0, "header", root.headers.block.decode("utf-8", "replace").strip("\n"), wanted):
        return place
    returned = ((number, part) for number, part in parts if part.type in _RETURNED)
    return next((place for number, part in returned if (place := _in_part(number, part, wanted))), None)


def _rank(part: Part) -> int:
    return 0 if part.type.startswith("message/") else 1


def _in_part(number: int, part: Part, wanted: str) -> Place | None:
    text = part.text()
    if part.type.startswith("message/") or part.type in _RETURNED:
        return _in_fields(number, part.type, text, wanted)
    return _in_lines(number, part.type, text, wanted)


def _in_fields(number: int, type_: str, text: str, wanted: str) -> Place | None:
    for line, name, value in _fields(text):
        if wanted in _squeezed(value_text(value.encode("utf-8", "replace"))):
            return Place(number, type_, line, name)
    return None


def _fields(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, name and value of each field, folds joined."""
    at, name, value = 0, "", ""
    for line_number, line in enumerate(text.split("\n")[:MAX_LINES], 1):
        if line[:1] in (" ", "\t"):
            value += line
            continue
        if name:
            yield at, name, value
        name, colon, value = line.partition(":")
        at, name = line_number, name.strip() if colon else ""
    if name:
        yield at, name, value


def _in_lines(number: int, type_: str, text: str, wanted: str) -> Place | None:
    """A text may run over several lines: they are joined, and the place counted back to the line it begins in."""
    joined = ""
    begins: list[int] = []
    for each in text.split("\n")[:MAX_LINES]:
        begins.append(len(joined))
        squeezed = _squeezed(each)
        joined += f"{squeezed} " if squeezed else ""
    at = joined.find(wanted)
    if at < 0:
        return None
    return Place(number, type_, max(line for line, begin in enumerate(begins, 1) if begin <= at))


def _squeezed(text: str) -> str:
    return " ".join(text.split()).lower()
