"""How many messages one command is about: few, and more where the server is quick and the command stays short."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bounceproc.sources.imap.disposing import FEW_UIDS, MANY_UIDS, Disposer
from bounceproc.sources.mailbox import Action, Disposal

if TYPE_CHECKING:
    import pytest

SEEN = Disposal(Action.SEEN)


class Server:
    """A client and a wire in one; each command takes so many seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes: list[float]) -> None:
        self.commands: list[str] = []
        self.takes = takes
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def has_capability(self, _name: str) -> bool:
        return True

    def do(self, command: str) -> None:
        self.commands.append(command)
        self.now += self.takes.pop(0) if self.takes else 0.0

    @property
    def sets(self) -> list[str]:
        return [command.split()[2] for command in self.commands]


def dispose(server: Any, uids: list[int]) -> None:
    Disposer(server, server).dispose(SEEN, "INBOX", uids)


def width(numbers: str) -> int:
    ranges = (part.partition(":") for part in numbers.split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)


def test_a_quick_server_is_asked_for_more_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, [])
    dispose(server, list(range(1, 6001)))
    assert [width(numbers) for numbers in server.sets] == [FEW_UIDS, 1000, MANY_UIDS, MANY_UIDS, 500]
    assert server.sets[0] == "1:500"


def test_a_slow_server_is_asked_for_few(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, [2.0, 0.1, 3.0, 0.1])
    dispose(server, list(range(1, 3001)))
    assert [width(numbers) for numbers in server.sets] == [500, 500, 1000, 500, 500]


def test_a_command_stays_short_where_nobody_has_a_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, [])
    uids = list(range(4_000_000_000, 4_000_012_000, 2))
    dispose(server, uids)
    assert max(map(len, server.commands)) < 8192
    assert sum(width(numbers) for numbers in server.sets) == len(uids)
