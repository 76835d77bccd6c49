"""Providers: who runs a mailbox."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.classify.providers import Provider, Providers
from bounceproc.classify.rules import load_rules

PROVIDERS = Providers(
    [Provider("big", ("example.com", "mail.example.org"), ("mx.example.net",)), Provider("small", ("example.org",), ())]
)


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("example.com", "big"),
        ("EXAMPLE.com.", "big"),
        ("sub.example.com", "big"),
        ("notexample.com", None),
        ("example.org", "small"),
        ("a.mail.example.org", "big"),
        ("mx.example.net", None),
        ("", None),
        (None, None),
    ],
)
def test_a_domain_belongs_to_the_provider_of_its_longest_known_end(domain: str | None, name: str | None) -> None:
    assert name == PROVIDERS.of_domain(domain)


def test_the_host_tells_more_than_a_customers_domain() -> None:
    assert PROVIDERS.name(domain="customer.example", remote_mta="in1.mx.example.net") == "big"
    assert PROVIDERS.name(domain="example.org", remote_mta="mx.unknown.example") == "small"
    assert PROVIDERS.name() is None


@given(st.text(max_size=400))
def test_any_text_may_be_asked_about(text: str) -> None:
    PROVIDERS.name(domain=text, remote_mta=text)


@pytest.mark.parametrize(
    ("domain", "host", "name"),
    [
        ("gmail.com", None, "google"),
        ("example.com", "aspmx.l.google.com", "google"),
        ("hotmail.com", None, "microsoft"),
        ("example.com", "example-com.mail.protection.outlook.com", "microsoft"),
        ("yahoo.co.uk", None, "yahoo"),
        ("icloud.com", None, "apple"),
        ("orange.fr", None, "orange"),
        ("web.de", None, "gmx"),
        ("docomo.ne.jp", None, "docomo"),
        ("example.com", "us-smtp-inbound-1.mimecast.com", "mimecast"),
        ("example.com", "mx.example.com", None),
    ],
)
def test_the_great_providers_are_known(domain: str, host: str | None, name: str | None) -> None:
    assert name == load_rules().providers.name(domain=domain, remote_mta=host)
