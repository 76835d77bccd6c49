"""Address: what is one mailbox in this world is equal, what is none is refused."""

from __future__ import annotations

import hashlib
import unicodedata

import idna
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bounceproc.address import Address
from bounceproc.errors import InvalidAddressError

ATOM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+/=?^_`{|}~-."
LABEL = "abcdefghijklmnopqrstuvwxyz0123456789"

atoms = st.text(ATOM, min_size=1, max_size=30)
labels = st.text(LABEL, min_size=1, max_size=12)
domains = st.lists(labels, min_size=1, max_size=4).map(".".join)
plain = st.builds("{}@{}".format, atoms, domains)
quoted = st.builds('"{}"@{}'.format, st.text("ab .,@:;<>()[]", max_size=12), domains)
international = st.builds(
    "{}@{}.example".format,
    st.text("äöüßéλжあ\u0308a", min_size=1, max_size=8),
    st.text("äöüéλжあ", min_size=1, max_size=8),
)
anything = plain | quoted | international | st.text(max_size=60) | st.builds("{}@{}".format, st.text(), st.text())


def parsed(text: str) -> Address:
    """The address, or no example at all."""
    try:
        return Address.parse(text)
    except InvalidAddressError:
        assume(False)
        raise


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("user@example.com", "user@example.com"),
        ("User.Name+Tag@Example.COM", "user.name+tag@example.com"),
        (" <user@example.com> ", "user@example.com"),
        ("user@example.com.", "user@example.com"),
        ('"user"@example.com', "user@example.com"),
        (r'"us\er"@example.com', "user@example.com"),
        ('"a b"@example.com', '"a b"@example.com'),
        ('"a..b"@example.com', '"a..b"@example.com'),
        ('"@"@example.com', '"@"@example.com'),
        (r'"a\"b"@example.com', r'"a\"b"@example.com'),
        ("user@bücher.example", "user@xn--bcher-kva.example"),
        ("USER@BÜCHER.example", "user@xn--bcher-kva.example"),
        ("user@XN--BCHER-KVA.example", "user@xn--bcher-kva.example"),
        ("user@straße.example", "user@xn--strae-oqa.example"),
        ("JÜRGEN@example.com", "jürgen@example.com"),
        ("ju\u0308rgen@example.com", "jürgen@example.com"),
        ("user@[192.0.2.1]", "user@[192.0.2.1]"),
        ("user@[IPv6:2001:DB8::1]", "user@[ipv6:2001:db8::1]"),
        ("bounce+SRS=x=y=example.org=user@example.com", "bounce+srs=x=y=example.org=user@example.com"),
        ("a..b.@example.com", "a..b.@example.com"),
        ("user@under_score.example", "user@under_score.example"),
    ],
)
def test_the_normal_form_is_frozen(text: str, normal: str) -> None:
    assert Address.parse(text).normal == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "user",
        "@example.com",
        "user@",
        "<>",
        "a@b@",
        "user@exa mple.com",
        "us er@example.com",
        "user@-example.com",
        "user@example..com",
        "user@.com",
        "user@[192.0.2.1",
        "user@ex/ample.com",
        '"user@example.com',
        '"us"er"@example.com',
        "us(er)@example.com",
        "a,b@example.com",
        "user@" + "a" * 500 + ".example",
        "ä" * 500 + "@example.com",
        "user@\u2028example.com",
        "user@ä\ufffd.example",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddressError) as caught:
        Address.parse(text)
    assert caught.value.exit_code == 2


@given(st.sampled_from([chr(n) for n in (*range(32), *range(127, 160), 0x2028, 0x2029, 0xFEFF)]), st.integers(1, 15))
def test_control_characters_are_refused_wherever_they_stand(control: str, place: int) -> None:
    whole = "user@example.com"

    for text in (
        whole[:place] + control + whole[place:],
        f'"us{control}er"@example.com' if control < " " else f"u{control}@x",
    ):
        with pytest.raises(InvalidAddressError):
            Address.parse(text)


def test_an_error_names_the_text_and_never_floods_a_log_with_it() -> None:
    with pytest.raises(InvalidAddressError) as caught:
        Address.parse("x" * 10_000)

    assert caught.value.address == "x" * 10_000
    assert len(str(caught.value)) < 250


@given(anything)
def test_any_text_is_an_address_or_refused_with_one_error(text: str) -> None:
    try:
        address = Address.parse(text)
    except InvalidAddressError:
        return
    assert address.normal.count("@") >= 1
    assert address.local
    assert address.domain
    assert not address.is_domain
    assert "\n" not in address.normal
    assert f"{address.local}@{address.domain}" == address.normal


@given(anything)
def test_the_normal_form_is_its_own_normal_form(text: str) -> None:
    address = parsed(text)

    again = Address.parse(address.normal)

    assert again.normal == address.normal
    assert again == address


@given(anything)
def test_an_address_prints_as_it_was_written_and_is_read_again_as_the_same(text: str) -> None:
    address = parsed(text)

    assert Address.parse(str(address)) == address
    assert str(address) in text


@given(plain | quoted)
def test_case_makes_no_difference(text: str) -> None:
    assert Address.parse(text.upper()) == Address.parse(text) == Address.parse(text.lower())
    assert hash(Address.parse(text.upper())) == hash(Address.parse(text))


@given(international)
def test_composed_and_decomposed_letters_make_no_difference(text: str) -> None:
    address = parsed(text)

    for form in ("NFC", "NFD"):
        assert parsed(unicodedata.normalize(form, text)) == address


@given(st.text("äöüéλжあa", min_size=1, max_size=8))
def test_a_domain_in_letters_of_its_own_equals_its_ascii_form(label: str) -> None:
    address = parsed(f"user@{label}.example")

    ascii_form = idna.encode(f"{label}.example", uts46=True).decode()

    assert Address.parse(f"user@{ascii_form}") == address
    assert address.domain.isascii()


def test_what_was_written_is_kept_and_does_not_take_part_in_comparison() -> None:
    one, other = Address.parse("<User@Example.com>"), Address.parse("user@example.com")

    assert one == other
    assert len({one, other}) == 1
    assert str(one) == "User@Example.com"


def test_extensions_and_dots_make_another_address() -> None:
    assert Address.parse("user+tag@example.com") != Address.parse("user@example.com")
    assert Address.parse("us.er@example.com") != Address.parse("user@example.com")


@pytest.mark.parametrize("text", ["example.com", "@Example.COM", " @example.com. "])
def test_a_whole_domain_is_a_subject_of_its_own(text: str) -> None:
    domain = Address.parse_domain(text)

    assert domain.normal == "@example.com"
    assert domain.is_domain
    assert (domain.local, domain.domain) == ("", "example.com")
    assert domain == Address.parse("user@example.com").domain_address()
    assert domain != Address.parse("user@example.com")


@pytest.mark.parametrize("text", ["", "@", "a b", "user@example.com", "ex\nample.com", "a..b"])
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddressError):
        Address.parse_domain(text)


@given(st.text(max_size=40) | domains)
def test_the_normal_form_of_a_domain_is_its_own_normal_form(text: str) -> None:
    try:
        domain = Address.parse_domain(text)
    except InvalidAddressError:
        return
    assert Address.parse_domain(domain.normal) == domain
    assert Address.parse_domain(str(domain)) == domain


def test_the_digest_that_questions_may_carry_is_that_of_the_normal_form() -> None:
    assert Address.parse("User@Example.com").sha256() == hashlib.sha256(b"user@example.com").digest()


@pytest.mark.parametrize(
    "text", ["a" * 300_000 + "@example.com", "user@" + "a." * 150_000, '"' + "\\a" * 150_000 + '"@example.com']
)
def test_a_hostile_length_costs_no_time(text: str) -> None:
    with pytest.raises(InvalidAddressError):
        Address.parse(text)


@pytest.mark.parametrize("hidden", ["\udcff", "\x00", "\u2028", "\ufeff", "\t"])
def test_a_quoted_local_part_hides_nothing_that_cannot_be_printed_or_encoded(hidden: str) -> None:
    with pytest.raises(InvalidAddressError):
        Address.parse(f'"a{hidden}b"@example.com')
