"""Every message beside this file says what the expectation beside it says, however its lines end."""

from __future__ import annotations

import base64
import html
import quopri
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.classify.classifier import default_classifier
from bounceproc.classify.events import classified
from bounceproc.errors import MalformedReportError
from bounceproc.event import Trust, iso
from bounceproc.reports.prose import formats
from bounceproc.reports.recognise import recognise

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.event import Event
    from bounceproc.reports.report import Report

HERE = Path(__file__).parent
MESSAGES = sorted(HERE.rglob("*.eml"))


def name(path: Path) -> str:
    return str(path.relative_to(HERE).with_suffix(""))


def answer(message: bytes) -> Report | str:
    try:
        return recognise(message) or "other"
    except MalformedReportError:
        return "malformed"


def field(event: Event, key: str) -> object:
    if key == "occurred_at":
        return iso(event.occurred_at)
    value = getattr(event, key)
    return value if value is None or isinstance(value, int) else str(value)


def judged(event: Event) -> dict[str, str | None]:
    """What is not read in the message, but concluded from it."""
    said = classified(event, default_classifier())
    return {"category": said.category, "class": said.class_}


def differences(event: Event, wanted: dict[str, Any]) -> list[str]:
    found = []
    for key, value in wanted.items():
        match key:
            case "category" | "class":
                fine = judged(event)[key] == value
            case "no_recipient":
                fine = event.recipient is None
            case "diagnostic_has":
                fine = value in event.diagnostic
            case _:
                fine = field(event, key) == value
        if not fine:
            found.append(f"{key}: {value!r} is not in {event!r}")
    return found


def test_the_corpus_is_there() -> None:
    assert len(MESSAGES) >= 50
    assert all(path.with_suffix(".toml").exists() for path in MESSAGES)


@pytest.mark.parametrize("path", MESSAGES, ids=name)
def test_a_message_says_what_is_expected(path: Path) -> None:
    expected = tomllib.loads(path.with_suffix(".toml").read_text("utf-8"))
    said = answer(path.read_bytes())
    if isinstance(said, str):
        assert said == expected["kind"]
        return
    assert said.kind.value == expected["kind"]
    assert said.detector == expected["detector"]
    for key in ("message_id", "reporting_mta"):
        if key in expected:
            assert getattr(said, key) == expected[key]
    wanted = expected.get("events", [])
    assert len(said.events) == len(wanted)
    assert [differences(event, want) for event, want in zip(said.events, wanted, strict=True)] == [[] for _ in wanted]


def test_every_described_format_has_a_message() -> None:
    expected = {tomllib.loads(path.with_suffix(".toml").read_text("utf-8")).get("detector") for path in MESSAGES}
    assert {form.id for form in formats()} <= expected


@pytest.mark.parametrize("path", MESSAGES, ids=name)
@pytest.mark.parametrize("newline", [b"\r\n", b"\r", b"\r\r\n"], ids=["crlf", "cr", "crcrlf"])
def test_line_ends_change_nothing(path: Path, newline: bytes) -> None:
    message = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert answer(message.replace(b"\n", newline)) == answer(message)


@pytest.mark.parametrize("path", MESSAGES, ids=name)
def test_a_message_cut_off_anywhere_is_read_or_refused(path: Path) -> None:
    message = path.read_bytes()[:20_000]
    for end in range(0, len(message), max(1, len(message) // 12)):
        answer(message[:end])


PLAIN = re.compile(rb"\nMIME-Version: 1.0\nContent-Type: (text/plain; charset=(utf-8|us-ascii))\n\n", re.IGNORECASE)
"""Where the header of a message ends that is one text and nothing else."""

DRESSES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "base64": lambda text, type_: (
        b"Content-Type: %b\nContent-Transfer-Encoding: base64\n\n%b" % (type_, base64.encodebytes(text))
    ),
    "quoted-printable": lambda text, type_: (
        b"Content-Type: %b\nContent-Transfer-Encoding: quoted-printable\n\n%b" % (type_, quopri.encodestring(text))
    ),
    "mixed": lambda text, type_: (
        b'Content-Type: multipart/mixed; boundary="=_"\n\n--=_\nContent-Type: %b\n\n%b\n--=_--\n' % (type_, text)
    ),
    "html": lambda text, _: (
        b"Content-Type: text/html; charset=utf-8\n\n<html><body><p>%b</p></body></html>\n"
        % html.escape(text.decode()).replace("\n", "<br>\n").encode()
    ),
    "pre": lambda text, _: (
        b"Content-Type: text/html; charset=utf-8\n\n<html><body><pre>%b</pre></body></html>\n"
        % html.escape(text.decode()).encode()
    ),
}
"""What gateways make of a text on its way."""


def told(message: bytes) -> object:
    said = answer(message)
    if isinstance(said, str) or any(event.trust is Trust.HEURISTIC for event in said.events):
        return None
    return said.kind, [(event.type, event.recipient, event.final_recipient, judged(event)) for event in said.events]


@pytest.mark.parametrize("path", [path for path in MESSAGES if PLAIN.search(path.read_bytes())], ids=name)
@pytest.mark.parametrize("dress", DRESSES)
def test_the_dress_of_a_text_changes_nothing(path: Path, dress: str) -> None:
    message = path.read_bytes()
    found = PLAIN.search(message)
    assert found is not None
    as_it_is = told(message)
    dressed = DRESSES[dress](message[found.end() :], found[1])
    assert as_it_is is None or told(b"%b\nMIME-Version: 1.0\n%b" % (message[: found.start()], dressed)) == as_it_is
