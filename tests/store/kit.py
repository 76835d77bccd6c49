"""Mail that never was, and a store to put it into."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.event import BounceClass, Event, EventType, Kind, Trust
from bounceproc.policy.decide import decide
from bounceproc.policy.settings import Policy
from bounceproc.ports import Outcome, Reading
from bounceproc.status import EnhancedStatus
from bounceproc.store.schema import Schema
from bounceproc.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bounceproc.ports import Recorded, Suppression
    from bounceproc.store.engine import Database

DAY = timedelta(days=1)
START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def bounce(address: str | None = "user@example.com", *, at: datetime = START, original: str = "", **more: Any) -> Event:
    """A hard bounce, unless `more` says otherwise."""
    fields: dict[str, Any] = {
        "type": EventType.BOUNCE,
        "class_": BounceClass.HARD,
        "category": "bad-mailbox",
        "rule": "test-rule",
        "status": EnhancedStatus(5, 1, 1),
        "smtp_code": 550,
        "diagnostic": f"550 5.1.1 <{address}> user unknown",
        "action": "failed",
        "remote_mta": "mx.example.com",
        "reporting_mta": "mail.example.net",
    }
    recipient = Address.parse(address) if address else None
    return Event(
        **{**fields, **more},
        recipient=recipient,
        final_recipient=recipient,
        occurred_at=at,
        original_message_id=original or f"<{at.isoformat()}.{address}@sender.example>",
    )


def soft(address: str = "user@example.com", category: str = "mailbox-full", **more: Any) -> Event:
    """A soft bounce."""
    return bounce(address, class_=BounceClass.SOFT, category=category, status=EnhancedStatus(4, 2, 2), **more)


def complaint(address: str | None = "user@example.com", **more: Any) -> Event:
    """A complaint."""
    plain: dict[str, Any] = {"class_": None, "category": None, "rule": None, "status": None, "smtp_code": None}
    return bounce(address, type=EventType.COMPLAINT, feedback_type="abuse", **plain, **more)


def unsubscribe(address: str = "user@example.com", stream: str | None = None) -> Event:
    """An unsubscribe, of one stream or of everything."""
    plain: dict[str, Any] = {"class_": None, "category": None, "rule": None, "status": None, "smtp_code": None}
    return bounce(address, type=EventType.UNSUBSCRIBE, stream=stream, **plain)


def delivery(address: str = "user@example.com", *, at: datetime) -> Event:
    """A success notice."""
    return bounce(address, type=EventType.DELIVERY, at=at, class_=None, category=None, trust=Trust.REPORTED)


def reading(*events: Event, ref: str = "1", body: str = "", at: datetime | None = None, **more: Any) -> Reading:
    """A message that reports these events; equal bodies make equal digests."""
    raw = f"{body or ref}: a report about {[str(event.recipient) for event in events]}".encode(errors="replace")
    received_at = at or max((e.occurred_at for e in events if e.occurred_at), default=START) + timedelta(minutes=1)
    fields: dict[str, Any] = {
        "ref": ref,
        "digest": hashlib.blake2b(raw, digest_size=32).digest(),
        "received_at": received_at,
        "outcome": Outcome.REPORT,
        "kind": Kind.DSN,
        "detector": "rfc3464",
        "message_id": f"<report.{ref}@mail.example.net>",
        "reporting_mta": "mail.example.net",
        "events": events,
        "raw": raw,
    }
    return Reading(**{**fields, **more})


@dataclass
class Bench:
    """An open store and the shortest way through it."""

    store: Store
    url: str
    pepper_file: Path
    now: datetime = START + 400 * DAY
    policy: Policy = field(default_factory=Policy)

    @classmethod
    @contextmanager
    def prepare(cls, url: str, folder: Path, **options: Any) -> Iterator[Bench]:
        """Make the schema, lay a pepper ready and open the store."""
        Schema(url).upgrade()
        pepper_file = folder / "test.pepper"
        pepper_file.write_text("5a" * 32)
        with Store.open(url, pepper_file=pepper_file, **options) as store:
            yield cls(store, url, pepper_file)

    @property
    def database(self) -> Database:
        """The store's own database."""
        return self.store._database

    def process(self, *readings: Reading, source: str = "returns") -> tuple[Recorded, int]:
        """Record a batch and apply what policy makes of it."""
        with self.store.ledger.batch(source) as batch:
            recorded = batch.record(readings)
            verdicts = [decide(history, self.policy, self.now) for history in recorded.histories]
            changed = batch.apply(verdicts)
            batch.review(verdicts, again=self.policy.review_again)
            return recorded, changed

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, in the order of their first column."""
        with self.database.reading() as connection:
            return [dict(row) for row in connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1")).mappings()]

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return len(self.rows(table))

    def answer(self, address: str, *, stream: str | None = None, now: datetime | None = None) -> Suppression | None:
        """The strongest suppression of one address."""
        subject = Address.parse(address)
        return self.store.suppressions.check([subject], stream=stream, now=now or self.now).get(subject.normal)

    def suppress(self, address: str, **more: Any) -> bool:
        """Suppress by hand."""
        subject = Address.parse_domain(address) if address.startswith("@") else Address.parse(address)
        fields = {"scope": "*", "reason": "manual", "until": None, "note": None, "actor": "tester", "now": self.now}
        return self.store.suppressions.suppress(subject, **{**fields, **more})

    def lift(self, address: str, *, scope: str | None = None, now: datetime | None = None) -> int:
        """Lift by hand."""
        subject = Address.parse_domain(address) if address.startswith("@") else Address.parse(address)
        return self.store.suppressions.lift(
            subject, scope=scope, note="asked us", consent="their letter", actor="tester", now=now or self.now
        )
