"""The chain over the feed: whatever is changed in one line shows, and what is erased does not break it."""

from __future__ import annotations

import copy
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.address import Address
from bounceproc.errors import UsageError
from bounceproc.ports import Wish
from bounceproc.store import auditing, sealing
from bounceproc.store.auditing import Head
from bounceproc.store.store import Store
from bounceproc.store.tables import suppression_change
from tests.store.kit import DAY, START, Bench, bounce, complaint, reading

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = b"k" * 32


def change(bench: Bench, statement: str, **parameters: Any) -> None:
    """What somebody does who can write to the database and has no pepper."""
    with bench.database.writing() as connection:
        connection.execute(sa.text(statement), parameters)


def lived(bench: Bench) -> None:
    """Some changes of every kind."""
    bench.process(reading(bounce("a@example.com")), reading(complaint("b@example.com"), ref="2"))
    bench.suppress("c@example.com", note="asked by telephone", until=bench.now + DAY)
    bench.suppress("c@example.com", note="asked by telephone again")
    user = Address.parse("b@example.com")
    bench.store.keeping.keep(
        user, scope="*", until=None, note="a customer", consent="her letter", actor="tester", now=bench.now
    )
    bench.store.keeping.end(user, scope=None, actor="tester", now=bench.now)
    bench.suppress("@example.net")
    bench.lift("c@example.com")


def test_a_feed_of_every_kind_of_change_is_whole(bench: Bench) -> None:
    lived(bench)
    found = bench.store.audit.verify()
    assert (found.is_whole, found.lines, found.erased, found.why) == (True, bench.count("suppression_change"), 0, None)
    assert found.lines == 9
    assert found.head == bench.store.audit.head()
    rows = bench.rows("suppression_change")
    assert all(row["actor"] and row["at"] and (row["before"] or row["after"]) for row in rows)
    assert len({bytes(row["salt"]) for row in rows}) == 9


def test_an_empty_feed_is_whole(bench: Bench) -> None:
    assert bench.store.audit.verify().is_whole
    assert bench.store.audit.head().version == 0
    assert bench.store.audit.seal() == (0, 0)


TAMPERED = [
    ("actor = 'nobody'", "not what was sealed"),
    ("action = 'remove'", "not what was sealed"),
    ("scope = 'stream:x'", "not what was sealed"),
    ("reason = 'bounce'", "not what was sealed"),
    ("origin = 'api'", "not what was sealed"),
    ("at = '2020-01-01 00:00:00.000000'", "not what was sealed"),
    ("note = 'nothing'", "its texts are not"),
    ("address = 'other@example.com'", "its texts are not"),
    ("address = NULL", "its texts are not"),
    (
        "salt = NULL, address = 'other@example.com', note = NULL",
        "texts although they were erased|not the one of its key",
    ),
    ("seal = NULL", "not sealed"),
    ("seal = NULL, commitment = NULL", "not sealed"),
    ("after = NULL", "not what was sealed"),
]


@pytest.mark.parametrize(("what", "told"), TAMPERED)
def test_a_change_of_one_line_shows_there(bench: Bench, what: str, told: str) -> None:
    lived(bench)
    change(bench, f"UPDATE suppression_change SET {what} WHERE version = 3")
    found = bench.store.audit.verify()
    assert (found.broken, found.is_whole, found.lines) == (3, False, 2)
    assert found.why is not None
    assert any(part in found.why for part in told.split("|"))


def test_a_line_that_is_missing_or_doubled_shows(bench: Bench) -> None:
    lived(bench)
    change(bench, "DELETE FROM suppression_change WHERE version = 4")
    assert bench.store.audit.verify().broken == 4
    change(bench, "UPDATE suppression_change SET version = version - 1 WHERE version = 5")
    assert bench.store.audit.verify().broken == 4
    change(bench, "DELETE FROM suppression_change WHERE version < 4")
    assert bench.store.audit.verify().broken == 1


def test_a_line_that_somebody_else_wrote_is_not_sealed_and_neither_is_what_follows(bench: Bench) -> None:
    lived(bench)
    columns = "at, actor, action, key, address, scope, reason, origin, note, before, after"
    copied = f"INSERT INTO suppression_change (version, {columns}) SELECT 10, {columns} FROM suppression_change WHERE version = 3"
    change(bench, copied)
    bench.suppress("later@example.com")
    found = bench.store.audit.verify()
    assert (found.is_whole, found.broken, found.lines, found.unsealed) == (False, None, 9, 2)
    assert bench.store.audit.seal(only_begin=True) == (0, 0), "only a person vouches for them"
    assert bench.store.audit.seal() == (10, 2)
    bench.suppress("last@example.com")
    assert (bench.store.audit.verify().is_whole, bench.store.audit.verify().lines) == (True, 12)


def test_newest_lines_that_are_cut_off_show_only_against_a_noted_head(bench: Bench) -> None:
    lived(bench)
    noted = Head.parse(str(bench.store.audit.head()))
    change(bench, "DELETE FROM suppression_change WHERE version > 6")
    assert bench.store.audit.verify().is_whole
    found = bench.store.audit.verify(expect=noted)
    assert (found.broken, found.is_whole) == (7, False)
    for n in range(5):
        bench.suppress(f"new{n}@example.com")
    assert bench.store.audit.verify().is_whole
    assert bench.store.audit.verify(expect=noted).broken == 9
    assert bench.store.audit.verify(expect=Head(6, bench.rows("suppression_change")[5]["seal"])).is_whole


@pytest.mark.parametrize("text", ["", "7", "x:00", "-1:" + "00" * 32, "7:00"])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no head"):
        Head.parse(text)


def test_what_is_erased_as_it_should_be_leaves_the_chain_whole(bench: Bench) -> None:
    lived(bench)
    with bench.database.writing() as connection:
        for row in connection.execute(sa.select(suppression_change)).mappings().all():
            told = {name: erased(row[name]) for name in ("before", "after")}
            gone = {"address": None, "note": None, "salt": None, **told}
            connection.execute(
                sa.update(suppression_change).where(suppression_change.c.version == row["version"]).values(gone)
            )
    assert "telephone" not in str(bench.rows("suppression_change"))
    found = bench.store.audit.verify()
    assert (found.is_whole, found.lines, found.erased) == (True, 9, 9)
    change(bench, "UPDATE suppression_change SET note = 'invented' WHERE version = 3")
    assert "erased" in str(bench.store.audit.verify().why)


def erased(told: dict[str, Any] | None) -> dict[str, Any] | None:
    if told is None:
        return None
    why = told["why"] or ""
    return {**told, "note": None, "why": None if why.startswith("consent: ") else told["why"]}


def test_another_pepper_proves_nothing(bench: Bench) -> None:
    lived(bench)
    rows = bench.rows("suppression_change")
    assert sealing.flaw(_typed(rows[0]), sealing.START, bench.store.keys.audit) is None
    assert sealing.flaw(_typed(rows[0]), sealing.START, KEY) is not None


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    told = {name: json.loads(row[name]) if isinstance(row[name], str) else row[name] for name in ("before", "after")}
    at = datetime.fromisoformat(row["at"]).replace(tzinfo=UTC) if isinstance(row["at"], str) else row["at"]
    return {**row, **told, "at": at}


def test_a_feed_from_before_the_days_of_seals_is_sealed_in_pages(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "_BY_VERSION", auditing._BY_VERSION.limit(4))
    monkeypatch.setattr(auditing, "PAGE", 4)
    lived(bench)
    change(bench, "UPDATE suppression_change SET salt = NULL, commitment = NULL, seal = NULL")
    found = bench.store.audit.verify()
    assert (found.is_whole, found.broken, found.unsealed) == (False, None, 9)
    bench.suppress("new@example.com")
    assert bench.store.audit.verify().unsealed == 10
    assert bench.store.audit.seal(only_begin=True) == (1, 10)
    assert bench.store.audit.seal() == (0, 0)
    seen: list[tuple[int, int | None]] = []
    found = bench.store.audit.verify(on_progress=lambda done, total: seen.append((done, total)))
    assert (found.is_whole, found.lines) == (True, 10)
    assert seen == [(4, 10), (8, 10), (10, 10)]


def test_two_writers_make_one_chain(bench: Bench) -> None:
    def write(name: str) -> None:
        with Store.open(bench.url, pepper_file=bench.pepper_file) as store:
            for n in range(8):
                wishes = [Wish(Address.parse(f"{name}{n}.{m}@example.com"), "*", "manual") for m in range(3)]
                store.suppressions.suppress_many(wishes, origin="manual", actor=name, now=START)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = bench.store.audit.verify()
    assert (found.is_whole, found.lines, found.unsealed) == (True, 72, 0)


def test_sealing_takes_no_statement_more(bench: Bench) -> None:
    def statements() -> int:
        seen: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)

        sa.event.listen(bench.database._engine, "before_cursor_execute", note)
        bench.suppress(f"u{len(bench.rows('suppression_change'))}@example.com")
        sa.event.remove(bench.database._engine, "before_cursor_execute", note)
        return len(seen)

    with_seals = statements()
    change(bench, "UPDATE suppression_change SET salt = NULL, commitment = NULL, seal = NULL")
    assert statements() == with_seals


# ---- any change of one field, of one line of any chain -------------------------------------------------------------------

TEXT = st.none() | st.text(max_size=8)
TOLD = st.none() | st.fixed_dictionaries(
    {
        "since": st.just("2026-03-02T10:00:00+00:00"),
        "until": st.none() | st.just("2026-04-02T10:00:00+00:00"),
        "category": TEXT,
        "class": TEXT,
        "event": TEXT,
        "note": TEXT,
        "why": TEXT | st.text(max_size=4).map(lambda text: f"consent: {text}"),
    }
)
ROW = st.fixed_dictionaries(
    {
        "at": st.integers(0, 10**9).map(lambda n: START + timedelta(microseconds=n)),
        "actor": st.text(max_size=5),
        "action": st.sampled_from(("add", "change", "remove")),
        "key": st.binary(min_size=16, max_size=16),
        "address": TEXT,
        "scope": st.text(max_size=5),
        "reason": st.text(max_size=5),
        "origin": st.text(max_size=5),
        "note": TEXT,
        "before": TOLD,
        "after": TOLD,
    }
)


def checked(rows: list[dict[str, Any]]) -> int | None:
    """The first wrong line."""
    before = sealing.START
    for place, row in enumerate(rows):
        if row["version"] != place + 1 or sealing.flaw(row, before, KEY) is not None:
            return place
        before = row["seal"]
    return None


@given(st.lists(ROW, min_size=1, max_size=4), st.data())
def test_any_change_of_one_field_shows_in_its_line(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    rows = [{**row, "version": place + 1} for place, row in enumerate(copy.deepcopy(rows))]
    sealing.seal(rows, sealing.START, KEY)
    assert checked(rows) is None
    place = data.draw(st.integers(0, len(rows) - 1))
    row = rows[place]
    name = data.draw(st.sampled_from(sorted(row)))
    other: Callable[[Any], Any] = _OTHERS.get(name, lambda value: f"{value or ''}x")
    row[name] = other(row[name])
    assert checked(rows) == place


def _flipped(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def _retold(told: dict[str, Any] | None) -> dict[str, Any] | None:
    if told is None:
        return {"since": None, "until": None, "category": None, "class": None, "event": None, "note": None, "why": None}
    return {**told, "category": f"{told['category'] or ''}x"}


_OTHERS: dict[str, Callable[[Any], Any]] = {
    "version": lambda version: version + 1,
    "at": lambda at: at + timedelta(microseconds=1),
    "before": _retold,
    "after": _retold,
    **dict.fromkeys(("key", "salt", "commitment", "seal"), _flipped),
}
