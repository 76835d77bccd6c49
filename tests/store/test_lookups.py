"""What a server of lookups reads: keys, and a feed that it knows again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.ports import BEGINNING
from bounceproc.store.tables import suppression_change

if TYPE_CHECKING:
    from tests.store.kit import Bench


def _add(bench: Bench, text: str) -> bytes:
    address = Address.parse(text)
    bench.store.suppressions.suppress(
        address, scope="*", reason="manual", until=None, note=None, actor="test", now=bench.now
    )
    return bench.store.keys.of(address)


def test_the_feed_is_read_from_where_it_was_left(bench: Bench) -> None:
    lookups = bench.store.lookups
    assert lookups.place() == BEGINNING
    assert lookups.touched(BEGINNING) == (BEGINNING, frozenset())
    first = _add(bench, "a@example.com")
    touched = lookups.touched(BEGINNING)
    assert touched is not None
    assert touched == (lookups.place(), frozenset({first}))
    second = _add(bench, "b@example.com")

    assert lookups.touched(touched[0]) == (lookups.place(), frozenset({second}))
    assert lookups.touched(lookups.place()) == (lookups.place(), frozenset())
    assert b"".join(lookups.prefixes()) == b"".join(sorted(key[:8] for key in (first, second)))


def test_a_feed_that_was_cut_or_changed_is_not_the_one_that_was_read(bench: Bench) -> None:
    lookups = bench.store.lookups
    for name in ("a", "b", "c"):
        _add(bench, f"{name}@example.com")
    read = lookups.place()
    assert lookups.touched(read) is not None
    with bench.store._database.writing() as connection:
        connection.execute(sa.delete(suppression_change).where(suppression_change.c.version == read.version))
    assert lookups.touched(read) is None
    _add(bench, "d@example.com")

    assert lookups.place().version == read.version
    assert lookups.touched(read) is None


def test_a_feed_whose_beginning_was_purged_is_not_read_from_there(bench: Bench) -> None:
    lookups = bench.store.lookups
    for name in ("a", "b"):
        _add(bench, f"{name}@example.com")
    with bench.store._database.writing() as connection:
        connection.execute(sa.delete(suppression_change).where(suppression_change.c.version == 1))

    assert lookups.touched(BEGINNING) is None


def test_postgresql_rings_at_a_commit_and_sqlite_does_not(bench: Bench) -> None:
    rung, stop = threading.Event(), threading.Event()
    listener = threading.Thread(target=bench.store.lookups.listen, args=(rung.set, stop), daemon=True)
    listener.start()
    try:
        if bench.store._database.is_sqlite:
            listener.join(30)
            assert not listener.is_alive()
            return
        assert rung.wait(30)  # it has begun to listen
        rung.clear()
        _add(bench, "a@example.com")
        assert rung.wait(30)
    finally:
        stop.set()
        listener.join(30)
    assert not listener.is_alive()
