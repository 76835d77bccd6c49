"""A list of any length in, the rows that may be mailed out, in order, in memory that does not grow."""

from __future__ import annotations

import codecs
import multiprocessing
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bounceproc.errors import BadDataError, UsageError
from bounceproc.lookup.bulk.head import encoding_of, read_head
from bounceproc.lookup.bulk.judge import BLANK, Found
from bounceproc.lookup.bulk.layout import ROW_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from bounceproc.lookup.bulk.judge import Judge
    from bounceproc.lookup.bulk.layout import Layout

BLOCK: Final = 256 * 1024
"""Octets that are read and judged at a time: some ten thousand rows."""
AHEAD: Final = 2
"""Blocks for each process that are read before the first of them is written."""
COLUMNS: Final = ("rejected_reason", "rejected_category", "rejected_scope", "rejected_detail")
"""What a row that is not let through has behind it."""

NO_CELL: Final = Found("invalid", detail="the row has no such column")
NO_ADDRESS: Final = Found("invalid", detail="there is no address")


class Reader(Protocol):
    """Where a list comes from."""

    def read1(self, size: int = -1, /) -> bytes:
        """What is there, at most so many octets; nothing at the end."""


class Writer(Protocol):
    """Where rows go."""

    def write(self, data: bytes, /) -> object:
        """Take them."""


@dataclass(slots=True)
class Sifted:
    """How many rows there were; blank lines are none."""

    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """How many were not let through, by reason; `invalid` for what is no address."""

    @property
    def rejected(self) -> int:
        """How many were not let through."""
        return self.reasons.total()


class _Part(NamedTuple):
    kept: bytes
    rejected: bytes
    rows: int
    reasons: Counter[str]


def sift(
    source: Reader,
    judge: Judge,
    *,
    kept: Writer | None,
    rejected: Writer | None,
    column: str | None = None,
    encoding: str | None = None,
    jobs: int = 1,
    progress: Callable[[int], None] = lambda _octets: None,
) -> Sifted:
    """Let through what may be mailed. None for `kept` or `rejected` throws those rows away.

    Rows go through as they are, octet by octet. A byte order mark tells UTF-16 and UTF-32; other lists are UTF-8, unless
    `encoding` names theirs, and come out in the encoding they came in. `progress` hears how many octets were read.

    Raises:
        UsageError: there is no such column or encoding.
        BadDataError: it is no CSV, or not in this encoding.

    """
    start = _fill(source, b"", 4)
    encoding = _checked(encoding) or encoding_of(start)
    if encoding is not None:
        source = _Decoded(source, start, encoding)
        kept, rejected = (writer and _Encoded(writer, encoding) for writer in (kept, rejected))
        start = b""
    mark = codecs.BOM_UTF8 if start.startswith(codecs.BOM_UTF8) else b""
    start = _first_line(source, start.removeprefix(mark))
    layout, line = read_head(start, column)
    total = Sifted()
    if kept is not None:
        kept.write(mark + line)
    if rejected is not None:
        rejected.write(mark + layout.rejected(line or b"address", COLUMNS))
    with _parts(layout, judge, jobs=jobs, wanted=rejected is not None) as submit:
        for part in submit(_blocks(source, start[len(line) :], layout, progress)):
            if kept is not None and part.kept:
                kept.write(part.kept)
            if rejected is not None and part.rejected:
                rejected.write(part.rejected)
            total.rows += part.rows
            total.reasons += part.reasons
    return total


# ---- reading -----------------------------------------------------------------------------------------------------------


def _fill(source: Reader, start: bytes, octets: int) -> bytes:
    while len(start) < octets and (more := source.read1(BLOCK)):
        start += more
    return start


def _first_line(source: Reader, start: bytes) -> bytes:
    while b"\n" not in start and b"\r" not in start[:-1] and len(start) < ROW_LIMIT and (more := source.read1(BLOCK)):
        start += more
    return start


def _blocks(source: Reader, start: bytes, layout: Layout, progress: Callable[[int], None]) -> Iterator[bytes]:
    """Whole rows, many at a time."""
    octets, block = len(start), start
    progress(octets)
    while more := source.read1(BLOCK):
        octets += len(more)
        progress(octets)
        block += more
        if len(block) < BLOCK // 4:  # a pipe gives little at a time
            continue
        used = layout.measure(block)
        if used:
            yield block[:used]
        block = block[used:]
        if len(block) > ROW_LIMIT:
            raise BadDataError(f"a row has more than {ROW_LIMIT} octets: {block[:60]!r}", "Is it a list?")
    if block:
        yield block


def _checked(encoding: str | None) -> str | None:
    """The encoding, unless it can be read as it is."""
    if encoding is None:
        return None
    try:
        name = codecs.lookup(encoding)
        name.incrementaldecoder().decode(b"")
    except (LookupError, AttributeError, TypeError) as error:
        raise UsageError(f"{encoding!r} is no encoding", "Write utf-8, latin-1, cp1252, utf-16, ...") from error
    return None if name.name in {"utf-8", "utf-8-sig", "ascii"} else encoding


class _Decoded:
    """A list in another encoding, read as UTF-8."""

    def __init__(self, source: Reader, start: bytes, encoding: str) -> None:
        self._source, self._start, self._encoding = source, start, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ended = False

    def read1(self, _size: int = -1, /) -> bytes:
        while not self._ended:
            octets, self._start = self._start or self._source.read1(BLOCK), b""
            self._ended = not octets
            try:
                text = self._decoder.decode(octets, self._ended)
            except UnicodeError as error:
                raise BadDataError(f"the list is not in {self._encoding}: {error}", "Name its encoding.") from error
            if text:
                return text.encode(errors="replace")
        return b""


class _Encoded:
    """Where rows in UTF-8 go in another encoding."""

    def __init__(self, writer: Writer, encoding: str) -> None:
        self._writer = writer
        self._encoder = codecs.getincrementalencoder(encoding)(errors="replace")

    def write(self, data: bytes, /) -> None:
        self._writer.write(self._encoder.encode(data.decode()))


# ---- judging -----------------------------------------------------------------------------------------------------------


def _judged(layout: Layout, judge: Judge, block: bytes, wanted: bool) -> _Part:
    """One block; `wanted` says whether anybody will read what is rejected."""
    rows = layout.take(block)
    found = judge.judge([cell or b"" for cell in rows.cells] if None in rows.cells else rows.cells)  # type: ignore[arg-type]
    if not found:
        return _Part(block, b"", len(rows.raw), Counter())
    for place, why in found.items():
        if why.reason == BLANK and rows.raw[place].strip():
            found[place] = NO_CELL if rows.cells[place] is None else NO_ADDRESS
    reasons = Counter(why.reason for why in found.values())
    blank = reasons.pop(BLANK, 0)
    kept: list[bytes] = []
    begin = 0
    for place in found:
        kept += rows.raw[begin:place]
        begin = place + 1
    kept += rows.raw[begin:]
    rejected = [layout.rejected(rows.raw[place], why) for place, why in found.items() if wanted and why.reason != BLANK]
    return _Part(b"".join(kept), b"".join(rejected), len(rows.raw) - blank, reasons)


@contextmanager
def _parts(
    layout: Layout, judge: Judge, *, jobs: int, wanted: bool
) -> Iterator[Callable[[Iterator[bytes]], Iterator[_Part]]]:
    """What judges blocks, in their order, in this process or in several."""
    if jobs == 1:
        yield lambda blocks: (_judged(layout, judge, block, wanted) for block in blocks)
        return
    # Forked, not spawned: the list is shared, and so is the key of Python's hashes, without which it is worthless.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(jobs, context, _begin, (layout, judge, wanted)) as pool:
        yield lambda blocks: _in_order(pool, blocks, AHEAD * jobs)


def _in_order(pool: ProcessPoolExecutor, blocks: Iterator[bytes], ahead: int) -> Iterator[_Part]:
    waiting: deque[Future[_Part]] = deque()
    for block in blocks:
        waiting.append(pool.submit(_judged_here, block))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


_HERE: list[tuple[Layout, Judge, bool]] = []
"""What a process of the pool judges with."""


def _begin(layout: Layout, judge: Judge, wanted: bool) -> None:
    _HERE[:] = [(layout, judge, wanted)]


def _judged_here(block: bytes) -> _Part:
    layout, judge, wanted = _HERE[0]
    return _judged(layout, judge, block, wanted)
