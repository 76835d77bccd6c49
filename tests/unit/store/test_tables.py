"""Moments are stored so that both databases order them right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import make_url

from bounceproc.store.tables import UtcTime, metadata

SQLITE = make_url("sqlite://").get_dialect()()
POSTGRESQL = make_url("postgresql+psycopg://").get_dialect()()
NEPAL = timezone(timedelta(hours=5, minutes=45))


def test_a_moment_of_any_zone_becomes_utc() -> None:
    moment = datetime(2026, 3, 2, 1, 0, tzinfo=NEPAL)
    assert UtcTime().process_bind_param(moment, SQLITE) == datetime(2026, 3, 1, 19, 15)  # noqa: DTZ001 - SQLite gets UTC without a zone
    bound = UtcTime().process_bind_param(moment, POSTGRESQL)
    assert bound == moment
    assert bound.tzinfo is UTC
    assert UtcTime().process_result_value(moment, POSTGRESQL) == moment


def test_a_moment_without_a_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        UtcTime().process_bind_param(datetime(2026, 3, 2), SQLITE)  # noqa: DTZ001 - that is the point


def test_nothing_stays_nothing() -> None:
    assert UtcTime().process_bind_param(None, SQLITE) is None
    assert UtcTime().process_result_value(None, SQLITE) is None


def test_every_constraint_and_index_has_a_name_and_no_table_is_forgotten() -> None:
    assert set(metadata.tables) == {
        "address",
        "attempt",
        "checkpoint",
        "counter",
        "event",
        "in_flight",
        "incident",
        "incident_event",
        "message",
        "observed",
        "pulse",
        "pulse_event",
        "review",
        "sent",
        "setting",
        "suppression",
        "suppression_change",
    }
    for table in metadata.tables.values():
        assert all(constraint.name for constraint in table.constraints)
        assert all(index.name for index in table.indexes)
