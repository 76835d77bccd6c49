"""What is erased: people who ask for it, and all that is over its time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bounceproc.bootstrap.byhand import actor
from bounceproc.bootstrap.database import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bounceproc.address import Address
    from bounceproc.config import Config


def forget(
    config: Config,
    subjects: Sequence[Address],
    *,
    reason: str | None,
    now: datetime,
    dry_run: bool,
    on_progress: Callable[[int, int | None], None],
) -> Mapping[str, int]:
    """Erase the plaintext of people and keep their suppression; returns how many rows changed, by what they are.

    Raises:
        UsageError: one of them is a whole domain.
        TemporaryError: traces are left in the SQLite file, since others read it all the time.

    """
    from bounceproc.store.forgetting import Request

    with open_store(config, dry_run=dry_run) as store:
        request = Request(tuple(subjects), actor(), reason, now, dry_run=dry_run)
        return store.forgetting.forget(request, on_progress=on_progress)


def limits(config: Config) -> dict[str, timedelta]:
    """How long each kind of data is kept; what is kept for ever is left out."""
    days = {**dict(config.retention), "review": config.policy.review.keep_days}
    return {name: timedelta(days=number) for name, number in days.items() if number}


def purge(
    config: Config, *, now: datetime, dry_run: bool, on_progress: Callable[[int, int | None], None]
) -> Mapping[str, int]:
    """Purge all that is over its time; returns how much, by kind."""
    with open_store(config, dry_run=dry_run) as store:
        foreseen = store.purging.counts(limits(config), now)
        if dry_run:
            return foreseen
        total = sum(foreseen.values())
        return store.purging.work(limits(config), now, on_progress=lambda done: on_progress(done, max(done, total)))
