"""Signed return paths: they say whom the mail went to, and nobody else can make or change one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bounceproc.address import Address
from bounceproc.errors import InvalidAddressError
from bounceproc.returnpath import MAX_LOCAL, Fault, TokenError, make, make_header, names, read, read_header

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECRET = "a secret for tests only"
OLD = "an older one, still good"
MAILBOX = "bounces@example.org"

labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=63)
domains = st.lists(labels, min_size=1, max_size=4).map(".".join)
locals_ = (
    st.text("abcXYZ0189!#$%&'*+/=?^_`{|}~-.", min_size=1, max_size=64)
    | st.text("ab .,@:;<>", max_size=20).map('"{}"'.format)
    | st.text("äöüßéλжあ", min_size=1, max_size=20)
)
texts = st.builds("{}@{}".format, locals_, domains).filter(lambda text: len(text.encode()) <= 254)
streams = st.none() | st.text("abz09_", min_size=1, max_size=12)


def parsed(text: str) -> Address:
    """The address, or no example at all."""
    try:
        return Address.parse(text)
    except InvalidAddressError:
        assume(False)
        raise


def local(path: str) -> str:
    """What stands before the @."""
    return path.rpartition("@")[0]


@given(texts, streams, st.sampled_from("+-=_#"))
def test_every_recipient_comes_back_from_at_most_64_octets(text: str, stream: str | None, delimiter: str) -> None:
    address = parsed(text)
    assume(stream is None or delimiter not in stream)
    path = make(text, MAILBOX, secrets=[SECRET], now=NOW, stream=stream, delimiter=delimiter)
    assert len(local(path).encode()) <= MAX_LOCAL
    Address.parse(path)
    token = read(path, secrets=[SECRET], now=NOW)
    assert names(token, address, [SECRET])
    assert token.recipient in (address, None)
    assert token.stream == stream


@given(texts, streams)
def test_every_recipient_comes_back_from_a_header(text: str, stream: str | None) -> None:
    address = parsed(text)
    value = make_header(address, secrets=[SECRET], now=NOW, stream=stream)
    assert value.isascii()
    assert len(value) < 998
    assert names(read_header(value, secrets=[SECRET], now=NOW), address, [SECRET])


@given(texts, st.data())
def test_any_changed_octet_is_found(text: str, data: st.DataObject) -> None:
    parsed(text)
    path = make(text, MAILBOX, secrets=[SECRET], now=NOW)
    at = data.draw(st.integers(0, len(local(path)) - 1))
    sign = data.draw(st.characters(codec="latin-1"))
    assume(sign.lower() != path[at])
    with pytest.raises(TokenError):
        read(path[:at] + sign + path[at + 1 :], secrets=[SECRET], now=NOW)


@given(texts, st.data())
def test_an_octet_more_or_less_is_found(text: str, data: st.DataObject) -> None:
    parsed(text)
    value = make_header(text, secrets=[SECRET], now=NOW)
    at = data.draw(st.integers(0, len(value) - 1))
    sign = data.draw(st.sampled_from("a0+=.@"))
    for changed in (value[:at] + value[at + 1 :], value[:at] + sign + value[at:]):
        with pytest.raises(TokenError):
            read_header(changed, secrets=[SECRET], now=NOW)


@given(st.integers(0, 400), st.integers(-400, 800))
def test_a_token_is_good_to_the_end_of_its_day(valid: int, later: int) -> None:
    path = make("user@example.com", MAILBOX, secrets=[SECRET], now=NOW, valid=timedelta(days=valid))
    then = NOW + timedelta(days=later)
    if later <= valid:
        assert read(path, secrets=[SECRET], now=then).expires == (NOW + timedelta(days=valid)).date()
    else:
        with pytest.raises(TokenError) as caught:
            read(path, secrets=[SECRET], now=then)
        assert caught.value.fault is Fault.EXPIRED


def test_the_readable_form_says_who_and_until_when() -> None:
    path = make("Jo@Example.COM", MAILBOX, secrets=[SECRET], now=NOW)
    assert path.startswith("bounces+jo=example.com+2551+")
    assert read(f"<{path}>", secrets=[SECRET], now=NOW).expires == date(2026, 12, 26)


def test_case_is_no_change_as_mail_servers_fold_it() -> None:
    path = make("user@example.com", "Bounces@example.org", secrets=[SECRET], now=NOW)
    assert read(path.upper(), secrets=[SECRET], now=NOW).recipient == Address.parse("user@example.com")


def test_the_domain_may_be_that_of_a_host() -> None:
    path = make("user@example.com", MAILBOX, secrets=[SECRET], now=NOW)
    assert read(f"{local(path)}@mx7.internal.example.org", secrets=[SECRET], now=NOW).recipient is not None


def test_the_first_secret_makes_and_all_of_them_verify() -> None:
    long = f"{'u' * 60}@example.com"
    for recipient in ("user@example.com", long):
        made_before = make(recipient, MAILBOX, secrets=[OLD], now=NOW)
        token = read(made_before, secrets=[SECRET, OLD], now=NOW)
        assert names(token, Address.parse(recipient), [SECRET, OLD])
        with pytest.raises(TokenError) as caught:
            read(make(recipient, MAILBOX, secrets=[SECRET, OLD], now=NOW), secrets=[OLD], now=NOW)
        assert caught.value.fault is Fault.FORGED


def test_the_hash_names_one_address_and_no_other() -> None:
    token = read(make(f"{'u' * 60}@example.com", MAILBOX, secrets=[SECRET], now=NOW), secrets=[SECRET], now=NOW)
    assert token.recipient is None
    assert not names(token, Address.parse(f"{'u' * 59}@example.com"), [SECRET])


def test_a_header_is_no_return_path() -> None:
    value = make_header("user@example.com", secrets=[SECRET], now=NOW)
    with pytest.raises(TokenError):
        read(f"{value}@example.org", secrets=[SECRET], now=NOW)


@given(st.text(max_size=300) | st.builds("{}@{}".format, st.text(max_size=64), st.text(max_size=20)))
def test_no_text_breaks_the_reader(text: str) -> None:
    for reader in (read, read_header):
        with pytest.raises(TokenError):
            reader(text, secrets=[SECRET], now=NOW)


@pytest.mark.parametrize(
    ("mailbox", "options"),
    [
        ("no mailbox", {}),
        ("my+bounces@example.org", {}),
        ('"a b"@example.org', {}),
        (f"{'b' * 40}@example.org", {}),
        (MAILBOX, {"delimiter": ""}),
        (MAILBOX, {"delimiter": "ab"}),
        (MAILBOX, {"delimiter": "."}),
        (MAILBOX, {"stream": "two words"}),
        (MAILBOX, {"stream": "a-b", "delimiter": "-"}),
        (MAILBOX, {"secrets": ["short"]}),
        (MAILBOX, {"secrets": []}),
        (MAILBOX, {"valid": timedelta(days=-1)}),
        (MAILBOX, {"valid": timedelta.max}),
    ],
)
def test_what_cannot_be_made_is_refused(mailbox: str, options: dict[str, object]) -> None:
    with pytest.raises(TokenError):
        make("user@example.com", mailbox, **{"secrets": [SECRET], "now": NOW, **options})  # type: ignore[arg-type]
