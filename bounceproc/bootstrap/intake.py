"""Files of others that come in: lists, and what was sent."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bounceproc.bootstrap.database import open_store
from bounceproc.bootstrap.ours import recipient_digest
from bounceproc.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.config import Config
    from bounceproc.lookup.intake.makes import Defaults
    from bounceproc.service.importing import Imported
    from bounceproc.service.sending import Remembered


def import_sent(
    config: Config, path: str, *, rejects: Path | None, on_progress: Callable[[int, int | None], None]
) -> Remembered:
    """Put a file of sent mails into the send ledger.

    Raises:
        ConfigError: no send ledger is configured.
        UsageError, BadDataError: the file cannot be read, is another sort of file, or is the one for bad rows, too.
        BounceprocError: the database cannot be used at all.

    """
    from bounceproc.service.sending import remember
    from bounceproc.sources.rows import read_rows, size

    if not config.identity.ledger:
        raise ConfigError("there is no send ledger: nothing would ask it", "Write [identity] ledger = true.")
    total = size(path)
    where = rejects or Path(path).parent / f"{Path(path).stem if path != '-' else 'sent'}.rejects.csv"
    if path != "-" and where.resolve() == Path(path).resolve():
        raise UsageError(f"{where} is the file of sent mails itself", "Name another file with --rejects.")
    with open_store(config) as store:
        return remember(
            read_rows(path, needed=("message_id", "recipient")),
            partial(store.sent.add, digest=recipient_digest(config)),
            rejects=where,
            now=datetime.now(UTC),
            on_progress=lambda done: on_progress(done, total),
        )


def import_list(
    config: Config,
    path: Path,
    given: Defaults,
    *,
    actor: str,
    make: str | None,
    encoding: str | None,
    rejects: Path | None,
    dry_run: bool,
    on_progress: Callable[[int, int | None], None],
) -> Imported:
    """Bring a list of another service, or of people, onto ours; see `import_file`."""
    from bounceproc.service.importing import import_file

    now = datetime.now(UTC)
    with open_store(config, dry_run=dry_run) as store:
        return import_file(
            path,
            given,
            partial(store.suppressions.load, actor=actor, now=now, dry_run=dry_run),
            make=make,
            encoding=encoding,
            rejects=rejects,
            write_rejects=not dry_run,
            on_progress=on_progress,
        )
