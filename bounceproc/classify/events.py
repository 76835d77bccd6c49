"""Events with what the classifier says of them: category, class and rule."""

from __future__ import annotations

from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Final

from bounceproc.classify.categories import Category
from bounceproc.event import BounceClass, EventType, Kind, Trust, iso

if TYPE_CHECKING:
    from bounceproc.classify.classification import Classification
    from bounceproc.classify.classifier import Classifier
    from bounceproc.event import Event
    from bounceproc.status import EnhancedStatus

_escaped: Final = encode_basestring
CLASSIFIED: Final = frozenset({EventType.BOUNCE, EventType.DELAY})
"""The events that have a category: they say that a delivery failed, or has not worked yet."""


def written(event: Event, classifier: Classifier) -> str:
    """One of the `reports` of `classify --format jsonl`: `classified(event, classifier).to_dict()` as `json.dumps` writes it.

    Neither that event nor the dictionary is made: a report is told in less time than either takes.
    """
    type_, recipient, trust, final, action, status, smtp_code, diagnostic, remote_mta, _, feedback_type = event[:11]
    original_message_id, _, derived, _, occurred_at, category, class_, rule, _ = event[11:]
    if type_ in CLASSIFIED:
        found = _classification(event, classifier)
        class_, category, rule = _class(event, found), found.category, found.rule
        status, smtp_code = found.status, found.smtp_code
    address = quoted(recipient.text) if recipient else "null"
    return (
        f'{{"recipient": {address}, "final_recipient": {address if final is recipient else quoted(final.text) if final else "null"}, '
        f'"event": {known(type_)}, "class": {known(class_)}, "category": {known(category)}, '
        f'"status": {_code(status)}, "smtp_code": {smtp_code if smtp_code is not None else "null"}, '
        f'"diagnostic": {quoted(diagnostic or None)}, "action": {known(action)}, "remote_mta": {quoted(remote_mta)}, '
        f'"feedback_type": {quoted(feedback_type)}, "trust": {known(trust)}, "rule": {quoted(rule)}, '
        f'"original_message_id": {quoted(original_message_id)}, "derived": {quoted(derived)}, "occurred_at": {quoted(iso(occurred_at))}}}'
    )


def quoted(text: str | None) -> str:
    """A text as JSON, other scripts as they are; None is null."""
    return "null" if text is None else _escaped(text)


@lru_cache(maxsize=1024)
def _code(status: EnhancedStatus | None) -> str:
    return f'"{status.class_}.{status.subject}.{status.detail}"' if status else "null"


def known(word: str | None) -> str:
    """The same for what is mostly one of our own words."""
    return _WORDS.get(word) or quoted(word)


_WORDS: Final[dict[str | None, str]] = {
    word: quoted(word)
    for word in (None, *Kind, *EventType, *BounceClass, *Trust, *Category, "failed", "delayed", "delivered", "rfc3464")
}


def classified(event: Event, classifier: Classifier) -> Event:
    """The same event with its category, class and rule, where it is of a type that has them."""
    if event.type not in CLASSIFIED:
        return event
    found = _classification(event, classifier)
    said = (found.status, found.smtp_code, *event[7:16])
    judged = (found.category, _class(event, found), found.rule)
    return tuple.__new__(type(event), (*event[:5], *said, *judged, *event[19:]))


def _classification(event: Event, classifier: Classifier) -> Classification:
    return classifier.classify(
        event.diagnostic,
        status=event.status,
        smtp_code=event.smtp_code,
        remote_mta=event.remote_mta,
        domain=event.recipient.domain if event.recipient else None,
    )


def _class(event: Event, found: Classification) -> BounceClass:
    """A warning says that the queue still tries: whatever the reply, the address is not condemned yet."""
    return BounceClass.SOFT if event.type is EventType.DELAY else found.class_
