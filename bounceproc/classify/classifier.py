"""First match wins, and says which: an index over the words of all rules, so that a text meets few of them."""

from __future__ import annotations

import re
from functools import cache
from itertools import islice
from typing import Final

from bounceproc.classify.categories import CATEGORIES, Category
from bounceproc.classify.classification import Classification
from bounceproc.classify.index import candidates
from bounceproc.classify.rules import Facts, Rule, RuleSet, load_rules
from bounceproc.classify.words import MAX_TEXT, contains, folded, words_of
from bounceproc.event import BounceClass
from bounceproc.status import EnhancedStatus

NO_RULE: Final = "none"
"""The rule id of an answer that no rule gave."""

_CODE_CACHE: Final = 4096
"""Pairs of codes whose rule is remembered: more than the registry has, few enough for whoever invents codes."""

_MAX_CODES: Final = 8
"""Codes of a text that are looked at: a reply has one or two, a transcript a handful."""

_HARD: Final = frozenset(name for name, info in CATEGORIES.items() if info.class_ is BounceClass.HARD)
_SOFT_OF_THE_ADDRESS: Final = frozenset((Category.INACTIVE_MAILBOX, Category.MAILBOX_FULL))

_CODE: Final = re.compile(
    r"[245](?<![\w.][245])(?:\.(\d{1,3})\.(\d{1,3})(?!\d|\.\d)|(?<=[45])([0-5]\d)(?=[\s\-#,;:)\]>'\"]|$))"
)
"""A status code, or a reply code that refuses, where one can stand. The first sign is literal so that the search is fast."""


class Classifier:
    """Rules, ready to be asked."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self._conditional = frozenset(i for i, rule in enumerate(rules.rules) if _has_conditions(rule))
        wordless = [i for i, rule in enumerate(rules.rules) if not rule.patterns]
        self._by_provider_alone = [i for i in wordless if rules.rules[i].remote or rules.rules[i].provider]
        self._by_code_alone = [i for i in wordless if i not in self._by_provider_alone]
        self._code_places: dict[tuple[EnhancedStatus | None, int | None], int] = {}
        self._table = (*rules.rules, Rule(NO_RULE, Category.UNKNOWN, vague=True))

    def classify(
        self,
        text: str,
        *,
        status: EnhancedStatus | None = None,
        smtp_code: int | None = None,
        remote_mta: str | None = None,
        domain: str | None = None,
    ) -> Classification:
        """Why a delivery failed, from what the server said and the codes it gave.

        Codes that are not given are found in the text; a given status without detail (5.0.0) gives way to one that has it.
        `remote_mta` is the host that refused, `domain` the recipient's: some rules hold for one provider alone.
        """
        text = text[:MAX_TEXT]
        status, smtp_code, reply_at = _codes(text, status, smtp_code)
        place = self._place(text, reply_at, Facts("", status, smtp_code, remote_mta, domain))
        rule = self._table[place]
        return Classification(rule.category, class_of(rule, status, smtp_code), rule.id, status, smtp_code)

    def _place(self, text: str, reply_at: int, facts: Facts) -> int:
        """The place of the first rule that matches: the words of the reply, then those before it, and the codes."""
        by_code = self._by_codes(facts)
        place = self._by_words(text[reply_at:], facts)
        if reply_at == 0:
            return min(place, by_code)
        if self._table[place].category in _HARD:
            before = self._by_words(text[:reply_at], facts)
            if self._table[before].category in _SOFT_OF_THE_ADDRESS:
                place = before  # KDDI: "The user(s) account is disabled. ... 550 user unknown"
        elif self._table[min(place, by_code)].vague:
            place = min(place, self._by_words(text[:reply_at], facts))
        return min(place, by_code)

    def _by_words(self, text: str, facts: Facts) -> int:
        words = words_of(text)
        line = folded(words)
        for place, number in candidates(self.rules.index, words):
            if contains(line, self._table[place].patterns[number]) and (
                place not in self._conditional or self._holds(place, facts)
            ):
                return place
        return len(self.rules.rules)

    def _holds(self, place: int, facts: Facts) -> bool:
        return self.rules.rules[place].conditions_hold(facts, self.rules.providers)

    def _by_codes(self, facts: Facts) -> int:
        key = (facts.status, facts.smtp_code)
        best = self._code_places.get(key)
        if best is None:
            best = self._first_holding(self._by_code_alone, facts)
            if len(self._code_places) >= _CODE_CACHE:
                self._code_places.clear()
            self._code_places[key] = best
        if facts.remote_mta or facts.domain:
            return min(best, self._first_holding(self._by_provider_alone, facts))
        return best

    def _first_holding(self, places: list[int], facts: Facts) -> int:
        return next((place for place in places if self._holds(place, facts)), len(self.rules.rules))


def class_of(rule: Rule, status: EnhancedStatus | None, smtp_code: int | None) -> BounceClass:
    """Hard or soft: what the rule says, else the category's class, which a transient code always makes soft.

    A server that says "user unknown" with 450 leaves room for doubt (a directory that is down, verification that has not
    ended, `soft_bounce`), and a false hard verdict costs a living reader: such a text counts, and does not condemn.
    """
    if rule.class_ is not None:
        return rule.class_
    class_ = CATEGORIES[rule.category].class_
    transient = (status is not None and status.is_transient) or (smtp_code is not None and smtp_code < 500)
    return BounceClass.SOFT if transient else class_


@cache
def default_classifier() -> Classifier:
    """The built-in rules, ready to be asked."""
    return Classifier(load_rules())


def _codes(
    text: str, status: EnhancedStatus | None, smtp_code: int | None
) -> tuple[EnhancedStatus | None, int | None, int]:
    """The status and the reply code to go by, and where the remote server's own reply begins.

    A status given without a reason in it (5.0.0) gives way to one of its class that has one. Of several reply codes the
    first that agrees with the status counts. What stands before the reply are the words of whoever wrote the report.
    """
    statuses: list[EnhancedStatus] = []
    replies: list[int] = []
    reply_at = 0
    for found in islice(_CODE.finditer(text), _MAX_CODES):
        subject, detail, rest = found.groups()
        if rest:
            reply_at = reply_at if replies else found.start()
            replies.append(int(found[0]))
        elif found[0][0] != "2":
            statuses.append(EnhancedStatus(int(found[0][0]), int(subject), int(detail)))
    if status is None or _is_bare(status):
        detailed = (one for one in statuses if one.detail and (status is None or one.class_ == status.class_))
        status = next(detailed, None) or status or (statuses[0] if statuses else None)
    if smtp_code is None and replies:
        same = (one for one in replies if status is not None and one // 100 == status.class_)
        smtp_code = next(same, replies[0])
    return status, smtp_code, reply_at


def _is_bare(status: EnhancedStatus) -> bool:
    """X.0.0 and what mail programs make up in X.0.N, and the undefined detail X.N.0: a class without a reason (RFC 3463)."""
    return status.subject == 0 or status.detail == 0


def _has_conditions(rule: Rule) -> bool:
    return bool(rule.status or rule.reply or rule.remote or rule.provider)
