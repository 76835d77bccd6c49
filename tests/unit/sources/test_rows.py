"""Rows are read one by one; what is none says why, and never takes its neighbours with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import BadDataError, UsageError
from bounceproc.sources.rows import MAX_LINE, Row, read_rows, size

if TYPE_CHECKING:
    from pathlib import Path


def rows(folder: Path, content: bytes) -> list[Row]:
    (folder / "file").write_bytes(content)
    return list(read_rows(str(folder / "file"), needed=("a", "b")))


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n",
        b"\xef\xbb\xbfA;B\r\n1;2\r\n",
        b'"a"\tb\n\n1\t"2"',
        b'{"a": "1", "B": "2"}\n',
    ],
)
def test_csv_of_every_country_and_json_are_read_alike(tmp_path: Path, content: bytes) -> None:
    (row,) = rows(tmp_path, content)
    assert (dict(row.cells), row.fault, row.octets) == ({"a": "1", "b": "2"}, None, len(content))


def test_a_bad_row_says_why_and_stands_alone(tmp_path: Path) -> None:
    long = b"x" * (3 * MAX_LINE)
    found = rows(tmp_path, b'a,b\n1\n"2,3\n' + long + b"\n4,5\n6,7,8\n\xff,9\n")
    assert [row.number for row in found] == [2, 3, 4, 5, 6, 7]
    faults = [row.fault for row in found]
    assert faults[0] == "1 cells, and the head line has 2"
    assert faults[1] is not None
    assert "quote" in faults[1]
    assert faults[2] == f"longer than {MAX_LINE} octets"
    assert [row.cells for row in found if row.fault is None] == [{"a": "4", "b": "5"}, {"a": "\ufffd", "b": "9"}]
    assert len(found[2].text) <= 200


@pytest.mark.parametrize("bad", [b"[1]", b"{", b'{"a":' * 5000, b"7"])
def test_a_bad_line_of_json_is_a_bad_row(tmp_path: Path, bad: bytes) -> None:
    good, found = rows(tmp_path, b'{"a":1}\n' + bad + b"\n")
    assert good.fault is None
    assert found.fault is not None
    assert "JSON" in found.fault


def test_another_sort_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="names no column b"):
        rows(tmp_path, b"a,c\n1,2\n")
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_rows(str(tmp_path / "none"), needed=()))
    assert size(str(tmp_path / "none")) is None
    assert size(str(tmp_path / "file")) == 8
