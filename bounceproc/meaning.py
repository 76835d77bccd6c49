"""What one message means: recognised and classified, with nothing recorded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from bounceproc.classify.events import classified, known, quoted, written
from bounceproc.errors import MalformedReportError
from bounceproc.event import Kind
from bounceproc.reports.recognise import recognise

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.classify.classifier import Classifier
    from bounceproc.event import Event
    from bounceproc.identity import Identified, Identifier
    from bounceproc.rawmessage import RawMessage
    from bounceproc.reports.report import Report
    from bounceproc.returnpath import Token

T = TypeVar("T")


class Interpretation(Generic[T]):
    """What one message says, classified; `error` says why a malformed one could not be read. `token`: see `Meaning`."""

    __slots__ = ("error", "events", "kind", "report", "token")

    def __init__(
        self,
        kind: Kind,
        report: Report | None,
        events: tuple[T, ...] = (),
        error: str | None = None,
        token: Token | None = None,
    ) -> None:
        self.kind = kind
        self.report = report
        self.events = events
        self.error = error
        self.token = token


def interpret(message: bytes, classifier: Classifier) -> Interpretation[Event]:
    """Recognise and classify one message. Never raises: a message that breaks a reader is malformed, and says how."""
    return _interpreted(message, lambda event: classified(event, classifier))


def interpret_raw(
    raw: RawMessage, classifier: Classifier, identifier: Identifier | None = None
) -> Interpretation[Event]:
    """The same for a message out of a source: one whose content could not be had is malformed."""
    if raw.error is not None:
        return Interpretation(Kind.MALFORMED, None, error=raw.error)
    if identifier is None:
        return interpret(raw.data, classifier)
    identify = partial(identifier.identified, received_at=raw.received_at)
    return _interpreted(raw.data, lambda event: classified(event, classifier), identify)


def _interpreted(
    message: bytes, classify: Callable[[Event], T], identify: Callable[[Report], Identified] | None = None
) -> Interpretation[T]:
    try:
        report = recognise(message)
        if report is None:
            return Interpretation(Kind.OTHER, None)
        events, token = (report.events, None) if identify is None else identify(report)
        return Interpretation(report.kind, report, tuple(map(classify, events)), token=token)
    except MalformedReportError as error:
        return Interpretation(Kind.MALFORMED, None, error=str(error))
    except Exception as error:  # noqa: BLE001 - the one broad except of the program: one message never stops a run
        return Interpretation(Kind.MALFORMED, None, error=f"the reader failed: {type(error).__name__}: {error}"[:500])


def describe(message: RawMessage, classifier: Classifier) -> str:
    """What one message says, under the names that scripts rely on: one object of `classify --format jsonl`."""
    if message.error is not None:
        meaning: Interpretation[str] = Interpretation(Kind.MALFORMED, None, error=message.error)
    else:
        meaning = _interpreted(message.data, lambda event: written(event, classifier))
    _, detector, _, message_id, reporting_mta = meaning.report[:5] if meaning.report else (None,) * 5
    error = f', "error": {quoted(meaning.error)}' if meaning.error is not None else ""
    return (
        f'{{"source": {quoted(message.ref)}, "kind": {known(meaning.kind)}, "message_id": {quoted(message_id)}, '
        f'"reporting_mta": {quoted(reporting_mta)}, "detector": {known(detector)}, '
        f'"reports": [{", ".join(meaning.events)}]{error}}}'
    )
