"""What a message is: readers in one list, the most authoritative first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bounceproc.reports import arf, autoreply, dsn, prose, ses, unsubscribe
from bounceproc.reports.mail import Mail

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.reports.report import Report

READERS: Final[tuple[Callable[[Mail], Report | None], ...]] = (
    arf.read,  # a complaint carries a whole mail of ours: nothing in that mail may be taken for the report
    dsn.read,
    autoreply.read_receipt,
    ses.read,
    dsn.read_loose,
    prose.read,  # before answers: Exim and others say `Auto-Submitted: auto-replied` of their bounces
    unsubscribe.read,  # before answers: Apple Mail says it of the unsubscribe mail that it sends for a person
    autoreply.read,
    dsn.read_nested,
    prose.read_sentence,
    prose.read_flufl,  # a guess, and asked last
)


def recognise(message: bytes) -> Report | None:
    """Read one message.

    Returns:
        What it says, its events not classified yet; None for ordinary mail.

    Raises:
        MalformedReportError: it says that it is a report and cannot be read as one.

    """
    mail = Mail.parse(message)
    for read in READERS:
        report = read(mail)
        if report is not None:
            return report
    return None
