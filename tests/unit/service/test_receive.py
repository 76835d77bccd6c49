"""Messages that are handed over are recorded when they come, and marked as settled many at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bounceproc.classify.classifier import default_classifier
from bounceproc.errors import BounceprocError, UnavailableError
from bounceproc.pipeline import Pipeline
from bounceproc.policy.settings import Policy
from bounceproc.rawmessage import RawMessage
from bounceproc.service.receive import SETTLED_AT_ONCE, Receiver
from bounceproc.service.run import Summary
from tests.unit.fakes import FakeLedger
from tests.unit.mails import ORDINARY

if TYPE_CHECKING:
    from collections.abc import Sequence


def pipeline_on(ledger: FakeLedger) -> Pipeline:
    return Pipeline(ledger=ledger, classifier=default_classifier(), policy=Policy(), clock=lambda: datetime.now(UTC))


def test_messages_handed_over_are_marked_as_settled_many_at_once() -> None:
    ledger = FakeLedger([])
    receiver = Receiver("lmtp", ledger, pipeline_on(ledger), Summary("lmtp"))
    for number in range(SETTLED_AT_ONCE - 1):
        receiver.record([RawMessage(f"lmtp#{number}", ORDINARY, None)])
    assert not any(line.startswith("settled") for line in ledger.log)
    receiver.record([RawMessage("lmtp#last", ORDINARY, None)])
    assert sum(line.startswith("settled") for line in ledger.log) == 1


def test_a_message_that_is_committed_is_answered_whatever_becomes_of_the_mark() -> None:
    class Unmarking(FakeLedger):
        def settled(self, source: str, refs: Sequence[str]) -> None:
            raise UnavailableError("gone in between")

    ledger = Unmarking([])
    receiver = Receiver("lmtp", ledger, pipeline_on(ledger), Summary("lmtp"))
    receiver.record([RawMessage(f"lmtp#{number}", ORDINARY, None) for number in range(SETTLED_AT_ONCE)])
    with pytest.raises(BounceprocError):
        receiver.settle()
