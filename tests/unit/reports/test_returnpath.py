"""Which recipients are read out of return paths, and which are not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.reports import returnpath


@pytest.mark.parametrize(
    ("path", "recipient"),
    [
        ("list-bounces+user=example.org@lists.example.com", "user@example.org"),
        ("<bounce-user=example.org@example.com>", "user@example.org"),
        ("news-bounces+user+tag=example.org@example.com", "user+tag@example.org"),
        ("bounces+61689-10be-user=example.org@out.example.com", "user@example.org"),
        ("user=example.org@bounces.example.com", "user@example.org"),
        ("prvs=123abc=bounces+user=example.org@example.com", "user@example.org"),
        ("bounce+7a2f3c.d9a7e4-user=example.org@mg.example.com", "user@example.org"),
        ("list-return-123-user=example.org@lists.example.com", "user@example.org"),
        ("list-bounces+first2-last=example.org@lists.example.com", "first2-last@example.org"),
        ("list-unsubscribe-user=example.org@lists.example.com", "user@example.org"),
        ("bounces-first_last=example.org@example.com", "first_last@example.org"),
        ("SRS0=HHH=TT=example.com=bounces+user=example.org@forward.example.net", "user@example.org"),
    ],
)
def test_verp_is_decoded(path: str, recipient: str) -> None:
    found = returnpath.recipient(path)
    assert found is not None
    assert found.normal == recipient


@pytest.mark.parametrize(
    "path", ["", "<>", "news@example.com", "a=b@example.com", "=example.org@example.com", "bounce-7@example.com"]
)
def test_a_return_path_without_a_recipient_names_nobody(path: str) -> None:
    assert returnpath.recipient(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "bounces-77-user=example.org@example.com",
        "bounces-news-user=example.org@example.com",
        "bounce-mc.us1_77.88-user=example.org@example.com",
        "bounces.77.user=example.org@example.com",
        "bounces+77-user=example.org@example.com",
        "77-user=example.org@bounces.example.com",
    ],
)
def test_where_the_recipient_may_begin_at_two_places_nobody_is_named(path: str) -> None:
    assert returnpath.recipient(path) is None


@pytest.mark.parametrize(
    ("path", "before"),
    [
        ("prvs=0123456789=news@example.com", "news@example.com"),
        ("btv1==0123==news@example.com", "news@example.com"),
        ("SRS0=abcd=EF=example.com=news@forward.example.net", "news@example.com"),
        ("SRS1=xyz=forward.example.net==abcd=EF=example.com=news@third.example.net", "news@example.com"),
        ("news@example.com", "news@example.com"),
    ],
)
def test_rewriting_is_seen_through(path: str, before: str) -> None:
    assert returnpath.unwrapped(path) == before


@settings(deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_a_return_path(path: str) -> None:
    returnpath.recipient(path)
