"""Another process that reads messages while this one fetches and records: two processors do more than one.

Only one thread at a time runs Python, so that a thread would not help. The two talk through pipes, in pickles: what the other
one sends is our own program's, and it ends when the pipe does, however this one ended.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from select import select
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from bounceproc.rawmessage import RawMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from bounceproc.identity import OurMail
    from bounceproc.ports import Meaning

    Here: TypeAlias = Callable[[Sequence[RawMessage]], Sequence[Meaning]]

PATIENCE: Final = 60.0
"""Seconds after which the other process ends where nobody wants anything; the next one that does starts another."""
PROTOCOL: Final = 5


class Beside:
    """The other process, started when there is something to read. Many threads may ask; it reads in the order asked."""

    def __init__(self, command: Sequence[str], here: Here, ours: OurMail | None = None) -> None:
        """`here` reads what the other process cannot; `ours` is what that one is told of our mail."""
        self._command = list(command)
        self._here = here
        self._ours = ours
        self._hands = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Have the other process started while there is nothing to read yet: it takes as long as to read some hundred messages."""
        self._hands.submit(self._started)

    def begin(self, messages: Sequence[RawMessage]) -> Callable[[], Sequence[Meaning]]:
        """Begin to read these messages; what it gives waits for what they say."""
        return self._hands.submit(self._read, messages).result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the other process, where there is one."""
        self._hands.shutdown(cancel_futures=True)
        self._end()

    def _read(self, messages: Sequence[RawMessage]) -> Sequence[Meaning]:
        for _ in range(2):  # it may just have ended, for want of work
            try:
                return self._ask(messages)
            except (OSError, EOFError, pickle.UnpicklingError):
                self._end()
        # What ends the other process twice is read here, where a message that ends this one, too, is counted and parked.
        return self._here(messages)

    def _ask(self, messages: Sequence[RawMessage]) -> Sequence[Meaning]:
        process = self._started()
        assert process.stdin is not None, "it is a pipe"
        assert process.stdout is not None, "it is a pipe"
        # Everybody on the machine can read the arguments of a process, and nobody else this pipe: the secrets go here.
        asked = [(raw.ref, raw.data, raw.received_at, raw.error) for raw in messages]
        pickle.dump((self._ours, asked), process.stdin, PROTOCOL)
        process.stdin.flush()
        found: list[Meaning] = pickle.load(process.stdout)  # noqa: S301 - written by our own program
        return found

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._process is None:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe)  # noqa: S603 - our own
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def serve(
    questions: BinaryIO, answers: BinaryIO, read: Callable[[list[RawMessage], OurMail | None], list[Meaning]]
) -> None:
    """What the other process does until nobody wants anything any more: messages in, what they say out, in order.

    A signal that is meant for all processes of the program is the other one's to answer.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while select([questions], [], [], PATIENCE)[0]:
        try:
            ours, asked = pickle.load(questions)  # noqa: S301 - written by our own program
        except EOFError:
            return
        pickle.dump(read([RawMessage(*one) for one in asked], ours), answers, PROTOCOL)
        answers.flush()
