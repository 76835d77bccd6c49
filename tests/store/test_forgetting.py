"""Who is forgotten is found nowhere any more, whatever wrote the address, and is suppressed as before."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.errors import UsageError
from bounceproc.sentmail import SentMail
from bounceproc.store import sweeping
from bounceproc.store.copies import unpack
from bounceproc.store.forgetting import Request
from tests.store.kit import DAY, START, Bench, bounce, complaint, reading, soft

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "wilhelmina.rot"
WHO = Address.parse("Wilhelmina.Rot@Post.Example")
OTHER = "joanna@post.example"


def forget(bench: Bench, *who: Address, dry_run: bool = False, reason: str | None = None) -> Mapping[str, int]:
    request = Request(who or (WHO,), "user:op", reason, bench.now, dry_run=dry_run)
    return bench.store.forgetting.forget(request, on_progress=lambda _done, _total: None)


def live(bench: Bench) -> None:
    """A life of one address, with everything that can hold it."""
    text = WHO.text
    encoded = base64.encodebytes(f"The text of a part, with {text} in it, and more behind it.".encode()).decode()
    bench.process(
        reading(bounce(text), ref="1", body=f"To: {text}"),
        reading(
            bounce(text, original=f"<7.{NAME}=post.example@sender.example>", envelope_id=f"E+{NAME}", at=START + DAY),
            ref=f"/mail/{text}/new/2",
            message_id=f"<report.{NAME}@mail.example.net>",
        ),
        reading(soft(text, "expired", at=START + 2 * DAY), ref="3"),
    )
    bench.process(
        reading(bounce(OTHER, diagnostic=f"550 alias of <{text.upper()}>: unknown"), ref="4"),
        reading(ref="5", body=f"a copy to {text}"),
        reading(ref="6", body=f"Content-Transfer-Encoding: base64\n\n{encoded}"),
        reading(ref="7", body="written =\n to Wilhelmina=2ERot=40post=\n.example"),
        reading(ref="8", body="SRS0=ab12=cd=post.example=wilhelmina.rot@forwarder.example"),
        reading(ref="9", body=f"of {OTHER} alone"),
        reading(ref="10", error=f"cannot read the mail to {text}"),
    )
    bench.store.ledger.failed("files", "/mail", [f"/mail/{text}/1", f"/mail/{text.lower()}/1"], f"{text} is too much")
    bench.suppress(OTHER, note=f"the same person as {text}")
    bench.suppress(text, note="Frau Rot rief an")
    bench.store.keeping.keep(
        WHO,
        scope="stream:news",
        until=None,
        note="Frau Rot again",
        consent=f"wrote from {text}",
        actor="op",
        now=bench.now,
    )
    bench.store.keeping.keep(
        Address.parse(OTHER), scope="stream:x", until=None, note=f"as {text}", consent=None, actor="op", now=bench.now
    )
    with bench.database.writing() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO incident (fingerprint, provider, wording, usual, opened_at, surged_at, state, note)"
                " VALUES (:f, 'x', 'user unknown', 0, '2026-03-02', '2026-03-02', 'confirmed', :note)"
            ),
            {"f": b"12345678", "note": f"I asked {text}"},
        )
    mail = SentMail(message_id="7@sender.example", recipient=WHO, sent_at=bench.now, reference=f"order of {text}")
    bench.store.sent.add([mail])


def everything(bench: Bench) -> str:
    """All that a dump has, compressed copies read, in lower case."""
    with bench.database.reading() as connection:
        tables = sa.inspect(connection).get_table_names()
    rows = [row for table in tables for row in bench.rows(table)]
    copies = [unpack(bytes(row["raw"])).decode() for row in bench.rows("message") if row["raw"]]
    return "\n".join([*map(repr, rows), *copies]).lower()


def octets(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if "pepper" not in path.name).lower()


def test_the_address_is_found_nowhere_any_more(bench: Bench) -> None:
    live(bench)
    assert NAME in everything(bench)

    counts = forget(bench, reason=f"{WHO.text} asked us to")

    left = everything(bench)
    assert NAME not in left
    assert "frau rot" not in left
    assert OTHER in left
    assert {name: counts[name] for name in ("addresses", "events", "suppressions")} == {
        "addresses": 1,
        "events": 3,
        "suppressions": 2,
    }
    copies = [unpack(bytes(row["raw"])).decode() for row in bench.rows("message") if row["raw"]]
    assert [copy.partition(":")[0] for copy in copies] == ["10", f"of {OTHER} alone", "4"]


def test_the_files_of_sqlite_hold_no_octet_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "house"
    folder.mkdir()
    with Bench.prepare(f"sqlite:///{folder / 'x.db'}", folder) as bench:
        live(bench)
        for day in range(20):  # pages are split, and rows move
            given = [
                soft(WHO.text, "policy", at=START + day * DAY),
                *(soft(f"u{day}.{n}@post.example") for n in range(20)),
            ]
            bench.process(*(reading(one, ref=f"{day} {number}") for number, one in enumerate(given)))
        assert NAME.encode() in octets(folder)
        forget(bench)
        assert {"x.db", "x.db-wal", "x.db-shm"} <= {path.name for path in folder.iterdir()}
        assert NAME.encode() not in octets(folder)
        with bench.database.reading() as connection:
            driver: Any = connection.connection.driver_connection
            assert NAME not in "\n".join(driver.iterdump()).lower()
    assert NAME.encode() not in octets(folder)


def test_the_suppression_goes_on_to_answer(bench: Bench) -> None:
    live(bench)
    before = bench.store.suppressions.status(WHO, stream=None, now=bench.now)
    forget(bench)
    found = bench.answer(WHO.text)
    assert found is not None
    assert (found.address, found.origin, found.note) == (None, "manual", None)
    after = bench.store.suppressions.status(WHO, stream=None, now=bench.now)
    assert after.histories == before.histories
    assert [entry.scope for entry in after.suppressions] == [entry.scope for entry in before.suppressions]
    assert [one.id for one in after.events] == [one.id for one in before.events]
    assert [(keep["scope"], bool(keep["consent"])) for keep in after.kept] == [("stream:news", True)]


def test_twice_changes_nothing(bench: Bench) -> None:
    live(bench)
    forget(bench, reason="as asked")
    tables = ("address", "suppression", "suppression_change", "event", "message", "attempt", "setting")
    before = {table: bench.rows(table) for table in tables}
    assert sum(forget(bench, reason="once more").values()) == 0
    assert {table: bench.rows(table) for table in tables} == before


def test_a_dry_run_counts_the_same_and_changes_nothing(bench: Bench) -> None:
    live(bench)
    before = everything(bench)
    foreseen = forget(bench, dry_run=True)
    assert everything(bench) == before
    assert forget(bench).keys() == foreseen.keys()


def test_the_feed_says_who_forgot_whom_by_key_and_why(bench: Bench) -> None:
    live(bench)
    forget(bench, reason=f"letter of {WHO.text}, 3 March")
    line = list(bench.store.suppressions.changes(since=0))[-1]
    assert (line.action, line.actor, line.suppression.address) == ("forget", "user:op", None)
    assert line.suppression.key == bench.store.keys.of(WHO)
    assert bench.rows("suppression_change")[-1]["note"] == "letter of (forgotten), 3 March"
    told = bench.rows("suppression_change")
    assert all(row["version"] == number for number, row in enumerate(told, 1)), "the feed keeps its versions"


def test_the_chain_over_the_feed_is_whole_and_says_what_was_erased(bench: Bench) -> None:
    live(bench)
    before = bench.store.audit.verify()
    assert (before.is_whole, before.erased) == (True, 0)
    forget(bench)
    after = bench.store.audit.verify(expect=before.head)
    assert (after.is_whole, after.why, after.lines) == (True, None, before.lines + 1)
    touched = [row for row in bench.rows("suppression_change") if row["salt"] is None]
    assert after.erased == len(touched) > 3


def test_new_mail_about_somebody_forgotten_is_new_evidence(bench: Bench) -> None:
    bench.process(reading(bounce(WHO.text), ref="1"))
    forget(bench)
    bench.process(reading(bounce(WHO.text), ref="1"))
    assert NAME not in everything(bench), "the same mail again is no news"
    bench.lift(WHO.text)
    bench.process(reading(complaint(WHO.text, at=bench.now), ref="2", at=bench.now + DAY))
    found = bench.answer(WHO.text)
    assert found is not None
    assert (found.address, found.reason) == (WHO.normal, "complaint")


def test_names_that_only_look_alike_stay(bench: Bench) -> None:
    alike = (
        "anna@example.com.au",
        "joanna@example.com",
        "anna@example.community",
        "anna+x@example.com",
        "b.anna@example.com",
    )
    for number, one in enumerate(alike):
        bench.process(reading(bounce(one, original=f"<{number}@x.example>"), ref=str(number)))
    before = everything(bench)
    assert forget(bench, Address.parse("anna@example.com")) == {}
    assert everything(bench) == before


def test_several_at_once_and_what_is_no_person(bench: Bench) -> None:
    for number, one in enumerate(("a.long@example.com", "müller@bücher.example")):
        bench.process(reading(bounce(one), ref=str(number), body=f"to {one}"))
    forget(bench, Address.parse("a.long@example.com"), Address.parse("müller@xn--bcher-kva.example"))
    assert "a.long" not in everything(bench)
    assert "müller" not in everything(bench)
    assert "m\\u00fcller" not in everything(bench)
    with pytest.raises(UsageError, match="whole domain"):
        forget(bench, Address.parse_domain("example.com"))
    assert forget(bench, Address.parse("stranger@example.com")) == {}


def test_pages_are_small_and_a_run_that_was_broken_off_is_made_good(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(bench)
    apply = sweeping.apply
    left = iter([True, True])

    def breaking(*arguments: Any) -> int:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return apply(*arguments)

    monkeypatch.setattr("bounceproc.store.sweeping.PAGE", 2)
    monkeypatch.setattr("bounceproc.store.sweeping.apply", breaking)
    with pytest.raises(KeyboardInterrupt):
        forget(bench)
    assert [row["name"] for row in bench.rows("setting") if row["name"] == "traces"] == ["traces"]
    monkeypatch.setattr("bounceproc.store.sweeping.apply", apply)
    forget(bench)
    assert NAME not in everything(bench)
    assert [row["name"] for row in bench.rows("setting") if row["name"] == "traces"] == []


def test_statements_go_by_the_page_and_not_by_the_row(bench: Bench) -> None:
    assert _statements(bench, 2) == _statements(bench, 150)


def _statements(bench: Bench, size: int) -> int:
    bench.process(*(reading(soft(f"u{number}@post.example"), ref=f"{size} {number}") for number in range(size)))
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    sa.event.listen(bench.database._engine, "before_cursor_execute", note)
    assert forget(bench) == {}
    sa.event.remove(bench.database._engine, "before_cursor_execute", note)
    return len(seen)
