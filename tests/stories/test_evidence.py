"""Evidence: what is signed acts at once, and what anybody could write waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.names import NameServer
from tests.stories.house import House
from tests.unit.evidence.signing import record, sign
from tests.unit.mails import complaint, dsn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RESULTS = b"Authentication-Results: mx.sender.example; dkim=pass header.d=provider.example\n"
RECEIVED = b"Received: from out.provider.example by mx.sender.example with ESMTPS; Mon, 23 Nov 2026 09:00:00 +0000\n"


@pytest.fixture
def names() -> Iterator[NameServer]:
    keys = {f"s1._domainkey.{domain}": record() for domain in ("provider.example", "sender.example")}
    with NameServer(keys) as server:
        yield server


@pytest.fixture
def house(tmp_path: Path, names: NameServer) -> House:
    return configured(House(tmp_path), names, "")


def configured(house: House, names: NameServer, more: str) -> House:
    host, port = names.address
    house.configuration.write_text(f"""[identity]
domains = ["sender.example"]
nameservers = ["{host}:{port}"]
{more}
[[feedback_loop]]
name = "Provider"
senders = ["fbl@provider.example"]
""")
    return house


def ingest(house: House, **messages: bytes) -> None:
    for name, content in messages.items():
        (house.folder / f"{name}.eml").write_bytes(content)
        house.run("ingest", f"{name}.eml")


def trusted(house: House, address: str) -> list[str]:
    (status,) = house.json("status", address, "--format", "json")
    return [event["trust"] for event in status["events"]]


def test_a_signed_complaint_suppresses_at_once_and_a_forged_one_does_not(house: House) -> None:
    signed = sign(complaint("anna@example.com"), "provider.example")
    ingest(house, signed=signed, forged=signed.replace(b"anna@example.com", b"carla@example.org"))

    house.run("check", "-q", "anna@example.com", code=1)
    house.run("check", "-q", "carla@example.org")
    assert trusted(house, "anna@example.com") == ["matched"]
    assert trusted(house, "carla@example.org") == ["reported"]
    assert "signed by provider.example: a feedback loop (Provider)" in house.run("explain", "signed.eml").stdout
    assert "nothing to hold it against" in house.run("explain", "forged.eml").stdout


def test_a_bounce_with_our_own_signed_mail_suppresses_at_once_and_that_of_somebody_else_does_not(house: House) -> None:
    mail = sign(complaint("x@y.example").replace(b"fbl@sender.example", b"anna@example.com"), "sender.example")
    head, _, _ = dsn("anna@example.com").partition(b"Content-Type: text/rfc822-headers")
    bounce = head + b"Content-Type: message/rfc822\n\n" + mail + b"\n--b1--\n"
    other = bounce.replace(b"rfc822; anna@example.com", b"rfc822; carla@example.org")
    ingest(house, bounce=bounce, other=other.replace(b".report@", b".other@"))

    house.run("check", "-q", "anna@example.com", code=1)
    house.run("check", "-q", "carla@example.org")
    assert "bears the signature of sender.example" in house.run("explain", "bounce.eml").stdout


def test_what_a_host_of_ours_verified_counts_where_it_wrote_it(house: House, names: NameServer) -> None:
    configured(house, names, 'trusted_authserv = ["mx.sender.example"]\ndkim = false')
    assert "warning" not in house.run("suppress", "list").stderr
    ingest(
        house,
        above=RESULTS + RECEIVED + complaint("anna@example.com"),
        below=RECEIVED + b"X-Mailer: x\nReceived: from a by b; x\n" + RESULTS + complaint("carla@example.org"),
    )

    house.run("check", "-q", "anna@example.com", code=1)
    house.run("check", "-q", "carla@example.org")
    assert names.asked == []


def test_with_a_token_secret_a_matched_one_acts_and_a_reported_one_waits_for_a_person(
    house: House, names: NameServer
) -> None:
    configured(house, names, 'token_secret = "a secret for tests only"')
    signed = sign(complaint("anna@example.com"), "provider.example")
    forged = signed.replace(b"anna@example.com", b"carla@example.org")
    ingest(house, signed=signed, **{f"forged{day}": b"X-Day: %d\n" % day + forged for day in range(4)})

    house.run("check", "-q", "anna@example.com", code=1)
    house.run("check", "-q", "carla@example.org")
    assert [one["address"] for one in house.json("review", "list", "--format", "jsonl")] == ["carla@example.org"]


def test_without_an_answer_it_is_only_reported_and_nothing_fails(house: House, names: NameServer) -> None:
    names.rcode = "SERVFAIL"
    ingest(house, signed=sign(complaint("anna@example.com"), "provider.example"))

    house.run("check", "-q", "anna@example.com")
    assert trusted(house, "anna@example.com") == ["reported"]


def test_with_nothing_known_of_our_mail_nobody_is_asked(house: House, names: NameServer) -> None:
    text = house.configuration.read_text()
    house.configuration.write_text(text.replace('domains = ["sender.example"]', ""))
    ingest(house, signed=sign(complaint("anna@example.com"), "provider.example"), bounce=dsn("bert@example.com"))

    assert trusted(house, "anna@example.com") == ["reported"]
    assert names.asked == []
