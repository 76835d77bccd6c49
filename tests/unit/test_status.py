"""Status codes: found where they can stand, and nowhere else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.status import EnhancedStatus, find_reply_code

codes = st.builds(EnhancedStatus, st.sampled_from([2, 4, 5]), st.integers(0, 999), st.integers(0, 999))


@given(codes)
def test_a_status_is_read_as_it_is_printed(status: EnhancedStatus) -> None:
    assert EnhancedStatus.parse(str(status)) == status
    assert EnhancedStatus.find(f"550 {status} No such user") == status


@pytest.mark.parametrize("text", ["5.1.1", " 5.1.1 ", "5.1.1 (bad destination mailbox address)", "5.1.1\r\n"])
def test_a_comment_behind_a_status_is_no_part_of_it(text: str) -> None:
    assert EnhancedStatus.parse(text) == EnhancedStatus(5, 1, 1)


@pytest.mark.parametrize("text", ["", "5", "5.1", "3.1.1", "0.0.0", "5.1.1.1", "5.1.1111", "x5.1.1", "550 5.1.1"])
def test_anything_else_is_no_status(text: str) -> None:
    assert EnhancedStatus.parse(text) is None


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("550 5.1.1 <user@example.com>: no such user", "5.1.1"),
        ("smtp; 452-4.2.2 over quota", "4.2.2"),
        ("550 #5.1.0 Address rejected", "5.1.0"),
        ("host mx.example.net[192.0.2.5] said: 550-5.7.1 blocked", "5.7.1"),
        ("first 4.4.1 then 5.0.0", "4.4.1"),
    ],
)
def test_the_first_status_of_a_reply_is_found(text: str, status: str) -> None:
    assert str(EnhancedStatus.find(text)) == status


@pytest.mark.parametrize(
    "text",
    ["connect to 5.1.1.10: refused", "from 192.5.1.1", "host 4.4.8.8", "version 15.1.1", "5.1.1.", "2023.5.1.1.4"],
)
def test_an_address_or_a_version_is_no_status(text: str) -> None:
    assert EnhancedStatus.find(text) in {None, EnhancedStatus(5, 1, 1)}
    assert EnhancedStatus.find(text) is None or text == "5.1.1."


@given(codes)
def test_a_status_is_exactly_one_of_success_transient_and_permanent(status: EnhancedStatus) -> None:
    assert [status.is_success, status.is_transient, status.is_permanent].count(True) == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("550 5.1.1 no such user", 550),
        ("smtp; 452-4.2.2 over quota", 452),
        ("550#5.1.0", 550),
        ("said: 421 try later", 421),
        ("the server said 554", 554),
        ("250 ok", 250),
    ],
)
def test_the_first_reply_code_is_found(text: str, code: int) -> None:
    assert find_reply_code(text) == code


@pytest.mark.parametrize(
    "text", ["", "no code", "192.0.2.550", "5501 x", "x550x", "560 x", "199 x", "550.1", "5.5.550"]
)
def test_a_number_where_no_reply_code_can_stand_is_none(text: str) -> None:
    assert find_reply_code(text) is None


@given(st.text(alphabet="2345067 -#\n\t.x\uff15", max_size=9))
def test_a_code_at_the_beginning_is_the_one_a_search_finds(text: str) -> None:
    found = re.search(r"(?<![\d.])[2-5][0-5]\d(?=[\s\-#]|$)", text)
    assert find_reply_code(text) == (int(found[0]) if found else None)


@given(st.text())
def test_any_text_has_a_code_in_range_or_none(text: str) -> None:
    code, status = find_reply_code(text), EnhancedStatus.find(text)

    assert code is None or 200 <= code <= 559
    assert status is None or status.class_ in {2, 4, 5}


def test_statuses_are_in_order_of_their_numbers() -> None:
    assert sorted([EnhancedStatus(5, 10, 0), EnhancedStatus(5, 2, 0), EnhancedStatus(4, 9, 9)]) == [
        EnhancedStatus(4, 9, 9),
        EnhancedStatus(5, 2, 0),
        EnhancedStatus(5, 10, 0),
    ]
