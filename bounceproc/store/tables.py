"""The tables, once for SQLite and PostgreSQL alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, so that a later migration can drop it on either database."""


class UtcTime(sa.types.TypeDecorator[datetime]):
    """A moment: aware and in UTC on our side, `timestamptz` in PostgreSQL, text of a fixed width in SQLite, which sorts right."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into the database; a moment without a time zone is a mistake of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Out of the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def _identity() -> Any:
    """SQLite counts rows only in a column of the exact type INTEGER."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


metadata: Final = sa.MetaData(naming_convention=NAMES)

_PARTIAL: Final[list[tuple[sa.Index, sa.ColumnElement[bool]]]] = []


def _partial(name: str, *columns: sa.Column[Any], where: sa.ColumnElement[bool], unique: bool = False) -> None:
    """An index over some of the rows."""
    _PARTIAL.append((sa.Index(name, *columns, unique=unique, sqlite_where=where), where))


def tell_postgresql() -> None:
    """Say the same to PostgreSQL's dialect, which takes a tenth of a command's time to load where SQLite serves."""
    for index, where in _PARTIAL:
        index.dialect_options["postgresql"]["where"] = where


message: Final = sa.Table(
    "message",
    metadata,
    sa.Column("id", _identity(), primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("detector", sa.Text),
    sa.Column("message_id", sa.Text),
    sa.Column("reporting_mta", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("duplicate_of", _identity(), sa.ForeignKey("message.id")),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("settled_at", UtcTime),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("raw", sa.LargeBinary),
    sa.UniqueConstraint("source", "ref", "digest"),
    sqlite_autoincrement=True,
)
"""One row for each place that a message was seen at. `attempts`: how often it was offered there. `raw`: see `copies`."""

_FIRST: Final = message.c.duplicate_of.is_(None)
_UNSETTLED: Final = message.c.settled_at.is_(None)
_partial("uq_message_digest_first", message.c.digest, unique=True, where=_FIRST)
_partial("ix_message_unsettled", message.c.source, message.c.id, where=_UNSETTLED)
_AGAIN: Final = message.c.duplicate_of.is_not(None)
_partial("ix_message_duplicate_of", message.c.duplicate_of, where=_AGAIN)
_COPIED: Final = message.c.raw.is_not(None)
_FAILED: Final = message.c.error.is_not(None)
_partial("ix_message_raw", message.c.recorded_at, where=_COPIED)
_partial("ix_message_error", message.c.recorded_at, where=_FAILED)

event: Final = sa.Table(
    "event",
    metadata,
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("message_id", _identity(), sa.ForeignKey("message.id"), nullable=False, index=True),
    sa.Column("key", sa.LargeBinary),
    sa.Column("address", sa.Text),
    sa.Column("final_recipient", sa.Text),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("class", sa.Text),
    sa.Column("category", sa.Text),
    sa.Column("rule", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("smtp_code", sa.Integer),
    sa.Column("diagnostic", sa.Text),
    sa.Column("action", sa.Text),
    sa.Column("remote_mta", sa.Text),
    sa.Column("reporting_mta", sa.Text),
    sa.Column("feedback_type", sa.Text),
    sa.Column("original_message_id", sa.Text),
    sa.Column("envelope_id", sa.Text),
    sa.Column("derived", sa.Text),
    sa.Column("trust", sa.Text, nullable=False),
    sa.Column("stream", sa.Text),
    sa.Column("occurred_at", UtcTime, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("reference", sa.Text),
    sa.Index(None, "key", "occurred_at"),
    sa.Index(None, "recorded_at"),
)
"""What happened, one row for each recipient. Append-only until its time is over (see `purging`); `id` is the event id."""

address: Final = sa.Table(
    "address",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("address", sa.Text),
    sa.Column("is_domain", sa.Boolean, nullable=False),
    sa.Column("history", sa.Text, nullable=False),
    sa.Column("lifted_at", UtcTime),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("kept", sa.Text),
)
"""What policy needs of each address and domain: see `histories`, and `keeping` for decisions to go on sending."""

_KEPT: Final = address.c.kept.is_not(None)
_partial("ix_address_kept", address.c.key, where=_KEPT)
_partial("ix_address_kept_address", address.c.address, where=_KEPT)
"""For whoever asks by the view `v_allowed`, and has no key."""

suppression: Final = sa.Table(
    "suppression",
    metadata,
    sa.Column("id", _identity(), primary_key=True),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("is_domain", sa.Boolean, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("until", UtcTime),
    sa.Column("category", sa.Text),
    sa.Column("class", sa.Text),
    sa.Column("event", sa.LargeBinary),
    sa.Column("note", sa.Text),
    sa.Column("why", sa.Text),
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.Column("second_look", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("key", "scope", "reason", "origin"),
    sa.Index(None, "address"),
    sqlite_autoincrement=True,
)
"""The list. `note` is what a person wrote, `why` what policy counted, `event` the event that decided.

With `second_look` the entry does not end at `until`: it becomes permanent then. The index on `address` is for those who
ask by the views, which have no key.
"""

_ENDS: Final = suppression.c.until.is_not(None)
_partial("ix_suppression_until", suppression.c.until, where=_ENDS)

observed: Final = sa.Table(
    "observed",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("address", sa.Text),
    sa.Column("is_domain", sa.Boolean, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("until", UtcTime),
    sa.Column("second_look", sa.Boolean, nullable=False),
    sa.Column("category", sa.Text),
    sa.Column("class", sa.Text),
    sa.Column("event", sa.LargeBinary),
    sa.Column("why", sa.Text),
    sa.Column("lifted_at", UtcTime),
    sa.Column("delivered_at", UtcTime),
    sa.Column("changed_at", UtcTime, nullable=False),
)
"""What policy would have suppressed while it only observed, `lifted_at` when it would have lifted it again, and
`delivered_at` a later sign of delivery: what it would have regretted."""

review: Final = sa.Table(
    "review",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("address", sa.Text),
    sa.Column("is_domain", sa.Boolean, nullable=False),
    sa.Column("category", sa.Text),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("event", sa.LargeBinary, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("first_at", UtcTime, nullable=False),
    sa.Column("last_at", UtcTime, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("decided_at", UtcTime),
    sa.Column("decided_by", sa.Text),
    sa.Column("note", sa.Text),
    sa.Index(None, "state", "last_at"),
)
"""What a person should look at: `state` is `open`, `dismissed` or `confirmed`, `event` a sample of `count` events."""

suppression_change: Final = sa.Table(
    "suppression_change",
    metadata,
    sa.Column("version", _identity(), primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("before", sa.JSON(none_as_null=True)),
    sa.Column("after", sa.JSON(none_as_null=True)),
    sa.Column("salt", sa.LargeBinary),
    sa.Column("commitment", sa.LargeBinary),
    sa.Column("seal", sa.LargeBinary),
    sa.Index(None, "key"),
)
"""The feed: who changed what, in commit order. Append-only; the newest row stays for ever, since it holds the version.

See `sealing` for the last three. Whoever erases what a person wrote in a line erases the salt with it.
"""

checkpoint: Final = sa.Table(
    "checkpoint",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("folder", sa.Text, primary_key=True),
    sa.Column("uidvalidity", sa.BigInteger, nullable=False),
    sa.Column("uid", sa.BigInteger, nullable=False),
    sa.Column("modseq", sa.BigInteger),
    sa.Column("updated_at", UtcTime, nullable=False),
)
"""How far each folder was read."""

in_flight: Final = sa.Table(
    "in_flight",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("within", sa.Text, primary_key=True),
    sa.Column("prefix", sa.Text, nullable=False),
    sa.Column("numbers", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)
"""What each folder's poller is reading at this moment: `prefix` (folder and UIDVALIDITY) and `numbers` (UIDs, `1:500,507`).
A row that a start finds is of a run that ended in the middle."""

attempt: Final = sa.Table(
    "attempt",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("ref", sa.Text, primary_key=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)
"""Messages that were read and never recorded: how often, and why not the last time."""

counter: Final = sa.Table(
    "counter",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
"""What was done since the beginning, by source, for metrics."""

pulse: Final = sa.Table(
    "pulse",
    metadata,
    sa.Column("fingerprint", sa.LargeBinary, primary_key=True),
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("recipients", sa.Integer, nullable=False),
    sa.Index(None, "provider", "day"),
)
"""How many recipients each wording of each provider condemned on each day of receipt (`2026-11-26`): what is usual."""

pulse_event: Final = sa.Table(
    "pulse_event",
    metadata,
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, primary_key=True),
    sa.Column("id", sa.LargeBinary, primary_key=True),
)
"""The events behind the newest day of `pulse`: an incident that opens takes them in. By recipient, since each counts once."""

incident: Final = sa.Table(
    "incident",
    metadata,
    sa.Column("id", _identity(), primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False, index=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("wording", sa.Text, nullable=False),
    sa.Column("usual", sa.Integer, nullable=False),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("surged_at", UtcTime, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("decided_at", UtcTime),
    sa.Column("decided_by", sa.Text),
    sa.Column("note", sa.Text),
    sqlite_autoincrement=True,
)
"""Surges: `usual` is the worst earlier day, `surged_at` when it was last one, `state` is `open`, `confirmed` or `reverted`."""

incident_event: Final = sa.Table(
    "incident_event",
    metadata,
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("incident_id", _identity(), sa.ForeignKey("incident.id"), nullable=False, index=True),
    sa.Column("key", sa.LargeBinary, nullable=False, index=True),
)
"""Events that decide nothing: those of incidents that are open or were taken back."""

sent: Final = sa.Table(
    "sent",
    metadata,
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("message", sa.LargeBinary, nullable=False, index=True),
    sa.Column("key", sa.LargeBinary, nullable=False, index=True),
    sa.Column("address", sa.Text),
    sa.Column("token", sa.Text, index=True),
    sa.Column("stream", sa.Text),
    sa.Column("reference", sa.Text),
    sa.Column("sent_at", UtcTime, nullable=False, index=True),
)
"""The send ledger. `message` is a keyed hash of the Message-ID, `id` one of it and the recipient, `token` the recipient's hash
in return paths."""

setting: Final = sa.Table(
    "setting",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""What the database has to know of itself: the pepper's id and check value, the version of the normal form."""
