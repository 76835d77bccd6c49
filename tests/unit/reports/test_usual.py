"""The short way says what the long way says, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from bounceproc.errors import MalformedReportError
from bounceproc.reports import recognise, usual
from bounceproc.reports.mail import Mail
from bounceproc.reports.mime import normalised

CORPUS = Path(__file__).parents[2] / "corpus"
USUAL = (CORPUS / "dsn" / "001-unknown-user.eml").read_bytes()


def short_way(data: bytes) -> object:
    try:
        return usual.read(data)
    except MalformedReportError:
        return "malformed"


def long_way(data: bytes) -> object:
    mail = Mail.parse(data)
    try:
        return next((found for read in recognise.READERS if (found := read(mail)) is not None), None)
    except MalformedReportError:
        return "malformed"


@pytest.mark.parametrize("path", sorted(CORPUS.rglob("*.eml")), ids=lambda path: path.stem)
def test_both_ways_give_the_same_report(path: Path) -> None:
    data = normalised(path.read_bytes())
    for end in range(len(data), 0, -max(1, len(data) // 30)):
        found = short_way(data[:end])
        assert found is None or found == long_way(data[:end])


def test_most_notifications_go_the_short_way() -> None:
    assert usual.read(USUAL) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"multipart/report", b"multipart/mixed"),
        (b"\n--", b"\nno--"),
        (
            b"Content-Type: message/delivery-status",
            b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64",
        ),
        (b"message/rfc822", b"text/plain"),
    ],
)
def test_what_is_not_usual_is_left_to_the_readers(old: bytes, new: bytes) -> None:
    changed = USUAL.replace(old, new)
    assert changed != USUAL
    assert usual.read(changed) is None


@pytest.mark.parametrize(
    "before", [b"From MAILER-DAEMON  Fri Feb 13 02:45:46 2026\n", b"From: Mail <mailer-daemon@mx.example>\n"]
)
def test_a_mailbox_may_have_put_its_line_before_it(before: bytes) -> None:
    data = before + USUAL
    assert short_way(data) == long_way(data) is not None
    assert usual.read(before.replace(b":", b"") * 2 + USUAL) == long_way(before.replace(b":", b"") * 2 + USUAL)


def test_whoever_sends_it_the_short_way_serves_as_long_as_nobody_forwards() -> None:
    from_a_person = USUAL.replace(b"MAILER-DAEMON@", b"anna@")
    assert from_a_person != USUAL
    assert usual.read(from_a_person) == long_way(from_a_person) is not None
    forwarded = from_a_person.replace(b"\nSubject: ", b"\nSubject: Fwd: ", 1)
    assert forwarded != from_a_person
    assert usual.read(forwarded) is None


@pytest.mark.parametrize("to", [b"\nTo: bounces+reader=example.org@sender.example\n", b"\n"])
def test_what_names_nobody_in_its_fields_goes_the_short_way_too(to: bytes) -> None:
    before, _, rest = USUAL.replace(b"-Recipient", b"-Nobody").partition(b"\nTo: ")
    nobody = before + to + rest.partition(b"\n")[2]
    assert short_way(nobody) == long_way(nobody) is not None
    unnamed = nobody.rpartition(b"\nTo: ")
    assert short_way(unnamed[0] + b"\n" + unnamed[2]) == long_way(unnamed[0] + b"\n" + unnamed[2]) is not None
