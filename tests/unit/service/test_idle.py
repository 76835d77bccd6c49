"""Idle work is done by one at a time, and not too often."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from bounceproc.service.idle import Idle

if TYPE_CHECKING:
    from collections.abc import Callable


def never() -> bool:
    return False


def test_it_is_done_once_within_its_pause() -> None:
    calls: list[int] = []

    def work(_stop: Callable[[], bool]) -> dict[str, int]:
        calls.append(1)
        return {}

    idle = Idle(work, pause=3600)
    idle.work(never)
    idle.work(never)

    assert len(calls) == 1
    often = Idle(work, pause=0)
    often.work(never)
    often.work(never)
    assert len(calls) == 3


def test_nobody_waits_for_whoever_does_it_and_nobody_begins_it_at_the_end() -> None:
    begun, go_on, calls = threading.Event(), threading.Event(), []

    def work(_stop: Callable[[], bool]) -> dict[str, int]:
        calls.append(1)
        begun.set()
        assert go_on.wait(60)
        return {"expired": 1}

    idle = Idle(work, pause=0)
    thread = threading.Thread(target=idle.work, args=(never,))
    thread.start()
    assert begun.wait(60)
    idle.work(never)
    go_on.set()
    thread.join(60)
    idle.work(lambda: True)

    assert len(calls) == 1
