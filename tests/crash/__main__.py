"""Kill runs and look what becomes of the mail: `python -m tests.crash [--rounds 200] [--messages N] [--seed S] [--watch]`.

Each round starts `poll --once` in a process of its own against a real Dovecot, kills it with SIGKILL, lets the next run end, and
compares every row and every message with an undisturbed run. With 2,000 messages and more, a process reads them beside the run:
every fifth round kills that one alone, and in all others it has to end with its run. Ends with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bounceproc.ports import WORTH_A_READER
from tests.crash.ground import Ground, filled
from tests.crash.mail import PEOPLE
from tests.crash.rounds import Rounds
from tests.servers.dovecot import start_dovecot
from tests.servers.postgres import start_postgres
from tests.servers.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.crash.rounds import Tally


@contextmanager
def prepared(messages: int, batch_size: int, database: str) -> Iterator[Ground]:
    """The servers, and a mailbox on them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bp-crash-")))
        server = stack.enter_context(start_dovecot())
        postgres = stack.enter_context(start_postgres()) if database == "postgres" else None
        proxy = stack.enter_context(Proxy(server.port))
        yield Ground(proxy, filled(server, messages), folder, batch_size=batch_size, postgres=postgres)


def report(tally: Tally, found: list[str]) -> None:
    """What a round found, and now and then how far it is."""
    for line in found:
        print(line, flush=True)
    if tally.rounds % 20 == 0:
        print(f"{tally.rounds} rounds, {len(tally.divergences)} divergences", file=sys.stderr, flush=True)


def main() -> int:
    """Run the rounds and print their counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument(
        "--watch", action="store_true", help="kill `poll --watch` instead, until it has nothing left to do"
    )
    given = parser.parse_args()
    if given.batch_size > PEOPLE:
        parser.error(
            f"--batch-size is {PEOPLE} at most: with more, somebody is reported twice in a batch, and the feed says so once"
        )
    logging.getLogger("bounceproc").addHandler(logging.NullHandler())  # parked messages are part of it
    start = time.monotonic()

    try:
        with prepared(given.messages, given.batch_size, given.database) as ground:
            readers = given.messages >= WORTH_A_READER and not given.watch
            rounds = Rounds(ground, random.Random(given.seed), watch=given.watch, readers=readers)
            rounds.learn()
            print(f"{given.messages} messages, {given.database}, seed {given.seed}: {rounds}")
            tally = rounds.run(given.rounds, report=report)
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:  # how the servers say what is not installed
        print(missing, file=sys.stderr)
        return 1
    print("\n".join(tally.lines()))
    print(f"took {time.monotonic() - start:.0f} s")
    return 1 if tally.divergences else 0


if __name__ == "__main__":
    sys.exit(main())
