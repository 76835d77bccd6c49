"""A place that keeps filling is waited for as long as there is nothing to do there, and not longer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.sources.watched import changes
from bounceproc.sources.watched.filling import SOON, Filling, filling
from bounceproc.sources.watched.folder import FolderSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Waited:
    """Changes that note how long they were waited for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def wait(self, seconds: float, _stopped: Callable[[], bool]) -> None:
        self.seconds.append(seconds)


def never() -> bool:
    return False


def test_what_is_unfinished_is_looked_at_soon(tmp_path: Path) -> None:
    source, waited = FolderSource(str(tmp_path), lambda _name, _refs: ()), Waited()
    place: Any = Filling(source, waited)  # type: ignore[arg-type]
    place.wait(100, never)
    (tmp_path / "half.eml").write_bytes(b"Subject: one\n")
    assert list(place.batches()) == []
    place.wait(100, never)
    assert waited.seconds == [100, SOON]


@pytest.mark.parametrize("told", [True, False], ids=["told by the system", "by looking"])
def test_a_stop_ends_the_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, told: bool) -> None:
    if not told:
        monkeypatch.setattr(changes, "_watcher", lambda *_: None)
    stopping = threading.Event()
    with filling(FolderSource(str(tmp_path), lambda _name, _refs: ())) as place:
        waiting = threading.Thread(target=place.wait, args=(3600, stopping.is_set))
        waiting.start()
        stopping.set()
        waiting.join(20)
        assert not waiting.is_alive()


def test_a_new_file_ends_the_waiting(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    stopping = threading.Event()
    with filling(FolderSource(str(tmp_path), lambda _name, _refs: ())) as place:
        waiting = threading.Thread(target=place.wait, args=(3600, stopping.is_set))
        waiting.start()
        (tmp_path / "one.eml").write_bytes(b"Subject: one\n\nbody\n")
        waiting.join(20)
        ended = not waiting.is_alive()
        stopping.set()
        waiting.join(20)
    assert ended
