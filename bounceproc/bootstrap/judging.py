"""What is recorded, judged anew: by another policy, by other rules, or because a person decided about an incident."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bounceproc.bootstrap.database import open_store, policy_of
from bounceproc.bootstrap.reading import classifier_with
from bounceproc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bounceproc.classify.classifier import Classifier
    from bounceproc.config import Config
    from bounceproc.service.replay import Outlook


def confirm_incident(config: Config, number: int, *, actor: str, note: str | None) -> int:
    """Let an incident's events count, under the policy in force; returns how many suppressions changed.

    Raises:
        UsageError: there is no such incident, or it was decided before.

    """
    from bounceproc.policy.decide import decide

    now, policy = datetime.now(UTC), policy_of(config)
    with open_store(config) as store:
        return store.incidents.confirm(
            number, lambda history: decide(history, policy, now), actor=actor, note=note, now=now
        )


@contextmanager
def simulated_policy(config: Config, path: Path | None) -> Iterator[Iterator[Outlook]]:
    """What the policy of another file would change; without a file, what the policy in force would, if it judged all anew."""
    from bounceproc.config import Config
    from bounceproc.service.replay import outlooks

    policy = policy_of(config, None if path is None else Config.load(path).policy)
    with open_store(config, dry_run=True) as store:
        yield outlooks(store.replays, policy, datetime.now(UTC))


@contextmanager
def simulated_rules(config: Config, rule_files: Sequence[Path]) -> Iterator[Iterator[Outlook]]:
    """What these rules, asked before the configured and the built-in ones, would change."""
    from bounceproc.service.replay import outlooks

    classifier = classifier_with((*rule_files, *config.classify.rule_files))
    with open_store(config, dry_run=True) as store:
        yield outlooks(store.replays, policy_of(config), datetime.now(UTC), classifier=classifier)


def reclassify(config: Config, *, actor: str, on_progress: Callable[[int, int | None], None]) -> tuple[int, int]:
    """Judge all that is recorded by the rules and the policy in force; returns how many events and entries changed.

    Raises:
        UsageError: the policy only observes.

    """
    return _judge_anew(config, classifier_with(config.classify.rule_files), actor=actor, on_progress=on_progress)


def apply_policy(config: Config, *, actor: str, on_progress: Callable[[int, int | None], None]) -> int:
    """Decide all that is recorded, as it was classified, by the policy in force; returns how many entries changed.

    Raises:
        UsageError: the policy only observes.

    """
    return _judge_anew(config, None, actor=actor, on_progress=on_progress)[1]


def _judge_anew(
    config: Config, classifier: Classifier | None, *, actor: str, on_progress: Callable[[int, int | None], None]
) -> tuple[int, int]:
    from bounceproc.service.replay import judge_anew

    policy = policy_of(config)
    if not policy.enforce:
        raise UsageError(
            'the policy only observes: [policy] mode = "observe"',
            'Write mode = "enforce" for it to be applied; --dry-run says what that would do.',
        )
    with open_store(config) as store:
        return judge_anew(
            store.replays, policy, datetime.now(UTC), classifier=classifier, actor=actor, on_progress=on_progress
        )
