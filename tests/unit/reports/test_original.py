"""What the returned copy of our own mail still tells."""

from __future__ import annotations

from bounceproc.reports.mail import Mail


def quoted(text: str) -> Mail:
    return Mail.parse(f"From: MAILER-DAEMON@x.example\n\n{text}".encode())


def test_a_copy_quoted_in_the_text_is_read() -> None:
    original = quoted(
        "gone\n\n--- Below this line is a copy of the message.\n\nMessage-ID: <1@example.com>\nTo: a@example.org,\n b@example.org\n\nhello\n"
    ).original
    assert original is not None
    assert original.message_id == "<1@example.com>"
    assert [str(address) for address in original.recipients] == ["a@example.org", "b@example.org"]


def test_an_indented_copy_is_read() -> None:
    original = quoted(
        "gone\n\nOriginal message follows:\n\n   Message-ID: 1@example.com\n   Subject: a\n    b\n"
    ).original
    assert original is not None
    assert original.message_id == "<1@example.com>"
    assert original.headers.get(b"subject") == "a b"


def test_a_copy_in_base64_is_read() -> None:
    original = Mail.parse(
        b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
        b"TWVzc2FnZS1JRDogPDFAZXhhbXBsZS5jb20+CgpoZWxsbwo=\n--b--\n"
    ).original
    assert original is not None
    assert original.message_id == "<1@example.com>"


def test_a_notice_without_a_copy_has_none() -> None:
    assert quoted("gone\n").original is None
