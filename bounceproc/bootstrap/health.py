"""Whether all is well: the database and every mailbox, looked at."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from bounceproc.bootstrap.database import open_store
from bounceproc.bootstrap.flow import pipeline_of
from bounceproc.bootstrap.mailboxes import chosen_of, mailbox_of
from bounceproc.bootstrap.privacy import limits
from bounceproc.errors import BounceprocError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bounceproc.config import Config
    from bounceproc.config import Mailbox as MailboxSection
    from bounceproc.finding import Finding
    from bounceproc.pipeline import BatchResult
    from bounceproc.ports import MessageBatch, Recorder


def examine(config: Config, names: Sequence[str], *, deep: bool) -> Iterator[Finding]:
    """Look at the database and at mailboxes; only `deep` changes anything, and clears it away again.

    Raises:
        UsageError: no mailbox has this name.

    """
    from bounceproc import doctor
    from bounceproc.finding import Finding, Level
    from bounceproc.store.checkup import check_database, check_privacy

    chosen = chosen_of(config, names) if config.mailbox or names else []
    url = config.database_url()
    yield from doctor.examine("database", lambda: check_database(url, config.privacy.pepper_file))
    with suppress(BounceprocError):  # the database has findings of its own
        yield from check_privacy(url, limits=limits(config), hash_only=config.privacy.hash_only, now=datetime.now(UTC))
    if not chosen:
        advice = "Write a table [[mailbox]] with name, host, user and password_file."
        yield Finding(Level.NOTE, "configuration", "mailbox", "no mailbox is configured", advice)
    for section in chosen:
        for folder in section.all_folders:
            subject = _subject(section, folder)
            yield from doctor.examine(subject, partial(_examine_folder, section, folder, url))
            if deep:
                yield from doctor.examine(subject, partial(_rehearse, config, section, folder))


def _subject(section: MailboxSection, folder: str) -> str:
    """What a finding is about: the folder is named where there are several."""
    return f"mailbox {section.name}" + (f", {folder}" if len(section.all_folders) > 1 else "")


def _examine_folder(section: MailboxSection, folder: str, url: str) -> Iterator[Finding]:
    from bounceproc import doctor
    from bounceproc.sources.imap.checkup import check_mailbox
    from bounceproc.store.checkup import check_folder, reached

    checkpoint = None
    with suppress(BounceprocError):  # the database has findings of its own
        checkpoint = reached(url, section.name, folder)
    subject = _subject(section, folder)
    yield from doctor.examine(subject, lambda: check_mailbox(mailbox_of(section, folder), checkpoint))
    with suppress(BounceprocError):
        yield from check_folder(url, section.name, folder)


def _rehearse(config: Config, section: MailboxSection, folder: str) -> Iterator[Finding]:
    from bounceproc import doctor
    from bounceproc.sources.imap.probe import Probe

    mailbox = mailbox_of(section, folder)
    with open_store(config, dry_run=True) as store, store.lease(mailbox.name, mailbox.folder):
        # A poller that held the folder would record the samples for good.
        def process(ledger: Recorder, batch: MessageBatch) -> BatchResult:
            return pipeline_of(config, store, ledger).process(mailbox.name, batch)

        yield from doctor.rehearse(_subject(section, folder), Probe(mailbox), store.ledger, process)
