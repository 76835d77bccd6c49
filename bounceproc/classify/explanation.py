"""Why a text got its category: the rule, the words it saw, what it beat, and why that is hard or soft."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bounceproc.classify.categories import Category
    from bounceproc.classify.classification import Classification
    from bounceproc.classify.rule import Rule


class Beaten(NamedTuple):
    """A rule that would have decided, had none before it."""

    id: str
    category: Category


class Explanation(NamedTuple):
    """A classification with its reasons."""

    classification: Classification
    rule: Rule | None
    """The rule that decided: its id, file and note; None where no rule knew the text."""
    pattern: str | None
    """The alternative of its pattern that was found; None where codes or the host decided."""
    beaten: tuple[Beaten, ...]
    """The rules that would have come next, in their order."""
    because: str
    """Why it is hard, or soft: one phrase."""
