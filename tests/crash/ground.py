"""A mailbox that is the same for every trial, and what an undisturbed run makes of it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.bootstrap.mailboxes import run_mailboxes
from bounceproc.config import Config
from bounceproc.store.schema import Schema
from bounceproc.store.tables import message
from tests.crash.mail import mails
from tests.crash.rows import differences, rows
from tests.servers.proxy import Plan
from tests.stories.house import House

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bounceproc.bootstrap.mailboxes import Runs
    from bounceproc.errors import BounceprocError
    from tests.crash.rows import Rows
    from tests.servers.dovecot import Dovecot, MailUser
    from tests.servers.postgres import Postgres
    from tests.servers.proxy import Effect, Proxy

PEPPER: Final = "5a" * 32
"""The same for all, since keys are compared."""

Folders = dict[str, Counter[tuple[bytes, str]]]
"""By folder, digest and flags of each message."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One account and one database of their own, both as they were before the first run."""

    user: MailUser
    house: House
    url: str

    def run(self) -> Runs:
        """`poll --once`, in this process."""
        return run_mailboxes(Config.load(self.house.folder / "bounceproc.toml", environ={}), [])

    def rows(self, *, places: bool = True) -> Rows:
        """What the database says."""
        return rows(self.url, places=places)

    def progress(self, *, live: bool = False) -> Progress:
        """How far it is; of an SQLite file that nobody uses a copy is asked, so that the next run finds what the last one left."""
        if live or not self.url.startswith("sqlite"):
            return _progress(self.url)
        with tempfile.TemporaryDirectory(dir=self.house.folder) as aside:
            for path in self.house.folder.glob("bounceproc.db*"):
                shutil.copy(path, aside)
            return _progress(f"sqlite:///{aside}/{self.house.database.name}")


@dataclass(frozen=True, slots=True)
class Progress:
    """How many messages the database knows."""

    recorded: int
    unsettled: int
    """Of these, not settled in the mailbox."""
    again: int
    """Of these, offered more than once."""

    def is_done(self, whole: int) -> bool:
        """Whether nothing is left of so many messages."""
        return self.recorded >= whole and not self.unsettled

    def stage(self, whole: int) -> str:
        """Where in a run of so many messages that is."""
        if self.recorded == 0:
            return "before the first commit"
        if self.unsettled:
            return "between a commit and its settling"
        return "after the last settling" if self.recorded >= whole else "between two batches"


def _progress(url: str) -> Progress:
    engine = sa.create_engine(url)
    counts = [sa.func.count(), sa.func.count().filter(message.c.settled_at.is_(None))]
    try:
        with engine.connect() as connection:
            row = connection.execute(sa.select(*counts, sa.func.count().filter(message.c.attempts > 1))).one()
    finally:
        engine.dispose()
    return Progress(*map(int, row))


def filled(server: Dovecot, count: int, folder: str = "INBOX") -> MailUser:
    """An account with so many messages in a folder, which the server has numbered."""
    user = server.new_user()
    user.prefill(mails(count), folder)
    assert len(user.uids(folder)) == count
    return user


class Ground:
    """Makes trials, and holds what each has to end with."""

    def __init__(
        self,
        proxy: Proxy,
        template: MailUser,
        folder: Path,
        *,
        batch_size: int,
        extra: str = "",
        postgres: Postgres | None = None,
    ) -> None:
        self.proxy = proxy
        self.count = sum(map(Counter.total, template.stored().values()))
        self._template = template
        self._folder = folder
        self._postgres = postgres
        self._extra = f'batch_size = {batch_size}\non_auto_reply = "seen"\n{extra}'
        self._numbers = itertools.count(1)
        self._empty = folder / "empty.db"
        Schema(f"sqlite:///{self._empty}").upgrade()
        self.rows: Rows = {}
        self.people: Rows = {}
        self.folders: Folders = {}

    def learn(self) -> None:
        """Let an undisturbed run say what every trial has to end with."""
        with self.trial() as trial:
            assert not trial.run().failures
            self.rows, self.people, self.folders = trial.rows(), trial.rows(places=False), trial.user.stored()
        assert self.rows["message"].total() == self.count

    @contextmanager
    def trial(self) -> Iterator[Trial]:
        """A fresh one, gone with the block."""
        folder = self._folder / f"trial{next(self._numbers)}"
        folder.mkdir()
        user = self._template.twin()
        house = House(folder, user, self._extra, self.proxy.port)
        (folder / "bounceproc.pepper").write_text(PEPPER)
        with self._database(house) as url:
            try:
                yield Trial(user, house, url)
            finally:
                user.close()
                user.remove()
                shutil.rmtree(folder)

    @contextmanager
    def disturbed(self, *effects: Effect) -> Iterator[tuple[Trial, list[BounceprocError]]]:
        """A trial whose first run met with something and whose second one was left alone; and what the first one ended with."""
        self.proxy.forget(Plan(effects))
        with self.trial() as trial:
            errors = [error for _, error in trial.run().failures]
            self.proxy.forget()
            assert not trial.run().failures, effects
            yield trial, errors

    @contextmanager
    def _database(self, house: House) -> Iterator[str]:
        if self._postgres is None:
            shutil.copyfile(self._empty, house.database)
            yield f"sqlite:///{house.database}"
            return
        with self._postgres.new_database() as url:
            Schema(url).upgrade()
            with (house.folder / "bounceproc.toml").open("a") as config:
                config.write(f'[database]\nurl = "{url}"\n')
            yield url

    def strays(self, trial: Trial) -> list[str]:
        """Whatever is otherwise than after the undisturbed run: rows, and messages that lie in none or two folders."""
        folders = trial.user.stored()
        places = [
            f"{folder}: {(wanted - found).total()} messages missing, {(found - wanted).total()} too many"
            for folder in sorted(folders.keys() | self.folders.keys())
            if (found := folders.get(folder, Counter())) != (wanted := self.folders.get(folder, Counter()))
        ]
        return differences(trial.rows(), self.rows) + places
