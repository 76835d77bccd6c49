"""A run that is killed leaves a state from which the next one ends in the same rows, and every message in one folder."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.crash.__main__ import prepared
from tests.crash.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.crash.ground import Ground

pytestmark = pytest.mark.server

ROUNDS = 20
"""`python -m tests.crash` does 200."""


@pytest.fixture
def ground() -> Iterator[Ground]:
    with prepared(messages=200, batch_size=20, database="sqlite") as made:
        yield made


def test_killed_at_moments_spread_over_a_run_nothing_is_lost_doubled_or_counted_twice(ground: Ground) -> None:
    rounds = Rounds(ground, random.Random(1))
    rounds.learn(measured=1)

    tally = rounds.run(ROUNDS)

    assert tally.divergences == []
    assert tally.rounds == ROUNDS
    assert tally.kills.total() >= ROUNDS // 2, tally.lines()
    assert tally.kills.keys() & {"between two batches", "between a commit and its settling"}, tally.lines()
