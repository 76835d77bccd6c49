"""The way in by IMAP: every mailbox of the configuration, polled once or watched."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from threading import Timer
from typing import TYPE_CHECKING, Final

from bounceproc.bootstrap.database import open_store
from bounceproc.bootstrap.flow import (
    Tools,
    beside_mail,
    carry_out,
    log_as,
    nobody_asks,
    pipeline_of,
    planned,
    reader_beside,
)
from bounceproc.errors import BounceprocError, ConfigError, TemporaryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from bounceproc.bootstrap.flow import OnBatch
    from bounceproc.config import Config
    from bounceproc.config import Mailbox as MailboxSection
    from bounceproc.ports import WatchedSource
    from bounceproc.service.beside import Beside
    from bounceproc.service.once import Opened
    from bounceproc.service.run import Summary
    from bounceproc.service.supervisor import Plan
    from bounceproc.service.watcher import Watch
    from bounceproc.sources.imap.watching import WatchedFolder
    from bounceproc.sources.mailbox import Mailbox
    from bounceproc.sources.tokens.tokens import Tokens
    from bounceproc.store.store import Store

BEGUN_EARLY: Final = 8
"""Folders that are connected to while the database is opened; the others wait for their turn."""
SLOW: Final = 0.03
"""Seconds after which a folder that is being opened is held for a large one: its server looks through all that is in it."""


@dataclass(slots=True)
class Runs:
    """What became of each mailbox; one that failed has a summary, too: of what was done until then."""

    summaries: list[Summary] = field(default_factory=list)
    failures: list[tuple[str, BounceprocError]] = field(default_factory=list)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    """Why nothing was new, by mailbox: a line for each of its folders."""

    @property
    def exit_code(self) -> int:
        """The error's own number for a single mailbox; "try again later" when one of several failed."""
        if not self.failures:
            return 0
        return self.failures[0][1].exit_code if len(self.summaries) == 1 else TemporaryError.exit_code


def run_mailboxes(
    config: Config,
    names: Sequence[str],
    *,
    dry_run: bool = False,
    on_batch: OnBatch | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Runs:
    """Poll mailboxes to their end, all folders side by side; one that fails never stops the others.

    Raises:
        ConfigError: no mailbox is configured.
        UsageError: none has this name.
        BounceprocError: the database cannot be used at all.

    """
    chosen = chosen_of(config, names)
    folders = {(section.name, folder): section for section in chosen for folder in section.all_folders}
    with (
        reader_beside(config) as reader,
        _beginning(config, {} if dry_run else folders, reader) as begun,
        open_store(config, dry_run=dry_run) as store,
    ):
        from bounceproc.service.once import Once, merged

        pipeline = pipeline_of(config, store, reader=reader)
        once = Once(pipeline, store.ledger, dry_run=dry_run, on_batch=on_batch or nobody_asks, stop=stop)
        others = {
            key: partial(_opened, config, section, key[1], store, dry_run=dry_run)
            for key, section in folders.items()
            if key not in begun
        }
        results = once.run(begun | others)
        if not dry_run and not stop():
            beside_mail(config, store, stop)
    runs = Runs()
    for section in chosen:
        mine = [result for (name, _), result in results.items() if name == section.name]
        runs.summaries.append(merged(section.name, [result.summary for result in mine]))
        runs.failures += [(section.name, result.error) for result in mine if result.error is not None][:1]
        runs.reasons[section.name] = [f"{result.folder}: {result.why}" for result in mine if result.why]
    return runs


@contextmanager
def _beginning(
    config: Config, folders: Mapping[tuple[str, str], MailboxSection], reader: Beside
) -> Iterator[dict[tuple[str, str], Opened]]:
    """The first folders, leased and connected while the database is opened: each of the two waits for other things.

    That takes a database that is a file: the lease of its folders is a lock beside it. Where something is wrong with the
    file nobody is connected to, so that the error is told at once, however long the server takes.
    """
    from bounceproc.config.layers import sqlite_file

    database = sqlite_file(config.database_url())
    if database is None or not database.parent.is_dir() or not _will_serve(config, database):
        yield {}
        return
    # Here and not in the threads, which had to share Python with the loading of the database's library.
    from bounceproc.ports import WORTH_A_READER
    from bounceproc.sources.imap.watching import WatchedFolder
    from bounceproc.store.filelock import file_lease

    begun: list[ExitStack] = []

    def begin(section: MailboxSection, folder: str) -> tuple[ExitStack, WatchedFolder]:
        source = WatchedFolder(mailbox_of(section, folder), recheck=config.poll.recheck, attempts=config.poll.attempts)
        large = Timer(SLOW, reader.start)
        try:
            with ExitStack() as stack:
                stack.enter_context(file_lease(database, section.name, folder))
                source.begin(opening=large.start)
                stack.push(source)
                if source.messages >= WORTH_A_READER:
                    reader.start()
                begun.append(held := stack.pop_all())
                return held, source
        finally:
            large.cancel()

    with ThreadPoolExecutor(BEGUN_EARLY, thread_name_prefix="beginning") as hands:
        first = list(folders.items())[:BEGUN_EARLY]
        try:
            yield {key: partial(_begun, hands.submit(begin, section, key[1])) for key, section in first}
        finally:
            hands.shutdown(cancel_futures=True)
            for stack in begun:  # which is empty where somebody came for it
                stack.close()


def _will_serve(config: Config, database: Path) -> bool:
    """Whether the file is as this program expects it, or is still to be made."""
    from bounceproc.store.direct import DirectList

    direct = DirectList.open(config.database_url(), config.privacy.pepper_file)
    if direct is None:
        return not database.exists()
    direct.close()
    return True


@contextmanager
def _begun(beginning: Future[tuple[ExitStack, WatchedFolder]]) -> Iterator[WatchedSource]:
    stack, source = beginning.result()
    with stack:
        yield source


@contextmanager
def _opened(
    config: Config, section: MailboxSection, folder: str, store: Store, *, dry_run: bool
) -> Iterator[WatchedSource]:
    """A folder that is ours alone, and connected."""
    mailbox = mailbox_of(section, folder)
    with (
        nullcontext() if dry_run else store.lease(mailbox.name, folder),
        _source(config, mailbox, store, dry_run=dry_run) as source,
    ):
        yield source


def _source(config: Config, mailbox: Mailbox, store: Store, *, dry_run: bool = False) -> WatchedFolder:
    from bounceproc.sources.imap.watching import WatchedFolder

    checkpoint = store.ledger.checkpoint(mailbox.name, mailbox.folder)
    poll = config.poll
    return WatchedFolder(mailbox, checkpoint, recheck=poll.recheck, dry_run=dry_run, attempts=poll.attempts)


def watch_mailboxes(load: Callable[[], Config], names: Sequence[str]) -> int:
    """Watch mailboxes until a signal ends it; returns the exit code. `load` reads the configuration, at each SIGHUP anew.

    Raises:
        BounceprocError: the first configuration cannot serve, or the database refuses it.

    """
    from bounceproc.service.logs import tell

    def plan() -> Plan:
        config = load()
        log_as(config)
        sections = chosen_of(config, names)
        for warning in config.verify_secrets():
            tell(logging.WARNING, warning)
        mailboxes = [mailbox_of(section, folder) for section in sections for folder in section.all_folders]

        def jobs(tools: Tools) -> Iterator[Watch]:
            return (_folder_watch(tools, config, mailbox) for mailbox in mailboxes)

        return planned(config, jobs)

    return carry_out(plan)


def _folder_watch(tools: Tools, config: Config, mailbox: Mailbox) -> Watch:
    from bounceproc.service.watcher import Watch

    return Watch(
        mailbox=mailbox.name,
        folder=mailbox.folder,
        lease=partial(tools.store.lease, mailbox.name, mailbox.folder, wait=0.0),
        source=partial(_source, config, mailbox, tools.store),
        round_=tools.round,
        interval=config.poll.interval,
    )


def chosen_of(config: Config, names: Sequence[str]) -> list[MailboxSection]:
    """The mailboxes with these names, all of them where none is named.

    Raises:
        ConfigError: no mailbox is configured.
        UsageError: none has this name.

    """
    if not config.mailbox:
        example = "[[mailbox]] with name, host, user and password_file"
        raise ConfigError(
            "no mailbox is configured", f"Write a table {example} into {config.source or 'bounceproc.toml'}."
        )
    known = {section.name: section for section in config.mailbox}
    for name in names:
        if name not in known:
            raise UsageError(f"no mailbox is named {name!r}", f"There are: {', '.join(known)}.")
    return [known[name] for name in names] if names else list(config.mailbox)


def mailbox_of(section: MailboxSection, folder: str) -> Mailbox:
    """One folder with all that it takes to reach it, secrets read."""
    from bounceproc.sources.mailbox import Mailbox

    return Mailbox(
        name=section.name,
        host=section.host,
        port=section.port,
        security=section.security,
        user=section.user,
        password=section.secret.read() if section.secret and section.auth.value == "password" else "",
        tokens=_tokens(section),
        folder=folder,
        batch_size=section.batch_size,
        max_message_mb=section.max_message_mb,
        ca_file=str(section.ca_file) if section.ca_file else None,
        client_cert_file=str(section.client_cert_file) if section.client_cert_file else None,
        client_key_file=str(section.client_key_file) if section.client_key_file else None,
        client_key_password=section.key_password.read() if section.key_password else None,
        allow_plaintext=section.allow_plaintext,
        on_report=section.on_report,
        on_auto_reply=section.on_auto_reply,
        on_unrecognised=section.on_unrecognised,
        on_malformed=section.on_malformed,
    )


def _tokens(section: MailboxSection) -> Tokens | None:
    """Where a mailbox's access tokens come from; None where it has a password."""
    if section.auth.value == "password":
        return None
    from bounceproc.sources.tokens.tokens import RefreshToken, Tokens

    refresh = RefreshToken(section.refresh_token) if section.refresh_token else None
    if section.auth.value == "xoauth2-google":
        from bounceproc.sources.tokens.google import Google

        return Tokens(
            Google(
                mailbox=section.name,
                user=section.user,
                service_account=section.service_account,
                client_id=section.oauth_client_id,
                client_secret=section.client_secret,
                refresh_token=refresh,
            )
        )
    from bounceproc.sources.tokens.microsoft import AUTHORITY, Microsoft

    return Tokens(
        Microsoft(
            mailbox=section.name,
            client_id=section.oauth_client_id or "",
            client_secret=section.client_secret,
            refresh_token=refresh,
            tenant=section.oauth_tenant,
            authority=section.oauth_authority or AUTHORITY,
        )
    )
