"""What a message is: readers in one list, the most authoritative first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bounceproc.errors import MalformedReportError
from bounceproc.reports import arf, autoreply, dsn, prose, ses, unsubscribe, usual
from bounceproc.reports.mail import Mail
from bounceproc.reports.mime import normalised

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.reports.report import Report

REPORT_TYPES: Final = frozenset({b"delivery-status", b"global-delivery-status", b"feedback-report"})
"""Report types (RFC 6522) that promise a part of fields."""

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
    data = normalised(message)
    if (report := usual.read(data)) is not None:
        return report
    mail = Mail.parse(data)
    if mail.is_copy_for_postmaster:
        return None
    for read in READERS:
        report = read(mail)
        if report is not None:
            return report
    if (
        mail.is_notice
        and mail.root.type == "multipart/report"
        and mail.root.parameter(b"report-type").lower() in REPORT_TYPES
    ):
        raise MalformedReportError(
            "the message says that it is a report, and the part with its fields is missing or cut off",
            "Look at the message: it may have been shortened on its way.",
        )
    return None


def is_unknown_notice(message: bytes) -> bool:
    """Whether a mail system seems to have written a message that `recognise` takes for ordinary mail: for people who ask why."""
    mail = Mail.parse(normalised(message))
    return mail.is_notice and not mail.is_copy_for_postmaster and not mail.is_letter_of_postmaster
