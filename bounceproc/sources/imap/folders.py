"""Folders on a server: selecting one, finding its new messages, and making those that are missing."""

from __future__ import annotations

import difflib
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imapclient.exceptions import IMAPClientError

from bounceproc import sequence
from bounceproc.errors import ConfigError
from bounceproc.sources.imap.connection import response_code, was_refused
from bounceproc.sources.mailbox import same_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imapclient import IMAPClient

    from bounceproc.sources.mailbox import Mailbox

MAX_FOUND: Final = 80_000
"""UIDs asked for in one search: the answer is one line, and imaplib refuses a line of more than 1,000,000 octets."""
MAX_UID: Final = 2**32 - 1
"""A UID has 32 bits (RFC 9051 section 2.3.1.1)."""
MAX_LISTED: Final = 20
"""Folders named in an error."""


@dataclass(frozen=True, slots=True)
class Selected:
    """What the server says of a folder when it opens it."""

    folder: str
    readonly: bool
    uidvalidity: int
    """0 where the server has none: its UIDs last for one session only."""
    exists: int
    uidnext: int
    """One above every UID that is in use."""


def enable_extensions(client: IMAPClient) -> None:
    """Let a server that can tell in one line of all messages that left (RFC 7162 VANISHED) do so: a move of 500 has 500.

    That is all that QRESYNC and CONDSTORE do for us. A MODSEQ finds messages whose flags changed, our own moves and marks among
    them, and new mail no sooner than UIDNEXT does, which comes with every SELECT: a folder without news costs no search.
    """
    if client.has_capability("QRESYNC") and client.has_capability("ENABLE"):
        client.enable("QRESYNC")


def select(client: IMAPClient, folder: str, *, readonly: bool) -> Selected | None:
    """Open a folder; None if there is none of that name."""
    try:
        answer = client.select_folder(folder, readonly=readonly)
    except IMAPClientError as error:
        if was_refused(error) and (response_code(error) == "NONEXISTENT" or not _has_folder(client, folder)):
            return None
        raise
    return Selected(
        folder=folder,
        readonly=readonly,
        uidvalidity=answer.get(b"UIDVALIDITY", 0),
        exists=answer[b"EXISTS"],
        uidnext=answer.get(b"UIDNEXT", MAX_UID + 1),
    )


def uids_above(client: IMAPClient, selected: Selected, uid: int, *, below: int = MAX_UID + 1) -> array[int]:
    """The UIDs in the selected folder that are greater than `uid` (and less than `below`), in ascending order."""
    found: array[int] = array("L")
    end = min(selected.uidnext, below)
    if selected.exists == 0 or uid + 1 >= end:
        return found
    # A window holds at most as many messages as UIDs; where the whole folder fits, one window does.
    width = MAX_UID if selected.exists <= MAX_FOUND else MAX_FOUND
    for first in range(uid + 1, end, width):
        last = min(first + width, end) - 1
        # Servers swap the ends of a range that runs backwards and then give smaller UIDs, so each is looked at.
        found.extend(sorted(number for number in client.search(["UID", f"{first}:{last}"]) if first <= number <= last))
    return found


def existing_uids(client: IMAPClient, uids: Sequence[int]) -> list[int]:
    """Those of the UIDs that are still in the selected folder."""
    client.noop()  # the server may only say now what other programs took away
    return sorted(set(uids) & set(client.search(["UID", sequence.dump(uids)])))


def missing_folder(client: IMAPClient, mailbox: Mailbox) -> ConfigError:
    """The error for a folder that does not exist, with the nearest name and what there is."""
    names = sorted(_selectable(client))
    advice = f"There are: {', '.join(names[:MAX_LISTED])}{', ...' if len(names) > MAX_LISTED else ''}."
    nearest = _nearest(mailbox.folder, names)
    if nearest is not None:
        advice = f'Did you mean "{nearest}"? {advice}'
    return ConfigError(f"mailbox {mailbox.name!r} has no folder {mailbox.folder!r}", advice)


def find_folder(client: IMAPClient, name: str) -> str | None:
    """The server's own name of a folder to move messages to; None where it is missing."""
    candidates = (name, _in_namespace(client, name))
    return next((candidate for candidate in candidates if _has_folder(client, candidate)), None)


def ensure_folder(client: IMAPClient, name: str) -> str:
    """The server's own name of a folder to move messages to, made and subscribed to where it is missing.

    `/` in a name is the border between folders wherever the server uses another one, and a name without the prefix
    that the server asks for (`INBOX.` with Courier and Cyrus) gets it.
    """
    found = find_folder(client, name)
    if found is not None:
        return found
    own = _in_namespace(client, name)
    try:
        client.create_folder(own)
    except IMAPClientError as error:
        # Another program may have made it in this moment.
        if not was_refused(error) or not _has_folder(client, own):
            raise
    try:
        client.subscribe_folder(own)  # mail programs show what is subscribed to
    except IMAPClientError as error:
        if not was_refused(error):
            raise
    return own


# ---- names -----------------------------------------------------------------------------------------------------------


def _selectable(client: IMAPClient, pattern: str = "*") -> list[str]:
    return [
        name
        for flags, _, name in client.list_folders("", pattern)
        if not {b"\\noselect", b"\\nonexistent"} & {flag.lower() for flag in flags}
    ]


def _has_folder(client: IMAPClient, folder: str) -> bool:
    # `*` and `%` in a name are wildcards to the server.
    return any(same_folder(name, folder) for name in _selectable(client, folder))


def _nearest(folder: str, names: list[str]) -> str | None:
    by_lower = {name.lower(): name for name in names}
    tail = {name.lower().replace("/", ".").rpartition(".")[2]: name for name in names}
    wanted = folder.lower()
    if wanted in tail:
        return tail[wanted]
    close = difflib.get_close_matches(wanted, by_lower, n=1)
    return by_lower[close[0]] if close else None


def _in_namespace(client: IMAPClient, name: str) -> str:
    prefix, delimiter = _personal_namespace(client)
    if same_folder(name, "INBOX"):
        return name
    if delimiter and delimiter != "/":
        name = name.replace("/", delimiter)
    return name if name.lower().startswith(prefix.lower()) else prefix + name


def _personal_namespace(client: IMAPClient) -> tuple[str, str]:
    """The prefix of the user's own folders and what stands between a folder and the folders in it (RFC 2342)."""
    if client.has_capability("NAMESPACE"):
        for prefix, delimiter in client.namespace().personal or ():
            return prefix or "", delimiter or ""
    for _, delimiter, _ in client.list_folders("", ""):
        return "", (delimiter or b"").decode()
    return "", ""
