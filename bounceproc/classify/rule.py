"""A rule, what it is held against, and a set of rules in the order in which they are asked."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from bounceproc.classify.categories import CATEGORIES, Category
from bounceproc.classify.index import Index, build_index
from bounceproc.classify.words import contains
from bounceproc.event import BounceClass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bounceproc.classify.providers import Providers
    from bounceproc.status import EnhancedStatus


_ANY: Final = -1
"""What stands for the `x` of a wanted status."""

_OF_THE_MAILBOX: Final = frozenset((Category.INACTIVE_MAILBOX, Category.MAILBOX_FULL))


class Facts:
    """What is known of one refusal, in the form that rules are held against. `text` has the folded words."""

    __slots__ = ("domain", "remote_mta", "smtp_code", "status", "text")

    def __init__(
        self,
        text: str,
        status: EnhancedStatus | None,
        smtp_code: int | None,
        remote_mta: str | None = None,
        domain: str | None = None,
    ) -> None:
        self.text = text
        self.status = status
        self.smtp_code = smtp_code
        self.remote_mta = remote_mta
        self.domain = domain


BETWEEN: Final = "|"
"""What separates packed patterns: a sign that is in none."""


class Packed:
    """A rule's patterns as they lie in the compiled file, between two of its octets."""

    __slots__ = ("_data", "_end", "_start")

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data: Final = data
        self._start: Final = start
        self._end: Final = end

    def unpacked(self) -> tuple[str, ...]:
        """The patterns, one by one."""
        return tuple(self._data[self._start : self._end].decode().split(BETWEEN))


class Rule:
    """One piece of knowledge: what it asks for, and the category that follows."""

    __slots__ = (
        "_patterns",
        "category",
        "class_",
        "doubt",
        "examples",
        "file",
        "id",
        "note",
        "provider",
        "remote",
        "reply",
        "status",
        "vague",
        "written",
    )

    doubt: Final[str]
    """Asked only where another rule would condemn the address (`hard`), or blame it (`address`: or find its mailbox full or
    shut); then its own answer counts instead."""
    written: Final[tuple[str, ...]]
    """The patterns as the file has them. Empty where the rules come from the compiled file, like the examples."""

    def __init__(  # noqa: PLR0917 - in the order of the names, which is faster where there are many rules
        self,
        id: str,  # noqa: A002 - its name
        category: Category,
        class_: BounceClass | None = None,
        status: tuple[str, ...] = (),
        reply: tuple[str, ...] = (),
        remote: tuple[str, ...] = (),
        provider: tuple[str, ...] = (),
        patterns: tuple[str, ...] | Packed = (),
        vague: bool = False,
        doubt: str = "",
        file: str = "",
        note: str = "",
        written: tuple[str, ...] = (),
        examples: tuple[str, ...] = (),
    ) -> None:
        self.id: Final = id
        self.category: Final = category
        self.class_: Final = class_
        self.status: Final = status
        self.reply: Final = reply
        self.remote: Final = remote
        self.provider: Final = provider
        self.vague: Final = vague
        self.doubt = doubt
        self.file: Final = file
        self.note: Final = note
        self.written = written
        self.examples: Final = examples
        self._patterns = patterns

    @property
    def patterns(self) -> tuple[str, ...]:
        """The wordings, of which one is enough; unpacked when they are first asked for, because most rules never are."""
        if isinstance(self._patterns, Packed):
            self._patterns = self._patterns.unpacked()
        return self._patterns

    @property
    def has_patterns(self) -> bool:
        """Whether it asks for words; codes or hosts decide otherwise."""
        return self._patterns != ()

    @property
    def has_conditions(self) -> bool:
        """Whether it asks for more than words."""
        return bool(self.status or self.reply or self.remote or self.provider)

    def conditions_hold(self, facts: Facts, providers: Providers) -> bool:
        """Whether codes, remote host and provider fit; the words are another matter."""
        if self.status and not _any_status_fits(self.status, facts.status):
            return False
        if self.reply and not any(reply_fits(want, facts.smtp_code) for want in self.reply):
            return False
        if self.remote and not any(fnmatchcase((facts.remote_mta or "").lower(), glob) for glob in self.remote):
            return False
        return not self.provider or self._provider_fits(facts, providers)

    def _provider_fits(self, facts: Facts, providers: Providers) -> bool:
        names = {providers.of_domain(facts.domain), providers.of_host(facts.remote_mta)}
        domain = (facts.domain or "").lower()
        return any(want in names or fnmatchcase(domain, want) for want in self.provider)

    def matches(self, facts: Facts, providers: Providers) -> bool:
        """Whether this rule speaks of these facts."""
        return self.conditions_hold(facts, providers) and (
            not self.patterns or any(contains(facts.text, pattern) for pattern in self.patterns)
        )


class RuleSet:
    """Rules in the order in which they are asked, the providers they may name, and the index of their patterns."""

    __slots__ = ("index", "providers", "rules")

    def __init__(self, rules: tuple[Rule, ...], providers: Providers, index: Index) -> None:
        self.rules: Final = rules
        self.providers: Final = providers
        self.index: Final = index

    @classmethod
    def of(cls, rules: Iterable[Rule], providers: Providers) -> RuleSet:
        """Rules that stand in their order already."""
        rules = tuple(rules)
        return cls(rules, providers, build_index([rule.patterns for rule in rules]))

    def first_match(self, facts: Facts) -> Rule | None:
        """The rule that decides, found the plain way. `Classifier` gives the same answer sooner."""
        fitting = [rule for rule in self.rules if rule.matches(facts, self.providers)]
        first = next((rule for rule in fitting if not rule.doubt), None)
        return next((rule for rule in fitting if first is not None and (rule is first or doubts(rule, first))), None)


def condemns(rule: Rule) -> bool:
    """Whether an address is dead by this rule, under a permanent code."""
    return (rule.class_ or CATEGORIES[rule.category].class_) is BounceClass.HARD


def doubts(rule: Rule, verdict: Rule) -> bool:
    """Whether a rule that speaks of the same text takes the place of another.

    A service that keeps a list of its own names whose list it is ("for your account"): that blames no sender.
    """
    if verdict.category is Category.SUPPRESSED_UPSTREAM:
        return False
    hard = condemns(verdict) or (verdict.vague and CATEGORIES[verdict.category].class_ is BounceClass.HARD)
    return (rule.doubt != "" and hard) or (rule.doubt == "address" and verdict.category in _OF_THE_MAILBOX)


def _any_status_fits(wanted: tuple[str, ...], status: EnhancedStatus | None) -> bool:
    """No `any`: compiled, that is a generator."""
    for want in wanted:  # noqa: SIM110
        if status_fits(want, status):
            return True
    return False


def status_fits(want: str, status: EnhancedStatus | None) -> bool:
    """Whether a status is the wanted one, where `x` stands for any number."""
    if status is None:
        return False
    class_, subject, detail = _WANTED.get(want) or _wanted(want)
    return (
        (class_ == _ANY or class_ == status.class_)  # noqa: PLR1714 - compiled, no tuple is made of two numbers
        and (subject == _ANY or subject == status.subject)  # noqa: PLR1714
        and (detail == _ANY or detail == status.detail)  # noqa: PLR1714
    )


_WANTED: Final[dict[str, tuple[int, int, int]]] = {}
"""The numbers of every wanted status that was asked for: the rules have some hundred."""


def _wanted(want: str) -> tuple[int, int, int]:
    class_, subject, detail = (_ANY if number == "x" else int(number) for number in want.split("."))
    _WANTED[want] = (class_, subject, detail)
    return class_, subject, detail


def reply_fits(want: str, smtp_code: int | None) -> bool:
    """Whether a reply code is the wanted one, where `x` stands for any digit."""
    code = "" if smtp_code is None else str(smtp_code)
    return len(code) == len(want) and all(digit in ("x", code[place]) for place, digit in enumerate(want))
