"""Is everything reachable, allowed and sane? One check after the other; what fails is a finding and stops no other."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final, Protocol

from bounceproc.errors import BounceprocError
from bounceproc.event import EventType
from bounceproc.finding import Finding, Level, clock_finding
from bounceproc.ports import MessageBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from bounceproc.address import Address
    from bounceproc.pipeline import BatchResult
    from bounceproc.policy.verdict import Verdict
    from bounceproc.ports import Checkpoint, Flight, LedgerBatch, Reading, Recorded, Recorder, Sent
    from bounceproc.rawmessage import RawMessage

DOMAIN: Final = "doctor.example"
"""Nobody can have an address there (RFC 2606 section 2), so that nobody is ever silenced by a sample."""


def examine(subject: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of one check; an error that ends it is its last one."""
    try:
        yield from check()
    except BounceprocError as error:
        yield Finding(Level.FAILURE, subject, "error", error.what.removeprefix(f"{subject}: "), error.advice)


# ---- the whole way of a message --------------------------------------------------------------------------------------


class Place(Protocol):
    """Where samples are put, read as a poll reads, and removed."""

    def put(self, messages: Sequence[bytes]) -> None:
        """Put messages there."""

    def read(self, ids: Sequence[str]) -> list[RawMessage]:
        """Those with these Message-IDs, as a poll gets them."""

    def remove(self, ids: Sequence[str]) -> tuple[int, str]:
        """Take them away; gives how many are gone, and what is left."""


def rehearse(
    subject: str, place: Place, ledger: Recorder, process: Callable[[Recorder, MessageBatch], BatchResult]
) -> Iterator[Finding]:
    """Send a sample bounce and a sample complaint the whole way, and clear them away whatever happens."""
    token = secrets.token_hex(12)
    ids = (f"<{token}.dsn@{DOMAIN}>", f"<{token}.arf@{DOMAIN}>")
    try:
        place.put((sample_bounce(token, ids[0]), sample_complaint(token, ids[1])))
        yield Finding(Level.OK, subject, "append", "a sample bounce and a sample complaint lie in the folder")
        found = place.read(ids)
        yield from _judged(subject, token, found, ledger, process)
    except BounceprocError as error:
        yield Finding(Level.FAILURE, subject, "rehearsal", error.what, error.advice)
    finally:
        cleared = _cleared(subject, place, ids)
    yield cleared


def _judged(
    subject: str,
    token: str,
    found: Sequence[RawMessage],
    ledger: Recorder,
    process: Callable[[Recorder, MessageBatch], BatchResult],
) -> Iterator[Finding]:
    if len(found) < 2:
        what = f"{2 - len(found)} of 2 samples cannot be read back"
        yield Finding(
            Level.FAILURE, subject, "read", what, "Does another program or a filter take mail out of the folder?"
        )
        return
    rehearsal = Rehearsal(ledger)
    result = process(rehearsal, MessageBatch(tuple(found)))
    events = [event for reading in result.readings for event in reading.events]
    wanted = {EventType.BOUNCE: f"bounce-{token}@{DOMAIN}", EventType.COMPLAINT: f"complaint-{token}@{DOMAIN}"}
    came = {event.type: event.recipient.normal for event in events if event.recipient}
    if came != wanted or rehearsal.new_events != len(wanted):
        kinds = ", ".join(str(reading.kind) for reading in result.readings)
        what = (
            f"the samples came out as {kinds} with {rehearsal.new_events} new events, not as a bounce and a complaint"
        )
        yield Finding(
            Level.FAILURE,
            subject,
            "events",
            what,
            "Does a program on the way change messages? Look at one with explain.",
        )
    else:
        what = (
            f"both came out as events and were recorded, {result.changed} suppressions followed; all of it was undone"
        )
        yield Finding(Level.OK, subject, "events", what)
    received = max((raw.received_at for raw in found if raw.received_at), default=None)
    if received is not None:
        yield clock_finding(subject, "the mail server's clock", received - datetime.now(UTC))


def _cleared(subject: str, place: Place, ids: Sequence[str]) -> Finding:
    look = f"Look for messages with {ids[0].partition('.')[0][1:]} in their Message-ID and remove them."
    try:
        gone, left = place.remove(ids)
    except BounceprocError as error:
        return Finding(Level.FAILURE, subject, "clearing", f"the samples may still lie there: {error.what}", look)
    if gone == len(ids):
        return Finding(Level.OK, subject, "clearing", "both samples are gone from the folder")
    what = left or f"{gone} of {len(ids)} samples were there to be removed"
    return Finding(Level.WARNING, subject, "clearing", what, look)


class Rehearsal:
    """A ledger in which everything really happens, and is rolled back where it would be committed."""

    def __init__(self, ledger: Recorder) -> None:
        self._ledger = ledger
        self.new_events = 0

    @contextmanager
    def batch(self, source: str) -> Iterator[_Watched]:
        """A transaction of the real ledger that never ends well."""
        with suppress(_RollBackError), self._ledger.batch(source) as batch:
            watched = _Watched(batch)
            yield watched
            self.new_events = watched.new_events
            raise _RollBackError


class _RollBackError(Exception):
    """Ends the transaction."""


class _Watched:
    def __init__(self, batch: LedgerBatch) -> None:
        self._batch = batch
        self.new_events = 0

    def sent(self, asked: Collection[tuple[str, Address]]) -> Mapping[tuple[str, Address], Sent]:
        return self._batch.sent(asked)

    def named(self, digests: Sequence[str]) -> Mapping[str, Address]:
        return self._batch.named(digests)

    def record(self, readings: Sequence[Reading]) -> Recorded:
        recorded = self._batch.record(readings)
        self.new_events = sum(recorded.events)
        return recorded

    def apply(self, verdicts: Iterable[Verdict]) -> int:
        return self._batch.apply(verdicts)

    def observe(self, verdicts: Iterable[Verdict]) -> int:
        return self._batch.observe(verdicts)

    def review(self, verdicts: Iterable[Verdict], *, again: int) -> int:
        return self._batch.review(verdicts, again=again)

    def advance(self, checkpoint: Checkpoint) -> None:
        self._batch.advance(checkpoint)

    def settled(self, refs: Sequence[str]) -> None:
        self._batch.settled(refs)

    def announce(self, flight: Flight) -> None:
        self._batch.announce(flight)

    def forgive(self, refs: Sequence[str]) -> None:
        self._batch.forgive(refs)

    def count(self, counts: Mapping[str, int]) -> None:
        self._batch.count(counts)


# ---- samples ---------------------------------------------------------------------------------------------------------


def sample_bounce(token: str, message_id: str) -> bytes:
    """A delivery status notification (RFC 3464) about nobody."""
    fields = f"""\
Reporting-MTA: dns; mx.{DOMAIN}

Final-Recipient: rfc822; bounce-{token}@{DOMAIN}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown"""
    return _report("delivery-status", fields, recipient=f"bounce-{token}", token=token, message_id=message_id)


def sample_complaint(token: str, message_id: str) -> bytes:
    """A complaint (RFC 5965) about nobody."""
    fields = f"""\
Feedback-Type: abuse
User-Agent: bounceproc-doctor/1
Version: 1
Original-Rcpt-To: complaint-{token}@{DOMAIN}"""
    return _report("feedback-report", fields, recipient=f"complaint-{token}", token=token, message_id=message_id)


def _report(kind: str, fields: str, *, recipient: str, token: str, message_id: str) -> bytes:
    date = format_datetime(datetime.now(UTC))
    text = f"""\
From: Mail Delivery Subsystem <mailer-daemon@{DOMAIN}>
To: returns@{DOMAIN}
Subject: Sample of bounceproc doctor, to be removed at once
Date: {date}
Message-ID: {message_id}
X-Bounceproc-Doctor: {token}
MIME-Version: 1.0
Content-Type: multipart/report; report-type={kind}; boundary="{token}"

--{token}
Content-Type: text/plain

A sample that proves the way of a report through this mailbox. It may be deleted.

--{token}
Content-Type: message/{kind}

{fields}

--{token}
Content-Type: message/rfc822

From: sender@{DOMAIN}
To: {recipient}@{DOMAIN}
Subject: sample
Date: {date}
Message-ID: <{token}.{kind}.original@{DOMAIN}>

sample

--{token}--
"""
    return text.replace("\n", "\r\n").encode()
