"""The whole way round with a real Postfix and a real Dovecot: what bounced once is refused at the next RCPT."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest

from tests.mta.circle import circle, documented
from tests.stories.serving import until
from tests.unit.mails import complaint

pytestmark = pytest.mark.server

README = Path(__file__).parents[2] / "README.md"
WITHOUT = {"socketmap": 451, "policy": 250, "policy that defers": 451}
"""What Postfix answers to a RCPT while the server is away, by the way in which it asks."""


@pytest.mark.parametrize("way", ["socketmap", "policy"])
def test_what_bounced_is_refused_at_the_next_rcpt(tmp_path: Path, way: str) -> None:
    with circle(tmp_path, way) as made:
        assert made.ask("gone@dest.test")[0] == 250, "nobody knows yet"
        assert [made.send("gone@dest.test"), made.send("living@dest.test")] == [250, 250]
        seconds = made.seconds_until_refused("gone@dest.test")
        print(f"{way}: refused {seconds:.2f} s after the report was delivered")  # noqa: T201 - a figure, not a claim

        for written in ("gone@dest.test", "Gone@Dest.Test"):
            code, said = made.ask(written)
            assert (code, said[:6]) == (550, "5.1.1 "), said
            assert "Recipient suppressed: bad-mailbox, since " in said
        assert made.send("gone@dest.test") == 550
        assert made.send("living@dest.test") == 250
        until(lambda: len(made.world.taken) == 2)
        assert made.reported() == [1]
        assert [made.accepted[number] for number in made.world.taken] == ["living@dest.test"] * 2


@pytest.mark.parametrize("way", ["socketmap", "policy"])
def test_who_complained_is_refused_and_nobody_is_told_why(tmp_path: Path, way: str) -> None:
    with circle(tmp_path, way) as made:
        assert made.ask("reader@dest.test")[0] == 250
        made.postfix.send(made.return_path, complaint("reader@dest.test").replace(b"\n", b"\r\n"))
        seconds = made.seconds_until_refused("reader@dest.test")
        print(f"{way}: refused {seconds:.2f} s after the complaint was delivered")  # noqa: T201 - a figure, not a claim

        code, said = made.ask("reader@dest.test")
        assert (code, said[:6]) == (550, "5.7.1 "), said
        assert "complain" not in said.lower()
        assert made.ask("other@dest.test")[0] == 250


@pytest.mark.parametrize("way", WITHOUT)
def test_a_server_killed_in_the_middle_costs_no_mail(tmp_path: Path, way: str) -> None:
    gone = "gone@dest.test"
    kinds = [(gone, f"full{number}@dest.test", f"reader{number}@dest.test") for number in range(10)]
    letters = [recipient for kind in kinds for recipient in kind]
    with circle(tmp_path, way) as made, ThreadPoolExecutor(4) as senders:
        made.send(gone)
        until(lambda: made.ask(gone)[0] == 550)

        sending = {senders.submit(made.send, to): to for to in letters[:18]}
        for number, _ in enumerate(as_completed(sending), 1):
            if number == 6:
                made.kill()  # others are on their way at this moment
        answers = [(to, sent.result()) for sent, to in sending.items()]
        answers += [(to, made.send(to)) for to in letters[18:21]]
        assert [code for _, code in answers[18:]] == [WITHOUT[way]] * 3, "one of them would be refused"

        with made.serving_again():
            assert made.ask(gone)[0] == 550, "at the first question"
            answers += [(to, made.send(to)) for to in letters[21:]]
            deferred = [to for to, code in answers if code == 451]
            answers += [(to, made.send(to)) for to in deferred]  # a sender keeps what was deferred

            assert bool(deferred) == (WITHOUT[way] == 451)
            assert Counter(to for to, code in answers if code != 451) == Counter(letters), "all were decided"
            assert {to for to, code in answers if code == 550} == {gone}
            until(lambda: made.user.uids() == [] and made.accounts() == Counter(list(made.accepted)))
            assert {to for number, to in made.accepted.items() if number in made.reported()} == {gone}
            assert sorted(made.postfix.queued()) == [full for _, full, _ in kinds]

            made.world.is_full = False
            until(lambda: made.postfix.queued() == [])
            assert made.accounts() == Counter(list(made.accepted))


def test_a_server_that_hangs_is_passed_by_as_the_timeout_says(tmp_path: Path) -> None:
    with circle(tmp_path, "policy", "smtpd_policy_service_timeout = 1s\n") as made:
        made.send("gone@dest.test")
        until(lambda: made.ask("gone@dest.test")[0] == 550)
        with made.frozen():
            assert made.send("living@dest.test") == 250
            assert made.ask("gone@dest.test")[0] == 250
        until(lambda: made.world.taken == [2])
        assert made.ask("gone@dest.test")[0] == 550


def test_the_manual_has_the_lines_that_were_tried() -> None:
    lines = {line for way in WITHOUT for line in documented(way).splitlines() if line and line[0] != "#"}
    assert lines <= set(README.read_text().splitlines())
