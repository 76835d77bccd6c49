"""Many addresses at once are answered as each of them alone would be."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bounceproc.address import Address
from bounceproc.lookup.bulk import judge as room
from bounceproc.lookup.bulk.judge import WHOLE_DOMAIN, WITHOUT_EXTENSION, Found, Judge
from bounceproc.policy.history import Kept
from bounceproc.ports import Spared, Standing, Why

if TYPE_CHECKING:
    import pytest

STRONG = Why(0, "manual", "", "*")
WEAK = Why(5, "bounce", "bad-mailbox", "stream:news")


def key_of(sha256: bytes) -> bytes:
    return hashlib.blake2b(sha256, digest_size=16, key=b"pepper").digest()


def judge_with(*entries: tuple[str, Why], forgotten: tuple[str, ...] = (), delimiter: str | None = None) -> Judge:
    standing = [Standing(b"", address, why) for address, why in entries]
    for text in forgotten:
        address = Address.parse_domain(text) if text.startswith("@") else Address.parse(text)
        standing.append(Standing(key_of(address.sha256()), None, WEAK))
    return Judge(standing, key_of_sha256=key_of, delimiter=delimiter)


def test_an_address_is_found_however_it_is_written() -> None:
    judge = judge_with(("a@example.com", STRONG), ("ü@xn--bcher-kva.example", WEAK))
    cells = [b"A@Example.COM", b"b@example.com", "Ü@BÜCHER.example".encode(), b' <"a"@example.com> ']

    assert judge.judge(cells) == {
        0: Found("manual", "", "*", ""),
        2: Found("bounce", "bad-mailbox", "stream:news", ""),
        3: Found("manual", "", "*", ""),
    }
    assert len(judge) == 2
    assert judge.judge([]) == {}


def test_a_whole_domain_holds_for_its_addresses_and_not_for_others() -> None:
    judge = judge_with(("@example.com", WEAK))

    found = judge.judge([b"a@example.com", b"a@sub.example.com", b"a@example.com.org", b"x@EXAMPLE.com"])

    assert {place: each.detail for place, each in found.items()} == {0: WHOLE_DOMAIN, 3: WHOLE_DOMAIN}


def test_the_strongest_reason_is_told_be_it_the_domain_s_or_the_address_s() -> None:
    judge = judge_with(("a@example.com", WEAK), ("@example.com", STRONG), ("a@example.com", Why(6, "import", "", "*")))

    assert judge.judge([b"a@example.com"])[0] == Found("manual", "", "*", WHOLE_DOMAIN)


def test_forgotten_addresses_and_domains_are_found_by_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "DOMAINS_REMEMBERED", 2)
    judge = judge_with(("named@example.com", STRONG), forgotten=("gone@example.com", "@lost.example"))
    cells = [f"x@{name}.example".encode() for name in ("a", "b", "lost", "c", "lost")]

    assert set(judge.judge([b"Gone@example.com", b"other@example.com", b"named@example.com"])) == {0, 2}
    assert set(judge.judge(cells)) == {2, 4}


def test_an_extension_is_taken_off_where_that_is_asked_for() -> None:
    entries = (("user@example.com", STRONG), ("a+b@example.com", WEAK))
    cells = [
        b"user+tag@example.com",
        b"user@example.com",
        b"+tag@example.com",
        b"a+b@example.com",
        b'"user+ x"@example.com',
    ]

    assert set(judge_with(*entries).judge(cells)) == {1, 3}
    found = judge_with(*entries, delimiter="+").judge(cells)
    assert set(found) == {0, 1, 3}
    assert found[0].detail == WITHOUT_EXTENSION


def test_a_decision_to_go_on_sending_beats_what_is_automatic_about_something_wider() -> None:
    kept = Kept("*", datetime(2026, 11, 1, tzinfo=UTC), None)
    bulk = Why(5, "bounce", "expired", "*")
    hidden, dead, shut = (Address(text, text) for text in ("hid@dead.example", "@dead.example", "@shut.example"))
    entries = [
        Standing(key_of(dead.sha256()), "@dead.example", bulk, is_domain=True),
        Standing(key_of(shut.sha256()), "@shut.example", STRONG._replace(origin="manual"), is_domain=True),
        Standing(b"", "user@dead.example", WEAK),
    ]
    spared = [
        Spared(b"1", "boss@dead.example", kept),
        Spared(key_of(hidden.sha256()), None, kept),
        Spared(key_of(Address("hid@shut.example", "").sha256()), None, kept),
    ]
    judge = Judge(entries, spared=spared, key_of_sha256=key_of, delimiter="+")
    names = ("boss", "boss+tag", "hid", "user", "user+tag", "anybody")

    found = judge.judge([*(f"{name}@dead.example".encode() for name in names), b"hid@shut.example"])

    assert set(found) == {3, 4, 5, 6}


def test_what_is_no_address_is_told_from_what_is_blank() -> None:
    found = judge_with().judge([b"a@example.com", b"nobody", b"  "])

    assert {place: each.reason for place, each in found.items()} == {1: "invalid", 2: ""}
    assert "local-part@domain" in found[1].detail
