"""The quick way to a normal form gives what `Address` gives, for every text there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bounceproc.address import Address
from bounceproc.errors import InvalidAddressError
from bounceproc.lookup.bulk.normal import NOT_UTF8, normal_forms

NEAR = st.text(st.sampled_from("aZ09@@@...--__+\"' \t<>[]:\\!ü\u0130\u212a\ufffd\u202e\r\n"), max_size=24)
ADDRESSES = st.builds(
    lambda local, labels: f"{local}@{'.'.join(labels)}",
    st.text(st.sampled_from("aZ09.-_+=\"'ü"), min_size=1, max_size=12),
    st.lists(st.text(st.sampled_from("aZ09-_ü"), min_size=1, max_size=8), min_size=1, max_size=4),
)
LONG = st.integers(300, 330).map(lambda length: "a" * length + "@example.com")


def slowly(text: str) -> bytes | str:
    try:
        return Address.parse(text).normal.encode() if text.strip() else ""
    except InvalidAddressError as error:
        return error.why


@given(st.lists(st.one_of(NEAR, ADDRESSES, LONG, st.text()), min_size=1, max_size=6))
def test_each_cell_has_the_normal_form_of_its_address(texts: list[str]) -> None:
    cells = [text.encode(errors="replace") for text in texts]

    forms = normal_forms(cells)

    assert len(forms.names) == len(cells)
    assert [forms.wrong.get(place, name) for place, name in enumerate(forms.names)] == [
        slowly(cell.decode()) for cell in cells
    ]
    assert all(forms.names[place] == b"" for place in forms.wrong)
    assert forms.domains() == [name.rpartition(b"@")[2] for name in forms.names]


@given(st.lists(st.from_regex(r"[a-z0-9+._-]{1,9}@[a-z0-9]{1,5}(\.[a-z0-9-]{0,3}[a-z])?", fullmatch=True), min_size=1))
def test_ordinary_addresses_take_the_quick_way(texts: list[str]) -> None:
    plain = [text for text in texts if not text.rpartition(".")[2].startswith("-")] or ["a@b"]

    forms = normal_forms([text.upper().encode() for text in plain])

    assert forms.plain
    assert forms.names == [text.encode() for text in plain]


def test_one_strange_cell_spoils_no_other() -> None:
    forms = normal_forms([b"A@example.com", b"\xff@example.com", b" ", b'"a@b"@example.com', b"a@example.com\nb@c.d"])

    assert forms.names == [b"a@example.com", b"", b"", b'"a@b"@example.com', b""]
    assert forms.wrong[1] == NOT_UTF8
    assert forms.wrong[2] == ""
    assert 4 in forms.wrong
    assert forms.domains() == [b"example.com", b"", b"", b"example.com", b""]
