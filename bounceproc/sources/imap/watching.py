"""Waiting for new mail in a folder: told by the server (IDLE, RFC 2177), or by looking now and then."""

from __future__ import annotations

import re
import select
import time
from typing import TYPE_CHECKING, Any, Final

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from bounceproc.sources.imap.connection import conversation
from bounceproc.sources.imap.folders import uids_above
from bounceproc.sources.imap.source import ImapSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.ports import Checkpoint
    from bounceproc.sources.mailbox import Mailbox

HEARTBEAT: Final = 0.5
"""Seconds between two questions whether it is time to stop."""
RECHECK: Final = 600.0
"""Seconds until a folder is looked at although its server said nothing: some never do. It also renews IDLE, which servers end
after 30 minutes (RFC 2177 asks for 29)."""
NEWS: Final = frozenset({b"EXISTS", b"RECENT"})

_REFUSED: Final = re.compile(r" (?:NO|BAD)\b")


class WatchedFolder(ImapSource):
    """A folder that is read again and again over one connection."""

    def __init__(
        self, mailbox: Mailbox, checkpoint: Checkpoint | None = None, *, recheck: float = RECHECK, **options: Any
    ) -> None:
        super().__init__(mailbox, checkpoint, **options)
        self._recheck = recheck
        self._told = (0, 0)
        self._can_idle = True

    def wait(self, timeout: float, stopped: Callable[[], bool]) -> None:
        """Return when there is new mail; where the server can tell, after `recheck` seconds, and else after `timeout`.

        Raises:
            ConfigError: the folder is gone.
            UnavailableError: the server does not answer.
            AccessError: it refuses us.

        """
        with conversation(self._mailbox):
            if self._has_news():
                return
            if self._can_idle and self._client.has_capability("IDLE"):
                self._idle(time.monotonic() + self._recheck, stopped)
                if self._can_idle:
                    return
        deadline = time.monotonic() + timeout
        while not stopped() and time.monotonic() < deadline:
            time.sleep(min(HEARTBEAT, max(0.0, deadline - time.monotonic())))

    def facts(self) -> dict[str, int | str]:
        """How many messages lay there, and how far they were read."""
        before, selected = self._checkpoint, self._selected
        found: dict[str, int | str] = {}
        if selected is not None and selected.folder == self._mailbox.folder:
            found["messages"] = selected.exists
        if before is not None and before.folder == self._mailbox.folder:
            found |= {"uid": before.uid, "uidvalidity": before.uidvalidity}
        return found

    def _has_news(self) -> bool:
        """Whether something came while the last messages were read and moved: the server does not say that again.

        What was said to be new once and is still there was refused; it does not become new by being looked at.
        """
        self._selected = None
        selected = self._open_own_folder()
        uids = uids_above(self._client, selected, self._last_uid(selected))
        if not uids or (selected.uidvalidity, uids[-1]) == self._told:
            return False
        self._told = (selected.uidvalidity, uids[-1])
        return True

    def _idle(self, deadline: float, stopped: Callable[[], bool]) -> None:
        while not stopped() and time.monotonic() < deadline:
            try:
                self._client.idle()
            except IMAPClientError as error:
                if isinstance(error, IMAPClientAbortError) or not _REFUSED.search(str(error)):
                    raise
                self._can_idle = False  # it offers what it does not do
                return
            while not stopped() and time.monotonic() < deadline and not self._is_readable():
                pass
            _, said = self._client.idle_done()
            if any(_is_news(line) for line in said):
                return

    def _is_readable(self) -> bool:
        """Whether the server said something, within a heartbeat. IMAPClient's own look takes a lost connection for silence."""
        connection = self._client.socket()
        if self._has_buffered(connection):
            return True
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return bool(poll.poll(HEARTBEAT * 1000))

    def _has_buffered(self, connection: Any) -> bool:
        """What came together with the answer to IDLE lies in imaplib's buffer already, where no poll sees it."""
        before = connection.gettimeout()
        connection.settimeout(0)
        try:
            return bool(self._client._imap.file.peek(1))  # noqa: SLF001 - there is no other way to look
        except OSError:  # nothing yet, in the words of TLS
            return False
        finally:
            connection.settimeout(before)


def _is_news(line: Any) -> bool:
    return isinstance(line, tuple) and len(line) > 1 and line[1] in NEWS
