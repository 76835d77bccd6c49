"""What a change of policy or rules would do to the list, from what was recorded, before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bounceproc.classify.events import classified
from bounceproc.policy.decide import decide
from bounceproc.policy.replay import differences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bounceproc.classify.classifier import Classifier
    from bounceproc.event import Event
    from bounceproc.policy.history import History
    from bounceproc.policy.replay import Difference
    from bounceproc.policy.settings import Policy
    from bounceproc.ports import Replays, Subject


@dataclass(frozen=True, slots=True)
class Judged:
    """An event that is judged otherwise now."""

    event: bytes
    before: Event
    after: Event


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would be different for one address or domain."""

    subject: Subject
    judged: tuple[Judged, ...]
    differences: tuple[Difference, ...]


def outlooks(
    replays: Replays,
    policy: Policy,
    now: datetime,
    *,
    classifier: Classifier | None = None,
    on_progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> Iterator[Outlook]:
    """Go through all that is recorded; gives the addresses and domains that something would be different for.

    With a classifier, bounces and delays are judged by it first. Nothing is written.
    """
    for page in _pages(replays, now, classifier, on_progress):
        for subject in page:
            judged = tuple(_judged(subject, classifier)) if classifier else ()
            found = tuple(differences(_with(subject, judged), subject.standing, policy, now))
            if judged or found:
                yield Outlook(subject, judged, found)


def judge_anew(
    replays: Replays,
    policy: Policy,
    now: datetime,
    *,
    classifier: Classifier | None,
    actor: str,
    on_progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> tuple[int, int]:
    """Do what `outlooks` tells, page by page; returns how many events were judged otherwise, and how many entries changed."""
    events: set[bytes] = set()
    changed = 0
    for page in _pages(replays, now, classifier, on_progress):
        judged = (one for subject in page for one in _judged(subject, classifier)) if classifier else ()
        anew = {one.event: one.after for one in judged}
        events |= anew.keys()
        changed += replays.rewrite(page, anew, lambda history: decide(history, policy, now), actor=actor, now=now)
    return len(events), changed


def _pages(
    replays: Replays,
    now: datetime,
    classifier: Classifier | None,
    on_progress: Callable[[int, int | None], None],
) -> Iterator[list[Subject]]:
    total, done = replays.count(), 0
    for page in replays.pages(now, with_events=classifier is not None):
        yield page
        done += len(page)
        on_progress(done, total)


def _judged(subject: Subject, classifier: Classifier) -> Iterator[Judged]:
    for recalled in subject.events:
        before = recalled.event
        after = classified(before, classifier)
        if (after.category, after.class_, after.rule) != (before.category, before.class_, before.rule):
            yield Judged(recalled.id, before, after)


def _with(subject: Subject, judged: tuple[Judged, ...]) -> History:
    """The history as it would be."""
    anew = {one.event: one.after for one in judged}
    history = subject.history
    if not anew:
        return history
    pieces = tuple(
        piece._replace(category=str(anew[piece.id].category), class_=anew[piece.id].class_)
        if piece.id in anew
        else piece
        for piece in history.evidence
    )
    return history._replace(evidence=pieces)
