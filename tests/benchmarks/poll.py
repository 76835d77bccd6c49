"""How fast `bounceproc poll` empties a mailbox, and in how much memory, on a Dovecot of its own.

    python -m tests.benchmarks.poll [--messages 20000] [--rounds 5] [--corpus FOLDER] [--only pace,memory,store]

`pace`     whole processes in turns over mailboxes with the same messages: a loop that only fetches (IMAPClient.fetch, 500 at a
           time) and parses (the email package and flufl.bounce), against `bounceproc poll --once`, which fetches, recognises,
           classifies, records, decides, commits and moves. Goal: half the time, aim a third.
`memory`   one poll of `--large` messages (100,000): its peak of resident memory. Goal: below 150 MB.
`store`    the ledger alone: events a second that are new, and statements a batch.

The messages are copies of a corpus, each with addresses of its own; the server has looked at each mailbox once before.
Seconds differ with the machine and its other work; the ratio is the median over pairs run one after the other. The poll keeps
two processors busy, its own and the server's, and so loses more than the loop where other programs want one of them.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.classify.classifier import default_classifier
from bounceproc.pipeline import Pipeline, meant, read
from bounceproc.policy.settings import Policy
from bounceproc.ports import MessageBatch
from bounceproc.rawmessage import RawMessage
from bounceproc.store.store import Store
from tests.benchmarks.classify import CORPUS, copies, measured
from tests.servers.dovecot import start_dovecot

if TYPE_CHECKING:
    from tests.servers.dovecot import Dovecot, MailUser

BATCH: Final = 500
"""Messages that both fetch at once."""

PEER: Final = """
import logging, sys
from email import message_from_bytes
from flufl.bounce import all_failures
from imapclient import IMAPClient
logging.disable()  # some of its detectors trip over headers that are missing, and tracebacks would cost it time
host, port, user, password = sys.argv[1:]
found = 0
with IMAPClient(host, int(port), ssl=False) as client:
    client.login(user, password)
    client.select_folder("INBOX", readonly=True)
    uids = client.search()
    for start in range(0, len(uids), 500):
        for answer in client.fetch(uids[start:start + 500], ["BODY.PEEK[]"]).values():
            message = message_from_bytes(answer[b"BODY[]"])
            try:
                temporary, permanent = all_failures(message)
            except Exception:  # a multipart without parts, a charset that is none
                temporary = permanent = ()
            found += len(temporary) + len(permanent)
print(found)
"""
"""The peer: fetch, parse, ask flufl.bounce. It keeps, decides and moves nothing."""

CONFIGURATION: Final = """\
[[mailbox]]
name = "returns"
host = "{host}"
port = {port}
security = "none"
user = "{user}"
password_file = "password"
"""


def filled(server: Dovecot, count: int, corpus: Path) -> MailUser:
    """A mailbox with that many messages, which the server knows already."""
    user = server.new_user()
    user.prefill(copies(count, corpus))
    user.uids()
    return user


def house(folder: Path, user: MailUser) -> list[str]:
    """A configuration for this mailbox; returns the command that polls it."""
    (folder / "password").write_text(user.password)
    (folder / "password").chmod(0o600)
    settings = CONFIGURATION.format(host=user.server.host, port=user.server.port, user=user.name)
    (folder / "bounceproc.toml").write_text(settings)
    config = str(folder / "bounceproc.toml")
    return [sys.executable, "-m", "bounceproc", "poll", "--once", "--config", config, "--format", "json"]


def timed(command: list[str]) -> tuple[float, float, str]:
    """Seconds that one process takes, those of a processor (the server's not counted), and what it prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    spent = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def pace(server: Dovecot, given: argparse.Namespace) -> None:
    """The same mail through both, each out of a mailbox of its own."""
    pairs, works = [], []
    for _ in range(given.rounds):
        theirs, ours = (filled(server, given.messages, given.corpus) for _ in range(2))
        peer = [sys.executable, "-c", PEER, server.host, str(server.port), theirs.name, theirs.password]
        with tempfile.TemporaryDirectory() as folder:
            command = house(Path(folder), ours)
            slow, their_work, _ = timed(peer)
            fast, our_work, said = timed(command)
        assert f'"messages": {given.messages}' in said, said
        pairs.append((slow, fast))
        works.append(our_work / their_work)
        print(
            f"  fetch + email + flufl.bounce {slow:.2f} s ({their_work:.2f} s of a processor), "
            f"bounceproc poll {fast:.2f} s ({our_work:.2f} s), {fast / slow:.2f} of it"
        )
        for user in (theirs, ours):
            user.remove()
    peer_median, our_median = (statistics.median(column) for column in zip(*pairs, strict=True))
    share = statistics.median(fast / slow for slow, fast in pairs)
    print(
        f"pace: {given.messages} messages, medians of {given.rounds} pairs: fetch + email + flufl.bounce {peer_median:.2f} s "
        f"({peer_median / given.messages * 1e6:.0f} us a message), bounceproc poll {our_median:.2f} s "
        f"({our_median / given.messages * 1e6:.0f} us), {share:.2f} of the time, "
        f"{statistics.median(works):.2f} of the processor"
    )


def memory(server: Dovecot, given: argparse.Namespace) -> None:
    """One long poll, watched."""
    user = filled(server, given.large, given.corpus)
    with tempfile.TemporaryDirectory() as folder:
        seconds, peak = measured(house(Path(folder), user))
    user.remove()
    print(f"memory: {given.large} messages in {seconds:.1f} s, peak {peak / 1e6:.0f} MB")


def store(given: argparse.Namespace) -> None:
    """Batches of what was read before, recorded."""
    classifier = default_classifier()
    now = datetime.now(UTC)
    messages = [RawMessage(f"m{number}", data, now) for number, data in enumerate(copies(5000, given.corpus))]
    readings = [read(message, meant(message, classifier), now) for message in messages]
    batches = [readings[number : number + BATCH] for number in range(0, len(readings), BATCH)]
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/store.db"
        with Store.open(url, pepper_file=Path(folder, "pepper")) as opened:
            pipeline = Pipeline(ledger=opened.ledger, classifier=classifier, policy=Policy(), clock=lambda: now)
            counted: list[str] = []

            def count(*arguments: Any) -> None:
                counted.append(arguments[2])

            sa.event.listen(opened._database._engine, "before_cursor_execute", count)
            pipeline.process("store", MessageBatch(()))
            counted.clear()
            start = time.perf_counter()
            events = sum(
                len(reading.events)
                for batch in batches
                for reading in pipeline.record("store", tuple(batch), MessageBatch(())).readings
            )
            spent = time.perf_counter() - start
    print(
        f"store: {len(messages)} messages with {events} events in {spent:.2f} s: {events / spent:,.0f} events a second, "
        f"{spent / len(messages) * 1e6:.0f} us a message, {len(counted) / len(batches):.0f} statements a batch of {BATCH}"
    )


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--only", default="pace,memory,store")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if "store" in wanted:
        store(given)
    if {"pace", "memory"} & set(wanted):
        with start_dovecot() as server:
            if "pace" in wanted:
                pace(server, given)
            if "memory" in wanted:
                memory(server, given)


if __name__ == "__main__":
    main()
