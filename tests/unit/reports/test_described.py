"""The tables that describe prose come from the file that people edit."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from bounceproc.reports import described

if TYPE_CHECKING:
    from pathlib import Path

TABLES = tomllib.loads(described.FORMATS.read_text(encoding="utf-8"))["format"]


def test_what_is_written_is_what_the_file_says() -> None:
    assert described.WRITTEN.read_text(encoding="utf-8") == described.dumped(), (
        "a format changed: run python -m bounceproc.reports.described"
    )
    assert described.tables() == TABLES


@pytest.mark.parametrize("written", ["", "[]", "{", '{"digest": "1-0", "formats": []}', '{"formats": []}', "7"])
def test_what_was_made_of_other_tables_or_damaged_is_passed_over(
    written: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "prose_formats.json"
    other.write_text(written, encoding="utf-8")
    monkeypatch.setattr(described, "WRITTEN", other)
    assert described.tables() == TABLES
    other.unlink()
    assert described.tables() == TABLES
