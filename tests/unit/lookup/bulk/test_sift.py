"""Lists go through row by row: in order, octet by octet, in whatever form and encoding, with the same answer in several processes."""

from __future__ import annotations

import csv
import io
import tracemalloc
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.errors import BadDataError, UsageError
from bounceproc.lookup.bulk import sift as room
from bounceproc.lookup.bulk.judge import Judge
from bounceproc.lookup.bulk.sift import sift
from bounceproc.ports import Standing, Why

if TYPE_CHECKING:
    from bounceproc.lookup.bulk.sift import Sifted

JUDGE = Judge(
    [
        Standing(b"", "bad@example.com", Why(1, "bounce", "bad-mailbox", "*")),
        Standing(b"", "@gone.example", Why(2, "manual", "", "stream:ü,x")),
    ],
    key_of_sha256=lambda digest: digest,
)
HEAD = b"rejected_reason,rejected_category,rejected_scope,rejected_detail\n"


class Trickle:
    """A pipe that gives a few octets at a time."""

    def __init__(self, data: bytes, octets: int = 1) -> None:
        self._data, self._octets = io.BytesIO(data), octets

    def read1(self, _size: int = -1, /) -> bytes:
        return self._data.read(self._octets)


def sifted(
    data: bytes, *, octets: int = 0, column: str | None = None, encoding: str | None = None, jobs: int = 1
) -> tuple[bytes, bytes, Sifted]:
    kept, rejected = io.BytesIO(), io.BytesIO()
    source = Trickle(data, octets) if octets else io.BytesIO(data)
    found = sift(source, JUDGE, kept=kept, rejected=rejected, column=column, encoding=encoding, jobs=jobs)
    return kept.getvalue(), rejected.getvalue(), found


@pytest.mark.parametrize("jobs", [1, 2])
def test_plain_addresses(jobs: int) -> None:
    data = b"A@example.com\r\n BAD@Example.com\nnobody\n\nx@gone.example\nlast@example.com"

    kept, rejected, found = sifted(data, jobs=jobs)

    assert kept == b"A@example.com\r\nlast@example.com"
    assert rejected == b"address," + HEAD + (
        b"BAD@Example.com,bounce,bad-mailbox,*,\nnobody,invalid,,,an address is local-part@domain\n"
        + 'x@gone.example,manual,,"stream:ü,x",its whole domain\n'.encode()
    )
    assert (found.rows, found.rejected, dict(found.reasons)) == (5, 3, {"bounce": 1, "invalid": 1, "manual": 1})


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_table_keeps_its_head_line_and_its_quotation_marks(jobs: int) -> None:
    data = (
        b'id,"E-Mail",note\r\n'
        b'1,"bad@example.com","two\r\nlines, ""quoted"""\r\n'
        b'2,good@example.com,5" pipe\r\n'
        b'3,"x@gone.example",\xe4 in latin-1\r\n'
        b"4\r\n"
        b",,\r\n"
        b"\r\n"
        b'5,"also ""good""@example.com",\r\n'
        b"6, good@example.com ,last"
    )

    kept, rejected, found = sifted(data, jobs=jobs)

    assert kept == b'id,"E-Mail",note\r\n2,good@example.com,5" pipe\r\n6, good@example.com ,last'
    assert rejected.startswith(b'id,"E-Mail",note,' + HEAD)
    rows = list(csv.reader(io.StringIO(rejected.decode("latin-1"), newline="")))
    assert [(row[0], row[-4]) for row in rows[1:]] == [
        ("1", "bounce"),
        ("3", "manual"),
        ("4", "invalid"),
        ("", "invalid"),
        ("5", "invalid"),
    ]
    assert rows[1][2] == 'two\r\nlines, "quoted"'
    assert found.rows == 7


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_seen(delimiter: str) -> None:
    data = f"name{delimiter}email\nA{delimiter}a@example.com\nB{delimiter}bad@example.com\n".encode()

    kept, rejected, _ = sifted(data)

    assert kept == f"name{delimiter}email\nA{delimiter}a@example.com\n".encode()
    assert f"B{delimiter}bad@example.com{delimiter}bounce".encode() in rejected


def test_a_column_is_named_in_any_case_and_a_wrong_one_is_told_with_those_there_are() -> None:
    data = b"id;Kontakt;email\n1;bad@example.com;a@example.com\n"

    assert sifted(data)[0] == data
    assert sifted(data, column="kontakt")[0] == b"id;Kontakt;email\n"
    with pytest.raises(UsageError, match=r"no column 'phone'.*'id', 'Kontakt', 'email'"):
        sifted(data, column="phone")
    with pytest.raises(UsageError, match=r"several columns.*--column: 'id', 'Kontakt'"):
        sifted(b"id;Kontakt\n1;a@example.com\n")


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n \n", b"\xef\xbb\xbf"])
def test_an_empty_list_is_one(data: bytes) -> None:
    kept, _, found = sifted(data)

    assert found.rows == found.rejected == 0
    assert kept in {b"", b"\xef\xbb\xbf"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding_and_the_result_has_it_too(encoding: str) -> None:
    text = "email,name\r\ngood@bücher.example,Ä\r\nbad@example.com,Ö\r\n"

    kept, rejected, _ = sifted(text.encode(encoding), octets=3)

    assert kept.decode(encoding) == "email,name\r\ngood@bücher.example,Ä\r\n"
    assert kept.startswith(text.encode(encoding)[:2])
    assert "bad@example.com,Ö,bounce" in rejected.decode(encoding)


def test_an_encoding_is_named_or_the_row_is_not_let_through() -> None:
    data = "email\ngood@bücher.example\n".encode("latin-1")

    assert sifted(data, encoding="latin-1")[0] == data
    assert b"it is not UTF-8" in sifted(data)[1]
    with pytest.raises(UsageError, match="is no encoding"):
        sifted(data, encoding="rot13")
    with pytest.raises(BadDataError, match="not in utf-16"):
        sifted(b"abc", encoding="utf-16")


CELL = st.text(st.sampled_from('ab@.,;" \r\n\tü'), max_size=8)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(CELL, st.sampled_from(["good@example.com", "bad@example.com"]), CELL), max_size=30),
    # With a line end of one character, Python's writer leaves the other one without quotation marks.
    form=st.sampled_from(
        [("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]
    ),
    octets=st.integers(1, 50),
)
def test_what_a_writer_of_csv_writes_is_kept_or_not_row_by_row(
    rows: list[tuple[str, str, str]], form: tuple[str, Literal[0, 1]], octets: int
) -> None:
    def written(some: list[tuple[str, str, str]]) -> bytes:
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator=form[0], quoting=form[1]).writerows([("a", "email", "b"), *some])
        return out.getvalue().encode()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "BLOCK", 64)
        kept, rejected, found = sifted(written(rows), octets=octets)

    assert kept == written([row for row in rows if row[1] == "good@example.com"])
    assert found.rows == len(rows)
    assert found.rejected == sum(row[1] == "bad@example.com" for row in rows)
    again = list(csv.reader(io.StringIO(rejected.decode(), newline="")))[1:]
    assert [tuple(row[:3]) for row in again] == [row for row in rows if row[1] == "bad@example.com"]


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 40))
def test_whatever_comes_in_every_row_is_kept_or_rejected_and_the_order_of_reading_does_not_matter(
    junk: bytes, octets: int
) -> None:
    data = b"email,x\n" + junk.replace(b'"', b"'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "BLOCK", 32)
        assert sifted(data, octets=octets) == sifted(data)


def test_a_quotation_mark_that_is_never_closed_ends_it_with_its_row() -> None:
    with pytest.raises(BadDataError, match=r"never closed.*2,"):
        sifted(b'id,email\n1,a@example.com\n2,"b@example.com\n3,c@example.com\n')
    with pytest.raises(BadDataError, match="no CSV"):
        sifted(b'id,email\n2,"b@example.com\n' + b"3,c@example.com\n" * 100_000)


def test_a_row_without_an_end_does_not_fill_the_memory() -> None:
    class Endless:
        def read1(self, _size: int = -1, /) -> bytes:
            return b"x" * room.BLOCK

    with pytest.raises(BadDataError, match="a row has more than"):
        sift(Endless(), JUDGE, kept=None, rejected=None)


def test_memory_does_not_grow_with_the_list() -> None:
    class Long:
        def __init__(self, blocks: int) -> None:
            self.blocks = blocks

        def read1(self, _size: int = -1, /) -> bytes:
            self.blocks -= 1
            return b"good@example.com\nbad@example.com\n" * 4000 if self.blocks >= 0 else b""

    peaks = []
    for blocks in (4, 40):
        tracemalloc.start()
        found = sift(Long(blocks), JUDGE, kept=None, rejected=None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.rows == 2 * found.rejected == 8000 * blocks

    assert peaks[1] < 1.5 * peaks[0]


def test_nobody_has_to_want_the_rows() -> None:
    told: list[int] = []

    found = sift(io.BytesIO(b"bad@example.com\n"), JUDGE, kept=None, rejected=None, progress=told.append)

    assert found.rejected == 1
    assert told == [16]
