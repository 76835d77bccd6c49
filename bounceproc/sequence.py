"""Ascending numbers as a short text, neighbours as a range: a sequence set of RFC 9051 section 9, `1:500,507`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def dump(numbers: Iterable[int]) -> str:
    """The text, in which are these numbers and no others."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in runs)


def load(text: str) -> Iterator[int]:
    """The numbers of what `dump` made."""
    for run in filter(None, text.split(",")):
        first, _, last = run.partition(":")
        yield from range(int(first), int(last or first) + 1)
