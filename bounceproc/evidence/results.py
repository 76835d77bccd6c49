"""Authentication-Results (RFC 8601): what a host of ours says that it verified, and nothing that others say in its name.

Anyone can write this field. What our hosts wrote stands above what they received; therefore the header is read from its top
down to the first Received that is not theirs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_FIELD: Final = 8 * 1024
"""Octets of one field; a longer one says nothing."""
MAX_FIELDS: Final = 20
"""Fields that are looked at."""
MAX_HEADER: Final = 500
"""Fields of the header that are gone through."""
LMTP: Final = frozenset({"lmtp", "lmtps", "lmtpa", "lmtpsa", "utf8lmtp", "utf8lmtps", "utf8lmtpa", "utf8lmtpsa"})
"""How a host hands a mail over to its own mailboxes (RFC 3848, RFC 6531): the mail came to it before."""

_RESULTS: Final = "authentication-results"
_TRACE: Final = re.compile(r"(?:authentication-results|received-spf|arc-[a-z-]+|x-[!-9;-~]+|dkim-filter|dmarc-filter)")
"""What a host writes together with its results below its own Received, as Postfix has it of its filters."""
_HOST: Final = re.compile(r"\s*(\"[^\"\\]*\"|[^\s;=\"]+)(?:\s+\d+)?\s*")
_METHOD: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)(?:\s*/\s*\d+)?\s*=\s*([A-Za-z]+)(?=\s|$)")
_VALUE: Final = r"(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;\"]+))"
_PROPERTY: Final = re.compile(
    rf"\s+(?:reason\s*=\s*{_VALUE}|([A-Za-z][A-Za-z0-9-]*)\s*\.\s*([A-Za-z][A-Za-z0-9._-]*)\s*=\s*{_VALUE})(?=\s|$)"
)
_BY: Final = re.compile(r"(?:^|\s)by\s+([A-Za-z0-9._-]+)(?=\s|$)", re.IGNORECASE)
_WITH: Final = re.compile(r"\swith\s+([A-Za-z0-9]+)(?=\s|$)", re.IGNORECASE)


class Claim(NamedTuple):
    """A host of ours says that a DKIM signature of this domain verified."""

    host: str
    domain: str


class _Found(NamedTuple):
    """One field of a host of ours: what it says of DKIM, by domain."""

    host: str
    passed: frozenset[str]
    failed: frozenset[str]
    is_about_dkim: bool
    """Whether it says anything of DKIM, and be it that there was no signature."""


def claims(fields: Sequence[tuple[str, bytes]], trusted: frozenset[str]) -> tuple[Claim, ...]:
    """What the trusted hosts say that they verified.

    Args:
        fields: the header from its top down: names in lower case, values as they stand.
        trusted: names of hosts (RFC 8601 authserv-id); a Received by a host below such a name counts as theirs, too.

    """
    found = list(_believed(fields[:MAX_HEADER], trusted))
    claimed = dict.fromkeys(Claim(one.host, domain) for one in found for domain in sorted(one.passed))
    # A host that says both, in two fields, wrote at most one of them.
    return tuple(
        claim
        for claim in claimed
        if not any(one.host == claim.host and claim.domain in one.failed - one.passed for one in found)
    )


def _believed(fields: Iterable[tuple[str, bytes]], trusted: frozenset[str]) -> Iterator[_Found]:
    above: set[str] = set()
    """Hosts that wrote results above their Received: none of them writes more below it."""
    passed: set[str] = set()
    """Hosts whose Received was gone by."""
    below = frozenset[str]()
    """Hosts whose Received stands right above, nothing but other traces in between."""
    left = MAX_FIELDS
    for name, value in fields:
        if name == "received":
            by = _received_by(value)
            ids = frozenset(host for host in trusted if by and (by.host == host or by.host.endswith(f".{host}")))
            if by is None or not ids:
                return
            below = ids - passed - above
            if by.protocol not in LMTP:
                passed |= ids
        elif name == _RESULTS and left:
            left -= 1
            one = _read(value)
            if one is None or one.host not in trusted:
                continue
            if one.host not in passed:
                above.add(one.host)
                yield one
            elif one.host in below:
                # What follows may be the first line of the sender, if no filter took it away.
                below -= {one.host} if one.is_about_dkim else set()
                yield one
        elif not _TRACE.fullmatch(name):
            below = frozenset()


class _Hop(NamedTuple):
    host: str
    protocol: str


def _received_by(value: bytes) -> _Hop | None:
    """Who received it, and how. What the sender said of himself stands before it: the last `by` is the host's own."""
    text = _plain(value)
    if text is None or '"' in text:
        return None
    text = text.partition(";")[0]
    hosts = list(_BY.finditer(text))
    if not hosts:
        return None
    how = _WITH.search(text, hosts[-1].end() - 1)
    return _Hop(hosts[-1][1].lower().rstrip("."), how[1].lower() if how else "")


def _read(value: bytes) -> _Found | None:
    """One field; None for one that is not formed as RFC 8601 2.2 says, or too long."""
    text = _plain(value)
    if text is None:
        return None
    host, *clauses = _clauses(text)
    named = _HOST.fullmatch(host)
    if named is None:
        return None
    passed: set[str] = set()
    failed: set[str] = set()
    is_about_dkim = False
    for clause in clauses:
        method = _METHOD.match(clause)
        if method is None or method[1].lower() != "dkim":
            continue
        is_about_dkim = True
        (passed if method[2].lower() == "pass" else failed).update(_domains(clause, method.end()))
    return _Found(named[1].strip('"').lower().rstrip("."), frozenset(passed), frozenset(failed), is_about_dkim)


def _domains(clause: str, at: int) -> set[str]:
    """The signing domains of a clause: header.d, or where that is missing that of header.i. None of a clause that is broken."""
    said: dict[str, str] = {}
    while clause[at:].strip():
        found = _PROPERTY.match(clause, at)
        if found is None:
            return set()
        if found[3] is not None:
            name = f"{found[3]}.{found[4]}".lower()
            if name in said:
                return set()
            said[name] = (found[5] if found[5] is not None else found[6]).lower()
        at = found.end()
    if "header.d" in said:
        return {said["header.d"].rstrip(".")}
    return {said["header.i"].rpartition("@")[2].rstrip(".")} if "header.i" in said else set()


def _plain(value: bytes) -> str | None:
    """A field without folds and comments (RFC 5322 3.2.2), quoted strings kept; None where one of these does not end."""
    if len(value) > MAX_FIELD or not value.isascii():
        return None
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for char in value.decode("ascii"):
        if escaped:
            escaped = False
        elif char == "\\" and (depth or quoted):
            escaped = True
        elif char == '"' and not depth:
            quoted = not quoted
        elif char == "(" and not quoted:
            depth += 1
            kept.append(" ")
            continue
        elif char == ")" and not quoted:
            depth -= 1
            if depth < 0:
                return None
            continue
        if not depth:
            kept.append(" " if char in "\t\r\n" else char)
    return None if depth or quoted or escaped else "".join(kept)


def _clauses(text: str) -> list[str]:
    """What stands between semicolons that are not quoted."""
    clauses, start, quoted, escaped = [], 0, False, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\" and quoted:
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == ";" and not quoted:
            clauses.append(text[start:at])
            start = at + 1
    return [*clauses, text[start:]]
