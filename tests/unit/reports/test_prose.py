"""The described formats, and the seam to flufl.bounce."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import flufl.bounce
import pytest

from bounceproc.reports import fields, prose
from bounceproc.reports.mail import Mail

if TYPE_CHECKING:
    from collections.abc import Callable

NOTICE = b"From: MAILER-DAEMON@x.example\nSubject: failure notice\n\n"


def test_every_format_is_described_in_full() -> None:
    for form in prose.formats():
        assert form.id
        assert form.marks
        assert all(mark == mark.lower() for mark in form.marks)
        assert {"to", "from"} & {name.rstrip("0123456789") for name in form.recipient.groupindex}
        for pattern in (form.reason, form.otherwise):
            assert pattern is None or "why" in pattern.groupindex


@pytest.mark.parametrize(
    "filler",
    [
        "a" * 65_000,
        "a@" * 32_000,
        "<a@b.example> " * 4500,
        "\n" * 65_000,
        "\t" * 65_000,
        "-" * 65_000,
        "SMTP=" * 13_000,
        "550 " * 16_000,
        "< " * 32_000,
        f"a@b.example{' ' * 500}\n" * 127,
        f"a@b.example\n{'<' * 400}\n" * 157,
        f"<a@b.example>:\n{'(#5' * 300}\n" * 70,
        "a@b.example\nx\nx\nx\nx\n" * 3250,
    ],
)
def test_no_pattern_takes_long_over_anything(filler: str) -> None:
    for form in prose.formats():
        for pattern in (form.begin, form.end, form.recipient, form.reason, form.otherwise, form.transcript):
            if pattern is not None:
                begun = time.process_time()
                for _ in pattern.finditer(filler):
                    pass
                assert time.process_time() - begun < 0.5, (form.id, pattern.pattern)


def test_a_reason_said_once_belongs_to_all_addresses_before_it() -> None:
    report = prose.read(
        Mail.parse(
            NOTICE
            + b"Hi. This is the qmail-send program at x.\n\n<a@example.org>:\n<b@example.org>:\nmailbox is full\n"
        )
    )
    assert report is not None
    assert [event.diagnostic for event in report.events] == ["mailbox is full", "mailbox is full"]


def test_the_sender_is_not_among_the_failed() -> None:
    report = prose.read(
        Mail.parse(
            b"To: news@example.com\n"
            + NOTICE
            + b"This is the mail system at host x.\n\n<news@example.com>: you\n\n<a@example.org>: gone\n"
        )
    )
    assert report is not None
    assert [str(event.recipient) for event in report.events] == ["a@example.org"]


def test_a_dialogue_is_cut_into_what_belongs_to_each_address() -> None:
    dialogue = prose.Dialogue.parse(
        ">>> RCPT To:<a@example.org>\n<<< 550 gone\n550 <a@example.org>... User unknown\n<<< 452 full\n452 <b@example.org>... Deferred\n"
    )
    a = fields.address("a@example.org")
    b = fields.address("b@example.org")
    assert a is not None
    assert b is not None
    assert dialogue.about(a) == "550 gone 550 <a@example.org>... User unknown"
    assert dialogue.about(b) == "452 full 452 <b@example.org>... Deferred"


def test_a_detector_that_raises_leaves_the_message_unrecognised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_message: object) -> None:
        raise RuntimeError("a detector broke")

    monkeypatch.setattr(flufl.bounce, "all_failures", broken)
    assert prose.read_flufl(Mail.parse(NOTICE + b"nothing known\n")) is None


def test_the_junk_of_the_last_detector_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    junk = {b'{"a@b.example"', b"|/bin/x a@b.example", b"nobody", b"", b"a b@c.example", b"good@example.org"}
    monkeypatch.setattr(flufl.bounce, "all_failures", lambda _message: (frozenset(), frozenset(junk)))
    report = prose.read_flufl(Mail.parse(NOTICE + b"nothing known\n"))
    assert report is not None
    assert [str(event.recipient) for event in report.events] == ["good@example.org"]


def test_the_last_detector_condemns_neither_us_nor_a_message_id(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {b"news@example.com", b"sent-1@example.com", b"gone@example.org"}
    monkeypatch.setattr(flufl.bounce, "all_failures", lambda _message: (frozenset(), frozenset(named)))
    notice = (
        b"To: news@example.com\n"
        + NOTICE
        + b"nothing known\n\nBelow this line is a copy of the message.\n\nMessage-ID: <sent-1@example.com>\nTo: gone@example.org\n"
    )
    report = prose.read_flufl(Mail.parse(notice))
    assert report is not None
    assert [str(event.recipient) for event in report.events] == ["gone@example.org"]


def said(text: str, subject: str = "Undeliverable") -> list[tuple[str, str, str]]:
    mail = Mail.parse(f"From: MAILER-DAEMON@x.example\nSubject: {subject}\n\n{text}\n".encode())
    report = prose.read(mail) or prose.read_sentence(mail)
    assert report is not None
    return [(report.detector, str(event.recipient), event.diagnostic) for event in report.events]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Your message:\n   From:    news@example.com\n\nCould not be delivered because of\n\n550 5.1.1 User unknown\n\nThe following recipients were affected: \n    a@example.org\n    b@example.org\n\nAdditional Information\nOriginal Sender: <news@example.com>",
            [
                ("mailmarshal", "a@example.org", "550 5.1.1 User unknown"),
                ("mailmarshal", "b@example.org", "550 5.1.1 User unknown"),
            ],
        ),
        (
            "Error: Invalid user address\n  550 - no such user here\nMessage details:\n  MAIL FROM: news@example.com\n  RCPT TO: a@example.org",
            [("james", "a@example.org", "Invalid user address 550 - no such user here")],
        ),
        (
            "Sent >>> RCPT TO:<a@example.org>\nReceived <<< 550 5.1.1 user unknown\n\nUnable to deliver message to <a@example.org>",
            [("trend-micro", "a@example.org", "550 5.1.1 user unknown")],
        ),
        (
            "We had trouble delivering your message. Full details follow:\n\nSMTP Server <mx.example.org> rejected recipient <a@example.org> (RCPT). [550 gone]",
            [("x6", "a@example.org", "rejected recipient <a@example.org> (RCPT). [550 gone]")],
        ),
        (
            "a@example.org, ERROR_CODE :550, ERROR_CODE :spam",
            [("zoho", "a@example.org", "ERROR_CODE :550, ERROR_CODE :spam")],
        ),
        (
            "The user(s) account is disabled.\n\n<a@example.org>",
            [("ezweb", "a@example.org", "The user(s) account is disabled.")],
        ),
        (
            "Transcript of session follows\n>>> RCPT To:<a@example.org>\n<<< 550 gone\n550 a@example.org... User unknown",
            [("sendmail-5", "a@example.org", "550 gone 550 a@example.org... User unknown")],
        ),
        (
            "Die Nachricht vom Montag an den Empfänger a@example.org konnte nicht zugestellt werden.",
            [
                (
                    "sentence",
                    "a@example.org",
                    "Nachricht vom Montag an den Empfänger a@example.org konnte nicht zugestellt werden.",
                )
            ],
        ),
        (
            "There was a problem.\n\nrecipient a@example.org:\nNo such user: a@example.org\n",
            [("sentence", "a@example.org", "No such user: a@example.org")],
        ),
    ],
)
def test_notices_name_the_address_and_the_reason(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert said(text) == expected


TEXTS = (
    "",
    "\n\n",
    "a@x.example\n<b@x.example>: no\n\n  c@x.example  \nd@x.example",
    "------\nTo: <a@x.example>\n<b@x.example>:\n   ----- Transcript of session follows -----\n<a@x.example>... 550 no\n---\n",
    "User unknown:\n<a@x.example>\nbecause:\n500 no\n\n[Status: Error, Address: <a@x.example>, no]\nError: 550\n",
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_pattern_of_lines_finds_what_the_library_finds(text: str) -> None:
    for form in prose.formats():
        for pattern in (form.begin, form.end, form.recipient, form.reason, form.otherwise, form.transcript):
            if pattern is None:
                continue
            for start in range(0, len(text) + 1, 7):
                for stop in range(start, len(text) + 1, 11):
                    found = [match.span() for match in prose._each(pattern, text, start, stop)]
                    assert found == [match.span() for match in pattern.finditer(text, start, stop)]
                first, wanted = prose._first(pattern, text, start), pattern.search(text, start)
                assert (first and first.span()) == (wanted and wanted.span()), pattern.pattern


CORPUS = Path(__file__).parents[2] / "corpus"


@pytest.mark.parametrize(
    "changed", [str, str.upper, lambda text: f"\u017f{text}\u0130"], ids=["as it is", "upper", "not ASCII"]
)
def test_a_pattern_that_begins_with_words_finds_what_the_library_finds(changed: Callable[[str], str]) -> None:
    patterns = [
        pattern
        for form in prose.formats()
        for pattern in (form.begin, form.end, form.recipient, form.reason, form.otherwise, form.transcript)
        if pattern is not None and prose._beginning(pattern.pattern)
    ]
    assert len(patterns) > 20
    for path in sorted((CORPUS / "prose").glob("*.eml")):
        text = changed(Mail.parse(path.read_bytes()).human[:4000])
        for pattern in patterns:
            found = [match.span() for match in prose._each(pattern, text, 0, len(text))]
            assert found == [match.span() for match in pattern.finditer(text)], pattern.pattern


def test_words_that_begin_a_pattern_begin_all_of_it() -> None:
    for form in prose.formats():
        for pattern in (form.begin, form.end, form.recipient, form.reason, form.otherwise, form.transcript):
            if pattern is None or not prose._beginning(pattern.pattern):
                continue
            left = re.sub(r"\\.|\[[^\]]*\]", "", pattern.pattern)
            while (shorter := re.sub(r"\([^()]*\)", "", left)) != left:
                left = shorter
            assert "|" not in left, pattern.pattern


@pytest.mark.parametrize(
    ("subject", "text", "kind"),
    [
        ("x", "** Entrega incompleta **\n\nHubo un problema con tu mensaje a a@example.org.", "delay"),
        ("x", "** Mensaje no entregado **\n\nHubo un problema con tu mensaje a a@example.org.", "bounce"),
        ("x", "<a@example.org>: host mx.example.org[192.0.2.1] said: 550 non esiste", "bounce"),
        (
            "x",
            "Dies ist nur eine Warnung.\n\n<a@example.org>: connect to mx.example.org[192.0.2.1]:25: refused",
            "delay",
        ),
        ("Verzögerte E-Mail", "<a@example.org>: connect to mx.example.org[192.0.2.1]:25: refused", "delay"),
    ],
)
def test_a_warning_is_told_from_a_failure_in_other_languages(subject: str, text: str, kind: str) -> None:
    message = (
        f"From: MAILER-DAEMON@x.example\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
    ).encode()
    report = prose.read(Mail.parse(message))
    assert report is not None
    assert [event.type.value for event in report.events] == [kind]


def test_a_letter_about_a_bounce_is_none() -> None:
    letter = "Votre message à b@example.org n'a pas pu être remis. Pouvez-vous m'aider ?\n\na@example.org\n"
    mail = Mail.parse(f"From: Anne <a@example.net>\nSubject: aide\n\n{letter}".encode())
    assert prose.read(mail) is None
    assert prose.read_sentence(mail) is None


@pytest.mark.parametrize(
    "disclaimer",
    [
        "This e-mail is confidential. If you are not the intended recipient, please notify the sender and delete it.",
        "-- \nConfidentiality notice: whoever is not meant tells the sender.",
        "Diese E-Mail kann vertrauliche Informationen enthalten. Wenn Sie nicht gemeint sind, informieren Sie den Absender.",
        "Ce message contient des informations confidentielles. Prévenez l'expéditeur.",
    ],
)
def test_what_lawyers_put_below_every_mail_is_no_reason(disclaimer: str) -> None:
    text = "Delivery has failed to these recipients or groups:\n\na@example.org<mailto:a@example.org>\nNobody of this name is here."
    assert said(f"{text}\n\n{disclaimer}") == said(text)
    text = "This is the mail system at host x.\n\n<a@example.org>: gone"
    assert said(f"{text}\n\n{disclaimer}") == said(text)


def test_an_intended_recipient_is_no_disclaimer() -> None:
    reason = "Sorry, your intended recipient has too much mail stored in his mailbox."
    assert said(f"Hi. This is the qmail-send program at x.\n\n<a@example.org>:\n{reason}\n") == [
        ("qmail", "a@example.org", reason)
    ]
