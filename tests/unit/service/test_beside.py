"""The process beside this one says what this one would, and its death costs nothing but time."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bounceproc.classify.classifier import default_classifier
from bounceproc.event import Trust
from bounceproc.identity import Identifier, OurMail
from bounceproc.pipeline import meant
from bounceproc.rawmessage import RawMessage
from bounceproc.returnpath import make
from bounceproc.service.beside import Beside
from bounceproc.store.copies import unpack
from tests.benchmarks.classify import CORPUS
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bounceproc.ports import Meaning

SECRET = "a secret for tests only"
COMMAND = [sys.executable, "-m", "bounceproc.cli.beside"]


def here(asked: Sequence[RawMessage]) -> list[Meaning]:
    """What this process makes of messages."""
    return [meant(raw, default_classifier()) for raw in asked]


def messages() -> list[RawMessage]:
    """The corpus, and a message that could not be had."""
    found = [RawMessage(path.name, path.read_bytes(), None) for path in sorted(CORPUS.rglob("*.eml"))]
    assert len(found) > 100
    return [*found, RawMessage("lost", b"", None, "larger than 50 MB")]


@pytest.fixture(params=["keep", "-"])
def beside(request: pytest.FixtureRequest) -> Iterator[Beside]:
    with Beside([*COMMAND, request.param], here) as made:
        yield made


def test_it_says_what_this_process_would(beside: Beside) -> None:
    asked = messages()
    for _ in range(2):
        found = beside.begin(asked)()
        assert [one._replace(copy=None) for one in found] == [meant(raw, default_classifier()) for raw in asked]
        if beside._command[-1] == "keep":
            assert [unpack(one.copy or b"") for one in found] == [raw.data for raw in asked]
        else:
            assert {one.copy for one in found} == {None}


def test_it_is_started_ahead_once_and_again_where_it_has_ended(beside: Beside) -> None:
    seen = set()
    for _ in range(2):
        beside.start()
        beside.start()
        beside._hands.submit(lambda: None).result()
        process = beside._process
        assert process is not None
        assert len(beside.begin(messages()[:3])()) == 3
        assert beside._process is process
        seen.add(process.pid)
        process.kill()
        process.wait()
    assert len(seen) == 2


def test_batches_are_answered_in_the_order_asked(beside: Beside) -> None:
    asked = messages()
    waiting = [beside.begin(asked[number : number + 10]) for number in range(0, 100, 10)]
    digests = [one.digest for answer in waiting for one in answer()]
    assert digests == [meant(raw, default_classifier()).digest for raw in asked[:100]]


def test_one_that_died_is_started_again(beside: Beside) -> None:
    asked = messages()[:20]
    beside.begin(asked)()
    assert beside._process is not None
    beside._process.kill()
    beside._process.wait()
    assert len(beside.begin(asked)()) == len(asked)


def test_where_none_can_live_this_process_reads(tmp_path: object) -> None:
    asked = messages()[:20]
    with Beside([sys.executable, "-c", "import sys; sys.stdin.buffer.read(10)"], here) as made:
        assert made.begin(asked)() == [meant(raw, default_classifier()) for raw in asked]
    with Beside(["/nonexistent/python"], here) as made:
        assert made.begin(asked)() == [meant(raw, default_classifier()) for raw in asked]


def test_it_ends_with_the_pipe(beside: Beside) -> None:
    beside.begin(messages()[:5])()
    process = beside._process
    assert process is not None
    beside.__exit__()
    assert process.returncode == 0


ORPHANED = """
import sys, time
from bounceproc.rawmessage import RawMessage
from bounceproc.service.beside import Beside
made = Beside(sys.argv[1:], list)
made.begin([RawMessage("one", b"Subject: one", None)])()
print(made._process.pid, flush=True)
time.sleep(60)
"""


def test_it_ends_by_itself_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHANED, *COMMAND, "keep"], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        orphan = Path("/proc") / parent.stdout.readline().decode().strip() / "cmdline"
        assert b"bounceproc.cli.beside" in orphan.read_bytes()
        parent.kill()
    deadline = time.monotonic() + 20
    with suppress(OSError):  # gone
        while b"bounceproc.cli.beside" in orphan.read_bytes():
            assert time.monotonic() < deadline, "it lives on"
            time.sleep(0.01)


def test_it_knows_our_tokens_and_its_arguments_have_no_secret(beside: Beside) -> None:
    received = datetime.now(UTC) - timedelta(days=60)
    token = make("user@example.com", "bounces@sender.example", secrets=[SECRET], now=received)
    asked = [RawMessage("m", f"Delivered-To: {token}\n".encode() + dsn(), when) for when in (received, None)]
    identifier = Identifier(OurMail((SECRET,)), lambda: datetime.now(UTC))
    with Beside(beside._command, here, identifier.ours) as made:
        found = made.begin(asked)()
        process = made._process
        assert process is not None, "it was read there"
        assert SECRET not in str(process.args)
    assert [one._replace(copy=None) for one in found] == [
        meant(raw, default_classifier(), None, identifier) for raw in asked
    ]
    assert [one.events[0].trust for one in found] == [Trust.SIGNED, Trust.REPORTED]
