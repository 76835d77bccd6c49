"""The server itself is restarted, killed or frozen in the middle of a run."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import UnavailableError
from bounceproc.sources.imap import connection as connection_module
from tests.servers.dovecot import START_TIMEOUT
from tests.servers.proxy import Call, Cut, Plan, Point, Way

if TYPE_CHECKING:
    from tests.crash.ground import Ground
    from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.server

MOMENTS = {
    "login": Point(Way.UP, 0, b"AUTHENTICATE"),
    "literal": Point(Way.DOWN, 100, b"BODY[]<0> {", nth=25),
    "before the move": Point(Way.UP, -8, b"UID MOVE", nth=3),
    "in the move": Point(Way.UP, 12, b"UID MOVE", nth=3),
    "after the move": Point(Way.DOWN, 0, b"[COPYUID", nth=3),
}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["restarted", "killed"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_server_that_goes_away_and_comes_back_costs_a_repetition(
    ground: Ground, fragile: Dovecot, moment: str, how: signal.Signals
) -> None:
    back = threading.Event()

    def away() -> None:
        fragile.stop(how)
        fragile.start()
        back.set()

    at = MOMENTS[moment]
    ground.proxy.plan = Plan((Call(at, away), Cut(at)))
    with ground.trial() as trial:
        ((_, error),) = trial.run().failures
        assert isinstance(error, UnavailableError)
        assert error.exit_code == 69
        assert back.wait(START_TIMEOUT)
        ground.proxy.forget()
        assert not trial.run().failures
        assert ground.strays(trial) == []


def test_a_server_that_stays_away_is_refused_at_every_run_until_it_is_back(ground: Ground, fragile: Dovecot) -> None:
    first_move = Point(Way.UP, 12, b"UID MOVE")  # behind it not all is read yet
    ground.proxy.plan = Plan((Call(first_move, lambda: fragile.stop(signal.SIGKILL)),))
    with ground.trial() as trial:
        seen = set()
        try:
            for _ in range(3):
                ((_, error),) = trial.run().failures
                assert isinstance(error, UnavailableError)
                seen.add(trial.progress())
        finally:
            fragile.start()
        assert len(seen) == 1
        assert all(0 < progress.recorded < ground.count and progress.unsettled for progress in seen)
        ground.proxy.forget()
        assert not trial.run().failures
        assert ground.strays(trial) == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_server_that_freezes_is_given_up_and_found_again(
    ground: Ground, fragile: Dovecot, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.proxy.plan = Plan((Call(MOMENTS[moment], lambda: fragile.signal(signal.SIGSTOP)),))
    with ground.trial() as trial:
        try:
            with monkeypatch.context() as impatient:
                impatient.setattr(connection_module, "ANSWER_TIMEOUT", 0.4)
                ((_, error),) = trial.run().failures
        finally:
            fragile.signal(signal.SIGCONT)
        assert isinstance(error, UnavailableError)
        assert "does not answer in time" in error.what
        # What the server had heard before it froze it may do now, beside the next run.
        ground.proxy.plan = Plan()
        assert not trial.run().failures
        assert ground.strays(trial) == []
