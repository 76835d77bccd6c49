"""How the fields of reports are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.reports import fields


@pytest.mark.parametrize(
    "value",
    [
        "rfc822; reader@example.org",
        "RFC822;reader@example.org",
        "rfc/822;<reader@example.org>",
        "reader@example.org",
        "utf-8; reader@example.org",
        "rfc822; reader@example.org (the reader)",
        "rfc822; Reader <reader@example.org>",
        "rfc822;@relay.example.net:reader@example.org",
        "rfc822; 'reader@example.org'",
        "rfc822; reader@example.org.",
        "=?utf-8?Q?reader=40example=2Eorg?=",
    ],
)
def test_an_address_is_found_in_its_field(value: str) -> None:
    found = fields.address(value)
    assert found is not None
    assert found.normal == "reader@example.org"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "rfc822;",
        "rfc822; |/bin/sh reader@example.org",
        "rfc822; nobody",
        "x400; c=de",
        "rfc822; rea\x00der@example.org",
    ],
)
def test_what_is_no_address_is_none(value: str) -> None:
    assert fields.address(value) is None


def test_an_encoded_word_that_is_an_address_as_it_stands_is_left_alone() -> None:
    found = fields.address("rfc822; =?utf-8?Q?reader?=@example.org")
    assert found is not None
    assert found.text == "=?utf-8?Q?reader?=@example.org"


def test_xtext_is_decoded_only_where_nothing_else_makes_sense() -> None:
    plain = fields.address("reader+2Bx@example.org")
    assert fields.xtext_decoded(plain, "reader+2Bx@example.org", None) == plain
    assert fields.xtext_decoded(None, "reader+40example.org", None) == fields.address("reader@example.org")


def test_blocks_are_cut_at_blank_lines_and_at_the_next_recipient() -> None:
    found = fields.blocks(
        "A: 1\n\nFinal-Recipient: x\nStatus: 5.0.0\nFinal-Recipient: y\nX : 1\n 2\n\t3\nX: 4\nnot a field\n"
    )
    assert found == [{"a": "1"}, {"final-recipient": "x", "status": "5.0.0"}, {"final-recipient": "y", "x": "1 2 3\n4"}]


def test_a_diagnostic_loses_its_type_but_not_its_sentence() -> None:
    assert fields.untyped("smtp; 550 no") == "550 no"
    assert fields.untyped("X-Postfix; unknown user") == "unknown user"
    assert fields.untyped("mailbox full; try later") == "mailbox full; try later"
    assert fields.untyped("550 5.1.10 RESOLVER.ADR; not found") == "550 5.1.10 RESOLVER.ADR; not found"


def test_a_diagnostic_is_one_line_without_control_characters() -> None:
    assert fields.squeezed(" 550\n =?utf-8?Q?Empf=C3=A4nger?=\x07\tfehlt ") == "550 Empfänger fehlt"
    assert len(fields.squeezed("x" * 9000)) == fields.MAX_DIAGNOSTIC


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("Mon, 2 Nov 2026 10:00:00 +0100", "2026-11-02T09:00:00+00:00"),
        ("2 Nov 2026 10:00 -0230", "2026-11-02T12:30:00+00:00"),
        ("Mon, 02 Nov 2026 10:00:00 GMT", "2026-11-02T10:00:00+00:00"),
        ("Mon, 2 Nov 2026 10:00:00 +0100 (CET)", "2026-11-02T09:00:00+00:00"),
        ("Mon, 2 Nov 2026 10:00:00 EST", "2026-11-02T15:00:00+00:00"),
        ("Mon, 2 Nov 26 10:00:00 +0000", "2026-11-02T10:00:00+00:00"),
        ("Monday, 2 November 2026 10:00:60 UT", "2026-11-02T10:00:59+00:00"),
    ],
)
def test_dates_are_read_in_utc(value: str, iso: str) -> None:
    found = fields.date(value)
    assert found is not None
    assert found.isoformat() == iso


@pytest.mark.parametrize(
    "value", ["", "yesterday", "Mon, 32 Nov 2026 10:00:00 +0000", "2 Nov 2026 99:00:00 +0000", "0 0 0 0:0:0 +9999"]
)
def test_what_is_no_date_is_none(value: str) -> None:
    assert fields.date(value) is None


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds are naive by contract
def test_a_date_comes_back(moment: datetime) -> None:
    assert fields.date(format_datetime(moment)) == moment.replace(microsecond=0)


ZONES = st.timedeltas(min_value=timedelta(hours=-15), max_value=timedelta(hours=15)).map(
    lambda shift: timezone(timedelta(minutes=shift // timedelta(minutes=1)))
)


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=ZONES))  # noqa: DTZ001 - bounds are naive by contract
def test_a_date_of_any_zone_comes_back_in_utc(moment: datetime) -> None:
    found = fields.date(format_datetime(moment))
    assert found == moment.replace(microsecond=0)
    assert found is not None
    assert found.tzinfo is UTC


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_breaks_a_reader_of_fields(text: str) -> None:
    fields.blocks(text)
    fields.date(text)
    found = fields.address(text)
    assert found is None or "@" in found.normal
