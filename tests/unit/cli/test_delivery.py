"""What an MTA hears whose message is not recorded."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from bounceproc.cli import delivery

if TYPE_CHECKING:
    from collections.abc import Callable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ingest", "-"], True),
        (["--config", "x.toml", "ingest", "--format", "json", "-"], True),
        (["ingest", "--nonsense", "-"], True),
        (["ingest", "--dry-run", "-"], False),
        (["ingest", "one.eml"], False),
        (["classify", "-"], False),
    ],
)
def test_a_delivery_is_known_by_its_arguments(
    arguments: list[str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert delivery.is_delivery(arguments) is expected
    monkeypatch.setattr(sys, "stdin", Terminal())
    assert not delivery.is_delivery(arguments)
    monkeypatch.setattr(sys, "stdin", None)
    assert delivery.is_delivery(arguments) is expected


def ends(with_: object) -> Callable[[], None]:
    def run() -> None:
        if isinstance(with_, BaseException):
            raise with_

    return run


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (None, 0),
        (SystemExit(0), 0),
        (SystemExit(None), 0),
        *((SystemExit(code), 75) for code in (1, 2, 65, 69, 75, 77, 78, "words")),
        (MemoryError(), 75),
        (KeyboardInterrupt(), 75),
        (RuntimeError("nobody foresaw it"), 75),
    ],
    ids=repr,
)
def test_every_end_but_a_good_one_keeps_the_message(end: object, code: int) -> None:
    with pytest.raises(SystemExit) as ended:
        delivery.keep_on_failure(ends(end))
    assert ended.value.code == code
