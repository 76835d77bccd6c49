"""With hash_only no address is stored in any form that can be read, and everything still works."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.address import Address
from bounceproc.ports import Outcome
from bounceproc.store.copies import unpack
from tests.store.kit import START, Bench, bounce, reading, soft, unsubscribe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "wilhelmina"


@pytest.fixture
def discreet(url: str, tmp_path: Path) -> Iterator[Bench]:
    with Bench.prepare(url, tmp_path, hash_only=True) as prepared:
        yield prepared


def _live(bench: Bench) -> None:
    address = f"{NAME}@secret-domain.example"
    telling: dict[str, Any] = {
        "original": f"<123.{NAME}=secret-domain.example@sender.example>",
        "envelope_id": f"E-{NAME}",
        "diagnostic": f"<{address}> unknown",
        "remote_mta": f"dns;{NAME}.example",
    }
    bench.process(
        reading(bounce(address), ref="1", message_id=f"<{NAME}@mail.example.net>"),
        reading(bounce(address, **telling), ref="2"),
        reading(soft(address, "expired"), ref="3"),
        reading(unsubscribe(address, stream="news"), ref="4"),
        reading(ref="5", outcome=Outcome.MALFORMED, error=f"cannot read {address}"),
    )
    bench.store.ledger.failed("returns", "INBOX;", ["INBOX;UIDVALIDITY=7/;UID=1"], f"{address} is too much")
    bench.suppress(address)
    bench.suppress("@secret-domain.example")
    bench.lift("@secret-domain.example")


def test_no_table_holds_a_plaintext(discreet: Bench) -> None:
    _live(discreet)
    for table in (
        "message",
        "event",
        "address",
        "suppression",
        "suppression_change",
        "checkpoint",
        "setting",
        "attempt",
    ):
        content = repr(discreet.rows(table)).lower()
        assert NAME not in content
        assert "secret-domain" not in content
    assert {row["raw"] for row in discreet.rows("message")} == {None}


def test_the_sqlite_file_holds_no_plaintext(tmp_path: Path) -> None:
    with Bench.prepare(f"sqlite:///{tmp_path / 'x.db'}", tmp_path, hash_only=True) as bench:
        _live(bench)
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"x.db", "x.db-wal"} <= set(files)
    for content in [*files.values(), (tmp_path / "x.db").read_bytes()]:
        assert not re.search(rb"wilhelmina|secret-domain", content, re.IGNORECASE)


def test_questions_are_answered_all_the_same(discreet: Bench) -> None:
    _live(discreet)
    address = Address.parse(f"{NAME}@secret-domain.example")
    found = discreet.answer(address.text)
    assert found is not None
    assert (found.address, found.reason) == (None, "manual")
    status = discreet.store.suppressions.status(address, stream=None, now=discreet.now)
    assert {recorded.event.recipient for recorded in status.events} == {address}
    assert len(status.events) == 4
    assert discreet.lift(address.text) == 3


def test_a_plaintext_from_before_is_not_spread_any_further(url: str, tmp_path: Path) -> None:
    address = f"{NAME}@secret-domain.example"
    with Bench.prepare(url, tmp_path) as bench:
        bench.process(reading(soft(address), ref="1"))
    with Bench.prepare(url, tmp_path, hash_only=True) as bench:
        bench.process(reading(bounce(address, at=START), ref="2"))
        assert [row["address"] for row in bench.rows("suppression")] == [None]


def test_without_hash_only_the_raw_copy_is_kept_compressed(bench: Bench) -> None:
    given = reading(bounce())
    bench.process(given)
    (row,) = bench.rows("message")
    assert unpack(bytes(row["raw"])) == given.raw
    assert row["size"] == len(given.raw)


def test_the_raw_copy_is_left_out_on_demand(url: str, tmp_path: Path) -> None:
    with Bench.prepare(url, tmp_path, keep_raw=False) as bench:
        bench.process(reading(bounce(at=START)))
        assert [row["raw"] for row in bench.rows("message")] == [None]
        assert bench.answer("user@example.com")
