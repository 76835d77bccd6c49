"""A text that decided is found again in the message, with its part, line and field."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bounceproc.reports.where import Place, where
from tests.unit.mails import ORDINARY, dsn


def test_a_diagnostic_code_is_found_in_its_field_though_it_is_folded() -> None:
    message = dsn(diagnostic="smtp; 550 5.1.1 The account\n\tthat you tried\n\tto reach does not exist")

    assert where(message, "550 5.1.1 The account that you tried to reach") == Place(
        2, "message/delivery-status", 6, "Diagnostic-Code"
    )


def test_prose_is_found_by_its_line_though_it_runs_over_two() -> None:
    place = where(dsn(), "Your message could\nnot be  DELIVERED.")

    assert place == Place(1, "text/plain", 1)
    assert str(place) == "part 1, text/plain, line 1"


def test_the_header_comes_before_the_returned_copy() -> None:
    assert str(where(ORDINARY, "A question")) == "the header, field Subject"
    assert str(where(dsn(), "Hello")) == "part 3, text/rfc822-headers, field Subject"


def test_what_stands_nowhere_is_nowhere() -> None:
    assert where(dsn(), "no such words") is None
    assert where(dsn(), "   ") is None


@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_bytes_can_be_searched(message: bytes, text: str) -> None:
    found = where(message, text)

    assert found is None or found.line >= 1
