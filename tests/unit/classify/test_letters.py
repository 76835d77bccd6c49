"""Letters: what was done to a text on its way is undone before its words are read."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.classify.builtin import dump_words, read_built_in
from bounceproc.classify.classifier import default_classifier
from bounceproc.classify.letters import WORDS, undone
from bounceproc.classify.words import words_of

REPLIES = (
    "Der Empfänger ist unbekannt",
    "Das Postfach des Empfängers ist überfüllt",
    "Die Nachricht überschreitet die maximal zulässige Größe",
    "La boîte aux lettres du destinataire est pleine",
    "La boîte aux lettres a été désactivée",
    "La dirección del destinatario no existe",
    "El buzón del destinatario está lleno",
    "O usuário não existe",
    "A caixa postal do destinatário está cheia",
    "Użytkownik nie istnieje",
    "Skrzynka odbiorcy jest pełna",
    "Konto zostało zablokowane",
)


def latin1(text: str) -> str:
    return text.encode().decode("latin-1")


def windows(text: str) -> str:
    return "".join(bytes([one]).decode("cp1252", "ignore") or chr(one) for one in text.encode())


def quoted(text: str) -> str:
    return "".join(sign if sign.isascii() else "".join(f"={one:02X}" for one in sign.encode()) for sign in text)


def octal(text: str) -> str:
    return "".join(sign if sign.isascii() else "".join(f"\\{one:03o}" for one in sign.encode()) for sign in text)


def entities(text: str) -> str:
    return text.encode("ascii", "xmlcharrefreplace").decode()


def json_escapes(text: str) -> str:
    return "".join(sign if sign.isascii() else f"\\u{ord(sign):04x}" for sign in text)


def delivery_status(text: str) -> str:
    return "".join(sign if sign.isascii() else f"\\x{{{ord(sign):X}}}" for sign in text)


def octets(text: str) -> str:
    return repr(text.encode())[2:-1]


LOSSLESS = (latin1, windows, quoted, octal, entities, json_escapes, delivery_status, octets)


def one_mark(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def mark_for_each_octet(text: str) -> str:
    return "".join(sign if sign.isascii() else "?" * len(sign.encode()) for sign in text)


def replacement(text: str) -> str:
    return text.encode().decode("ascii", "replace")


LOSSY = (one_mark, mark_for_each_octet, replacement)


@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("dress", [*LOSSLESS, *LOSSY], ids=lambda one: one.__name__)
def test_the_letters_of_a_reply_are_no_matter(reply: str, dress: object) -> None:
    assert callable(dress)
    for start in ("", "550 5.0.0 "):
        plain = default_classifier().classify(start + reply)

        assert default_classifier().classify(start + dress(reply)) == plain
        assert plain.rule not in ("none", "reply-550")


@given(st.text(st.sampled_from("abcäöüßéèçñłąęжю是の ,.")).filter(lambda text: "=" not in text))
def test_what_loses_nothing_is_undone(text: str) -> None:
    for dress in (latin1, quoted, entities, json_escapes):
        assert words_of(undone(dress(text))) == words_of(text)


@given(st.text(st.characters(codec="ascii", exclude_characters="\\\\=&+?"), max_size=300))
def test_a_plain_text_stays_as_it_is(text: str) -> None:
    assert undone(text) == text


@given(st.text(max_size=300))
def test_no_text_fails(text: str) -> None:
    assert isinstance(words_of(undone(text)), list)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (r"Empf\303\244nger C:\temp", "Empfänger C:\\temp"),
        (r"550-no such\r\n550 user", "550-no such\n550 user"),
        ("no such us=\ner", "no such user"),
        ("no=20such=20user", "no such user"),
        ("Empf+AOQ-nger", "Empfänger"),
        ("news+bar-baz@example.org", "news+bar-baz@example.org"),
        ("bo&icirc;te &amp; &nonsense;", "boîte & &nonsense;"),
        ("BuzÃÂ³n", "Buzón"),
        ("Ящик полон".encode().decode("latin-1").encode().decode("latin-1"), "Ящик полон"),
        ("Ð½Ñ\ufffd Ð½Ñ Ñ\u008f", "ня ня я"),
        ("déjà Ã vu", "déjà Ã vu"),
        ("see https://example.net/?id=gr?sse", "see https://example.net/?id=gr?sse"),
        ("why? ask", "why? ask"),
        ("is it spam?", "is it spam"),
        ("buzón est? lleno", "buzón esta lleno"),
        ("x?y zz?zz", "x?y zz?zz"),
        ("Compte d?sactiv?", "Compte desactive"),
        ("??????? ????", " "),
    ],
)
def test_what_is_undone_and_what_is_not(text: str, after: str) -> None:
    assert undone(text) == after


@pytest.mark.parametrize(
    "text", ["?" * 2000, "a?b," * 500, "?aa " * 500, "=C3" * 600, "\\303" * 500, "Ã¤" * 1000, "&#1" * 600]
)
def test_no_text_makes_it_slow(text: str) -> None:
    undone("Empf?nger")
    before = time.process_time()
    undone(text)

    assert time.process_time() - before < 0.25


def test_the_words_are_those_of_the_rules() -> None:
    assert WORDS.read_text(encoding="utf-8") == dump_words(read_built_in())


@pytest.mark.parametrize(
    "text",
    [
        "Remote host said: 550 5.2.1 Das Postfach ist gesperrt\nGiving up on 192.0.2.25.\n",
        "Remote host said: 550 5.2.1 Das Postfach ist gesperrt\nI'm not going to try again; this has been too long.",
    ],
)
def test_what_a_mail_system_says_around_a_reply_is_no_matter(text: str) -> None:
    assert default_classifier().classify(text).category == "inactive-mailbox"
