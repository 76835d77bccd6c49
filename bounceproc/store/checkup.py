"""How the database is: reachable, of the right schema, with its pepper and with room to grow; nothing is changed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.finding import Finding, Level, clock_finding
from bounceproc.ports import Checkpoint
from bounceproc.store import shredding
from bounceproc.store.engine import Database
from bounceproc.store.keys import read_pepper
from bounceproc.store.purging import Purging
from bounceproc.store.rows import place
from bounceproc.store.schema import HEAD, Schema, known_revisions
from bounceproc.store.tables import address, checkpoint, message, setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AT: Final = "database"
ROOM_FAILURE: Final = 100 * 2**20
"""Octets free on the disk, at least: below it the next batch (32 MB, and as much again in SQLite's log) may not fit."""
ROOM_WARNING: Final = 2**30
"""Octets free on the disk that give time to act: about a hundred thousand messages."""
LATE: Final = timedelta(days=2)
"""What is over its time for longer is not being purged: a poller does some of it every minute."""
LOCKS: Final = Path("/proc/locks")
"""Where Linux says who holds a file's lock, without anybody having to try."""


def check_database(url: str, pepper_file: Path) -> Iterator[Finding]:
    """Everything that can be seen of a database.

    Raises:
        BounceprocError: what ends the check-up: the error says what to do.

    """
    database = Database(url)
    try:
        if database.path is not None:
            yield from _room(database.path)
            if not database.path.exists():
                yield Finding(Level.NOTE, AT, "schema", f"{database.name} is not there yet", "The first poll makes it.")
                return
        yield from _server(database)
        revision = Schema(url).current()
        yield _schema(database, revision)
        if revision == HEAD:
            yield from _pepper(database, pepper_file)
    finally:
        database.close()


def check_folder(url: str, source: str, folder: str) -> Iterator[Finding]:
    """What the database knows of a folder: what is not settled, and who reads it now."""
    at = f"mailbox {source}"
    database = Database(url)
    try:
        if not _is_ready(database, url):
            return
        open_here = sa.and_(message.c.source == place(source), message.c.settled_at.is_(None))
        with database.reading() as connection:
            unsettled = connection.scalar(sa.select(sa.func.count()).select_from(message).where(open_here)) or 0
        if unsettled:
            what = f"{unsettled} messages are recorded and not yet moved or flagged"
            yield Finding(
                Level.NOTE, at, "unsettled", what, "The next poll does it first; if they stay, look at its errors."
            )
        else:
            yield Finding(Level.OK, at, "unsettled", "every recorded message is where it belongs")
        holder = _holder(database, source, folder)
        if holder:
            yield Finding(
                Level.NOTE, at, "lease", f"{folder} is being read by {holder}", "Another poll waits or ends with 75."
            )
        else:
            yield Finding(Level.OK, at, "lease", f"nobody reads {folder} now")
    finally:
        database.close()


def reached(url: str, source: str, folder: str) -> Checkpoint | None:
    """How far a folder was read; None where it never was, or there is no database yet."""
    database = Database(url)
    try:
        if not _is_ready(database, url):
            return None
        here = sa.and_(checkpoint.c.source == place(source), checkpoint.c.folder == place(folder))
        statement = sa.select(checkpoint.c.uidvalidity, checkpoint.c.uid).where(here)
        with database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return Checkpoint(folder, row.uidvalidity, row.uid) if row else None
    finally:
        database.close()


def _is_ready(database: Database, url: str) -> bool:
    return (database.path is None or database.path.exists()) and Schema(url).current() == HEAD


def _room(path: Path) -> Iterator[Finding]:
    folder = path.parent
    if not folder.is_dir():
        yield Finding(Level.FAILURE, AT, "disk", f"the folder {folder} does not exist", "Make it, or name another.")
        return
    free = shutil.disk_usage(folder).free
    size = path.stat().st_size if path.exists() else 0
    what = f"{free // 2**20} MB are free in {folder}; the database, raw copies of messages included, has {size // 2**20} MB"
    level = Level.FAILURE if free < ROOM_FAILURE else Level.WARNING if free < ROOM_WARNING else Level.OK
    yield Finding(level, AT, "disk", what, "" if level is Level.OK else "Make room: without it no message is recorded.")


def _server(database: Database) -> Iterator[Finding]:
    with database.reading() as connection:
        if database.is_sqlite:
            version = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
            yield Finding(Level.OK, AT, "reachable", f"{database.name} answers (SQLite {version})")
            return
        version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        now: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
    skew = now - datetime.now(UTC)
    yield Finding(Level.OK, AT, "reachable", f"{database.name} answers (PostgreSQL {version}, {size // 2**20} MB)")
    yield clock_finding(AT, "the database's clock", skew)


def _schema(database: Database, revision: str | None) -> Finding:
    if revision == HEAD:
        return Finding(Level.OK, AT, "schema", f"at revision {revision}, as this program expects")
    if revision is None and database.is_sqlite:
        return Finding(Level.NOTE, AT, "schema", f"{database.name} is empty", "The first poll makes its tables.")
    if revision is not None and revision not in known_revisions():
        what = f"{database.name} is newer than this program (revision {revision})"
        return Finding(Level.FAILURE, AT, "schema", what, "Use the version of bounceproc that it was upgraded with.")
    state = "empty" if revision is None else f"at revision {revision}, older than this program ({HEAD})"
    advice = "Back it up, then run `bounceproc db upgrade`."
    return Finding(Level.FAILURE, AT, "schema", f"{database.name} is {state}", advice)


def _pepper(database: Database, pepper_file: Path) -> Iterator[Finding]:
    with database.reading() as connection:
        rows = connection.execute(sa.select(setting.c.name, setting.c.value)).all()
    known = {row.name: row.value for row in rows}
    if "pepper_check" not in known:
        if pepper_file.exists() or not database.is_sqlite:
            read_pepper(pepper_file)
        yield Finding(Level.NOTE, AT, "pepper", "the database has no pepper yet", "The first poll settles it.")
        return
    keys = read_pepper(pepper_file, known["pepper_id"])
    if keys.check != known["pepper_check"]:
        what = f"{pepper_file} holds pepper {keys.id}, and the database was made with pepper {known['pepper_id']}"
        yield Finding(Level.FAILURE, AT, "pepper", what, "Put the right file back from a backup.")
        return
    yield Finding(Level.OK, AT, "pepper", f"{pepper_file} is the pepper of this database ({keys.id})")
    what = f"without {pepper_file} nobody can ask this database, and no backup of the database holds it"
    advice = (
        f"Back {pepper_file} up as well, apart from the database: whoever has both can try addresses. Backups keep who was "
        "forgotten since: after a restore, forget them again."
    )
    yield Finding(Level.NOTE, AT, "backup", what, advice)


def check_privacy(url: str, *, limits: Mapping[str, timedelta], hash_only: bool, now: datetime) -> Iterator[Finding]:
    """Whether what is over its time is gone, and whether what was erased, or may not be there, is still found."""
    database = Database(url)
    try:
        if not _is_ready(database, url):
            return
        yield _retention(Purging(database), limits, now)
        with database.reading() as connection:
            traces = shredding.is_due(connection)
            plain = hash_only and connection.scalar(sa.select(sa.exists().where(address.c.address.is_not(None))))
        if traces:
            what = "rows of people who were forgotten may still be found in the database's files"
            yield Finding(Level.WARNING, AT, "traces", what, "Run `bounceproc forget` for them once more.")
        if plain:
            what = "hash_only is set, and addresses from before that are still there in plaintext"
            yield Finding(Level.WARNING, AT, "hash_only", what, "Forget them: see `bounceproc forget --help`.")
    finally:
        database.close()


def _retention(purging: Purging, limits: Mapping[str, timedelta], now: datetime) -> Finding:
    behind = purging.is_behind(limits, now - LATE)
    if not behind:
        return Finding(Level.OK, AT, "retention", "what is over its time is purged")
    what = f"more than {LATE.days} days over their time: {', '.join(behind)}"
    advice = "Pollers purge a bit whenever no mail comes. For all at once: `bounceproc purge`."
    return Finding(Level.WARNING, AT, "retention", what, advice)


# ---- leases ----------------------------------------------------------------------------------------------------------


def _holder(database: Database, source: str, folder: str) -> str:
    """Who holds a folder's lease, without trying to take it; empty for nobody. See `lease` for the names."""
    name = blake2b(f"{source}\0{folder}".encode(errors="replace"), digest_size=8).digest()
    if database.path is not None:
        return _file_holder(database.path.with_name(f"{database.path.name}-{name.hex()}.lock"))
    number = int.from_bytes(name, "big")
    statement = sa.text(
        "SELECT a.pid, a.client_addr::text, a.backend_start FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = :high AND l.objid = :low "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with database.reading() as connection:
        row = connection.execute(statement, {"high": number >> 32, "low": number & 0xFFFFFFFF}).first()
    return f"a session from {row[1] or 'this machine'} (since {row[2]:%Y-%m-%d %H:%M})" if row else ""


def _file_holder(path: Path) -> str:
    try:
        inode = path.stat().st_ino
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        fields = line.split()
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode):
            return f"process {fields[4]}"
    return ""
