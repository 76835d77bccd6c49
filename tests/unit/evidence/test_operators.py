"""The list of operators of feedback loops: complete enough to work with, and nothing in it that a user could pretend to be."""

from __future__ import annotations

import pytest

from bounceproc.address import Address
from bounceproc.evidence.mailbox import only_address
from bounceproc.evidence.operators import Operator, built_in

PEOPLE: frozenset[str] = frozenset(
    [
        "yahoo.com",
        "aol.com",
        "aol.net",
        "hotmail.com",
        "outlook.com",
        "live.com",
        "comcast.net",
        "cox.net",
        "mail.ru",
        "yandex.ru",
        "gmail.com",
        "fastmail.com",
        "libero.it",
        "laposte.net",
        "orange.fr",
        "zoho.com",
        "xs4all.nl",
        "terra.com",
        "usa.net",
        "icloud.com",
        "rr.com",
    ]
)
"""Domains at which people have mailboxes."""


@pytest.mark.parametrize("operator", built_in().known, ids=lambda operator: operator.name)
def test_each_operator_says_what_is_known_of_it(operator: Operator) -> None:
    assert operator.name
    assert operator.note.endswith(".")
    for sender in operator.senders:
        domain = sender.removeprefix(".")
        assert domain == domain.lower()
        assert (Address.parse(sender) if "@" in sender else Address.parse_domain(domain)).normal.endswith(domain)


@pytest.mark.parametrize("operator", built_in().known, ids=lambda operator: operator.name)
def test_no_domain_where_people_have_mailboxes_is_an_operator_as_a_whole(operator: Operator) -> None:
    assert not PEOPLE & {sender.removeprefix(".") for sender in operator.senders}
    assert not PEOPLE & set(operator.signed_by)


def test_the_operators_have_names_of_their_own() -> None:
    names = [operator.name for operator in built_in().known]
    assert len(names) == len(set(names)) > 20


@pytest.mark.parametrize(
    ("sender", "signed_by", "name"),
    [
        ("feedback@arf.mail.yahoo.com", "arf.mail.yahoo.com", "Yahoo"),
        ("staff@hotmail.com", "hotmail.com", "Microsoft JMRP"),
        ("feedbackloop@comcastfbl.senderscore.net", "senderscore.net", "Validity"),
        ("complaints@eu-west-1.email-abuse.amazonses.com", "amazonses.com", "Amazon SES"),
    ],
)
def test_an_operator_is_known_by_sender_and_signature(sender: str, signed_by: str, name: str) -> None:
    address = Address.parse(sender)
    assert [one.name for one in built_in().named(address) if one.aligns(address, signed_by)] == [name]


@pytest.mark.parametrize(
    ("sender", "signed_by"),
    [
        ("mallory@hotmail.com", "hotmail.com"),  # a user of the provider
        ("staff@hotmail.com", "mallory.example"),  # somebody's signature
        ("feedback@arf.mail.yahoo.com", "yahoo.com"),  # that of all users
        ("news@customer.example", "amazonses.com"),  # a customer's mail
        ("fbl@notsenderscore.net", "senderscore.net"),
        ("fbl@senderscore.net.evil.example", "senderscore.net"),
    ],
)
def test_nobody_else_is(sender: str, signed_by: str) -> None:
    address = Address.parse(sender)
    assert not [one for one in built_in().known if one.aligns(address, signed_by)]


@pytest.mark.parametrize(
    "value",
    [
        b"staff@hotmail.com",
        b" <staff@hotmail.com>",
        b"Complaints <staff@hotmail.com>",
        b'"Complaints, staff"\n <staff@hotmail.com> ',
        b"=?utf-8?q?Post?= <STAFF@Hotmail.com>",
        b'"staff@hotmail.com" <staff@hotmail.com>',
    ],
)
def test_one_mailbox_is_read(value: bytes) -> None:
    assert only_address(value) == Address.parse("staff@hotmail.com")


@pytest.mark.parametrize(
    "value",
    [
        b'"<staff@hotmail.com>" <mallory@hotmail.com>',
        b"<staff@hotmail.com> <mallory@hotmail.com>",
        b"staff@hotmail.com <mallory@hotmail.com>",
        b"staff@hotmail.com, mallory@hotmail.com",
        b"<staff@hotmail.com> (a <mallory@hotmail.com>)",
        b"group: staff@hotmail.com;",
        b'"a\\" <staff@hotmail.com> b" <mallory@hotmail.com>',
        b'"staff@hotmail.com"@evil.example',
        "staff@hotm\u0430il.com".encode(),
        b"",
        b"nobody",
        b"x" * 2000 + b"@hotmail.com",
    ],
)
def test_what_could_be_read_in_two_ways_is_not_read(value: bytes) -> None:
    assert only_address(value) != Address.parse("staff@hotmail.com")
