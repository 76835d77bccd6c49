"""The database in force, and the shortest ways to its list."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bounceproc.errors import AccessError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bounceproc.config import Config
    from bounceproc.config import Policy as PolicySection
    from bounceproc.lookup.bulk.judge import Judge
    from bounceproc.policy.settings import Policy
    from bounceproc.ports import Suppression
    from bounceproc.store.auditing import Head
    from bounceproc.store.schema import Schema
    from bounceproc.store.store import Store


def policy_of(config: Config, rows: PolicySection | None = None) -> Policy:
    """The policy of a configuration, or of other rows with what this one knows of our mail. Reading mail takes none."""
    from bounceproc import policies

    return policies.policy_of(config, rows)


@contextmanager
def open_store(config: Config, *, dry_run: bool = False) -> Iterator[Store]:
    """The database in force, checked and ready. A dry run makes none: where there is none yet, it gets one that is thrown away.

    Raises:
        SchemaError: it is older or newer than this program.
        ConfigError: the pepper is not the one that the database was made with.
        UnavailableError: it does not answer.

    """
    from tempfile import TemporaryDirectory

    from bounceproc.store.store import Store

    url, pepper_file = config.database_url(), config.privacy.pepper_file
    with ExitStack() as held:
        if dry_run and url.startswith("sqlite") and not Path(url.partition(":///")[2]).exists():
            folder = Path(held.enter_context(TemporaryDirectory(prefix="bounceproc-")))
            url, pepper_file = f"sqlite:///{folder / 'dry-run.db'}", folder / "dry-run.pepper"
        yield held.enter_context(
            Store.open(
                url,
                pepper_file=pepper_file,
                hash_only=config.privacy.hash_only,
                surges=policy_of(config).incident,
            )
        )


@contextmanager
def open_list(config: Config) -> Iterator[Callable[..., dict[str, Suppression]]]:
    """What answers as `Suppressions.check` does, by the shortest way there is, extensions taken off where that is configured.

    Raises:
        BounceprocError: see `open_store`.

    """
    from contextlib import closing

    from bounceproc.store.direct import DirectList

    delimiter = delimiter_of(config)
    direct = DirectList.open(config.database_url(), config.privacy.pepper_file)
    if direct is not None:
        with closing(direct):
            yield partial(direct.check, delimiter=delimiter)
        return
    with open_store(config) as store:
        yield partial(store.suppressions.check, delimiter=delimiter)


def judge_of(config: Config, *, stream: str | None, now: datetime) -> Judge:
    """The whole list in memory, as it is in force now, with the database closed again."""
    from bounceproc.lookup.bulk.judge import Judge

    delimiter = delimiter_of(config)
    with open_store(config) as store:
        asked = store.suppressions
        return Judge(
            asked.standing(stream=stream, now=now),
            spared=asked.spared(stream=stream, now=now, delimiter=delimiter),
            expected=asked.count(),
            key_of_sha256=store.keys.of_sha256,
            delimiter=delimiter,
        )


def delimiter_of(config: Config) -> str | None:
    """What an extension begins with, where user+tag@ also answers for user@ (`[lookup] extension`)."""
    return config.identity.extension_delimiter if config.lookup.extension else None


def head_of_audit(text: str) -> Head:
    """A head that was noted.

    Raises:
        UsageError: it is none.

    """
    from bounceproc.store.auditing import Head

    return Head.parse(text)


def seal_after_upgrade(config: Config) -> str:
    """Seal the feed of a database from before the days of seals; says what was done, or what is to be done."""
    try:
        with open_store(config) as store:
            _, count = store.audit.seal(only_begin=True)
    except (ConfigError, AccessError) as error:
        return f"the feed of changes is not sealed: {error.what}. Put that right, then: bounceproc audit seal"
    return f"{count} changes of the list are sealed now" if count else "the feed of changes is sealed already"


def schema(config: Config) -> Schema:
    """The schema of the database in force, which need not be one yet."""
    from bounceproc.store.schema import Schema

    return Schema(config.database_url())
