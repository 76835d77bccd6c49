"""What is made of octets in charsets and encodings, right and wrong ones."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.reports import decode


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("ユーザー不明", "iso-2022-jp"),
        ("ユーザー不明", "shift_jis"),
        ("ユーザー不明", "euc-jp"),
        ("не доставлено", "koi8-r"),
        ("не доставлено", "windows-1251"),
        ("用户不存在", "gb18030"),
        ("用户不存在", "gb2312"),
        ("Empfänger unbekannt", "iso-8859-1"),
    ],
)
def test_charsets_of_the_world_are_read(text: str, charset: str) -> None:
    assert decode.charset_text(text.encode(charset), charset) == text


@pytest.mark.parametrize("charset", ["", "x-unknown", "us-ascii", "unicode_escape", "idna", "zip", "utf-8"])
def test_a_missing_or_wrong_charset_falls_back_to_utf_8(charset: str) -> None:
    assert decode.charset_text("Grüße".encode(), charset) == "Grüße"


def test_neither_charset_nor_utf_8_is_windows_1252() -> None:
    assert decode.charset_text("Grüße".encode("cp1252"), "") == "Grüße"


def test_japanese_without_a_charset_is_known_by_its_escapes() -> None:
    assert decode.charset_text("送信できません".encode("iso-2022-jp"), "") == "送信できません"


@pytest.mark.parametrize(
    "junk", [b"aGVsbG8gd29ybGQ=", b"aGVs\nbG8g\nd29ybGQ", b"aGVsbG8 gd29!ybGQ=", b"aGVsbG8gd29ybGQ==="]
)
def test_base64_is_read_however_it_is_broken(junk: bytes) -> None:
    assert decode.base64_decoded(junk) == b"hello world"


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_base64_comes_back(octets: bytes) -> None:
    assert decode.base64_decoded(base64.encodebytes(octets)) == octets


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_quoted_printable_comes_back(octets: bytes) -> None:
    coded = binascii.b2a_qp(octets, istext=False)
    assert decode.transfer_decoded(coded, " Quoted-Printable ") == octets


def test_neighbouring_encoded_words_are_joined() -> None:
    assert decode.words_decoded("=?utf-8?Q?Gr=C3=BC?= =?utf-8?B?w59l?= an alle") == "Grüße an alle"


def test_a_broken_encoded_word_stays_as_it_is() -> None:
    assert decode.words_decoded("=?utf-8?X?what?= 1 =?") == "=?utf-8?X?what?= 1 =?"


def test_html_becomes_lines_without_its_styles() -> None:
    page = "<html><head><title>no</title></head><style>p{}</style><p>One &amp; <b>two</b></p>\n<div>three<br>four</div>"
    assert [line for line in decode.html_text(page).split("\n") if line] == ["One & two", "three", "four"]


def test_the_lines_of_preformatted_html_are_kept() -> None:
    page = "<p>one\ntwo</p><PRE class=x>a\nb &lt;c&gt;\n\nd</PRE><p>e\nf"
    assert decode.html_text(page) == "\none two\n\na\nb <c>\n\nd\n\ne f"


def test_html_that_never_closes_is_read_to_its_end() -> None:
    assert decode.html_text("<p>seen</p><style>p{").strip() == "seen"


@settings(deadline=None)
@given(st.text(max_size=500))
def test_any_page_has_some_text(page: str) -> None:
    assert isinstance(decode.html_text(page), str)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_header_value_can_be_decoded(value: str) -> None:
    assert isinstance(decode.words_decoded(value), str)
