"""Tables that MTAs read: Postfix texthash, Exim lsearch, rspamd map, and the keys of their constant databases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bounceproc.lookup.action import postfix
from bounceproc.lookup.export.listed import spellings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bounceproc.lookup.export.listed import Listed

_POSTFIX_KEY: Final = re.compile(r'[^\s"#][^\s"]*')
"""What the first word of a line may be: postmap(1) takes `#` for a comment and splits at white space."""
_EXIM_PLAIN: Final = re.compile(r'[^\s":#][^\s":]*')


def postfix_pairs(listed: Listed) -> Iterator[tuple[str, str]]:
    """Key and value of access(5): a domain without its `@`."""
    for address in spellings(listed.address):
        yield address.removeprefix("@"), postfix(listed.action)


def postfix_spared(address: str) -> Iterator[tuple[str, str]]:
    """Key and value for an address that its domain does not answer for: DUNNO ends the search of access(5) in this table alone."""
    for spelling in spellings(address):
        yield spelling, "DUNNO"


def postfix_lines(pairs: Iterable[tuple[str, str]]) -> str | None:
    """Lines for texthash:, or for postmap(1) to make any other table of."""
    made = list(pairs)
    if not all(_POSTFIX_KEY.fullmatch(key) for key, _ in made):
        return None
    return "".join(f"{key}\t{value}\n" for key, value in made)


def exim_pairs(listed: Listed) -> Iterator[tuple[str, str]]:
    """Key and value for `lsearch*@` and `cdb*@`, which ask for `*@domain` where the address is not there."""
    for address in spellings(listed.address):
        yield (f"*{address}" if listed.is_domain else address), listed.action


def exim_spared(address: str) -> Iterator[tuple[str, str]]:
    """Key and value for an address that its domain does not answer for: it is found before `*@domain`, and says nothing."""
    for spelling in spellings(address):
        yield spelling, ""


def exim_lines(pairs: Iterable[tuple[str, str]]) -> str:
    """Lines for lsearch; a key with a colon, a `#` or white space stands in quotation marks (Exim specification 9.5)."""
    return "".join(f"{_exim_key(key)}: {value}\n" for key, value in pairs)


def _exim_key(key: str) -> str:
    if _EXIM_PLAIN.fullmatch(key):
        return key
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


def rspamd_lines(listed: Listed) -> str | None:
    """Lines of a map for multimap's type rcpt, which asks for the address and for its domain alone."""
    if not _POSTFIX_KEY.fullmatch(listed.address):
        return None
    return "".join(f"{address.removeprefix('@')}\n" for address in spellings(listed.address))
