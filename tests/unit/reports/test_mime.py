"""What the structure reader promises about messages that nobody promised anything about."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.reports import mime

MULTIPART = b"Content-Type: multipart/mixed; boundary=cut\n\npreamble\n--cut\n\nfirst\n--cut\nContent-Type: text/html\n\n<p>second</p>\n--cut--\nepilogue\n"


def texts(message: bytes) -> list[str]:
    return [part.text() for part in mime.parse(message).leaves()]


def test_parts_are_found_between_their_delimiters() -> None:
    assert texts(MULTIPART) == ["first", "\nsecond\n"]


def test_a_missing_closing_boundary_loses_nothing() -> None:
    assert texts(MULTIPART.partition(b"\n--cut--")[0]) == ["first", "\nsecond\n"]


def test_a_longer_boundary_is_not_taken_for_a_shorter_one() -> None:
    assert texts(b"Content-Type: multipart/mixed; boundary=cut\n\n--cut\n\none\n--cutter\ntwo\n--cut--\n") == [
        "one\n--cutter\ntwo"
    ]


def test_a_boundary_that_is_not_declared_is_guessed() -> None:
    assert texts(MULTIPART.replace(b"; boundary=cut", b"").replace(b"--cut", b"--cut-7")) == ["first", "\nsecond\n"]


def test_a_boundary_may_have_spaces_in_quotes() -> None:
    assert texts(b'Content-Type: multipart/mixed; Boundary="a _ b(1)"\n\n--a _ b(1)\n\nx\n--a _ b(1)--\n') == ["x"]


def test_a_body_without_a_blank_line_before_it_is_a_body() -> None:
    part = mime.parse(b"From: a@example.org\nSubject: x\nThis is no field.\nnor this\n")
    assert part.headers.get(b"subject") == "x"
    assert part.text() == "This is no field.\nnor this\n"


def test_a_message_without_any_header_is_all_body() -> None:
    assert mime.parse(b"Just words.\n\nAnd more.").text() == "Just words.\n\nAnd more."


@pytest.mark.parametrize("newline", [b"\r\n", b"\r", b"\r\r\n"])
def test_line_ends_are_made_one(newline: bytes) -> None:
    assert mime.normalised(MULTIPART.replace(b"\n", newline)) == MULTIPART


def test_headers_are_looked_up_without_regard_to_case_folds_and_spaces() -> None:
    headers = mime.parse(b"SUBJECT : one\n two\n\tthree\nX-Subject: no\nTo: a\nTo: b\n\n").headers
    assert headers.get(b"subject") == "one two three"
    assert headers.all(b"to") == ["a", "b"]
    assert b"from" not in headers
    assert headers.get(b"from") == ""


def test_a_thousand_multiparts_in_each_other_are_bounded() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(1000))
    part = mime.parse(nested)
    for _ in range(mime.MAX_DEPTH):
        part = part.children[0]
    assert part.is_multipart
    assert part.children == ()


def test_no_more_parts_are_read_than_allowed() -> None:
    many = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 5000
    assert len(mime.parse(many).leaves()) == mime.MAX_PARTS


def test_of_a_large_body_only_the_beginning_is_decoded() -> None:
    part = mime.parse(b"Content-Type: text/plain\n\n" + b"words " * 1_000_000)
    assert len(part.text()) == mime.MAX_TEXT


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_anything_is_a_message(noise: bytes) -> None:
    for part in mime.parse(noise).leaves():
        assert isinstance(part.text(), str)
        assert 0 <= part.body <= part.end


@settings(deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60), min_size=1, max_size=5))
def test_parts_come_back_as_they_were_put_in(bodies: list[str]) -> None:
    joined = b"".join(b"--=cut=\n\n" + body.encode() + b"\n" for body in bodies)
    assert texts(b'Content-Type: multipart/mixed; boundary="=cut="\n\n' + joined + b"--=cut=--\n") == bodies


@pytest.mark.parametrize(("start", "end"), [(0, 0), (4, 4), (5, 4), (12, 3), (99, 99), (99, 5)])
def test_an_entity_that_ends_before_it_begins_has_neither_header_nor_body(start: int, end: int) -> None:
    """Two delimiters in a row leave nothing between them, not even the line end that both share."""
    head, body = mime.split(b"Subject: a\n\nb\n", start, end)
    assert head.headers.plain(b"subject") == ""
    assert body == end


@pytest.mark.parametrize("between", [b"", b"\n", b"\n\n", b"--b\n--b\n", b"--b\n\n--b"])
def test_empty_parts_raise_nothing(between: bytes) -> None:
    top = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
    message = mime.Part(top + between + b"--b--\n", 0, len(top) + len(between) + 6)
    assert [part.octets() for part in message.leaves()].count(b"") >= 1
