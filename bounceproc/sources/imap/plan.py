"""What a run reads and in which portions: many messages at a time, and those that are suspected of ending runs by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bounceproc.ports import READ_AHEAD, Checkpoint, Flight, MessageBatch
from bounceproc.sources.bounds import SUSPECTS
from bounceproc.sources.imap.place import Place

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator, Mapping, Sequence

    from bounceproc.ports import Attempt
    from bounceproc.rawmessage import RawMessage
    from bounceproc.sources.imap.folders import Selected


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages that are asked for together."""

    start: int
    end: int
    """Positions among the plan's UIDs."""
    suspected: bool = False
    given_up: str | None = None
    """Why they are not read at all any more."""
    attempts: int = 0
    """That each of them had."""
    last: bool = False
    """Whether this is their last attempt."""


class Plan:
    """The new messages of a folder, in portions."""

    def __init__(
        self, selected: Selected, uids: array[int], attempts: Mapping[str, Attempt], size: int, max_attempts: int
    ) -> None:
        """`max_attempts` is two at least: one tells no message of a batch from another."""
        max_attempts = max(2, max_attempts)
        self.selected = selected
        self.uids = uids
        self._prefix = str(Place(selected.folder, selected.uidvalidity, 0))[:-1]
        tried = {uid: attempts[ref] for uid in uids if (ref := f"{self._prefix}{uid}") in attempts} if attempts else {}
        self.chunks = tuple(self._chunks(tried, size, max_attempts))

    def _chunks(self, tried: Mapping[int, Attempt], size: int, max_attempts: int) -> Iterator[Chunk]:
        start = 0
        while start < len(self.uids):
            first = tried.get(self.uids[start])
            if first is None:
                width, given_up = size, None
            elif first.attempts >= max_attempts:
                width, given_up = 1, f"given up after {first.attempts} attempts to read it; the last: {first.reason}"
            else:
                width, given_up = (SUSPECTS if first.attempts < max_attempts - 1 else 1), None
            end = min(start + width, len(self.uids))
            if tried:
                alike = first and first.attempts
                for position in range(start + 1, end):
                    other = tried.get(self.uids[position])
                    if (other and other.attempts) != alike:
                        end = position
                        break
            times = first.attempts if first else 0
            last = width == 1 and given_up is None and first is not None
            yield Chunk(start, end, first is not None, given_up, times, last)
            start = end

    def batch(self, number: int, messages: tuple[RawMessage, ...], last: int, rest: Sequence[int] = ()) -> MessageBatch:
        """A batch out of chunk `number`, up to UID `last`; `rest` of the chunk is still to come."""
        chunk = self.chunks[number]
        soon_suspected = any(other.suspected for other in self.chunks[number + 1 : number + 1 + READ_AHEAD])
        return MessageBatch(
            messages,
            Checkpoint(self.selected.folder, self.selected.uidvalidity, last),
            len(self.uids),
            ahead=self.ahead(number, rest),
            alone=chunk.suspected or soon_suspected,
            suspected=chunk.suspected,
        )

    def less_suspected(self, chunk: Chunk) -> int | None:
        """The UID of a new message that had fewer attempts than those of this chunk; None where there is none."""
        others = (other.start for other in reversed(self.chunks) if other.attempts < chunk.attempts)
        return next((self.uids[start] for start in others), None)

    def equally_suspected(self, chunk: Chunk) -> list[int]:
        """The UIDs of the other new messages that had as many attempts."""
        alike = (other for other in self.chunks if other.attempts == chunk.attempts and other is not chunk)
        return [uid for other in alike for uid in self.uids[other.start : other.end]]

    def ahead(self, number: int, rest: Sequence[int] = ()) -> Flight:
        """What is read behind chunk `number` and the `rest` of it until the batch after that is recorded.

        That is the next batch and, up to one that is suspected, those behind it, which are read meanwhile.
        """
        uids = list(rest)
        if not (uids and self.chunks[number].suspected):
            for chunk in self.chunks[number + 1 : number + 2 + READ_AHEAD]:
                if uids and chunk.suspected:
                    break
                uids += self.uids[chunk.start : chunk.end]
                if chunk.suspected:
                    break
        return self.flight(uids)

    def flight(self, uids: Sequence[int]) -> Flight:
        """These messages, on their way."""
        return Flight(Place.within(self.selected.folder), self._prefix, tuple(uids))
