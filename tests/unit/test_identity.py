"""A report that carries our token is believed, about the recipient of the token and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bounceproc.address import Address
from bounceproc.classify.classifier import default_classifier
from bounceproc.event import Trust
from bounceproc.identity import Identifier, OurMail
from bounceproc.pipeline import meant
from bounceproc.rawmessage import RawMessage
from bounceproc.returnpath import make, make_header
from tests.unit.mails import complaint, dsn

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECRET = "a secret for tests only"
ANNA = Address.parse("anna@example.com")
LONG = Address.parse(f"{'a' * 60}@example.com")
MAILBOX = "bounces@sender.example"


def path(recipient: Address = ANNA, secret: str = SECRET, valid: int = 30) -> str:
    return make(recipient, MAILBOX, secrets=[secret], now=NOW, valid=timedelta(days=valid))


def told(message: bytes, received_at: datetime | None = NOW) -> list[tuple[str | None, str | None, Trust]]:
    """Recipient, final recipient and trust of each event."""
    identifier = Identifier(OurMail((SECRET,)), lambda: NOW)
    found = meant(RawMessage("m", message, received_at), default_classifier(), None, identifier).events
    return [
        (
            event.recipient.normal if event.recipient else None,
            event.final_recipient.normal if event.final_recipient else None,
            event.trust,
        )
        for event in found
    ]


def with_field(message: bytes, field: str) -> bytes:
    return f"{field}\n".encode() + message


def in_copy(message: bytes, field: str) -> bytes:
    return message.replace(b"From: news@sender.example", f"{field}\nFrom: news@sender.example".encode())


@pytest.mark.parametrize(
    "name",
    ["Delivered-To", "X-Original-To", "Envelope-to", "X-Gm-Original-To", "X-Delivered-To", "X-Envelope-To"],
)
def test_a_token_in_the_envelope_signs(name: str) -> None:
    assert told(with_field(dsn("anna@example.com"), f"{name}: {path()}")) == [(ANNA.normal, ANNA.normal, Trust.SIGNED)]


def test_a_token_in_to_or_in_the_returned_copy_signs() -> None:
    for message in (
        dsn("anna@example.com").replace(b"To: bounces@sender.example", f"To: Bounces <{path()}>".encode()),
        in_copy(dsn("anna@example.com"), f"Return-Path: <{path()}>"),
        in_copy(dsn("anna@example.com"), f"X-Bounceproc-Token: {make_header(ANNA, secrets=[SECRET], now=NOW)}"),
        in_copy(dsn("anna@example.com"), f"CFBL-Feedback-ID: {make_header(ANNA, secrets=[SECRET], now=NOW)}"),
        in_copy(
            dsn("anna@example.com"),
            f"List-Unsubscribe: <https://sender.example/u?x=1>,\n <mailto:{path().replace('+', '%2B')}?subject=unsubscribe>",
        ),
    ):
        assert told(message) == [(ANNA.normal, ANNA.normal, Trust.SIGNED)]


@pytest.mark.parametrize(
    "line",
    [
        "from mx.example.net by mail.sender.example with ESMTPS id 1 for <{path}>; Thu, 26 Nov 2026 08:00:00 +0000",
        "from a (b [192.0.2.1])\n        by mx.google.com with ESMTPS id x\n        for <{path}>\n        (v=TLS1_3); Thu",
    ],
)
def test_a_token_that_only_a_server_tells_of_signs(line: str) -> None:
    message = with_field(dsn("anna@example.com"), f"Received: {line.format(path=path())}")
    assert told(message) == [(ANNA.normal, ANNA.normal, Trust.SIGNED)]


@pytest.mark.parametrize("delimiter", ["+", "-", "=", "#", "_"])
@pytest.mark.parametrize("recipient", ["anna@example.com", "anna-maria.x+tag@sub-domain.example.com"])
def test_every_convention_of_address_extensions_carries_tokens(delimiter: str, recipient: str) -> None:
    """Postfix: recipient_delimiter, one or several; Exim: local_part_suffix = +* or -*; Google: + alone."""
    made = make(recipient, MAILBOX, secrets=[SECRET], now=NOW, delimiter=delimiter)
    for folded in (made, made.upper(), made.replace("sender.example", "mx7.sender.example")):
        ((_, _, trust),) = told(with_field(dsn(recipient), f"Delivered-To: {folded}"))
        assert trust is Trust.SIGNED


@pytest.mark.parametrize("recipient", [ANNA, LONG], ids=["readable", "hash"])
@pytest.mark.parametrize(
    "wrap",
    [
        "prvs=0123abcdef={local}@{domain}",
        "btv1==012abcdef01234=={local}@{domain}",
        "SRS0=abcd=XY={domain}={local}@forwarder.example",
        "SRS0+abcd=XY={domain}={local}@forwarder.example",
        "SRS1=wxyz=first.example==abcd=XY={domain}={local}@second.example",
        "srs0=abcd=xy={domain}=prvs=0123abcdef={local}@forwarder.example",
    ],
)
def test_a_return_path_that_others_rewrote_signs(wrap: str, recipient: Address) -> None:
    local, _, domain = path(recipient).partition("@")
    changed = wrap.format(local=local, domain=domain)
    for message in (
        in_copy(dsn(recipient.normal), f"Return-Path: <{changed}>"),
        with_field(dsn(recipient.normal), f"Delivered-To: {changed}"),
    ):
        assert told(message) == [(recipient.normal, recipient.normal, Trust.SIGNED)]


def test_a_differing_final_recipient_never_overrides_the_token() -> None:
    message = with_field(dsn("inner@forward.example"), f"Delivered-To: {path()}")
    assert told(message) == [(ANNA.normal, "inner@forward.example", Trust.SIGNED)]


def test_a_holder_of_a_token_cannot_speak_for_others() -> None:
    for message in (dsn("victim@example.net"), complaint("victim@example.net")):
        ((recipient, _, trust),) = told(with_field(message, f"Delivered-To: {path()}"))
        assert (recipient, trust) == (ANNA.normal, Trust.SIGNED)


def test_a_report_about_several_signs_only_the_tokens_recipient() -> None:
    group = (
        b"Final-Recipient: rfc822; victim@example.net\nAction: failed\nStatus: 5.1.1\n\n--b1\nContent-Type: text/rfc"
    )
    both = dsn("anna@example.com").replace(b"--b1\nContent-Type: text/rfc", group)
    found = told(with_field(both, f"Delivered-To: {path()}"))
    assert sorted((who, trust) for who, _, trust in found) == [
        (ANNA.normal, Trust.SIGNED),
        ("victim@example.net", Trust.REPORTED),
    ]
    strangers = dsn("other@example.net").replace(b"--b1\nContent-Type: text/rfc", group)
    found = told(with_field(strangers, f"Delivered-To: {path()}"))
    assert {trust for _, _, trust in found} == {Trust.REPORTED}
    assert len(found) == 2


def test_a_hash_signs_the_address_that_it_was_made_for() -> None:
    field = f"Delivered-To: {path(LONG)}"
    assert told(with_field(dsn(LONG.normal), field)) == [(LONG.normal, LONG.normal, Trust.SIGNED)]
    redirected = dsn("inner@forward.example").replace(b"\nTo: inner@forward.example", f"\nTo: {LONG}".encode())
    assert told(with_field(redirected, field)) == [(LONG.normal, "inner@forward.example", Trust.SIGNED)]
    assert told(with_field(dsn("victim@example.net"), field))[0][2] is Trust.REPORTED


@pytest.mark.parametrize(
    "bad", [path(secret="another secret, not ours"), path().replace("anna", "bert"), "bounces@sender.example", "", "<"]
)
def test_without_a_valid_token_nothing_changes(bad: str) -> None:
    message = with_field(dsn("anna@example.com"), f"Delivered-To: {bad}")
    assert told(message) == [(ANNA.normal, ANNA.normal, Trust.REPORTED)]


def test_a_token_must_be_good_on_the_day_of_receipt() -> None:
    message = with_field(dsn("anna@example.com"), f"Delivered-To: {path(valid=1)}")
    assert told(message, NOW + timedelta(days=1))[0][2] is Trust.SIGNED
    assert told(message, NOW + timedelta(days=2))[0][2] is Trust.REPORTED
    assert told(message, None)[0][2] is Trust.SIGNED
