"""Authentication-Results count where a host of ours wrote them, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.evidence.letter import Letter
from bounceproc.evidence.results import Claim, claims

OURS = frozenset({"mx.example.com"})
PASS = "Authentication-Results: mx.example.com; dkim=pass header.d=loop.example"
BY_US = (
    "Received: from out.loop.example (out.loop.example [192.0.2.1]) by mx.example.com (Postfix) with ESMTPS id 1; date"
)
BY_THEM = "Received: from inner by out.loop.example with ESMTP; date"


def said(*lines: str, trusted: frozenset[str] = OURS) -> list[tuple[str, str]]:
    letter = Letter.parse(("\n".join(lines) + "\n\nbody\n").encode())
    assert letter is not None
    return [(claim.host, claim.domain) for claim in claims(letter.fields, trusted)]


FOUND = [("mx.example.com", "loop.example")]


def test_above_our_received_it_counts() -> None:
    assert said(PASS, BY_US, BY_THEM, "From: fbl@loop.example") == FOUND


def test_below_our_received_with_other_traces_it_counts() -> None:
    assert said(BY_US, "Received-SPF: pass", "X-Spam: no", PASS, "DKIM-Signature: v=1", BY_THEM) == FOUND


def test_behind_the_delivery_within_the_house_it_counts() -> None:
    lmtp = "Received: from mx.example.com by mx.example.com with LMTP id 2 for <x@example.com>; date"
    assert said("Return-Path: <>", lmtp, PASS, BY_US) == FOUND
    assert said("Return-Path: <>", lmtp, BY_US, PASS, BY_THEM) == FOUND


@pytest.mark.parametrize(
    "lines",
    [
        [BY_US, BY_THEM, PASS],  # what the sender wrote
        [BY_THEM, PASS],  # somebody else's Received on top
        [BY_US, "From: x@y.example", PASS],  # behind a field of the mail itself
        [BY_US, BY_US, PASS],  # below a second Received in our name
        [BY_US, BY_THEM, BY_US, PASS],
        ["Authentication-Results: mx.example.com; none", BY_US, PASS],  # we write above it, so that below is not ours
        ["Received: " + '"' + "x by mx.example.com with LMTP" + '"', PASS],
        ["Received: from a (b by mx.example.com", PASS],
        ["Received: from a", PASS],
        [PASS.replace("mx.example.com", "mx.evil.example"), BY_US],
        [PASS.replace("mx.example.com", "mx.example.com.evil.example"), BY_US],
        [PASS.replace("mx.example.com;", "mx.example.com dkim;"), BY_US],
    ],
)
def test_elsewhere_it_does_not(lines: list[str]) -> None:
    assert said(*lines) == []


def test_below_our_received_only_the_first_that_tells_of_dkim_counts() -> None:
    """A filter that leaves what others wrote in its name has put its own right above that."""
    dmarc = "Authentication-Results: mx.example.com; dmarc=pass header.from=y.example"
    nothing = "Authentication-Results: mx.example.com; dkim=none"
    assert said(BY_US, dmarc, PASS, PASS.replace("loop", "forged"), BY_THEM) == FOUND
    assert said(BY_US, nothing, PASS, BY_THEM) == []


def test_a_sender_who_greets_in_our_name_gains_nothing() -> None:
    greeting = "Received: from a by mx.example.com with LMTP (x [192.0.2.9]) by relay.evil.example with ESMTP; date"
    assert said(greeting, PASS) == []


def test_a_host_below_a_trusted_name_is_ours() -> None:
    received = BY_US.replace("by mx.example.com", "by mx1.example.com")
    assert said(PASS.replace("mx.example.com", "example.com"), received, trusted=frozenset({"example.com"})) == [
        ("example.com", "loop.example")
    ]


@pytest.mark.parametrize(
    "value",
    [
        "mx.example.com; dkim=pass header.d=loop.example",
        "mx.example.com 1; dkim=pass header.d=loop.example; spf=fail smtp.mailfrom=x@y.example",
        "MX.example.com (a (nested) comment; with dkim=fail) ; DKIM = PASS (good) header.d=Loop.Example header.s=a",
        'mx.example.com;\n\tdkim=pass reason="good; really" header.d="loop.example"',
        "mx.example.com; dkim/1=pass header . d = loop.example",
        "mx.example.com; dkim=pass header.i=@loop.example header.b=abc",
        "mx.example.com; dkim=fail header.d=loop.example; dkim=pass header.d=loop.example",
        '"mx.example.com"; dkim=pass header.d=loop.example',
    ],
)
def test_the_forms_of_the_standard_are_read(value: str) -> None:
    assert said(f"Authentication-Results: {value}", BY_US) == FOUND


@pytest.mark.parametrize(
    "value",
    [
        "mx.example.com; dkim=fail header.d=loop.example",
        "mx.example.com; dkim=pass (header.d=loop.example)",
        'mx.example.com; dkim=pass reason="x header.d=loop.example"',
        'mx.example.com; dkim=fail reason="; dkim=pass header.d=loop.example"',
        "mx.example.com; spf=pass header.d=loop.example",
        "mx.example.com; x-dkim=pass header.d=loop.example",
        "mx.example.com; dkim=pass-not header.d=loop.example",
        "mx.example.com; dkim=pass smtp.d=loop.example",
        "mx.example.com; dkim=pass header.d=loop.example header.d=other.example",
        "mx.example.com; dkim=pass rubbish header.d=loop.example",
        "mx.example.com; dkim=pass header.d=loop.example (never ends",
        'mx.example.com; dkim=pass header.d="loop.example',
        "mx.example.com) ; dkim=pass header.d=loop.example",
        "(mx.example.com;) evil.example; dkim=pass header.d=loop.example",
        "mx.example.com",
        "",
        "x" * 9000,
        "mx.ex\u00e4mple.com; dkim=pass header.d=loop.example",
    ],
)
def test_hostile_forms_say_nothing(value: str) -> None:
    assert said(f"Authentication-Results: {value}", BY_US) == []


def test_two_fields_of_one_host_that_contradict_say_nothing() -> None:
    assert said(PASS, PASS.replace("pass", "fail"), BY_US) == []
    assert said(PASS, "Authentication-Results: mx.example.com; spf=fail smtp.mailfrom=a@b.example", BY_US) == FOUND


_piece = st.sampled_from(
    [
        "mx.example.com",
        ";",
        "dkim",
        "=",
        "pass",
        " ",
        '"',
        "(",
        ")",
        "\\",
        "header.d",
        "loop.example",
        "/",
        "\n ",
        "by",
        "with",
    ]
)


@given(
    st.lists(st.tuples(st.sampled_from(["received", "authentication-results", "from"]), st.lists(_piece) | st.binary()))
)
def test_nothing_raises(rows: list[tuple[str, list[str] | bytes]]) -> None:
    fields = [(name, value if isinstance(value, bytes) else "".join(value).encode()) for name, value in rows]
    assert all(isinstance(claim, Claim) for claim in claims(fields, OURS))
