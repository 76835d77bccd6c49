"""Why a message or a reply is judged as it is: the part, the field, the rule, what it beat, the class, the advice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bounceproc.classify.categories import CATEGORIES
from bounceproc.classify.events import CLASSIFIED
from bounceproc.event import EventType, Kind
from bounceproc.meaning import interpret
from bounceproc.reports.recognise import is_unknown_notice
from bounceproc.reports.where import where

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from bounceproc.classify.classifier import Classifier
    from bounceproc.classify.explanation import Explanation
    from bounceproc.event import Event
    from bounceproc.meaning import Interpretation

    Prove: TypeAlias = Callable[[bytes, Kind, Sequence[Event]], Sequence[tuple[Event, str]]]

KINDS = {
    Kind.DSN: "a delivery report",
    Kind.ARF: "a feedback report",
    Kind.AUTO_REPLY: "an automatic reply: it says nothing of delivery",
    Kind.UNSUBSCRIBE: "a wish to be mailed no more",
    Kind.MDN: "a read receipt: it says nothing of delivery",
    Kind.OTHER: "ordinary mail: no reader knows it as a report, so nothing is recorded and nobody is suppressed",
    Kind.MALFORMED: "a report that cannot be read: it is parked for a person and decides nothing",
}
"""What a message is, in words."""

NOT_UNDERSTOOD = (
    "not understood: a mail system seems to have written it, and no reader knows its format, so nothing is recorded and nobody "
    "is suppressed"
)
"""The same for ordinary mail that may be none."""

ACTS = {
    EventType.DELAY: "a warning, the queue still tries: it never counts",
    EventType.DELIVERY: "a success notice: it clears the count of soft bounces",
    EventType.COMPLAINT: "the reader calls it spam: the address is suppressed",
    EventType.UNSUBSCRIBE: "the reader wants no more: the address is suppressed",
    EventType.NOT_SPAM: "the reader took a complaint back: it is recorded and lifts nothing",
    EventType.AUTH_FAILURE: "an authentication failure, for the operator: it is no complaint",
    EventType.AUTO_REPLY: "it is recorded and decides nothing",
}
"""What an event leads to by the default policy, where no category decides that."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an explanation: what is told, and what there is to tell."""

    name: str
    text: str


def explain_reply(text: str, classifier: Classifier) -> list[Step]:
    """Why one SMTP reply or Diagnostic-Code has its category."""
    found = classifier.explain(text)
    return [Step("reply", text), *_classification(found), *_codes(found)]


def explain_message(message: bytes, classifier: Classifier, prove: Prove | None = None) -> list[list[Step]]:
    """Why a message says what it says: a first block about the message, and one about each address.

    `prove` looks for reasons to believe it: of what policy would judge no differently for that, there is none to be told.
    """
    meaning = interpret(message, classifier)
    proofs = prove(message, meaning.kind, meaning.events) if prove else [(event, "") for event in meaning.events]
    return [_message(message, meaning), *(_event(message, event, classifier, why) for event, why in proofs)]


def _message(message: bytes, meaning: Interpretation[Event]) -> list[Step]:
    is_unknown = meaning.kind is Kind.OTHER and is_unknown_notice(message)
    steps = [Step("message", f"{NOT_UNDERSTOOD if is_unknown else KINDS[meaning.kind]} ({meaning.kind})")]
    report = meaning.report
    if report is not None:
        steps.append(Step("reader", f"{report.detector}, the most authoritative that knows this format"))
        steps += [
            Step(name, value)
            for name, value in (("message-id", report.message_id), ("reporting-mta", report.reporting_mta))
            if value
        ]
    if meaning.error:
        steps.append(Step("error", meaning.error))
    return steps


def _event(message: bytes, event: Event, classifier: Classifier, why: str) -> list[Step]:
    verdict = f"{event.class_} {event.type}, {event.category}" if event.type in CLASSIFIED else str(event.type)
    steps = [Step("address", f"{event.recipient or 'hidden by the report'}: {verdict}"), *_recipient(message, event)]
    if event.diagnostic:
        steps.append(Step("said", event.diagnostic))
        steps.append(Step("found in", str(where(message, event.diagnostic) or "several places, put together")))
    if event.type in CLASSIFIED:
        found = classifier.explain(
            event.diagnostic,
            status=event.status,
            smtp_code=event.smtp_code,
            remote_mta=event.remote_mta,
            domain=event.recipient.domain if event.recipient else None,
        )
        steps += [*_codes(found), *_classification(found)]
    if event.type in ACTS:
        steps.append(Step("leads to", ACTS[event.type]))
    steps.append(Step("trust", _trust(event, why)))
    return steps


def _recipient(message: bytes, event: Event) -> list[Step]:
    if event.recipient is None:
        return []
    steps = []
    place = where(message, event.recipient.text)
    how = f"derived from {event.derived}: no field names it" if event.derived else str(place or "put together")
    steps.append(Step("named in", how))
    if event.final_recipient and event.final_recipient != event.recipient:
        steps.append(Step("delivered to", f"{event.final_recipient}, after a forward or an alias"))
    return steps


def _codes(found: Explanation) -> list[Step]:
    codes = [str(code) for code in (found.classification.smtp_code, found.classification.status) if code]
    return [Step("codes", " ".join(codes) if codes else "none")]


def _classification(found: Explanation) -> list[Step]:
    answer = found.classification
    info = CATEGORIES[answer.category]
    steps = [Step("category", f"{answer.category}: {info.meaning} (fault: {info.fault})")]
    if found.rule is None:
        steps.append(Step("rule", "none: no rule knows these words or codes"))
    else:
        by = f'the words "{found.pattern}"' if found.pattern else "its codes or host"
        steps.append(Step("rule", f"{found.rule.id} ({found.rule.file or 'built in'}), by {by}"))
        if found.rule.note:
            steps.append(Step("note", found.rule.note))
    if found.beaten:
        steps.append(Step("before", ", ".join(f"{rule.id} ({rule.category})" for rule in found.beaten)))
    steps.append(Step("class", f"{answer.class_}: {found.because}"))
    steps.append(Step("advice", info.advice))
    return steps


def _trust(event: Event, why: str) -> str:
    meaning = {
        "signed": "it carries our own token",
        "matched": "it was held against what we sent",
        "reported": "a well-formed report, with nothing to hold it against",
        "heuristic": "a guess by generic patterns: it only counts",
    }
    return f"{event.trust}: {why or meaning[event.trust]}"


def to_dict(steps: list[Step]) -> dict[str, Any]:
    """One block for scripts."""
    return {step.name.replace(" ", "_").replace("-", "_"): step.text for step in steps}
