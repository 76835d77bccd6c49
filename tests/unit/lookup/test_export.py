"""Export: the list as CSV, JSON lines and plain addresses, all of it or what changed."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import threading
import tracemalloc
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.address import Address
from bounceproc.errors import InvalidAddressError, TemporaryError, UsageError
from bounceproc.lookup.export import ExportSummary, export
from bounceproc.lookup.export import once as room
from bounceproc.lookup.export.text import RUNS
from bounceproc.ports import Change, Suppression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bounceproc.ports import AddressStatus, Spared

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def entry(address: str | None, **fields: str | bytes | datetime | None) -> Suppression:
    values: dict[str, object] = {
        "address": address,
        "key": (address or "forgotten").encode(),
        "scope": "*",
        "reason": "bounce",
        "origin": "policy",
        "since": datetime(2026, 11, 1, 8, 30, tzinfo=UTC),
        "until": None,
        "category": "bad-mailbox",
        "class_": "hard",
        "ref": "00ff",
    }
    return Suppression(**{**values, **fields})  # type: ignore[arg-type]  # the fields of each test are its own


@dataclass
class List:
    """A reader over entries that a test names."""

    entries: Iterable[Suppression] = ()
    feed: Sequence[Change] = ()
    allowed: Sequence[Spared] = ()

    def suppressions(self, *, now: datetime, include_expired: bool = False) -> Iterator[Suppression]:
        assert not include_expired
        yield from (each for each in self.entries if each.until is None or each.until > now)

    def changes(self, *, since: int) -> Iterator[Change]:
        yield from (change for change in self.feed if change.version > since)

    def version(self) -> int:
        return self.feed[-1].version if self.feed else 7

    def spared(self, *, stream: str | None, now: datetime, delimiter: str | None = None) -> Iterator[Spared]:
        yield from self.allowed

    def check(self, addresses: Sequence[Address], *, stream: str | None, now: datetime) -> Mapping[str, Suppression]:
        raise NotImplementedError

    def status(self, address: Address, *, stream: str | None, now: datetime) -> AddressStatus:
        raise NotImplementedError


def written(reader: List, format_: str, *, since: int | None = None) -> str:
    out = io.BytesIO()
    export(reader, format_, out, now=NOW, since=since)
    return out.getvalue().decode()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def change(version: int, action: str, suppression: Suppression) -> Change:
    return Change(version=version, at=NOW, action=action, actor="anna", suppression=suppression)


def test_csv_has_one_head_line_and_a_line_for_each_entry_with_its_scope() -> None:
    news = entry("a@example.com", scope="stream:news", reason="unsubscribe", category=None, class_=None, ref=None)

    text = written(List([entry("a@example.com"), news]), "csv")

    assert text.splitlines() == [
        "address,scope,reason,category,class,since,until,origin,ref",
        "a@example.com,*,bounce,bad-mailbox,hard,2026-11-01T08:30:00Z,,policy,00ff",
        "a@example.com,stream:news,unsubscribe,,,2026-11-01T08:30:00Z,,policy,",
    ]


def test_an_empty_list_is_a_csv_file_with_its_head_line() -> None:
    assert written(List(), "csv") == "address,scope,reason,category,class,since,until,origin,ref\n"


@pytest.mark.parametrize("name", ["jsonl", "json"])
def test_jsonl_has_one_object_a_line_under_the_names_of_the_csv_columns(name: str) -> None:
    (line,) = written(List([entry("ä@example.com", until=datetime(2027, 1, 1, tzinfo=UTC))]), name).splitlines()

    assert "ä@example.com" in line
    assert json.loads(line) == {
        "address": "ä@example.com",
        "scope": "*",
        "reason": "bounce",
        "category": "bad-mailbox",
        "class": "hard",
        "since": "2026-11-01T08:30:00Z",
        "until": "2027-01-01T00:00:00Z",
        "origin": "policy",
        "ref": "00ff",
    }


def test_txt_has_each_address_once_and_nothing_else() -> None:
    entries = [entry("a@example.com"), entry("@example.org"), entry("a@example.com", scope="stream:news")]

    assert written(List(entries), "txt") == "@example.org\na@example.com\n"


def test_txt_has_each_address_once_in_a_list_that_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "HELD_ENTRIES", 7)
    entries = [entry(f"ä{number % 20}@example.com", scope=f"stream:{number}") for number in range(100)]

    lines = written(List(entries), "txt").splitlines()

    assert sorted(lines) == sorted({each.address for each in entries if each.address})


def test_entries_that_are_over_are_not_listed() -> None:
    assert written(List([entry("a@example.com", until=datetime(2026, 1, 1, tzinfo=UTC))]), "txt") == ""


@pytest.mark.parametrize("format_", ["csv", "jsonl", "txt"])
def test_entries_without_plaintext_are_counted_and_left_out(format_: str) -> None:
    out = io.BytesIO()

    summary = export(List([entry(None), entry("a@example.com"), entry(None)]), format_, out, now=NOW)

    assert summary == ExportSummary(written=1, without_address=2, version=7)
    assert b"forgotten" not in out.getvalue()


@pytest.mark.parametrize("format_", ["csv", "jsonl", "txt"])
@pytest.mark.parametrize("end", ["\n", "\r", "\x85", "\u2028", "\0"])
def test_an_address_with_a_line_end_never_makes_a_line_of_its_own(format_: str, end: str) -> None:
    out = io.BytesIO()

    summary = export(List([entry(f"a@example.com{end}b@example.com")]), format_, out, now=NOW)

    assert (summary.written, summary.unwritable) == (0, 1)
    assert b"b@example.com" not in out.getvalue()


# ---- what a spreadsheet would run ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", ["=", "+", "-"])
def test_an_address_that_a_spreadsheet_would_run_is_quoted_and_still_the_same_address(sign: str) -> None:
    address = f"{sign}cmd|x@example.com"

    (row,) = rows(written(List([entry(address)]), "csv"))

    assert row["address"] == f'"{sign}cmd|x"@example.com'
    assert Address.parse(row["address"]) == Address.parse(address)
    assert Address.parse(f"'{address}") != Address.parse(address), "an apostrophe would make it somebody else"


def test_a_whole_domain_stays_as_scripts_expect_it() -> None:
    (row,) = rows(written(List([entry("@example.com")]), "csv"))

    assert row["address"] == "@example.com"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\uff1d1"])
def test_any_other_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    (row,) = rows(written(List([entry("a@example.com", category=text, ref=text)]), "csv"))

    assert row["category"] == row["ref"] == f"'{text}"


def test_a_cell_stays_on_its_line() -> None:
    (row,) = rows(written(List([entry("a@example.com", category="\r=1", ref="b\nc")]), "csv"))

    assert (row["category"], row["ref"]) == ("' =1", "b c")


@pytest.mark.parametrize("format_", ["txt", "jsonl"])
def test_only_csv_is_disarmed(format_: str) -> None:
    assert "+a@example.com" in written(List([entry("+a@example.com")]), format_)


@given(st.text(min_size=1, max_size=20).map(lambda local: f"{local}@example.com"))
def test_no_readable_address_is_a_formula_in_csv_or_another_address_after_it(text: str) -> None:
    try:
        address = Address.parse(text)
    except InvalidAddressError:
        return
    found = rows(written(List([entry(address.text)]), "csv"))

    for row in found:
        assert not row["address"].startswith(RUNS)
        assert Address.parse(row["address"]) == address


# ---- changes ---------------------------------------------------------------------------------------------------------

FEED = (
    change(3, "add", entry("a@example.com")),
    change(5, "remove", entry("a@example.com")),
    change(9, "add", entry(None)),
)


def test_since_gives_the_changes_behind_a_version_with_their_action() -> None:
    (row,) = rows(written(List(feed=FEED), "csv", since=3))

    assert list(row)[:3] == ["version", "at", "action"]
    assert (row["version"], row["at"], row["action"]) == ("5", "2026-11-23T12:00:00Z", "remove")
    assert row["address"] == "a@example.com"
    assert "anna" not in row.values(), "who did it stays in the house"


def test_since_zero_is_the_whole_feed() -> None:
    lines = written(List(feed=FEED), "jsonl", since=0).splitlines()

    assert [(json.loads(line)["version"], json.loads(line)["action"]) for line in lines] == [
        ("3", "add"),
        ("5", "remove"),
    ]


def test_a_delta_says_the_version_that_the_next_one_begins_with_even_if_its_address_is_forgotten() -> None:
    assert export(List(feed=FEED), "csv", io.BytesIO(), now=NOW, since=3) == ExportSummary(1, 1, 9)


def test_a_delta_that_grows_while_it_is_read_says_its_last_version() -> None:
    class Growing(List):
        def version(self) -> int:
            return 5

    assert export(Growing(feed=FEED), "csv", io.BytesIO(), now=NOW, since=3).version == 9


@pytest.mark.parametrize("version", [10, -1])
def test_a_version_that_the_feed_never_had_is_refused_because_silence_would_look_like_no_change(version: int) -> None:
    with pytest.raises(UsageError, match="whole list again"):
        written(List(feed=FEED), "csv", since=version)


def test_plain_addresses_cannot_be_a_delta() -> None:
    with pytest.raises(UsageError, match="csv or jsonl"):
        written(List(feed=FEED), "txt", since=3)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match="xml"):
        written(List(), "xml")


# ---- where it goes ---------------------------------------------------------------------------------------------------


def test_a_file_gets_a_stamp_with_version_and_time(tmp_path: Path) -> None:
    export(List([entry("a@example.com"), entry(None)], FEED), "txt", tmp_path / "list.txt", now=NOW)

    assert (tmp_path / "list.txt").read_text() == "a@example.com\n"
    assert json.loads((tmp_path / "list.txt.stamp").read_text()) == {
        "version": 9,
        "at": "2026-11-23T12:00:00Z",
        "format": "txt",
        "written": 1,
        "without_address": 1,
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.txt", "list.txt.stamp"]


def test_standard_output_is_the_default(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    export(List([entry("ä@example.com")]), "txt", None, now=NOW)

    assert capfdbinary.readouterr().out == "ä@example.com\n".encode()


def test_a_list_that_breaks_off_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    def breaking() -> Iterator[Suppression]:
        yield entry("a@example.com")
        raise RuntimeError("the database went away")

    out = tmp_path / "list.txt"
    out.write_text("old\n")

    with pytest.raises(RuntimeError):
        export(List(breaking()), "txt", out, now=NOW)

    assert out.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_mode_is_what_the_umask_makes_of_it(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        export(List(), "csv", tmp_path / "list.csv", now=NOW)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "list.csv").stat().st_mode) == mode


def test_a_link_keeps_pointing_to_the_file_that_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "list.txt").symlink_to(tmp_path / "real" / "list.txt")

    export(List([entry("a@example.com")]), "txt", tmp_path / "list.txt", now=NOW)

    assert (tmp_path / "list.txt").is_symlink()
    assert (tmp_path / "real" / "list.txt").read_text() == "a@example.com\n"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()

    export(List([entry("a@example.com")]), "txt", pipe, now=NOW)

    reader.join(10)
    assert got == ["a@example.com\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["missing/list.txt", "."])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        export(List(), "txt", tmp_path / name, now=NOW)


def test_a_full_disk_is_worth_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(TemporaryError, match="No space left"):
        export(List(), "txt", tmp_path / "list.txt", now=NOW)
    assert list(tmp_path.iterdir()) == []


# ---- size ------------------------------------------------------------------------------------------------------------


def many(count: int) -> Iterator[Suppression]:
    return (entry(f"user{number}@example.com") for number in range(count))


def test_progress_hears_of_every_thousand_lines_and_of_the_end() -> None:
    heard: list[tuple[int, int | None]] = []
    tick: Callable[[int, int | None], None] = lambda done, total: heard.append((done, total))  # noqa: E731 - one line says it

    export(List(many(2500)), "txt", io.BytesIO(), now=NOW, progress=tick)

    assert heard == [(1000, None), (2000, None), (2500, 2500)]


@pytest.mark.parametrize("format_", ["csv", "jsonl", "txt"])
def test_memory_does_not_grow_with_the_list(format_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "HELD_ENTRIES", 2_000)

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            export(List(many(count)), format_, tmp_path / "list", now=NOW)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    # 24,000 entries more would need several MB; a sorted file that waits needs some 13 KB.
    assert peak(30_000) < peak(6_000) + 256 * 1024
