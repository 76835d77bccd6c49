"""An address is found in other texts in every form that mail gives it, and no other address is taken for it."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.address import Address
from bounceproc.store.copies import pack
from bounceproc.store.mentions import Mentions

ANNA = Address.parse("Anna.Berg@Bücher.example")
MENTIONS = Mentions([ANNA])


@pytest.mark.parametrize(
    "text",
    [
        "anna.berg@xn--bcher-kva.example",
        "550 <ANNA.BERG@BÜCHER.EXAMPLE>: unknown",
        "bounces+anna.berg=bücher.example@news.example",
        "bounces-anna.berg=xn--bcher-kva.example-7@news.example",
        "https://x.example/u?who=anna.berg%40xn--bcher-kva.example&x=1",
        "SRS0=f00d=ab=xn--bcher-kva.example=anna.berg@forwarder.example",
        "mailto:anna.berg@bücher.example.",
    ],
)
def test_every_form_is_found_and_taken_out(text: str) -> None:
    assert MENTIONS.stand_in(text)
    left = MENTIONS.taken_out(text)
    assert left is None or ("anna.berg" not in left.lower() and "(forgotten)" in left)


@pytest.mark.parametrize(
    "text",
    [
        "joanna.berg@bücher.example",
        "anna.berg@bücher.example.com",
        "anna.berg@bücher.examples",
        "anna.berg+tag@bücher.example",
        "x-joanna.berg=bücher.example@news.example",
        "anna.berg at bücher.example",
        "",
    ],
)
def test_others_are_left_alone(text: str) -> None:
    assert not MENTIONS.stand_in(text)


@pytest.mark.parametrize("who", ["anna.berg@bücher.example", "anna.berg@xn--bcher-kva.example"])
def test_copies_are_read_as_they_are_meant(who: str) -> None:
    text = f"To: {who}\nand some more words, so that it is a line or two of text. " * 3
    octets = text.encode()
    head = b"Subject: x\r\nContent-Transfer-Encoding: "
    word = b"=?utf-8?B?" + base64.b64encode(f"to {who}".encode()) + b"?="
    bodies = (
        octets,
        head + b"quoted-printable\r\n\r\n" + quopri.encodestring(octets),
        head + b"base64\r\n\r\n" + base64.encodebytes(octets),
        head + b"base64\r\n\r\n" + base64.encodebytes(octets).replace(b"\n", b"\r\n") + b"--boundary--\r\n",
        b"Subject: " + word + b"\r\n\r\n",
    )
    assert [MENTIONS.stand_in_copy(copy) for copy in pack(bodies)] == [True] * len(bodies)


def test_nobody_is_found_where_nobody_is_looked_for() -> None:
    assert not Mentions([]).stand_in("anna@example.com")


@given(st.binary(max_size=2000))
def test_no_copy_is_too_odd_to_be_read(raw: bytes) -> None:
    (copy,) = pack([raw + b"\nbase64\n" + raw])
    assert MENTIONS.stand_in_copy(copy) in {True, False}


def test_quoted_local_parts_and_odd_signs_are_no_patterns() -> None:
    odd = Address.parse('"a (b) [c]*"@example.com')
    found = Mentions([odd])
    assert found.stand_in(f"to <{odd.text}>")
    assert not found.stand_in("a b c@example.com")
