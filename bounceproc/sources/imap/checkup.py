"""What a mailbox's server can do, what we may do there, and what waits in the folder; nothing is changed."""

from __future__ import annotations

import re
import socket
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imapclient.exceptions import IMAPClientError

from bounceproc.finding import Finding, Level, clock_finding
from bounceproc.sources.imap.connection import close_connection, conversation, dial, log_in
from bounceproc.sources.imap.folders import find_folder, missing_folder, select, uids_above
from bounceproc.sources.mailbox import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imapclient import IMAPClient

    from bounceproc.ports import Checkpoint
    from bounceproc.sources.imap.folders import Selected
    from bounceproc.sources.mailbox import Mailbox

CERTIFICATE_WARNING: Final = timedelta(days=14)
"""A certificate that ends sooner should have been renewed: authorities that renew by themselves do it a month before."""
_RIGHTS: Final = re.compile(rb"\s([a-z0-9]+)\s*\Z", re.IGNORECASE)


class Ability(NamedTuple):
    """A capability and what is lost without it."""

    name: bytes
    missing: str
    level: Level


ABILITIES: Final = (
    Ability(b"MOVE", "messages are copied and the originals removed, which takes longer", Level.NOTE),
    Ability(b"UIDPLUS", "messages cannot be removed one by one; originals of moved mail stay, marked", Level.WARNING),
    Ability(b"IDLE", "new mail is seen at the next interval and not at once", Level.NOTE),
    Ability(b"CONDSTORE", "nothing is missed: new mail is found by its UID", Level.NOTE),
    Ability(b"QRESYNC", "a move of many messages is answered by a line for each of them", Level.NOTE),
)


def check_mailbox(mailbox: Mailbox, checkpoint: Checkpoint | None) -> Iterator[Finding]:
    """Everything that can be seen of a mailbox, in the order of a poll. `checkpoint`: how far its folder was read.

    Raises:
        BounceprocError: what ends the check-up: the error says what to do.

    """
    at = f"mailbox {mailbox.name}"
    yield Finding(Level.OK, at, "name", f"{mailbox.host} is {', '.join(_addresses(mailbox))}")
    if mailbox.tokens is not None:
        yield from _token(mailbox, at)
    client = dial(mailbox)
    polite = False
    try:
        with conversation(mailbox):
            yield from _protection(client, mailbox, at)
            log_in(client, mailbox)
            yield Finding(Level.OK, at, "login", f"{mailbox.user} is let in")
            yield from _abilities(client, at)
            yield from _rights(client, mailbox, at)
            yield from _targets(client, mailbox, at)
            yield from _waiting(client, mailbox, checkpoint, at)
        polite = True
    finally:
        close_connection(client, politely=polite)


# ---- the way in ------------------------------------------------------------------------------------------------------


def _addresses(mailbox: Mailbox) -> list[str]:
    with conversation(mailbox):
        found = socket.getaddrinfo(mailbox.host, mailbox.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _token(mailbox: Mailbox, at: str) -> Iterator[Finding]:
    assert mailbox.tokens
    token = mailbox.tokens.current()
    minutes = round((token.expires_at - datetime.now(UTC)).total_seconds() / 60)
    yield Finding(
        Level.OK, at, "token", f"{mailbox.tokens.provider} gives tokens; this one lives for {minutes} minutes"
    )
    if token.skew is not None:
        yield clock_finding(at, f"{mailbox.tokens.provider}'s clock", token.skew)


def _protection(client: IMAPClient, mailbox: Mailbox, at: str) -> Iterator[Finding]:
    where = f"{mailbox.host}:{mailbox.port}"
    connection = client.socket()
    if not isinstance(connection, ssl.SSLSocket):
        yield Finding(Level.NOTE, at, "tls", f"{where} answers, without TLS as configured")
        return
    yield Finding(Level.OK, at, "tls", f"{where} answers, protected by {connection.version()}")
    certificate: dict[str, Any] = dict(connection.getpeercert() or {})
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    left = ends - datetime.now(UTC)
    what = f"the certificate of {where} ends in {left.days} days ({ends:%Y-%m-%d})"
    if left < CERTIFICATE_WARNING:
        yield Finding(
            Level.WARNING, at, "certificate", what, "Let who runs the server renew it: after that day no poll works."
        )
    else:
        yield Finding(Level.OK, at, "certificate", what)


def _abilities(client: IMAPClient, at: str) -> Iterator[Finding]:
    offered = set(client.capabilities())
    for ability in ABILITIES:
        name = ability.name.decode()
        if ability.name in offered:
            yield Finding(Level.OK, at, name, "offered")
        else:
            advice = "Nothing has to be done." if ability.level is Level.NOTE else "Ask for a server that offers it."
            yield Finding(ability.level, at, name, f"not offered: {ability.missing}", advice)


# ---- folders ---------------------------------------------------------------------------------------------------------


def _rights(client: IMAPClient, mailbox: Mailbox, at: str) -> Iterator[Finding]:
    actions = {disposal.action for disposal in mailbox.disposals.values()}
    needed = {"l": "see it", "r": "read it"}
    if Action.SEEN in actions:
        needed["s"] = "mark messages as read"
    if actions & {Action.MOVE, Action.DELETE}:
        needed |= {"t": "mark messages as deleted", "e": "remove them"}
    yield _right(client, mailbox.folder, needed, at) or _by_select(client, mailbox, at, changes=len(needed) > 2)


def _by_select(client: IMAPClient, mailbox: Mailbox, at: str, *, changes: bool) -> Finding:
    opened = select(client, mailbox.folder, readonly=not changes)
    if opened is None:
        raise missing_folder(client, mailbox)
    word = "changed" if changes else "read"
    return Finding(Level.OK, at, "rights", f"{mailbox.folder} can be opened to be {word} (the server lists no rights)")


def _right(client: IMAPClient, folder: str, needed: dict[str, str], at: str) -> Finding | None:
    """What we may do in a folder, as the server says it (RFC 4314); None where it says nothing."""
    if not client.has_capability("ACL"):
        return None
    try:
        # imapclient has no MYRIGHTS; imaplib has.
        answer = client._imap.myrights(client._normalise_folder(folder))  # noqa: SLF001
    except (IMAPClientError, client._imap.error):  # noqa: SLF001 - imaplib's own class, and a refusal here is no end
        return None
    found = _RIGHTS.search(answer[1][-1] or b"") if answer[0] == "OK" and answer[1] else None
    if found is None:
        return None
    rights = found[1].decode().lower()
    have = set(rights) | ({"t", "e", "k", "x"} if "d" in rights or "c" in rights else set())  # RFC 2086's names
    missing = [word for letter, word in needed.items() if letter not in have]
    if missing:
        advice = "Ask who owns the folder for these rights, or set on_... to what they allow."
        return Finding(
            Level.FAILURE, at, "rights", f"{folder}: we may not {', '.join(missing)} (rights: {rights})", advice
        )
    return Finding(Level.OK, at, "rights", f"{folder}: we may {', '.join(needed.values())} (rights: {rights})")


def _targets(client: IMAPClient, mailbox: Mailbox, at: str) -> Iterator[Finding]:
    for folder in sorted({disposal.folder for disposal in mailbox.disposals.values() if disposal.folder}):
        own = find_folder(client, folder)
        if own is not None:
            found = _right(client, own, {"i": "put messages there"}, at)
            yield found or Finding(Level.OK, at, "target", f"{own} is there for messages to be moved to")
            continue
        parent = folder.rpartition("/")[0] or "INBOX"
        may = _right(client, parent, {"k": f"make {folder} below it"}, at)
        advice = "It is made when the first message is moved; make it by hand where that is not allowed."
        level = Level.WARNING if may is not None and may.level is Level.FAILURE else Level.NOTE
        yield Finding(level, at, "target", f"{folder} is not there yet", advice)


def _waiting(client: IMAPClient, mailbox: Mailbox, checkpoint: Checkpoint | None, at: str) -> Iterator[Finding]:
    selected = select(client, mailbox.folder, readonly=True)
    if selected is None:
        raise missing_folder(client, mailbox)
    reached = _reached(selected, checkpoint)
    waiting = len(uids_above(client, selected, reached))
    holds = f"{mailbox.folder} holds {selected.exists} messages"
    if checkpoint is None:
        yield Finding(Level.NOTE, at, "waiting", f"{holds}, all of them new: it was never read", "Run bounceproc poll.")
    elif reached != checkpoint.uid:
        what = f"{holds}; its UIDVALIDITY is {selected.uidvalidity} and was {checkpoint.uidvalidity}"
        yield Finding(
            Level.NOTE, at, "waiting", what, "The next poll reads it whole; what is known already changes nothing."
        )
    elif waiting:
        what = f"{holds}, {waiting} of them new (UIDs above {reached})"
        yield Finding(Level.OK, at, "waiting", what, "The next poll reads them.")
    else:
        what = f"{holds}, none of them new: all UIDs up to {reached} were read"
        advice = "A poll says 0 processed now. Do reports arrive in another folder, such as the one for spam?"
        yield Finding(Level.OK, at, "waiting", what, advice)


def _reached(selected: Selected, checkpoint: Checkpoint | None) -> int:
    if checkpoint is None or not selected.uidvalidity or checkpoint.uidvalidity != selected.uidvalidity:
        return 0
    return checkpoint.uid
