"""References to messages on a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.sources.imap.place import Place


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)
)
def test_what_is_printed_is_read_back(folder: str, uidvalidity: int, uid: int) -> None:
    place = Place(folder, uidvalidity, uid)
    assert Place.parse(str(place)) == place
    assert str(place).isascii()


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        ("INBOX", "INBOX;UIDVALIDITY=7/;UID=3"),
        ("INBOX/Bounces 2026", "INBOX/Bounces%202026;UIDVALIDITY=7/;UID=3"),
        ("a;UID=9", "a%3BUID=9;UIDVALIDITY=7/;UID=3"),
        ("Rück", "R%C3%BCck;UIDVALIDITY=7/;UID=3"),
    ],
)
def test_the_form_is_that_of_rfc_5092(folder: str, text: str) -> None:
    assert str(Place(folder, 7, 3)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/var/mail/one.eml",
        "INBOX;UID=3",
        "INBOX;UIDVALIDITY=7/;UID=",
        "a;b;UIDVALIDITY=7/;UID=3",
        "a;UIDVALIDITY=7/;UID=x",
        "a;UIDVALIDITY=7/;UID=12345678901",
        "/;UID=3",
    ],
)
def test_other_texts_are_no_places(text: str) -> None:
    assert Place.parse(text) is None
