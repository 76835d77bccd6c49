"""The whole way round with a real Postfix and a real Dovecot: what bounced once is refused at the next RCPT."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bounceproc.returnpath import make
from tests.mta.circle import Circle, circle, documented
from tests.stories.serving import until
from tests.unit.mails import complaint

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.server

README = Path(__file__).parents[2] / "README.md"
WITHOUT = {"socketmap": 451, "policy": 250, "policy that defers": 451}
"""What Postfix answers to a RCPT while the server is away, by the way in which it asks."""

HASTY = "smtpd_policy_service_timeout = 2s\n"
"""So that a test need not wait for as long as the snippet says."""
PATIENT = "minimal_backoff_time = 300s\nmaximal_backoff_time = 300s\n"
"""What was deferred stays so until it is told to go."""


@pytest.fixture(scope="module", params=["socketmap", "policy"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Circle]:
    """All of it, for tests that leave it as it was; each has recipients of its own."""
    with circle(tmp_path_factory.mktemp("circle"), request.param, HASTY) as running:
        yield running


def test_what_bounced_is_refused_at_the_next_rcpt(made: Circle) -> None:
    assert made.ask("gone@dest.test")[0] == 250, "nobody knows yet"
    with made.timed("gone@dest.test", "the report"):
        assert [made.send("gone@dest.test"), made.send("living@dest.test")] == [250, 250]

    for written in ("gone@dest.test", "Gone@Dest.Test"):
        code, said = made.ask(written)
        assert (code, said[:6]) == (550, "5.1.1 "), said
        assert "Recipient suppressed: bad-mailbox, since " in said
    assert made.send("gone@dest.test") == 550
    assert made.send("living@dest.test") == 250
    until(lambda: made.arrived() == Counter({"living@dest.test": 2}))
    assert [made.accepted[number] for number in made.reported()] == ["gone@dest.test"]


def test_who_complained_is_refused_and_nobody_is_told_why(made: Circle) -> None:
    assert made.ask("reader@dest.test")[0] == 250
    with made.timed("reader@dest.test", "the complaint"):
        made.postfix.send(made.return_path, complaint("reader@dest.test").replace(b"\n", b"\r\n"))

    code, said = made.ask("reader@dest.test")
    assert (code, said[:6]) == (550, "5.7.1 "), said
    assert "complain" not in said.lower()
    assert made.ask("other@dest.test")[0] == 250


@pytest.mark.parametrize("made", ["policy"], indirect=True)
def test_a_policy_service_that_hangs_is_passed_by_when_its_time_is_up(made: Circle) -> None:
    with made.timed("gone-before@dest.test", "the report"):
        made.send("gone-before@dest.test")
    with made.frozen():
        assert made.ask("gone-before@dest.test")[0] == 250
    assert made.ask("gone-before@dest.test")[0] == 550


@pytest.mark.parametrize("way", WITHOUT)
def test_a_server_killed_in_the_middle_costs_no_mail(tmp_path: Path, way: str) -> None:
    gone = "gone@dest.test"
    kinds = [(gone, f"full{number}@dest.test", f"reader{number}@dest.test") for number in range(10)]
    letters = [recipient for kind in kinds for recipient in kind]
    with circle(tmp_path, way, PATIENT) as running, ThreadPoolExecutor(4) as senders:
        running.send(gone)
        until(lambda: running.ask(gone)[0] == 550)

        sending = {senders.submit(running.send, to): to for to in letters[:18]}
        for number, _ in enumerate(as_completed(sending), 1):
            if number == 6:
                running.kill()  # others are on their way at this moment
        answers = [(to, sent.result()) for sent, to in sending.items()]
        answers += zip(letters[18:21], senders.map(running.send, letters[18:21]), strict=True)
        assert [code for _, code in answers[18:]] == [WITHOUT[way]] * 3, "one of them would be refused"

        with running.serving_again():
            assert running.ask(gone)[0] == 550, "at the first question"
            answers += [(to, running.send(to)) for to in letters[21:]]
            deferred = [to for to, code in answers if code == 451]
            answers += [(to, running.send(to)) for to in deferred]  # a sender keeps what was deferred

            assert bool(deferred) == (WITHOUT[way] == 451)
            assert Counter(to for to, code in answers if code != 451) == Counter(letters), "all were decided"
            assert {to for to, code in answers if code == 550} == {gone}
            until(lambda: running.user.uids() == [] and running.accounts() == Counter(list(running.accepted)))
            assert {to for number, to in running.accepted.items() if number in running.reported()} == {gone}
            until(lambda: sorted(running.postfix.queued("deferred")) == [full for _, full, _ in kinds])

            running.world.is_full = False
            running.postfix.flush()
            until(lambda: running.postfix.queued() == [])
            assert running.accounts() == Counter(list(running.accepted))


def test_only_what_bounced_to_a_signed_return_path_acts_where_there_is_a_secret(tmp_path: Path) -> None:
    secret = "a secret for tests only"
    identity = f'[identity]\ntoken_secret = "{secret}"\n'
    with circle(tmp_path, "socketmap", "recipient_delimiter = +\n", identity) as running:
        assert running.send("gone-plain@dest.test") == 250
        until(lambda: running.reported() == [1] and running.user.uids() == [])
        with running.timed("gone-signed@dest.test", "the report"):
            path = make("gone-signed@dest.test", running.return_path, secrets=[secret], now=datetime.now(UTC))
            assert running.send("gone-signed@dest.test", path) == 250
        assert running.ask("gone-plain@dest.test")[0] == 250, "anybody could have written that report"


def test_the_manual_has_the_lines_that_were_tried() -> None:
    lines = {line for way in WITHOUT for line in documented(way).splitlines() if line and line[0] != "#"}
    assert lines <= set(README.read_text().splitlines())
