"""A process that watches lives through whatever happens to its line and its server, and leaves nothing undone."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.crash.rounds import WATCH, Rounds
from tests.servers.proxy import Cut, Plan, Point, Way
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.ground import Ground
    from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.server

PATIENCE = 60.0
"""Seconds for a reconnection, whose pauses begin at one second and grow."""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not come back"
        time.sleep(0.05)


def test_one_process_outlives_cuts_and_a_killed_server(ground: Ground, fragile: Dovecot) -> None:
    ground.proxy.plan = Plan((Cut(Point(Way.DOWN, 50, b"BODY[]", nth=15)), Cut(Point(Way.UP, 12, b"UID MOVE", nth=2))))
    with ground.trial() as trial, trial.house.start(*WATCH) as process:
        try:
            wait_for(lambda: len(ground.proxy.conversations) > 1)
            ground.proxy.plan = Plan()
            wait_for(lambda: trial.progress(live=True).is_done(ground.count))
            fragile.stop(signal.SIGKILL)
            fragile.start()
            trial.user.deliver(dsn("late@example.com", original="<late@sender.example>"))
            wait_for(lambda: trial.progress(live=True).is_done(ground.count + 1))
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
        trial.house.run("check", "late@example.com", code=1)
        assert len(trial.user.uids("Processed")) == ground.folders["Processed"].total() + 1
        assert ground.rows["message"] - trial.rows()["message"] == {}


def test_a_watch_that_is_killed_again_and_again_ends_where_an_undisturbed_run_ends(ground: Ground) -> None:
    rounds = Rounds(ground, random.Random(1), watch=True)
    rounds.learn(measured=1)

    tally = rounds.run(4)

    assert tally.divergences == []
    assert tally.kills.total() >= 4
