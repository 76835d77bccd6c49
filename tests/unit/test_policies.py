"""The policy of a configuration: what its rows come to, what trust may do, and that what is shown makes the same policy."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.classify.categories import CATEGORIES, Fault
from bounceproc.config import Config
from bounceproc.config.toml import write
from bounceproc.event import BounceClass, Event, EventType, Trust
from bounceproc.policies import HARD, SOFT, deciding_on_trust, policy_of, shown
from bounceproc.policy.settings import Policy, Threshold

if TYPE_CHECKING:
    from pathlib import Path


def config(folder: Path, text: str = "") -> Config:
    path = folder / "given.toml"
    path.write_text(text)
    return Config.load(path, environ={})


def levels(policy: Policy) -> list[set[str]]:
    return [{trust.value for trust in level} for level in (policy.acts, policy.counts, policy.reviews)]


def test_with_nothing_configured_it_is_the_default_policy(tmp_path: Path) -> None:
    assert policy_of(config(tmp_path)) == Policy()


def test_a_row_says_what_policy_counts_with(tmp_path: Path) -> None:
    policy = policy_of(
        config(
            tmp_path,
            """
            [policy]
            complaint = { scope = "stream" }
            hard = { second_look_days = 7 }
            bad-domain = { messages = 2, days = 2, span_days = 1, within_days = 9 }
            recipient-refused = { suppress = false }
            """,
        )
    )

    assert policy.complaint == Threshold(scope="stream")
    assert policy.hard == Threshold(second_look=timedelta(days=7))
    day = timedelta(days=1)
    assert policy.hard_rows == {"bad-domain": Threshold(messages=2, days=2, span=day, within=9 * day)}
    assert policy.soft["recipient-refused"].suppress is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [{"signed", "matched", "reported"}, {"heuristic"}, set()]),
        ("[identity]\ndomains = ['example.com']", [{"signed", "matched"}, {"reported"}, {"heuristic"}]),
        ("[identity]\nledger = true", [{"signed", "matched"}, {"reported"}, {"heuristic"}]),
        ("[identity]\ntoken_secret = 'x'", [{"signed", "matched"}, set(), {"reported", "heuristic"}]),
        (
            "[identity]\ntoken_secret = 'x'\n[policy.trust]\nmatched = 'counts'\nheuristic = 'ignored'",
            [{"signed"}, {"matched"}, {"reported"}],
        ),
    ],
)
def test_trust_does_what_is_written_or_what_follows_from_what_we_know_of_our_mail(
    tmp_path: Path, text: str, expected: list[set[str]]
) -> None:
    assert levels(policy_of(config(tmp_path, text))) == expected


def test_rows_of_another_file_are_tried_with_what_this_one_knows_of_our_mail(tmp_path: Path) -> None:
    mine = config(tmp_path, "[identity]\ntoken_secret = 'x'")
    other = config(tmp_path, "[policy.hard]\nmessages = 2")

    tried = policy_of(mine, other.policy)

    assert tried.hard.messages == 2
    assert tried.reviews == {Trust.REPORTED, Trust.HEURISTIC}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[identity]\ndomains = ['example.com']",
        (
            "[policy]\nmode = 'observe'\nbad-mailbox = { second_look_days = 3 }\nunsubscribe = { scope = '*' }\n"
            "[policy.trust]\nsigned = 'counts'\nmatched = 'counts'\nreported = 'counts'\nmessages = 4\ndays = 3\n"
            "[policy.review]\nagain = 9\nkeep_days = 4"
        ),
    ],
)
def test_what_is_shown_can_be_pasted_and_makes_the_same_policy(tmp_path: Path, text: str) -> None:
    given = config(tmp_path, text)

    pasted = write({"policy": shown(given)})

    assert policy_of(config(tmp_path, pasted)) == policy_of(given)
    assert tomllib.loads(pasted)["policy"] == shown(given)


def test_only_the_recipients_own_faults_have_rows() -> None:
    faults: dict[str, Any] = {str(name): info for name, info in CATEGORIES.items()}

    assert {faults[name].fault for name in (*HARD, *SOFT)} == {Fault.RECIPIENT}
    assert {name for name, info in faults.items() if info.class_ is BounceClass.HARD} == set(HARD)


@pytest.mark.parametrize(
    ("text", "matters"),
    [
        ("", False),
        ("[policy.trust]\nreported = 'counts'\n", True),
        ("[identity]\ndomains = ['example.com']\n", True),
        ("[identity]\ntoken_secret = 'not so secret'\n", True),
        ("[identity]\ndomains = ['example.com']\n[policy.trust]\nmatched = 'counts'\n", False),
        ("[identity]\ntoken_secret = 'not so secret'\n[policy.trust]\nmatched = 'counts'\n", True),
    ],
)
def test_whether_proof_would_change_anything(tmp_path: Path, text: str, matters: bool) -> None:
    assert (deciding_on_trust(policy_of(config(tmp_path, text))) is not None) is matters


def test_proof_changes_nothing_for_what_is_no_fault_of_the_address(tmp_path: Path) -> None:
    decides = deciding_on_trust(policy_of(config(tmp_path, "[identity]\ndomains = ['example.com']\n")))
    assert decides is not None

    def bounce(category: str, class_: BounceClass = BounceClass.SOFT) -> Event:
        return Event(EventType.BOUNCE, None, category=category, class_=class_)

    assert decides(Event(EventType.COMPLAINT, None))
    assert decides(Event(EventType.DELIVERY, None))
    assert decides(bounce("bad-mailbox", BounceClass.HARD))
    assert all(decides(bounce(category)) for category in (*SOFT, "expired", "unknown"))
    assert not any(decides(bounce(category)) for category in ("spam-block", "rate-limited", "greylisted", "policy"))
