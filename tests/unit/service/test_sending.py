"""Rows go into the ledger some at a time, bad ones into a file; memory holds a part of them."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import AccessError
from bounceproc.service.sending import PART, Remembered, remember
from bounceproc.sources.rows import Row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bounceproc.sentmail import SentMail

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def row(number: int, recipient: str = "anna@example.com", fault: str | None = None) -> Row:
    cells = {"message_id": f"{number}@sender.example", "recipient": recipient}
    return Row(number, f"{number}@sender.example,{recipient}", {} if fault else cells, fault, number * 10)


def run(rows: list[Row], rejects: Path) -> tuple[Remembered, list[int], list[int]]:
    parts: list[int] = []
    ticks: list[int] = []

    def add(mails: Sequence[SentMail]) -> int:
        parts.append(len(mails))
        return len(mails) - 1 if mails else 0

    return remember(rows, add, rejects=rejects, now=NOW, on_progress=ticks.append), parts, ticks


def test_parts_are_bounded_and_progress_is_told(tmp_path: Path) -> None:
    done, parts, ticks = run([row(n) for n in range(PART * 2 + 5)], tmp_path / "bad.csv")
    assert parts == [PART, PART, 5]
    assert ticks == [(PART - 1) * 10, (2 * PART - 1) * 10]
    assert (done.new, done.known, done.bad, done.rejects) == (PART * 2 + 2, 3, 0, None)
    assert not (tmp_path / "bad.csv").exists()


def test_bad_rows_are_written_with_line_and_reason(tmp_path: Path) -> None:
    done, parts, _ = run([row(1), row(2, "nobody"), row(3, fault="no CSV"), row(4)], tmp_path / "bad.csv")
    assert (done.bad, done.rejects, parts) == (2, tmp_path / "bad.csv", [2])
    with (tmp_path / "bad.csv").open(newline="") as file:
        head, first, second = csv.reader(file)
    assert head == ["line", "reason", "row"]
    assert first[0] == "2"
    assert "recipient is no address" in first[1]
    assert second == ["3", "no CSV", "3@sender.example,anna@example.com"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="--rejects"):
        run([row(1, "nobody")], tmp_path / "none" / "bad.csv")
