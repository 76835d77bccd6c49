"""Lists of every make and in every state come in row by row, and no row takes others with it."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.address import Address
from bounceproc.lookup.export.listed import Listed
from bounceproc.lookup.export.providers import mailgun_line, postmark_request, ses_line, sparkpost_request
from bounceproc.lookup.export.text import CHANGE, ENTRY, csv_line, json_line
from bounceproc.lookup.intake import BadRow, Listing, open_listing
from bounceproc.lookup.intake.makes import Defaults
from bounceproc.lookup.intake.words import moment_of

if TYPE_CHECKING:
    from bounceproc.ports import Wish


def opened(content: bytes | str, **more: str) -> Listing:
    octets = content.encode() if isinstance(content, str) else content
    return open_listing(io.BufferedReader(io.BytesIO(octets)), Defaults(), **more)


def wishes(content: bytes | str, **more: str) -> list[Wish]:
    return [wish for row in opened(content, **more).rows if not isinstance(row, BadRow) for wish in row]


def bad(content: bytes | str, **more: str) -> list[tuple[int, str]]:
    return [(row.line, row.raw) for row in opened(content, **more).rows if isinstance(row, BadRow)]


def names(content: bytes | str, **more: str) -> list[str]:
    return [wish.subject.normal for wish in wishes(content, **more)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str) -> None:
    assert names("Email\tReason\r\nänne@example.com\tbounce\r\n".encode(encoding)) == ["änne@example.com"]


def test_another_encoding_has_to_be_named_and_costs_only_its_rows_where_it_is_not() -> None:
    content = "email\nänne@example.com\nb@example.com\n".encode("cp1252")
    assert names(content, encoding="cp1252") == ["änne@example.com", "b@example.com"]
    assert names(content) == ["b@example.com"]
    assert [line for line, _ in bad(content)] == [2]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_one(end: str) -> None:
    assert names(end.join(("email,reason", "a@example.com,bounce", "b@example.com,"))) == [
        "a@example.com",
        "b@example.com",
    ]


@pytest.mark.parametrize("behind", [1, 15, 9000])
def test_a_quotation_mark_that_is_never_closed_costs_one_row(behind: int) -> None:
    content = 'email,note\na@example.com,fine\nb@example.com,"open\n' + "c@example.com,\n" * behind
    assert bad(content) == [(3, 'b@example.com,"open')]
    assert len(names(content)) == behind + 1


def test_a_note_of_several_lines_is_one_note() -> None:
    (wish, _) = wishes('email,note\na@example.com,"she said ""no""\nand meant it"\nb@example.com,\n')
    assert wish.note == 'she said "no"\nand meant it'


def test_a_line_without_an_end_is_cut_and_the_next_one_read() -> None:
    content = "email\n" + "x" * 1_000_000 + "\na@example.com\n"
    ((line, raw),) = bad(content)
    assert line == 2
    assert len(raw) <= 200
    assert names(content) == ["a@example.com"]


def test_json_lines_that_are_broken_cost_themselves() -> None:
    content = (
        '{"email": "a@example.com"}\n{"email": \n[1, 2]\n"b@example.com"\nnull\n' + "[" * 100_000 + '\n{"email": 5}\n'
    )
    assert names(content) == ["a@example.com", "b@example.com"]
    assert [line for line, _ in bad(content)] == [2, 3, 3, 5, 6, 7]


def test_a_document_that_breaks_off_gives_what_came_before() -> None:
    whole = json.dumps({"Suppressions": [{"EmailAddress": f"u{n}@example.com"} for n in range(3000)]}, indent=1)
    assert len(names(whole)) == 3000
    assert bad(whole) == []
    half = whole[: len(whole) // 2]
    assert 1400 < len(names(half)) < 1600
    assert len(bad(half)) == 1


def test_an_end_that_is_not_understood_is_never_taken_for_never() -> None:
    assert bad("email,until\na@example.com,some day\n") == [(2, "a@example.com,some day")]
    (wish,) = wishes("email,until\na@example.com,2099-01-31\n")
    assert wish.until == datetime(2099, 1, 31, tzinfo=UTC)


def test_words_that_are_no_reason_are_kept_as_a_note() -> None:
    (wish,) = wishes("email,reason\na@example.com,asked by telephone\n")
    assert (wish.reason, wish.note) == ("import", "asked by telephone")


def test_a_category_of_ours_is_a_bounce() -> None:
    (wish,) = wishes("email,reason\na@example.com,bad-mailbox\n")
    assert (wish.reason, wish.category) == ("bounce", "bad-mailbox")


def test_a_row_of_a_domain_is_a_domain() -> None:
    assert names("email,domain\n,dead.example\n@gone.example,\na@example.com,example.com\n") == [
        "@dead.example",
        "@gone.example",
        "a@example.com",
    ]


def test_a_list_of_changes_removes_nobody_and_adds_nobody_that_was_removed() -> None:
    row = dict.fromkeys(CHANGE, "") | {"address": "a@example.com", "action": "remove"}
    assert names(",".join(CHANGE) + "\n" + csv_line(CHANGE, row)) == []


@pytest.mark.parametrize(
    "text",
    ["2026-03-02T10:00:00Z", "2026-03-02 10:00:00", "1772445600", "1772445600000", "Mon, 02 Mar 2026 11:00:00 +0100"],
)
def test_moments_as_services_write_them(text: str) -> None:
    assert moment_of(text) == datetime(2026, 3, 2, 10, tzinfo=UTC)


def test_what_is_no_moment_is_none() -> None:
    assert [moment_of(text) for text in ("", "soon", "12", "9" * 13 + "9", "Foo, 99 Bar")] == [None] * 5


LOCAL = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)
DOMAIN = st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,6}){1,2}|bücher\.example", fullmatch=True)


@st.composite
def entries(draw: st.DrawFn) -> Listed:
    local = draw(LOCAL)
    quoted = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    address = Address.parse(f"{quoted}@{draw(DOMAIN)}").normal
    reason = draw(st.sampled_from(("bounce", "complaint", "unsubscribe", "manual", "import")))
    until = draw(st.none() | st.just("2099-01-31T12:00:00Z"))
    scope = draw(st.sampled_from(("*", "stream:news", "stream:a, b;c")))
    return Listed(address, scope, reason, None, None, "2026-03-02T10:00:00Z", until, "manual", None)


@given(st.lists(entries(), min_size=1, max_size=5))
def test_our_own_lists_come_back_as_they_went(listed: list[Listed]) -> None:
    gone = [(one.address, one.scope, one.reason, moment_of(one.until or ""), moment_of(one.since)) for one in listed]
    table = ",".join(ENTRY) + "\n" + "".join(csv_line(ENTRY, one.row()) for one in listed)
    lines = "".join(json_line(one.row()) for one in listed)
    for content in (table, lines):
        back = [(one.subject.normal, one.scope, one.reason, one.until, one.since) for one in wishes(content)]
        assert back == gone


@given(st.lists(entries(), min_size=1, max_size=5))
def test_what_services_read_of_ours_is_read_again_with_its_address_and_reason(listed: list[Listed]) -> None:
    addresses = [one.address for one in listed]
    ses = "".join(map(ses_line, listed))
    assert names(ses) == addresses
    assert [one.reason for one in wishes(ses)] == ["bounce" if x.reason == "bounce" else "complaint" for x in listed]
    assert names(postmark_request(listed)) == addresses
    spark = wishes(sparkpost_request(listed))
    assert {(one.subject.normal, one.reason) for one in spark} == {(one.address, one.reason) for one in listed}
    bounces = [one._replace(reason="bounce") for one in listed]
    gun = "address,code,error,created_at\n" + "".join(map(mailgun_line, bounces))
    assert [(one.subject.normal, one.reason, one.class_) for one in wishes(gun)] == [
        (a, "bounce", "hard") for a in addresses
    ]


@given(st.binary(max_size=300))
def test_no_octets_end_the_reading(content: bytes) -> None:
    head = b"email,reason,until,scope\n"
    rows = list(opened(head + content).rows)
    assert len(rows) <= content.count(b"\n") + content.count(b"\r") + 1


def test_a_brace_that_begins_an_address_begins_no_json() -> None:
    assert names("{@a.example,BOUNCE\n") == ["{@a.example"]
    assert names('{ "email": "a@a.example"}\n') == ["a@a.example"]
