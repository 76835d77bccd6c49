"""With hash_only no address is stored in any form that can be read, and everything still works."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.event import Trust
from bounceproc.policy.decide import decide
from bounceproc.policy.incident import IncidentPolicy
from bounceproc.ports import Outcome, Wish
from bounceproc.sentmail import SentMail
from bounceproc.store.copies import unpack
from bounceproc.store.forgetting import Request
from tests.store.kit import DAY, START, Bench, bounce, reading, soft, unsubscribe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "wilhelmina"


@pytest.fixture
def discreet(url: str, tmp_path: Path) -> Iterator[Bench]:
    with Bench.prepare(url, tmp_path, hash_only=True, surges=IncidentPolicy(recipients=10)) as prepared:
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
    bench.store.suppressions.load(
        [Wish(Address.parse(address), "*", "bounce", note=f"list of <{address}>")],
        actor="op",
        now=bench.now,
    )
    bench.suppress(address, note=f"{address} rang")
    bench.suppress("@secret-domain.example")
    bench.lift("@secret-domain.example")
    _decide(bench, address)
    mail = SentMail(
        message_id="7@sender.example", recipient=Address.parse(address), sent_at=bench.now, reference=address
    )
    bench.store.sent.add([mail])


def _decide(bench: Bench, address: str) -> None:
    """What people and policies may do beside that."""
    who, other = Address.parse(address), f"other.{address}"
    wary = replace(bench.policy, acts=frozenset(), counts=frozenset(), reviews=frozenset(Trust))
    with bench.store.ledger.batch("returns") as batch:
        given = [
            reading(bounce(one, at=bench.now), ref=f"wary {len(one)}", at=bench.now)
            for one in (other, f"third.{address}")
        ]
        verdicts = [decide(history, wary, bench.now) for history in batch.record(given).histories]
        assert batch.review(verdicts, again=3) == 2
    bench.store.reviews.confirm(Address.parse(other), note=f"I know {other}", actor="op", now=bench.now)
    bench.store.reviews.dismiss(Address.parse(f"third.{address}"), note=f"not {other}", actor="op", now=bench.now)
    with bench.store.ledger.batch("returns") as batch:
        histories = batch.record([reading(bounce(f"fourth.{address}"), ref="fourth")]).histories
        assert batch.observe([decide(history, bench.policy, bench.now) for history in histories]) == 1
    bench.store.keeping.keep(
        who,
        scope="stream:x",
        until=None,
        note=f"{address} asked",
        consent=f"mail of {address}",
        actor="op",
        now=bench.now,
    )


def _surge(bench: Bench) -> None:
    """A provider refuses everybody, day after day and then far more of them."""
    for day in range(9):
        bench.store.ledger._now = partial(bench.now.__add__, day * DAY)
        people = range(3 if day < 8 else 30)
        bench.process(
            *(
                reading(
                    bounce(
                        f"{NAME}{n}.{day}@secret-domain.example",
                        diagnostic="550 unknown",
                        remote_mta=None,
                    ),
                    ref=f"{day} {n}",
                    at=bench.now + day * DAY,
                )
                for n in people
            )
        )
    (found,) = bench.store.incidents.all()
    assert found.wording == "unknown"
    bench.store.incidents.revert(found.id, actor="op", note="asked postmaster@secret-domain.example", now=bench.now)


def test_no_table_holds_a_plaintext(discreet: Bench) -> None:
    _live(discreet)
    _surge(discreet)
    with discreet.database.reading() as connection:
        tables = sa.inspect(connection).get_table_names()
    assert {"review", "observed", "incident", "pulse", "sent"} <= set(tables)
    for table in tables:
        content = repr(discreet.rows(table)).lower()
        assert NAME not in content
        assert "secret-domain" not in content
    assert {row["raw"] for row in discreet.rows("message")} == {None}


def test_the_sqlite_file_holds_no_plaintext(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with Bench.prepare(url, tmp_path, hash_only=True, surges=IncidentPolicy(recipients=10)) as bench:
        _live(bench)
        _surge(bench)
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
    assert [keep["scope"] for keep in status.kept] == ["stream:x"]
    assert discreet.lift(address.text) == 4
    assert discreet.store.forgetting.forget(
        Request((address,), "op", f"{address} asked", discreet.now), on_progress=lambda _done, _total: None
    )
    assert NAME not in repr(discreet.rows("suppression_change"))


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
