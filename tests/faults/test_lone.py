"""A message that is alone when the line breaks is blamed only where other mail came through: a bad network parks nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.bootstrap.mailboxes import run_mailboxes
from bounceproc.config import Config
from tests.servers.proxy import Cut, Plan, Point, Proxy, Way
from tests.stories.house import House
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.dovecot import Dovecot, MailUser

pytestmark = pytest.mark.server

POISON = b"what this server breaks at"
BREAKS = 7
"""More often than a message is tried."""


class Lone:
    """A mailbox behind a proxy."""

    def __init__(self, house: House, user: MailUser, proxy: Proxy) -> None:
        self.house, self.user, self.proxy = house, user, proxy

    def polls(self, *cuts: Cut) -> bool:
        """Whether a poll comes to its end, with the line cut there."""
        self.proxy.forget(Plan(cuts))
        return not run_mailboxes(Config.load(self.house.configuration, environ={}), []).failures

    def breaks(self, *cuts: Cut) -> None:
        for _ in range(BREAKS):
            assert not self.polls(*cuts)

    @property
    def attempts(self) -> list[int]:
        return [row["attempts"] for row in self.house.snapshot()["attempt"]]

    @property
    def parked(self) -> list[Any]:
        return [row for row in self.house.snapshot()["message"] if row["kind"] == "malformed"]


@contextmanager
def mailbox(server: Dovecot, folder: Path, extra: str = "") -> Iterator[Lone]:
    user = server.new_user()
    with Proxy(server.port) as proxy:
        yield Lone(House(folder, user, extra, proxy.port), user, proxy)
    user.close()


@pytest.fixture
def lone(fragile: Dovecot, tmp_path: Path) -> Iterator[Lone]:
    with mailbox(fragile, tmp_path) as made:
        yield made


def report(number: int, more: bytes = b"") -> bytes:
    return dsn(f"u{number}@example.com", original=f"<o.{number}@sender.example>") + more


def read_before(lone: Lone, *numbers: int) -> None:
    lone.user.prefill(report(number) for number in numbers)
    assert lone.polls()
    assert len(lone.user.uids("Processed")) == len(numbers)


@pytest.mark.parametrize("octets", [0, 1, 100, 700])
@pytest.mark.parametrize("before", [0, 3], ids=["the first mail ever", "others were moved"])
def test_a_line_that_breaks_again_and_again_parks_no_lone_message(lone: Lone, octets: int, before: int) -> None:
    if before:
        read_before(lone, *range(100, 100 + before))
    lone.user.deliver(report(1))
    lone.breaks(Cut(Point(Way.DOWN, octets, b"BODY[]")))
    assert lone.attempts == [2]
    assert lone.polls()
    assert lone.parked == []
    assert lone.attempts == lone.user.uids("INBOX") == []
    assert len(lone.user.uids("Processed")) == before + 1


def test_a_line_that_breaks_at_whatever_is_long_parks_no_long_message(lone: Lone) -> None:
    read_before(lone, *range(100, 140))
    lone.user.deliver(report(1, b"x" * 76 + b"\n" * 2 + (b"y" * 76 + b"\n") * 1300))
    lone.breaks(Cut(Point(Way.DOWN, 12_000)))
    assert lone.attempts == [2]
    assert lone.polls()
    assert lone.parked == []


def test_a_lone_message_that_breaks_the_line_by_itself_is_parked_once_other_mail_came_through(lone: Lone) -> None:
    read_before(lone, 100)
    lone.user.deliver(report(1, POISON))
    poison = Cut(Point(Way.DOWN, 0, POISON))
    assert [lone.polls(poison) for _ in range(4)] == [False, False, False, True]
    (parked,) = lone.parked
    assert parked["error"].startswith("given up after 3 attempts to read it")
    assert len(lone.user.uids("Malformed")) == 1


def test_where_no_other_mail_is_left_to_prove_the_line_with_the_next_one_that_comes_does(
    fragile: Dovecot, tmp_path: Path
) -> None:
    with mailbox(fragile, tmp_path, 'on_report = "delete"') as lone:
        lone.user.prefill([report(1, POISON), report(2, POISON)])
        poison = Cut(Point(Way.DOWN, 0, POISON))
        lone.breaks(poison)
        assert lone.parked == []
        lone.user.deliver(report(3))
        polls = [lone.polls(poison) for _ in range(4)]
        assert polls[-1], polls
        assert len(lone.parked) == 2
        assert len(lone.house.snapshot()["event"]) == 1


def test_a_single_attempt_condemns_no_batch(fragile: Dovecot, tmp_path: Path) -> None:
    with mailbox(fragile, tmp_path) as lone:
        with lone.house.configuration.open("a") as file:
            file.write("[poll]\nattempts = 1\n")
        lone.user.prefill(report(number) for number in range(5))
        assert not lone.polls(Cut(Point(Way.DOWN, 100, b"BODY[]")))
        assert lone.polls()
        assert lone.parked == []
