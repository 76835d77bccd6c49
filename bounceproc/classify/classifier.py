"""First match wins, and says which: an index over the words of all rules, so that a text meets few of them."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from bounceproc.classify.builtin import built_in_rules
from bounceproc.classify.categories import CATEGORIES, Category, Fault
from bounceproc.classify.classification import Classification
from bounceproc.classify.index import candidates, place_of
from bounceproc.classify.letters import undone
from bounceproc.classify.rule import Facts, Rule, RuleSet, doubts
from bounceproc.classify.words import MAX_TEXT, contains, folded, words_of
from bounceproc.event import BounceClass
from bounceproc.rare import Rare
from bounceproc.status import EnhancedStatus

if TYPE_CHECKING:
    from bounceproc.classify.explanation import Explanation

NO_RULE: Final = "none"
"""The rule id of an answer that no rule gave."""

_CODE_CACHE: Final = 4096
"""Pairs of codes whose rule is remembered: more than the registry has, few enough for whoever invents codes."""

_WORDINGS: Final = 2048
"""Wordings whose rules are remembered. The servers of this world say what they say in some hundred ways, once addresses and
codes are taken off, and most reports of a day repeat a few of them."""

_WORDING: Final = 1200
"""Characters of the longest wording that is remembered: that of a notice which gives no reply and is read whole."""

_MAX_CODES: Final = 8
"""Codes of a text that are looked at: a reply has one or two, a transcript a handful."""

_MAX_BEATEN: Final = 5
"""Rules that an explanation names behind the one that decided: enough to see what a rule of one's own would meet."""

_HARD: Final = frozenset(name for name, info in CATEGORIES.items() if info.class_ is BounceClass.HARD)
_SOFT_OF_THE_ADDRESS: Final = frozenset((Category.INACTIVE_MAILBOX, Category.MAILBOX_FULL))

_CODE: Final = re.compile(
    r"[245](?<![\w.][245])(?:\.(\d{1,3})\.(\d{1,3})(?!\d|\.\d)|(?<=[45])([0-5]\d)(?=[\s\-#,;:)\]>'\"]|$))"
)
"""A status code, or a reply code that refuses, where one can stand. The first sign is literal so that the search is fast."""

_REPLIED: Final = re.compile(r"[45][0-5]\d[\s\-#,;:)\]>'\"](?P<status>[45]\.\d{1,3}\.\d{1,3}(?!\d|\.\d))?")
"""How a text that is a reply begins, and the status code that may follow at once."""


_DOUBTING: Final = Rule("", Category.UNKNOWN, doubt="address")
"""The rule that doubts whatever can be doubted."""


class Classifier:
    """Rules, ready to be asked."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self._doubts = frozenset(i for i, rule in enumerate(rules.rules) if rule.doubt)
        self._doubtful = frozenset(i for i, rule in enumerate(rules.rules) if doubts(_DOUBTING, rule))
        self._conditional = self._doubts | {i for i, rule in enumerate(rules.rules) if rule.has_conditions}
        wordless = [i for i, rule in enumerate(rules.rules) if not rule.has_patterns]
        self._by_provider_alone = [i for i in wordless if rules.rules[i].remote or rules.rules[i].provider]
        self._by_code_alone = [i for i in wordless if i not in self._by_provider_alone]
        self._wordings: dict[str, tuple[int, ...]] = {}
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
        text = _reply_alone(undone(text[:MAX_TEXT]))
        status, smtp_code, reply_at, believed = _codes(text, status, smtp_code)
        place = self._place(text, reply_at, Facts("", believed, smtp_code, remote_mta, domain))
        return self._answer(place, text, status, smtp_code)

    def explain(
        self,
        text: str,
        *,
        status: EnhancedStatus | None = None,
        smtp_code: int | None = None,
        remote_mta: str | None = None,
        domain: str | None = None,
    ) -> Explanation:
        """The answer of `classify` to the same question, and how it came about."""
        from bounceproc.classify.explanation import Beaten, Explanation  # noqa: PLC0415 - few ask

        text = _reply_alone(undone(text[:MAX_TEXT]))
        status, smtp_code, reply_at, believed = _codes(text, status, smtp_code)
        facts = Facts("", believed, smtp_code, remote_mta, domain)
        place = self._place(text, reply_at, facts)
        reply = self._all_matches(text[reply_at:], facts)
        matches = {**self._all_matches(text[:reply_at], facts), **reply}
        beaten = [self._table[other] for other in sorted({*reply, *self._all_by_codes(facts)}) if other > place]
        answer = self._answer(place, text, status, smtp_code)
        rule = self._table[place]
        return Explanation(
            classification=answer,
            rule=None if rule.id == NO_RULE else rule,
            pattern=matches.get(place),
            beaten=tuple(Beaten(other.id, other.category) for other in beaten[:_MAX_BEATEN]),
            because=_because(rule, answer),
        )

    def _answer(self, place: int, text: str, status: EnhancedStatus | None, smtp_code: int | None) -> Classification:
        rule = self._table[place]
        class_ = class_of(rule, status, smtp_code)
        if class_ is BounceClass.HARD and place in self._conditional and rule.has_patterns and _CUT.search(text):
            class_ = BounceClass.SOFT
        # A named tuple's own constructor is Python of its own, not to be compiled.
        return tuple.__new__(Classification, (rule.category, class_, rule.id, status, smtp_code))

    def _place(self, text: str, reply_at: int, facts: Facts) -> int:
        """The place of the first rule that matches: the words of the reply, then those before it, and the codes."""
        by_code = self._by_codes(facts)
        places = self._places(text[reply_at:])
        place = self._first(places, facts)
        if reply_at:
            if self._table[place].category in _HARD:
                before = self._first(self._places(text[:reply_at]), facts)
                if self._table[before].category in _SOFT_OF_THE_ADDRESS:
                    place = before  # KDDI: "The user(s) account is disabled. ... 550 user unknown"
            elif self._table[min(place, by_code)].vague:
                place = min(place, self._first(self._places(text[:reply_at]), facts))
        place = min(place, by_code)
        if place not in self._doubtful:
            return place
        return self._doubted(place, (*places, *self._places(text[:reply_at])) if reply_at else places, facts)

    def _doubted(self, place: int, places: tuple[int, ...], facts: Facts) -> int:
        """The place of the first rule that doubts a verdict; the place of the verdict where none does."""
        for one in places:
            if (
                one < place
                and one in self._doubts
                and doubts(self._table[one], self._table[place])
                and self._holds(one, facts)
            ):
                return one
        return place

    def _first(self, places: tuple[int, ...], facts: Facts) -> int:
        for place in places:
            if place not in self._conditional or (place not in self._doubts and self._holds(place, facts)):
                return place
        return len(self.rules.rules)

    def _places(self, text: str) -> tuple[int, ...]:
        """The places of the rules whose words are in a text, as far as the first that has no conditions."""
        words = words_of(text)
        line = folded(words)
        places = self._wordings.get(line)
        if places is None:
            places = self._worded(words, line)
            if len(self._wordings) >= _WORDINGS:
                self._wordings.clear()
            if len(line) <= _WORDING:
                self._wordings[line] = places
        return places

    def _worded(self, words: list[str], line: str) -> tuple[int, ...]:
        found: list[int] = []
        for entry in candidates(self.rules.index, words):
            place, number = place_of(entry)
            if contains(line, self._table[place].patterns[number]):
                found.append(place)
                if place not in self._conditional:
                    break
        return tuple(found)

    def _all_matches(self, text: str, facts: Facts) -> dict[int, str]:
        """The places of all rules whose words are in a text, each with the first of its patterns that is."""
        words = words_of(text)
        line = folded(words)
        found: dict[int, str] = {}
        for entry in candidates(self.rules.index, words):
            place, number = place_of(entry)
            pattern = self._table[place].patterns[number]
            if place not in found and contains(line, pattern) and self._holds(place, facts):
                found[place] = pattern
        return found

    def _all_by_codes(self, facts: Facts) -> list[int]:
        return [place for place in (*self._by_provider_alone, *self._by_code_alone) if self._holds(place, facts)]

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
        if self._by_provider_alone and (facts.remote_mta or facts.domain):
            return min(best, self._first_holding(self._by_provider_alone, facts))
        return best

    def _first_holding(self, places: list[int], facts: Facts) -> int:
        for place in places:
            if self._holds(place, facts):
                return place
        return len(self.rules.rules)


def class_of(rule: Rule, status: EnhancedStatus | None, smtp_code: int | None) -> BounceClass:
    """Hard or soft: what the rule says, else the category's class, which a transient code always makes soft.

    A server that says "user unknown" with 450 leaves room for doubt (a directory that is down, verification that has not
    ended, `soft_bounce`), and a false hard verdict costs a living reader: such a text counts, and does not condemn. So
    does X.4.7 (RFC 3463, delivery time expired): whoever waited for days was not told that there is no mailbox.
    """
    if rule.class_ is not None:
        return rule.class_
    class_ = CATEGORIES[rule.category].class_
    transient = (status is not None and _passes(status)) or (smtp_code is not None and smtp_code < 500)
    return BounceClass.SOFT if transient else class_


def _passes(status: EnhancedStatus) -> bool:
    """Whether a status says that the next message may fare better: a transient one, or one of time that ran out."""
    return status.is_transient or (status.subject, status.detail) == (4, 7)


def _because(rule: Rule, answer: Classification) -> str:
    """Why an answer is hard or soft, in one phrase."""
    info = CATEGORIES[answer.category]
    if rule.class_ is not None:
        return f"the rule says {rule.class_.value}"
    if answer.class_ is BounceClass.HARD:
        return "the address itself cannot be delivered to, and no code says that this may pass"
    transient = answer.status is not None and _passes(answer.status)
    if info.class_ is BounceClass.HARD and not (transient or (answer.smtp_code or 500) < 500):
        return "the reply is cut off behind its first line, and the rest may blame somebody else"
    if info.class_ is BounceClass.HARD:
        code = answer.status if transient else answer.smtp_code
        return f"{code} is a transient code, which never condemns an address"
    if info.fault is Fault.RECIPIENT:
        return "the address may take mail again; policy counts repetitions"
    if info.fault is Fault.NOBODY:
        return "nothing is known, so nothing condemns the address"
    return f"the {info.fault.value}'s fault, which never condemns an address"


@cache
def default_classifier() -> Classifier:
    """The built-in rules, ready to be asked."""
    return Classifier(built_in_rules())


_CUT: Final = Rare(r"(?<![\w.])(5\d\d)-(?!['\"]|.*(?<![\w.])\1(?:[^\w.-]|$))", re.DOTALL)
"""A reply of which only lines with more to follow are there: sendmail's Diagnostic-Code has the first line alone. Words that
mean no mailbox from one provider (GMX: `mailbox unavailable`) may go on to blame the sender, so that they condemn nobody.
AsyncOS puts a whole reply behind `550-'`."""

_TRANSLATED: Final = ("... User unknown", "... Service unavailable", "... Data format error")
_TRANSLATION: Final = re.compile(
    r"\s5\d\d 5\.\d\.\d [^\s.]\S*\.\.\. (?:User unknown|Service unavailable|Data format error)\s*$"
)
"""sendmail's own line behind the reply that it quotes: `550 5.1.1 <user@example.com>... User unknown` for every 550."""
_CODES: Final = len(" 550 5.1.1")
"""What stands there before the space before the address."""

_GAVE_UP: Final = "retry timeout exceeded"
"""What Exim puts behind the last reply that it got: the reply says why, this only that it waited long enough."""

_WAITED: Final = ("Message could not be delivered for ", "Warning: message still undelivered after ")
"""What sendmail puts behind it, in the same way."""

_QMAIL: Final = "Remote host said:"
"""What qmail puts before a reply that it quotes."""
_TAILS: Final = ("Giving up on ", "I'm not going to try again", "this message has been in the queue too long")
"""What it puts behind the reply, and says the same of every reply."""

_STEP: Final = "MAIL+RCPT "
"""What chasquid puts before a reply to its envelope, whomever of the two commands it answers."""

_MADE_UP: Final = frozenset((EnhancedStatus(5, 1, 1), EnhancedStatus(5, 1, 3), EnhancedStatus(5, 2, 0)))
"""What sendmail writes as Status for a reply 550 or 553 that has no enhanced status, whatever its words are."""


def _reply_alone(text: str) -> str:
    """A text without what a mail system puts behind a reply that it quotes; the text itself where it is all there is."""
    if _QMAIL in text:
        text = _without_tail(text)
    if text.endswith(_GAVE_UP):
        end = text.rfind(_GAVE_UP)
        return text[:end] if _CODE.search(text, 0, end) else text
    for waited in _WAITED:
        if waited in text:
            end = text.find(waited)
            return text[:end] if _CODE.search(text, 0, end) else text
    text = text.removeprefix(_STEP)
    if not text.rstrip().endswith(_TRANSLATED):
        return text
    found = _TRANSLATION.match(text, max(text.rfind(" ", 0, text.rfind("... ")) - _CODES, 0))
    return text[: found.start()] if found and _CODE.search(text, 0, found.start()) else text


def _without_tail(text: str) -> str:
    for tail in _TAILS:
        at = text.find(tail)
        if at > 0 and _CODE.search(text, 0, at):
            text = text[:at]
    return text


def _codes(
    text: str, status: EnhancedStatus | None, smtp_code: int | None
) -> tuple[EnhancedStatus | None, int | None, int, EnhancedStatus | None]:
    """The status and the reply code, where the remote server's own reply begins, and the status as far as to believe it.

    A status given without a reason in it (5.0.0) gives way to one of its class that has one. Of several reply codes the
    first that agrees with the status counts. What stands before the reply are the words of whoever wrote the report.
    """
    if smtp_code is not None and status is not None and not _is_bare(status):
        replied = _REPLIED.match(text)
        if replied is not None and (replied["status"] or status not in _MADE_UP):
            return status, smtp_code, 0, status  # as most reports have it: nothing in the text is looked for
    statuses: list[EnhancedStatus] = []
    replies: list[int] = []
    reply_at = 0
    for found in islice(_CODE.finditer(text), _MAX_CODES) if "5" in text or "4" in text else ():
        subject, detail, rest = found.groups()
        if rest:
            reply_at = reply_at if replies else found.start()
            replies.append(int(found[0]))
        elif found[0][0] != "2":
            statuses.append(_status(found[0][0], subject, detail))
    believed = None if status in _MADE_UP and replies and not statuses else status
    if status is None or _is_bare(status):
        detailed = (one for one in statuses if one.detail and (status is None or one.class_ == status.class_))
        status = next(detailed, None) or status or (statuses[0] if statuses else None)
        believed = status
    if smtp_code is None and replies:
        same = (one for one in replies if status is not None and one // 100 == status.class_)
        smtp_code = next(same, replies[0])
    return status, smtp_code, reply_at, believed


@lru_cache(maxsize=1024)
def _status(class_: str, subject: str, detail: str) -> EnhancedStatus:
    """The registry of RFC 5248 has a hundred codes; most reports have one of ten."""
    return EnhancedStatus(int(class_), int(subject), int(detail))


def _is_bare(status: EnhancedStatus) -> bool:
    """X.0.0 and what mail programs make up in X.0.N, and the undefined detail X.N.0: a class without a reason (RFC 3463)."""
    return status.subject == 0 or status.detail == 0
