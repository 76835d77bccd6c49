"""Events with what the classifier says of them: category, class and rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bounceproc.event import BounceClass, EventType

if TYPE_CHECKING:
    from bounceproc.classify.classification import Classification
    from bounceproc.classify.classifier import Classifier
    from bounceproc.event import Event

CLASSIFIED: Final = frozenset({EventType.BOUNCE, EventType.DELAY})
"""The events that have a category: they say that a delivery failed, or has not worked yet."""


def described(event: Event, classifier: Classifier) -> dict[str, Any]:
    """One of the `reports` of such an object: what `classified` would say, without the cost of a second event."""
    row = event.to_dict()
    if event.type in CLASSIFIED:
        found = _classification(event, classifier)
        row["class"] = _class(event, found)
        row["category"] = found.category
        row["rule"] = found.rule
        if found.status is not event.status:
            row["status"] = str(found.status) if found.status else None
        row["smtp_code"] = found.smtp_code
    return row


def classified(event: Event, classifier: Classifier) -> Event:
    """The same event with its category, class and rule, where it is of a type that has them."""
    if event.type not in CLASSIFIED:
        return event
    found = _classification(event, classifier)
    return event._replace(
        category=found.category,
        class_=_class(event, found),
        rule=found.rule,
        status=found.status,
        smtp_code=found.smtp_code,
    )


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
