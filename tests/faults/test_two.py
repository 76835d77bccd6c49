"""Two pollers, one folder: the second says so and touches nothing, and a killed one holds nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.servers.proxy import Call, Plan, Point, Stall, Way

if TYPE_CHECKING:
    from tests.crash.ground import Ground

pytestmark = pytest.mark.server

AT = Point(Way.UP, -8, b"UID MOVE", nth=2)


def test_a_second_process_ends_with_75_and_a_killed_first_one_keeps_nobody_out(ground: Ground) -> None:
    reached = threading.Event()
    ground.proxy.plan = Plan((Call(AT, reached.set), Stall(AT, 60)))
    with ground.trial() as trial:
        with trial.house.start("poll", "--once") as first:
            try:
                assert reached.wait(30)
                before = trial.progress()
                ground.proxy.plan = Plan()

                told = trial.house.run("poll", "--once", code=75).stderr

                assert "another process" in told
                assert trial.progress() == before
                assert len(ground.proxy.conversations) == 1
            finally:
                first.kill()
                first.communicate()
        ground.proxy.forget()
        trial.house.run("poll", "--once")
        assert ground.strays(trial) == []
