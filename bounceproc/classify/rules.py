"""All rules together: the operator's before the built-in ones, and what can be asked of them: are they right, what do they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bounceproc.classify.builtin import built_in_rules, read_built_in
from bounceproc.classify.categories import CATEGORIES
from bounceproc.classify.classifier import Classifier
from bounceproc.classify.providers import Providers
from bounceproc.classify.rule import Rule, RuleSet
from bounceproc.classify.rulefile import duplicate_ids, raise_problems, read_file, spelled_out
from bounceproc.classify.words import pattern_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bounceproc.classify.categories import Category
    from bounceproc.event import BounceClass


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """What became of one example of one rule."""

    rule: Rule
    example: str
    decided_by: str
    """The id of the rule that decided it."""
    category: Category
    """What was decided."""

    @property
    def passed(self) -> bool:
        """Whether the rule itself decided its example."""
        return self.decided_by == self.rule.id


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """One rule as a list shows it."""

    id: str
    category: Category
    class_: BounceClass
    """What it gives under a permanent code; a transient code makes everything soft but a `class` of the rule's own."""
    provider: tuple[str, ...]
    """Whose replies it is for; empty: everybody's."""
    file: str
    patterns: tuple[str, ...]
    examples: tuple[str, ...]
    note: str


def load_rules(operator: Iterable[Path] = ()) -> RuleSet:
    """The built-in rules behind an operator's own files, in the order of the files.

    Raises:
        ConfigError: a file cannot be read or a rule is wrong; `problems` names file, rule and what to do, one line each.

    """
    rules, problems = _assembled(operator, built_in_rules())
    raise_problems(problems)
    return rules


def load_all(operator: Iterable[Path] = ()) -> RuleSet:
    """The same with the examples of the built-in rules too, which takes some tenths of a second.

    Raises:
        ConfigError: as `load_rules`.

    """
    rules, problems = _assembled(operator, read_built_in())
    raise_problems(problems)
    return rules


def check(operator: Iterable[Path]) -> list[str]:
    """Everything that is wrong with an operator's files: one line each, with file, rule and what to do. Raises nothing."""
    return _assembled(operator, built_in_rules())[1]


def try_examples(rules: RuleSet, which: Iterable[Rule] | None = None) -> list[ExampleResult]:
    """What becomes of each example, of all rules (as `load_all` gives them) or of some."""
    classifier = Classifier(rules)
    return [
        _tried(classifier, rule, example)
        for rule in (rules.rules if which is None else which)
        for example in rule.examples
    ]


def listing(rules: RuleSet) -> list[RuleInfo]:
    """The rules in the order in which they are asked."""
    return [
        RuleInfo(
            id=rule.id,
            category=rule.category,
            class_=rule.class_ or CATEGORIES[rule.category].class_,
            provider=rule.provider or rule.remote,
            file=rule.file,
            patterns=rule.patterns,
            examples=rule.examples,
            note=rule.note,
        )
        for rule in rules.rules
    ]


def _assembled(operator: Iterable[Path], built_in: RuleSet) -> tuple[RuleSet, list[str]]:
    problems: list[str] = []
    read = [read_file(path, str(path), problems) for path in operator]
    own = sorted((rule for rules, _ in read for rule in rules), key=lambda rule: rule.vague)
    if not own:
        return built_in, problems
    providers = Providers((*built_in.providers, *(provider for _, provider in read if provider)))
    rules = RuleSet.of((*own, *built_in.rules), providers)
    if not any("[provider]" in problem for problem in problems):  # of one that cannot be read the name is not known
        problems += unknown_providers(own, providers)
    problems += duplicate_ids((*built_in.rules, *own))
    problems += hidden_examples(rules, own)
    problems += hidden_patterns(own)
    return rules, problems


# ---- checking --------------------------------------------------------------------------------------------------------


def hidden_examples(rules: RuleSet, which: Iterable[Rule]) -> list[str]:
    """One line for each example that another rule decides, or none."""
    files = {rule.id: rule.file for rule in rules.rules}
    return [
        f"{one.rule.file}: rule {one.rule.id!r}: its example {one.example!r} is decided by {one.decided_by!r}"
        f" ({files.get(one.decided_by, 'no rule')}); move the rule up, or correct pattern or example"
        for one in try_examples(rules, which)
        if not one.passed
    ]


def unknown_providers(which: Iterable[Rule], providers: Providers) -> list[str]:
    """One line for each provider that can be nobody's: neither a name that a file gives nor a domain."""
    names = [provider.name for provider in providers]
    return [
        f"{rule.file}: rule {rule.id!r}: unknown provider {name!r}; "
        f"{_meant(name, names)}write a domain (`example.com`, `*.example.com`) or a name that a file gives under [provider]"
        for rule in which
        for name in rule.provider
        if name not in names and "." not in name and "*" not in name
    ]


def _meant(name: str, names: list[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - for a wrong rule alone

    close = get_close_matches(name, names, 1)
    return f"did you mean {close[0]!r}? Else " if close else ""


def hidden_patterns(rules: Sequence[Rule]) -> list[str]:
    """One line for each pattern that can never decide: an earlier rule without conditions has a part of each wording."""
    earlier: dict[str, list[tuple[str, Rule]]] = {}
    problems = []
    for rule in rules:
        if rule.doubt:
            continue
        for pattern in rule.written:
            by = [_hiding(pattern_of(wording), earlier) for wording in spelled_out(pattern)]
            if by[0] is not None and all(by):
                problems.append(
                    f"{rule.file}: rule {rule.id!r}: its pattern {pattern!r} is always taken by {by[0].id!r} "
                    f"({by[0].file}); move the rule up, or drop the pattern"
                )
        if not rule.has_conditions:
            for pattern in rule.patterns:
                if " * " not in pattern:
                    earlier.setdefault(pattern.split()[0], []).append((pattern, rule))
    return problems


def _hiding(pattern: str, earlier: dict[str, list[tuple[str, Rule]]]) -> Rule | None:
    pieces = [f" {piece} " for piece in pattern.split(" * ")]
    known = (pair for word in set(pattern.split()) for pair in earlier.get(word, ()))
    return next((rule for one, rule in known if any(f" {one} " in piece for piece in pieces)), None)


def _tried(classifier: Classifier, rule: Rule, example: str) -> ExampleResult:
    got = classifier.classify(
        example, remote_mta=example_host(rule), domain=example_domain(rule, classifier.rules.providers)
    )
    return ExampleResult(rule, example, got.rule, got.category)


def example_host(rule: Rule) -> str | None:
    """A remote host that the rule's `remote` condition accepts."""
    return rule.remote[0].replace("*", "mx1") if rule.remote else None


def example_domain(rule: Rule, providers: Providers) -> str | None:
    """A recipient domain that the rule's `provider` condition accepts."""
    if not rule.provider:
        return None
    known = providers.named(rule.provider[0])
    return (known.domains[0] if known and known.domains else rule.provider[0]).replace("*", "a")
