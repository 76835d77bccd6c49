"""One round: a run that is killed, once or more often, and one that ends; what became of it is held against the undisturbed one."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from tests.servers.proxy import Call, Cut, Effect, Plan, Point, Way

if TYPE_CHECKING:
    import random
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.crash.ground import Ground, Trial

RUN_TIMEOUT: Final = 120
"""Seconds that a run may take; one takes about one."""
MEASURED: Final = 3
"""Undisturbed runs whose median is the length of a run."""
BEYOND: Final = 1.05
"""The last moments lie a little behind the usual end of a run."""
TWICE: Final = 1 / 4
"""In so many of the rounds the run after the killed one is killed, too."""
READERS: Final = 5
"""With `readers`, each round whose number this divides kills the reader alone."""
ONCE: Final = ("poll", "--once", "--format", "json")
WATCH: Final = ("poll", "--watch", "--log-level", "error")
END_TIMEOUT: Final = 20
"""Seconds that a watching process may take to end after SIGTERM."""

SIGNS: Final = (
    (Way.UP, b"UID MOVE"),
    (Way.DOWN, b"[COPYUID"),
    (Way.DOWN, b"OK Move completed"),
    (Way.UP, b"UID FETCH"),
    (Way.UP, b"UID STORE"),
    (Way.DOWN, b"BODY[] {"),
    (Way.DOWN, b"EXPUNGE"),
    (Way.DOWN, b"OK Store completed"),
    (Way.DOWN, b"OK Fetch completed"),
    (Way.UP, b"CREATE"),
    (Way.UP, b"UID SEARCH"),
    (Way.UP, b"SELECT"),
    (Way.UP, b"AUTHENTICATE"),
    (Way.UP, b"LOGOUT"),
)
"""What shows on the wire how far a run is, the most telling first."""
LOOK: Final = 0.0005
"""Seconds between two looks at the database's file."""
GLANCE: Final = 0.2
"""Seconds between two looks whether a watching process has anything left to do."""


@dataclass(frozen=True, slots=True)
class After:
    """A moment by the clock: so many seconds from the start of the process."""

    seconds: float

    def __str__(self) -> str:
        return f"after {self.seconds:.3f} s"


@dataclass(frozen=True, slots=True)
class On:
    """A moment on the wire. `lost`: what the process sent last, and whatever was said to it, arrives nowhere."""

    point: Point
    lost: bool

    def __str__(self) -> str:
        way, sign = self.point.way, self.point.marker.decode()
        return f"{way}wards at {self.point.octets:+} of {sign} no. {self.point.nth}{', which is lost' if self.lost else ''}"


@dataclass(frozen=True, slots=True)
class Written:
    """A moment in the database: when its log (SQLite's WAL) is written to for the `nth` time."""

    nth: int

    def __str__(self) -> str:
        return f"at write no. {self.nth}"


@dataclass(frozen=True, slots=True)
class Alone:
    """A moment by the clock at which not the run is killed, but the process that reads messages beside it."""

    seconds: float

    def __str__(self) -> str:
        return f"alone, the reader beside it, after {self.seconds:.3f} s"


Moment: TypeAlias = After | On | Written | Alone


@dataclass(slots=True)
class Tally:
    """What the rounds came to."""

    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    """By the stage of the run."""
    survived: int = 0
    """Runs that had ended when their moment came."""
    resumed: int = 0
    """Messages that were committed and settled only by the last run."""
    again: int = 0
    """Messages that were offered again after they had been recorded, and changed nothing."""
    runs: int = 0
    readers: int = 0
    """Runs that had a process beside them when they were disturbed, as far as that was seen in time."""
    readers_killed: int = 0
    """Runs whose reader was killed alone."""
    divergences: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{self.rounds} rounds, {self.runs} runs, {self.kills.total()} killed, {self.survived} over before their moment",
            "killed " + ", ".join(f"{stage}: {count}" for stage, count in self.kills.most_common()),
            f"{self.resumed} messages settled by the last run, {self.again} offered again as duplicates",
            f"{self.readers} runs had a reader beside them when they were disturbed; {self.readers_killed} times it was killed alone",
            f"{len(self.divergences)} divergences",
        ]


class Rounds:
    """Kills runs of whole processes at moments spread over the length of one."""

    def __init__(self, ground: Ground, rng: random.Random, *, watch: bool = False, readers: bool = False) -> None:
        """`readers` has every fifth round kill the process beside the run instead of the run itself."""
        self._ground = ground
        self._rng = rng
        self._watch = watch
        self._readers = readers
        self._seen: Counter[tuple[Way, bytes]] = Counter()
        self._writes = 0
        self.length = 0.0

    def learn(self, measured: int = MEASURED) -> None:
        """Measure undisturbed runs: how long, how often they write, and which signs are seen how often on the wire."""
        self._ground.learn()
        lengths = []
        for _ in range(measured):
            self._ground.proxy.forget()
            with self._ground.trial() as trial:
                start = time.monotonic()
                with trial.house.start(*ONCE) as process:
                    self._writes = _wait(process, trial, RUN_TIMEOUT)
                lengths.append(time.monotonic() - start)
                assert process.returncode == 0
                assert self._ground.strays(trial) == []
        self.length = sorted(lengths)[measured // 2]
        (conversation,) = self._ground.proxy.conversations
        self._seen = Counter({(way, sign): conversation.passed[way].count(sign) for way, sign in SIGNS})

    def __str__(self) -> str:
        return f"a run takes {self.length:.2f} s and writes {self._writes} times"

    def moments(self, count: int) -> Iterator[tuple[Moment, ...]]:
        """The moments of each round, by turns: by the clock, one in each stretch of a run; on the wire; in the database."""
        by_clock = count - count // 2
        signs = itertools.cycle([sign for sign in SIGNS if self._seen[sign]])
        for number in range(count):
            first: Moment
            if number % 2 == 0:
                first = After(self.length * BEYOND * (number // 2 + self._rng.random()) / by_clock)
            elif number % 4 == 1 or not self._writes:
                first = self._on(*next(signs))
            else:
                first = Written(self._rng.randint(1, self._writes))
            if self._readers and number % READERS == READERS - 1:
                yield (Alone(self.length * self._rng.random()),)
            elif self._rng.random() < TWICE:
                yield first, self._rng.choice((After(self.length * self._rng.random()), self._on(Way.UP, b"UID MOVE")))
            else:
                yield (first,)

    def _on(self, way: Way, sign: bytes) -> On:
        lost = self._rng.random() < 1 / 2
        octets = -len(sign) if lost else self._rng.choice((0, 1, 20, 500))
        return On(Point(way, octets, sign, self._rng.randint(1, self._seen[way, sign])), lost)

    def run(self, count: int, *, report: Callable[[Tally, list[str]], None] = lambda _tally, _found: None) -> Tally:
        """So many rounds; `report` is told after each what that one found."""
        tally = Tally()
        for moments in self.moments(count):
            known = len(tally.divergences)
            with self._ground.trial() as trial:
                self._round(trial, moments, tally)
            tally.rounds += 1
            report(tally, tally.divergences[known:])
        return tally

    def _round(self, trial: Trial, moments: tuple[Moment, ...], tally: Tally) -> None:
        for moment in moments:
            tally.runs += 1
            if isinstance(moment, Alone):
                tally.readers_killed += self._reader_killed(trial, moment, tally)
            elif self._killed(trial, moment, tally):
                tally.kills[trial.progress().stage(self._ground.count)] += 1
            else:
                tally.survived += 1
        tally.resumed += trial.progress().unsettled
        self._ground.proxy.forget()
        self._ended(trial)
        tally.runs += 1
        tally.again += trial.progress().again
        told = ", ".join(map(str, moments))
        tally.divergences += [f"killed {told}: {stray}" for stray in self._ground.strays(trial)]

    def _reader_killed(self, trial: Trial, moment: Alone, tally: Tally) -> bool:
        """Kill the reader alone, as soon as there is one; the run ends as if nothing had been. False where there was none."""
        self._ground.proxy.forget()
        with trial.house.start(*ONCE) as process:
            _wait(process, trial, moment.seconds)
            deadline = time.monotonic() + self.length
            while not (found := readers(trial)) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(LOOK)
            for reader in found:
                with suppress(ProcessLookupError):
                    os.kill(reader, signal.SIGKILL)
            _, err = process.communicate(timeout=RUN_TIMEOUT)
        assert process.returncode == 0, err.decode()
        tally.readers += bool(found)
        tally.divergences += [f"{moment}, and no run after it: {stray}" for stray in self._ground.strays(trial)]
        return bool(found)

    def _killed(self, trial: Trial, moment: Moment, tally: Tally) -> bool:
        """Start a run and kill it at its moment; False for one that was faster."""
        processes: list[subprocess.Popen[bytes]] = []
        effects: tuple[Effect, ...] = ()
        if isinstance(moment, On):
            effects = (Call(moment.point, lambda: processes[0].send_signal(signal.SIGKILL)),)
            effects += (Cut(moment.point),) if moment.lost else ()
        self._ground.proxy.forget(Plan(effects))
        with trial.house.start(*(WATCH if self._watch else ONCE)) as process:
            processes.append(process)
            _wait(
                process,
                trial,
                moment.seconds if isinstance(moment, After) else RUN_TIMEOUT,
                moment.nth if isinstance(moment, Written) else 0,
                self._is_done if self._watch else _never,
            )
            tally.readers += bool(readers(trial))
            process.kill()  # which does nothing to one that has ended
            _, err = process.communicate()  # the reader has the same standard error: this ends with it
        tally.divergences += [f"killed {moment}: its reader lives on"] if _live_on(trial) else []
        assert process.returncode in {0, -signal.SIGKILL}, err.decode()
        return process.returncode != 0

    def _ended(self, trial: Trial) -> None:
        """Let the last run do what is left."""
        if not self._watch:
            trial.house.run(*ONCE)
            return
        with trial.house.start(*WATCH) as process:
            try:
                _wait(process, trial, RUN_TIMEOUT, 0, self._is_idle)
                assert self._is_idle(trial), "the watch leaves something undone"
                process.terminate()
                _, err = process.communicate(timeout=END_TIMEOUT)
            finally:
                process.kill()
        assert process.returncode == 0, err.decode()

    def _is_done(self, trial: Trial) -> bool:
        return trial.progress(live=True).is_done(self._ground.count)

    def _is_idle(self, trial: Trial) -> bool:
        """Whether it is done and waits for mail: before that, a signal may come too early for whoever has to hear it."""
        conversations = self._ground.proxy.conversations
        return any(b"IDLE" in one.passed[Way.UP] for one in conversations) and self._is_done(trial)


def readers(trial: Trial) -> list[int]:
    """The processes that read messages for runs of this trial, whoever their parent is by now."""
    return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal() and _reads(one, trial)]


def _reads(process: Path, trial: Trial) -> bool:
    try:
        here = process.joinpath("cwd").readlink() == trial.house.folder
        return here and b"bounceproc.cli.beside" in process.joinpath("cmdline").read_bytes()
    except OSError:  # gone, or somebody else's
        return False


def _live_on(trial: Trial) -> bool:
    """Whether a reader is left whose parent is dead: it ends by itself, soon."""
    deadline = time.monotonic() + END_TIMEOUT
    while readers(trial):
        if time.monotonic() > deadline:
            return True
        time.sleep(LOOK)
    return False


def _never(_: Trial) -> bool:
    return False


def _wait(
    process: subprocess.Popen[bytes],
    trial: Trial,
    seconds: float,
    writes: int = 0,
    is_done: Callable[[Trial], bool] = _never,
) -> int:
    """Until the process ends, the time is over, an SQLite database was written to so often, or all is done.

    Returns how often it was written to.
    """
    log = trial.house.database.with_name(f"{trial.house.database.name}-wal")
    deadline = time.monotonic() + seconds
    glance = 0.0
    seen = 0
    last: tuple[int, int] | None = None
    while process.poll() is None and (now := time.monotonic()) < deadline:
        with suppress(FileNotFoundError):
            status = log.stat()
            if status.st_size and (status.st_size, status.st_mtime_ns) != last:
                last = (status.st_size, status.st_mtime_ns)
                seen += 1
                if seen == writes:
                    break
        if now >= glance:
            glance = now + GLANCE
            if is_done(trial):
                break
        time.sleep(LOOK)
    return seen
