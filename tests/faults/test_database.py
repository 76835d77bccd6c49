"""The database goes away while the mailbox is there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import TemporaryError, UnavailableError
from tests.crash.ground import Ground, filled
from tests.servers.proxy import Call, Point, Way

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dovecot import Dovecot
    from tests.servers.postgres import Postgres

pytestmark = pytest.mark.server

MOMENTS = {
    "reading": Point(Way.UP, -9, b"UID FETCH", nth=2),
    "settling": Point(Way.UP, -8, b"UID MOVE", nth=2),
}
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'"


def test_sessions_that_the_database_ends_cost_a_repetition(
    ground: Ground, fragile: Dovecot, postgres: Postgres, tmp_path: Path
) -> None:
    ground = Ground(ground.proxy, filled(fragile, 40), tmp_path, batch_size=10, postgres=postgres)
    ground.learn()
    ended = partial(postgres.execute, END)
    for moment, at in MOMENTS.items():
        with ground.disturbed(Call(at, ended)) as (trial, errors):
            assert all(isinstance(error, (UnavailableError, TemporaryError)) for error in errors), moment
            assert all(error.advice for error in errors)
            assert ground.strays(trial) == [], moment
