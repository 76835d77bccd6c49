"""A conversation that is cut at any octet ends with an error of our own, and the next run ends as if nothing had been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import UnavailableError
from bounceproc.service import overlap
from tests.servers.proxy import Cut, Ending, Point, Way

if TYPE_CHECKING:
    from tests.crash.ground import Ground

pytestmark = pytest.mark.server

POINTS = 15
"""In each direction and for each kind of end: 60 in all."""


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("way", Way)
def test_a_cut_anywhere_costs_a_repetition_that_changes_nothing(
    ground: Ground, way: Way, ending: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    wholes = {}
    for stride in (1, 2, 4):
        monkeypatch.setattr(overlap, "STRIDE", stride)
        ground.proxy.forget()
        with ground.trial() as trial:
            assert not trial.run().failures
            wholes[stride] = ground.proxy.passed(way)
    failed = 0
    for number in range(POINTS):
        stride = (1, 2, 4)[number % 3]
        monkeypatch.setattr(overlap, "STRIDE", stride)
        # Both kinds of end have their own points.
        after = wholes[stride] * (2 * number + (ending is Ending.CLOSE)) // (2 * POINTS)
        with ground.disturbed(Cut(Point(way, after), ending)) as (trial, errors):
            for error in errors:
                failed += 1
                assert isinstance(error, UnavailableError), error
                assert error.exit_code == 69
                assert error.retry
                assert error.advice
                assert f":{ground.proxy.port}" in error.what
            assert ground.strays(trial) == [], (way, after)
    assert failed >= POINTS - 1, "only a cut in the farewell may pass"
