"""What a batch's reports can be held against, where that decides: signatures of feedback loops, and our own on what comes back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bounceproc.event import EventType, Kind, Trust
from bounceproc.evidence.letter import Letter
from bounceproc.evidence.mailbox import only_address
from bounceproc.evidence.results import claims
from bounceproc.evidence.signature import MAX_SIGNATURES, signatures, usable_key
from bounceproc.reports.fields import blocks
from bounceproc.reports.mime import Part, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bounceproc.address import Address
    from bounceproc.event import Event
    from bounceproc.evidence.operators import Operators
    from bounceproc.evidence.signature import Signature
    from bounceproc.ports import Reading

MAX_SECONDS: Final = 10.0
"""For one batch: what comes after stays as it was reported."""
MAX_QUESTIONS: Final = 20
"""Names that are looked up for one batch. Keys that are remembered cost none."""

WISHES: Final = frozenset({EventType.COMPLAINT, EventType.UNSUBSCRIBE})
DECIDING: Final = WISHES | {EventType.BOUNCE, EventType.DELIVERY}
"""Events that change what is known of an address."""
COPIES: Final = frozenset({"message/rfc822", "message/global"})
"""Types under which the whole of our mail comes back."""
UNCODED: Final = frozenset({"", "7bit", "8bit", "binary"})


class Keys(Protocol):
    """Where public keys come from."""

    def known(self, name: str) -> bool:
        """Whether the answer is remembered."""
        ...

    def find(self, name: str) -> bytes | None:
        """The TXT record of a name."""
        ...


class Proof(NamedTuple):
    """Why an event is believed."""

    event: Event
    why: str
    """One sentence; empty where there is no proof."""


@dataclass(slots=True)
class _Left:
    """What one batch may still cost."""

    until: float
    questions: int = MAX_QUESTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Holds reports against signatures. `decides` tells of an event whether policy would judge it differently if it were believed."""

    operators: Operators
    domains: frozenset[str]
    """Ours, in normal form."""
    trusted: frozenset[str] = frozenset()
    """Hosts whose Authentication-Results count."""
    keys: Keys | None = None
    """None: no signature is verified."""
    verifies: Callable[[Letter, Signature, Callable[[str], bytes | None]], bool] | None = None
    decides: Callable[[Event], bool] = lambda _event: True
    clock: Callable[[], float] = time.monotonic

    def weighed(self, readings: Sequence[Reading]) -> tuple[Reading, ...]:
        """The same readings, events that there is proof of as `matched`. Never raises, and asks of no other events."""
        left = _Left(self.clock() + MAX_SECONDS)
        return tuple([self._weighed(reading, left) for reading in readings])

    def proofs(self, message: bytes, kind: Kind, events: Sequence[Event]) -> tuple[Proof, ...]:
        """Each event of one message with the reason to believe it, if there is one."""
        return self._proofs(message, kind, events, _Left(self.clock() + MAX_SECONDS))

    def _weighed(self, reading: Reading, left: _Left) -> Reading:
        if not any(self._is_asked_of(event) for event in reading.events):
            return reading
        found = self._proofs(reading.raw, reading.kind, reading.events, left)
        if not any(proof.why for proof in found):
            return reading
        return reading._replace(events=tuple([proof.event for proof in found]))

    def _is_asked_of(self, event: Event) -> bool:
        is_open = event.trust is Trust.REPORTED and event.recipient is not None and event.type in DECIDING
        return is_open and self.decides(event)

    def _proofs(self, message: bytes, kind: Kind, events: Sequence[Event], left: _Left) -> tuple[Proof, ...]:
        root = parse(message)
        letter = Letter.parse(message) if kind is Kind.ARF else None
        operator = self._operator(letter, root, left) if letter is not None else ""
        speaks = operator and self._is_about_us(root)
        ours: tuple[Address, str] | None = None
        is_looked_at = False
        found = []
        for event in events:
            why = ""
            if self._is_asked_of(event):
                if operator and event.type in WISHES and (event.derived is None or speaks):
                    why = operator
                else:
                    if not is_looked_at:
                        ours, is_looked_at = self._ours(root, left), True
                    if ours is not None and event.recipient == ours[0]:
                        why = ours[1]
            found.append(Proof(event._replace(trust=Trust.MATCHED) if why else event, why))
        return tuple(found)

    def _operator(self, letter: Letter, root: Part, left: _Left) -> str:
        """Who operates the feedback loop that this report came from, and how that is known; empty where it is not."""
        sender = only_address(letter.only("from") or b"")
        named = self.operators.named(sender) if sender is not None else ()
        if sender is None or not named or not letter.is_plain or not _is_whole(letter, root):
            return ""
        for claim in claims(letter.fields, self.trusted) if self.trusted else ():
            for operator in named:
                if operator.aligns(sender, claim.domain):
                    return f"{claim.host} verified the signature of {claim.domain}: a feedback loop ({operator.name})"
        aligned = {
            signature: operator
            for signature in signatures(letter)
            for operator in named
            if operator.aligns(sender, signature.domain)
        }
        for signature in list(aligned)[:MAX_SIGNATURES]:
            if self._verifies(letter, signature, left):
                return f"signed by {signature.domain}: a feedback loop ({aligned[signature].name})"
        return ""

    def _is_about_us(self, root: Part) -> bool:
        """Whether the operator himself says that the report is about mail of ours.

        Anybody can have reports about his own mail, and pass them on signed as they are. What he wrote into that mail, and a
        recipient who is only found there, would be believed.
        """
        for part in root.leaves():
            if part.type == "message/feedback-report":
                domains = [
                    domain for block in blocks(part.text()) for domain in block.get("reported-domain", "").split()
                ]
                return bool(domains) and all(self._is_ours(domain.lower()) for domain in domains)
        return False

    def _is_ours(self, domain: str) -> bool:
        return any(domain == ours or domain.endswith(f".{ours}") for ours in self.domains)

    def _ours(self, root: Part, left: _Left) -> tuple[Address, str] | None:
        """Whom the returned copy was for, if our own signature on it says so, and that it does.

        Whoever got the mail, too, has such a copy; therefore it must be for one alone.
        """
        copy = next((part for part in root.leaves() if part.type in COPIES), None)
        if copy is None or copy.encoding not in UNCODED or not self.domains:
            return None
        letter = Letter.parse(copy.data[copy.body : copy.end])
        if letter is None or not letter.is_plain or letter.all("cc"):
            return None
        recipient = only_address(letter.only("to") or b"")
        if recipient is None:
            return None
        made = [one for one in signatures(letter) if one.domain in self.domains and "to" in one.covers]
        for signature in made[:MAX_SIGNATURES]:
            if self._verifies(letter, signature, left):
                return recipient, f"the returned copy, for this recipient, bears the signature of {signature.domain}"
        return None

    def _verifies(self, letter: Letter, signature: Signature, left: _Left) -> bool:
        if self.keys is None or self.verifies is None or self.clock() >= left.until:
            return False
        if not self.keys.known(signature.key_name):
            if left.questions <= 0:
                return False
            left.questions -= 1
        record = self.keys.find(signature.key_name)
        if record is None or not usable_key(record, signature):
            return False
        return self.verifies(letter, signature, lambda _name: record)


def _is_whole(letter: Letter, root: Part) -> bool:
    """Whether the parts of a report are those that were signed, whether or not its Content-Type was."""
    return not root.is_multipart or letter.begins_with(root.parameter(b"boundary").rstrip())
