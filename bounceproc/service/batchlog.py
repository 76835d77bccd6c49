"""What the log says of a folder's batches: a line for each, and one for every message that was parked."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from bounceproc.ports import Outcome
from bounceproc.service.logs import is_heard, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bounceproc.pipeline import BatchResult
    from bounceproc.ports import Reading


class BatchLog:
    """The lines about one folder; about a source that has none, its name alone."""

    def __init__(self, mailbox: str, folder: str | None = None) -> None:
        self.mailbox = mailbox
        self.folder = folder
        self._since = time.monotonic()
        self._explained = False

    @property
    def place(self) -> str:
        """What the lines are about, for people."""
        return f"{self.mailbox} {self.folder}" if self.folder is not None else self.mailbox

    def begin(self) -> None:
        """A round begins: its first batch is timed from here."""
        self._since = time.monotonic()

    def batch(self, result: BatchResult) -> None:
        """One batch was recorded and settled."""
        seconds, self._since = time.monotonic() - self._since, time.monotonic()
        all_of_them = is_heard(logging.DEBUG)
        for reading in result.readings:
            if all_of_them or reading.outcome is Outcome.MALFORMED:
                self._message(reading)
        for incident in result.incidents:
            self.tell(
                logging.WARNING,
                f"{incident.provider} suddenly refuses {incident.recipients} recipients with the same words; they are held"
                f" back: see `bounceproc incident show {incident.id}`",
                provider=incident.provider,
                recipients=incident.recipients,
                usual=incident.usual,
                wording=incident.wording,
            )
        self.tell(
            logging.INFO,
            "batch recorded",
            messages=len(result.readings),
            events=sum(len(reading.events) for reading in result.readings),
            duplicates=result.duplicates,
            parked=sum(reading.outcome is Outcome.MALFORMED for reading in result.readings),
            suppressions=result.changed,
            seconds=round(seconds, 3),
        )

    def nothing(self, facts: Mapping[str, Any]) -> None:
        """A round found nothing new: once for whoever wonders, then in detail only."""
        level = logging.DEBUG if self._explained else logging.INFO
        self._explained = True
        self.tell(level, why_nothing(facts), **facts)

    def tell(self, level: int, message: str, *, error: BaseException | None = None, **fields: object) -> None:
        """One line about the folder."""
        tell(level, message, error=error, mailbox=self.mailbox, folder=self.folder, **fields)

    def _message(self, reading: Reading) -> None:
        parked = reading.outcome is Outcome.MALFORMED
        self.tell(
            logging.WARNING if parked else logging.DEBUG,
            "message parked" if parked else "message read",
            uid=_uid(reading.ref),
            message_id=reading.message_id,
            outcome=reading.outcome.value,
            reason=reading.error,
        )


def why_nothing(facts: Mapping[str, Any]) -> str:
    """Why there was nothing to do: what lies in the folder, and how far it was read before."""
    known = facts.get("messages")
    text = "0 new" if known is None else f"0 new of {known} messages"
    if "uid" in facts:
        text += f", read up to UID {facts['uid']} (UIDVALIDITY {facts.get('uidvalidity')})"
    return text


def _uid(ref: str) -> int | str:
    """The UID in a reference; the whole reference where the source has none."""
    uid = ref.rpartition(";UID=")[2]
    return int(uid) if uid.isdecimal() else ref
