"""Signed return paths (VERP) and header tokens: what proves of a report that it answers mail of ours, and to whom that went.

    from bounceproc.returnpath import make, read

    path = make("user@example.com", "bounces@example.org", secrets=[secret], now=now)
    # bounces+user=example.com+2611+mfrggzdfmztwq2lk@example.org, for MAIL FROM
    token = read(path, secrets=[secret], now=now)

The local part is never longer than 64 octets (RFC 5321 4.5.3.1.1). Where the recipient does not fit, or is no plain ASCII, a keyed
hash of the recipient stands in its place: `Token.recipient` is None then, and `names` says whether an address is the one.
Upper and lower case are the same, as mail servers fold them; any other change of the local part is found. The domain is not
signed: mail systems write the name of a host of theirs into it.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32encode
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bounceproc.address import Address
from bounceproc.errors import BounceprocError

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER: Final = "X-Bounceproc-Token"
"""The field that `make_header` makes a value for."""

MAX_LOCAL: Final = 64
"""Octets of a local part (RFC 5321 4.5.3.1.1)."""

VALID: Final = timedelta(days=30)
"""How long a token is good for where nothing is said: queues give up after five days, complaints come within weeks."""

DELIMITERS: Final = "!#$%&'*+/=?^_`{|}~-"
"""What may stand between the parts of a local part."""

SHORTEST_SECRET: Final = 16
"""Octets. A shorter one can be guessed, and whoever has it can suppress anybody."""

_MAC: Final = 16
"""Signs of base32 (RFC 4648 6): 80 bits. It has one case, as mail servers do not keep case."""
_LONGEST: Final = 400
"""Octets of an address that is worth looking at."""
_EPOCH: Final = date(2020, 1, 1)
_STREAM: Final = re.compile(r"[a-z0-9_-]{1,32}")
_DAY: Final = re.compile(r"([0-9]{4,5})(?:\.([a-z0-9_-]{1,32}))?")
_HASH: Final = re.compile(r"[a-z2-7]{16}")
_MAILBOX: Final = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


class Fault(StrEnum):
    """Why something is no token that counts."""

    ABSENT = "absent"  # it has not the form of one
    FORGED = "forged"  # none of the secrets made it, or it was changed
    EXPIRED = "expired"


class TokenError(BounceprocError):
    """A text that is no valid token of ours, or a token that cannot be made. `fault` says which, None for the latter."""

    exit_code = 65

    def __init__(self, what: str, advice: str = "", fault: Fault | None = None) -> None:
        self.fault = fault
        super().__init__(what, advice)


@dataclass(frozen=True, slots=True)
class Token:
    """What a valid token says."""

    recipient: Address | None
    """Whom the mail was sent to; None where only a hash fits."""
    digest: str
    """The keyed hash of the recipient's normal form (16 signs, 80 bits) where only that fits; else empty."""
    expires: date
    """The last day (UTC) on which it is good."""
    stream: str | None = None


def make(
    recipient: str | Address,
    mailbox: str,
    *,
    secrets: Sequence[str],
    now: datetime,
    valid: timedelta = VALID,
    stream: str | None = None,
    delimiter: str = "+",
) -> str:
    """A return path at `mailbox` for one mail to `recipient`, good until `valid` after `now`; the first of `secrets` signs.

    Raises:
        InvalidAddressError: `recipient` is no address.
        TokenError: the mailbox, stream, delimiter, secret or term cannot be used; it says why.

    """
    local, at, domain = mailbox.rpartition("@")
    if delimiter not in DELIMITERS or len(delimiter) != 1:
        raise TokenError(f"{delimiter!r} cannot stand in a return path", "Use one sign, such as + or -.")
    if not at or not domain or not _MAILBOX.fullmatch(local.lower()) or delimiter in local:
        raise TokenError(
            f"{mailbox[:80]!r} cannot carry tokens", f"Name a plain mailbox whose local part has no {delimiter}."
        )
    tail = _tail(now, valid, stream, delimiter)
    room = MAX_LOCAL - len(local) - len(tail) - _MAC - 2
    start = f"{local}{delimiter}"
    body = f"{start}{_named(recipient, secrets, room)}{tail}"
    made = f"{body}{delimiter}{_mac('path', body, strong(secrets)[0])}"
    if len(made) > MAX_LOCAL:
        raise TokenError(
            f"the return path would have {len(made)} octets before the @, and {MAX_LOCAL} are allowed",
            "Take a shorter mailbox or a shorter name of the stream.",
        )
    return f"{made}@{domain}"


def read(path: str, *, secrets: Sequence[str], now: datetime) -> Token:
    """What a return path says that one of `secrets` made: with or without `<>`, its delimiter found by itself.

    Raises:
        TokenError: it is none, was changed, or is no longer valid: see `fault`.

    """
    local, at, _ = path.strip().removeprefix("<").removesuffix(">").rpartition("@")
    if not at or len(local) > MAX_LOCAL:
        raise _absent()
    body, delimiter = _verified("path", local, secrets)
    _, _, rest = body.partition(delimiter)
    return _token(rest, delimiter, now)


def make_header(
    recipient: str | Address,
    *,
    secrets: Sequence[str],
    now: datetime,
    valid: timedelta = VALID,
    stream: str | None = None,
) -> str:
    """The value of a field `HEADER` for senders that cannot choose their return path: it comes back in the returned copy.

    Raises:
        InvalidAddressError: `recipient` is no address.
        TokenError: the stream, secret or term cannot be used.

    """
    body = f"{_named(recipient, secrets, _LONGEST)}{_tail(now, valid, stream, '+')}"
    return f"{body}+{_mac('header', body, strong(secrets)[0])}"


def read_header(value: str, *, secrets: Sequence[str], now: datetime) -> Token:
    """What such a value says.

    Raises:
        TokenError: it is none, was changed, or is no longer valid: see `fault`.

    """
    body, delimiter = _verified("header", value.strip(), secrets)
    return _token(body, delimiter, now)


def names(token: Token, address: Address, secrets: Sequence[str]) -> bool:
    """Whether the token was made for this address."""
    if token.recipient is not None:
        return token.recipient == address
    found = [hmac.compare_digest(token.digest, _digest(address, secret)) for secret in strong(secrets)]
    return any(found)


def strong(secrets: Sequence[str]) -> Sequence[str]:
    """The secrets, where there is one and none of them can be guessed.

    Raises:
        TokenError: there is none, or one is too short.

    """
    if not secrets or any(len(secret.encode()) < SHORTEST_SECRET for secret in secrets):
        raise TokenError(
            f"a token secret has {SHORTEST_SECRET} octets or more",
            "Make one: openssl rand -hex 32. It goes into [identity] token_secret_file.",
        )
    return secrets


def _named(recipient: str | Address, secrets: Sequence[str], room: int) -> str:
    """The recipient in at most `room` octets: readable where that fits and every mail system carries it, else its hash."""
    address = recipient if isinstance(recipient, Address) else Address.parse(recipient)
    if address.is_domain:
        raise TokenError("a token is for one mailbox, not for a whole domain")
    readable = f"{address.local}={address.domain}"
    plain = _MAILBOX.fullmatch(address.local) and "[" not in address.domain
    return readable if plain and len(readable) <= room else _digest(address, strong(secrets)[0])


def _tail(now: datetime, valid: timedelta, stream: str | None, delimiter: str) -> str:
    """The last day, and the stream where there is one."""
    try:
        day = ((now.astimezone(UTC) + valid).date() - _EPOCH).days
    except OverflowError:
        day = -1
    if valid < timedelta(0) or not 0 <= day <= 99999:
        raise TokenError("no token can end on such a day", "Use a term such as 30d.")
    if stream is None:
        return f"{delimiter}{day:04d}"
    if not _STREAM.fullmatch(stream) or delimiter in stream:
        raise TokenError(
            f"the stream {stream[:80]!r} cannot stand in a token",
            f"Its name has 1 to 32 of a-z 0-9 _ -, and not the delimiter {delimiter}.",
        )
    return f"{delimiter}{day:04d}.{stream}"


def _verified(kind: str, text: str, secrets: Sequence[str]) -> tuple[str, str]:
    """The signed part, in lower case, and the delimiter behind it."""
    if not _MAC + 1 < len(text) <= _LONGEST + 64 or not text.isascii():
        raise _absent()
    lowered = text.lower()
    body, delimiter, mac = lowered[: -_MAC - 1], lowered[-_MAC - 1], lowered[-_MAC:]
    if delimiter not in DELIMITERS or not _HASH.fullmatch(mac):
        raise _absent()
    good = [hmac.compare_digest(mac, _mac(kind, body, secret)) for secret in strong(secrets)]
    if not any(good):
        raise TokenError("no secret of ours made this token, or it was changed", fault=Fault.FORGED)
    return body, delimiter


def _token(body: str, delimiter: str, now: datetime) -> Token:
    """What a signed part says: ours, so that its form is known, unless the secret signed something else once."""
    named, _, tail = body.rpartition(delimiter)
    found = _DAY.fullmatch(tail)
    if found is None:
        raise _absent()
    expires = _EPOCH + timedelta(days=int(found[1]))
    if now.astimezone(UTC).date() > expires:
        raise TokenError(f"the token was good until {expires}", fault=Fault.EXPIRED)
    if _HASH.fullmatch(named):
        return Token(None, named, expires, found[2])
    local, _, domain = named.rpartition("=")
    return Token(Address.parse(f"{local}@{domain}"), "", expires, found[2])


def _absent() -> TokenError:
    return TokenError("this is no token", "A token is a return path that `bounceproc token make` made.", Fault.ABSENT)


def _mac(kind: str, body: str, secret: str) -> str:
    return _base32(f"bounceproc {kind} 1\0{body.lower()}", secret)


def digest(address: Address, secrets: Sequence[str]) -> str:
    """The hash of a recipient that stands in return paths which have no room for the address.

    Raises:
        TokenError: see `strong`.

    """
    return _digest(address, strong(secrets)[0])


def _digest(address: Address, secret: str) -> str:
    return _base32(f"bounceproc recipient 1\0{address.normal}", secret)


def _base32(text: str, secret: str) -> str:
    """HMAC-SHA256 (RFC 2104), its first 80 bits."""
    return b32encode(hmac.digest(secret.encode(), text.encode(), "sha256")[:10]).decode().lower()
