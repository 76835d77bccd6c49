"""What strangers wrote becomes fit for a database, and stays what it was where it can."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bounceproc.store.rows import PLACE_LIMIT, TEXT_LIMIT, Privacy, clean, event_row, message_row, place, sane
from tests.store.kit import START, bounce, reading

_anything = st.text(st.characters(codec=None, categories=None) | st.sampled_from("\0\udcff\ud800"))


@given(_anything)
def test_cleaned_text_can_be_stored(text: str) -> None:
    cleaned = clean(text)
    assert cleaned is not None
    assert "\0" not in cleaned
    assert cleaned.encode().decode() == cleaned
    assert clean(cleaned) == cleaned


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text
    assert place(text) == text


@given(_anything)
def test_a_place_can_be_stored(text: str) -> None:
    stored = place(text)
    assert "\0" not in stored
    assert stored.encode().decode() == stored
    assert place(stored) == stored


def test_places_that_differ_stay_different() -> None:
    names = ["caf\xe9", "caf\udce9", "caf\udcea", "caf", "x" * PLACE_LIMIT, "x" * 5000 + "1", "x" * 5000 + "2"]
    assert len({place(name) for name in names}) == len(names)


def test_long_texts_are_cut_and_nothing_is_left_of_nothing() -> None:
    assert len(clean("x" * 100_000) or "") == TEXT_LIMIT
    assert clean(None) is None


def test_an_event_that_is_sane_is_left_alone() -> None:
    event = bounce()
    assert sane(event, START) is event
    assert sane(bounce(at=START + timedelta(days=1)), START).occurred_at == START
    assert sane(bounce(original="<\udcff@sender.example>"), START).original_message_id == "<?@sender.example>"


def test_what_may_quote_an_address_is_left_out_on_demand() -> None:
    event = bounce("jo@example.com", envelope_id="list-jo=example.com", remote_mta="mx.example.com")
    row = event_row(event, id_=b"i", key=b"k", privacy=Privacy(hash_only=True))
    assert [row[name] for name in ("address", "final_recipient", "diagnostic", "envelope_id")] == [None] * 4
    assert (row["remote_mta"], row["status"]) == ("mx.example.com", "5.1.1")
    given_ = reading(event, error="cannot read jo@example.com", message_id="<jo@example.com>")
    row = message_row(given_, source="s", now=START, privacy=Privacy(hash_only=True))
    assert [row[name] for name in ("error", "message_id", "raw")] == [None] * 3
