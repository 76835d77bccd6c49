"""The way to the server is bad: refused, reset, silent or slow, in the clear and under TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import ConfigError, UnavailableError
from bounceproc.sources.imap import ImapSource, Security
from bounceproc.sources.imap import connection as connection_module
from tests.servers.proxy import Cut, Ending, Plan, Point, Proxy, Stall, Way

if TYPE_CHECKING:
    from bounceproc.errors import BounceprocError
    from tests.crash.ground import Ground, Trial
    from tests.servers.dovecot import Dovecot, MailUser

pytestmark = pytest.mark.server

PATIENCE = 0.4
"""Seconds that the tests wait for an answer that does not come."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_TIMEOUT", "ANSWER_TIMEOUT", "GOODBYE_TIMEOUT"):
        monkeypatch.setattr(connection_module, name, PATIENCE)


def failure(trial: Trial) -> BounceprocError:
    ((_, error),) = trial.run().failures
    return error


def test_a_refused_connection_costs_a_repetition(ground: Ground) -> None:
    with ground.trial() as trial:
        with ground.proxy.refusing():
            error = failure(trial)
        assert isinstance(error, UnavailableError)
        assert "Connection refused" in error.what
        assert not trial.run().failures
        assert ground.strays(trial) == []


@pytest.mark.parametrize(
    "at",
    [
        Point(Way.DOWN, 0),
        Point(Way.DOWN, 0, b"OK Fetch completed"),
        Point(Way.DOWN, 100, b"BODY[]<0> {"),
        Point(Way.UP, -8, b"UID MOVE", nth=2),
        Point(Way.DOWN, 0, b"[COPYUID", nth=2),
    ],
    ids=["greeting", "answer", "literal", "question", "move"],
)
@pytest.mark.usefixtures("impatient")
def test_a_server_that_falls_silent_is_not_waited_for_for_ever(ground: Ground, at: Point) -> None:
    with ground.disturbed(Stall(at, 60)) as (trial, (error,)):
        assert isinstance(error, UnavailableError)
        assert "does not answer in time" in error.what
        assert error.advice
        assert ground.strays(trial) == []


@pytest.mark.parametrize("plan", [Plan(piece=1), Plan(piece=700, pause=0.002)], ids=["octet by octet", "slow"])
def test_a_slow_line_changes_nothing(ground: Ground, plan: Plan) -> None:
    ground.proxy.plan = plan
    with ground.trial() as trial:
        assert not trial.run().failures
        assert ground.strays(trial) == []


def test_a_literal_that_ends_early_is_an_ended_conversation_and_no_message(ground: Ground) -> None:
    ground.proxy.plan = Plan((Cut(Point(Way.DOWN, 50, b"BODY[]<0> {", nth=15), Ending.CLOSE),))
    with ground.trial() as trial:
        error = failure(trial)
        assert isinstance(error, UnavailableError)
        assert trial.progress().recorded == 10
        ground.proxy.forget()
        assert not trial.run().failures
        assert ground.strays(trial) == []


def test_a_line_that_breaks_in_the_same_place_for_a_day_condemns_no_mail(ground: Ground) -> None:
    with ground.trial() as trial:
        for _ in range(8):
            ground.proxy.forget(Plan((Cut(Point(Way.DOWN, 100, b"BODY[]")),)))
            assert isinstance(failure(trial), UnavailableError)
        ground.proxy.forget()
        assert not trial.run().failures
        assert ground.strays(trial) == []


def test_a_process_that_is_cut_off_ends_with_69_and_says_what_to_do(ground: Ground) -> None:
    ground.proxy.plan = Plan((Cut(Point(Way.DOWN, 50, b"BODY[]<0> {", nth=15)),))
    with ground.trial() as trial:
        told = trial.house.run("poll", "--once", code=69).stderr
        assert f"127.0.0.1:{ground.proxy.port}" in told
        assert "mailbox 'returns'" in told or "next run" in told
        ground.proxy.forget()
        trial.house.run("poll", "--once")
        assert ground.strays(trial) == []


# ---- TLS -------------------------------------------------------------------------------------------------------------


def over_tls(user: MailUser, port: int) -> ImapSource:
    server = user.server
    return ImapSource(
        user.mailbox(security=Security.TLS, host="localhost", port=port, ca_file=str(server.ca_file), batch_size=1)
    )


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize(
    "at",
    [*(Point(Way.DOWN, octets) for octets in (0, 5, 100, 600)), *(Point(Way.UP, octets) for octets in (0, 1, 300))],
    ids=str,
)
def test_a_tls_handshake_that_is_cut_is_an_unavailable_server(fragile: Dovecot, at: Point, ending: Ending) -> None:
    plan = Plan((Cut(at, ending),))
    with (
        Proxy(fragile.tls_port, plan) as proxy,
        pytest.raises(UnavailableError) as failed,
        over_tls(fragile.new_user(), proxy.port),
    ):
        pass
    assert failed.value.advice
    assert f"localhost:{proxy.port}" in failed.value.what


@pytest.mark.usefixtures("impatient")
def test_a_tls_handshake_that_stalls_is_an_unavailable_server(fragile: Dovecot) -> None:
    plan = Plan((Stall(Point(Way.DOWN, 100), 60),))
    with Proxy(fragile.tls_port, plan) as proxy, pytest.raises(UnavailableError, match="does not answer in time"):
        over_tls(fragile.new_user(), proxy.port).__enter__()


@pytest.mark.parametrize("ending", Ending)
def test_a_protected_conversation_that_is_cut_gives_no_half_message(fragile: Dovecot, ending: Ending) -> None:
    user = fragile.new_user()
    user.prefill([b"Subject: one\r\n\r\n" + b"x" * 76 + b"\r\n", b"Subject: two\r\n\r\n" + b"y" * 200_000])
    plan = Plan((Cut(Point(Way.DOWN, 100_000), ending),))
    seen: list[bytes] = []

    def read(port: int) -> None:
        with over_tls(user, port) as source:
            for batch in source.batches():
                seen.extend(raw.data for raw in batch.messages)

    with Proxy(fragile.tls_port, plan) as proxy, pytest.raises(UnavailableError) as failed:
        read(proxy.port)
    assert seen == [b"Subject: one\r\n\r\n" + b"x" * 76 + b"\r\n"]
    assert failed.value.advice


def test_a_certificate_of_somebody_else_is_no_passing_trouble(fragile: Dovecot, dovecot: Dovecot) -> None:
    user = fragile.new_user()
    mailbox = user.mailbox(security=Security.TLS, host="localhost", port=fragile.tls_port, ca_file=str(dovecot.ca_file))
    with pytest.raises(ConfigError, match="is not trusted") as failed:
        ImapSource(mailbox).__enter__()
    assert not failed.value.retry
