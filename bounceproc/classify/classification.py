"""The answer of this room: a category, hard or soft, and the rule that said so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bounceproc.classify.categories import Category
    from bounceproc.event import BounceClass
    from bounceproc.status import EnhancedStatus


class Classification(NamedTuple):
    """Why a delivery failed, as far as text and codes tell."""

    category: Category
    class_: BounceClass
    rule: str
    """The id of the rule that decided; `none` where no rule matched."""
    status: EnhancedStatus | None
    """The status that was classified: the one given, else the first one in the text."""
    smtp_code: int | None
    """The reply code that was classified: the one given, else the first one in the text."""
