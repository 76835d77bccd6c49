"""The rules: how a file of them is read, checked and put in order.

A rule file is TOML with one table a rule:

    [[rule]]
    id = "mailbox-full"                  # kebab-case, unique in all files
    category = "mailbox-full"            # a name of `categories.Category`
    pattern = ["mailbox * full"]         # one or more alternatives
    example = ["552 5.2.2 Mailbox of this user is full"]

Conditions, all of which must hold: `status` ("5.1.1", "5.1.x", "x.2.2"), `reply` ("550", "55x", "4xx"), `remote` (globs on
the remote MTA's host), `provider` (names of providers, or globs on the recipient's domain), `pattern`. `class` ("hard",
"soft") overrides what the category and the codes would say. `vague = true` lets every rule that is not vague go first.
`note` is for the reader.

A pattern is literal words, no regular expression. Case, accents, punctuation and white space do not count, words match
whole, an address is the word `@`, numbers of up to three digits (codes!) are no words. ` * ` with a space on both sides is
a gap of up to 120 characters. So no pattern can run away.

The first rule that matches wins: the operator's files; the providers' (by name); phrases; other languages; enhanced status
codes; then those of them marked vague, in the same order; then bare reply codes. Inside a file the order is the file's:
what blames the sender or the load stands before what blames the address. Where a text quotes a reply, the words of the
reply are asked first, and those before it only where the reply is vague.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bounceproc.classify.categories import Category
from bounceproc.classify.index import Index, build_index
from bounceproc.classify.providers import Provider, Providers
from bounceproc.classify.words import contains, folded, pattern_of, words_of
from bounceproc.errors import ConfigError
from bounceproc.event import BounceClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bounceproc.status import EnhancedStatus

DATA: Final = Path(__file__).parent / "data"
COMPILED: Final = DATA / "compiled.json"
"""The built-in rules once more, read and in order, because TOML takes a hundred times as long. Made by `python -m
bounceproc.classify.compiled`; it names the digest of the files it was made from and is ignored when they changed."""

_ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_STATUS: Final = re.compile(r"([245x])\.(\d{1,3}|x)\.(\d{1,3}|x)")
_REPLY: Final = re.compile(r"[45x][0-5x][0-9x]")
_KEYS: Final = frozenset(
    ("id", "category", "status", "reply", "remote", "provider", "class", "pattern", "example", "note", "vague")
)


class Facts(NamedTuple):
    """What is known of one refusal, in the form that rules are held against."""

    text: str
    """The folded words."""
    status: EnhancedStatus | None
    smtp_code: int | None
    remote_mta: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One piece of knowledge: what it asks for, and the category that follows."""

    id: str
    category: Category
    class_: BounceClass | None = None
    status: tuple[str, ...] = ()
    reply: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    vague: bool = False
    file: str = ""
    examples: tuple[str, ...] = ()
    """Empty where the rules come from the compiled file."""
    note: str = ""

    def conditions_hold(self, facts: Facts, providers: Providers) -> bool:
        """Whether codes, remote host and provider fit; the words are another matter."""
        if self.status and not any(status_fits(want, facts.status) for want in self.status):
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


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order in which they are asked, and the providers they may name."""

    rules: tuple[Rule, ...]
    providers: Providers
    index: Index
    """Of the rules' patterns."""

    @classmethod
    def of(cls, rules: Iterable[Rule], providers: Providers) -> RuleSet:
        """Rules that stand in their order already."""
        rules = tuple(rules)
        return cls(rules, providers, build_index(rules))

    def first_match(self, facts: Facts) -> Rule | None:
        """The rule that decides, found the plain way. `Classifier` gives the same answer sooner."""
        return next((rule for rule in self.rules if rule.matches(facts, self.providers)), None)


def status_fits(want: str, status: EnhancedStatus | None) -> bool:
    """Whether a status is the wanted one, where `x` stands for any number."""
    if status is None:
        return False
    given = (str(status.class_), str(status.subject), str(status.detail))
    return all(one in ("x", number) for one, number in zip(want.split("."), given, strict=True))


def reply_fits(want: str, smtp_code: int | None) -> bool:
    """Whether a reply code is the wanted one, where `x` stands for any digit."""
    return smtp_code is not None and all(
        one in ("x", digit) for one, digit in zip(want, f"{smtp_code:03}", strict=True)
    )


# ---- reading ---------------------------------------------------------------------------------------------------------


def load_rules(operator: Iterable[Path] = ()) -> RuleSet:
    """The built-in rules behind an operator's own files.

    Raises:
        ConfigError: a file cannot be read or a rule is wrong; `problems` names file, rule and what to do, one line each.

    """
    built_in = _compiled_rules() or read_built_in()
    own: list[Rule] = []
    problems: list[str] = []
    for path in operator:
        own += _read_file(path, str(path), problems)[0]
    own.sort(key=lambda rule: rule.vague)
    if not own and not problems:
        return built_in
    rules = RuleSet.of((*own, *built_in.rules), built_in.providers)
    problems += duplicate_ids((*built_in.rules, *own))
    problems += hidden_examples(rules, own)
    _raise(problems)
    return rules


def read_built_in() -> RuleSet:
    """The built-in rules and providers from their TOML files: slow, with examples and notes, checked but for the examples.

    Raises:
        ConfigError: a rule is wrong.

    """
    layers: list[tuple[int, Rule]] = []
    known: list[Provider] = []
    problems: list[str] = []
    for path in data_files():
        name = path.relative_to(DATA).as_posix()
        rules, provider = _read_file(path, name, problems)
        layers += ((_layer(name, rule), rule) for rule in rules)
        known += [provider] if provider else []
    layers.sort(key=lambda pair: pair[0])
    found = RuleSet.of((rule for _, rule in layers), Providers(known))
    problems += duplicate_ids(found.rules)
    _raise(problems)
    return found


def data_files() -> list[Path]:
    """The built-in rule files, sorted by name."""
    return sorted(DATA.rglob("*.toml"))


def data_digest() -> str:
    """A digest of names and contents of the built-in rule files."""
    digest = blake2b(digest_size=16)
    for path in data_files():
        digest.update(path.relative_to(DATA).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _layer(name: str, rule: Rule) -> int:
    order = ("providers/", "phrases.toml", "languages/", "enhanced-status.toml")
    if name == "reply-code.toml":
        return 2 * len(order)
    place = next((i for i, start in enumerate(order) if name.startswith(start)), len(order) - 1)
    return place + len(order) * rule.vague


def _read_file(path: Path, name: str, problems: list[str]) -> tuple[list[Rule], Provider | None]:
    import tomllib  # noqa: PLC0415 - not needed where the compiled rules serve, which is nearly always

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{name}: cannot be read ({error}); correct the file")
        return [], None
    tables = data.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(f"{name}: `rule` is no list of tables; begin each rule with [[rule]]")
        return [], None
    problems += [
        f"{name}: unknown key {key!r} at the top; rules begin with [[rule]]" for key in set(data) - {"rule", "provider"}
    ]
    rules = [rule for number, table in enumerate(tables, 1) if (rule := _read_rule(table, name, number, problems))]
    return rules, _read_provider(data.get("provider"), name, problems)


def _read_provider(table: Any, name: str, problems: list[str]) -> Provider | None:
    if table is None:
        return None
    keys = {"name", "domains", "hosts"}
    if not isinstance(table, dict) or set(table) - keys or not isinstance(table.get("name"), str):
        problems.append(f"{name}: [provider] has a name, domains and hosts, nothing else")
        return None
    return Provider(table["name"], tuple(table.get("domains", ())), tuple(table.get("hosts", ())))


def _read_rule(table: dict[str, Any], name: str, number: int, problems: list[str]) -> Rule | None:
    before = len(problems)
    where = f"{name}: rule {table.get('id', f'number {number}')!r}"
    problems += [f"{where}: {problem}" for problem in _rule_problems(table)]
    if len(problems) > before:
        return None
    rule = Rule(
        id=table["id"],
        category=Category(table["category"]),
        class_=BounceClass(table["class"]) if "class" in table else None,
        status=_texts(table, "status"),
        reply=_texts(table, "reply"),
        remote=tuple(glob.lower() for glob in _texts(table, "remote")),
        provider=tuple(glob.lower() for glob in _texts(table, "provider")),
        patterns=tuple(pattern_of(pattern) for pattern in _texts(table, "pattern")),
        vague=table.get("vague", False),
        file=name,
        examples=_texts(table, "example"),
        note=table.get("note", ""),
    )
    for example in rule.examples:
        if rule.patterns and not any(contains(folded(words_of(example)), pattern) for pattern in rule.patterns):
            problems.append(f"{where}: no pattern of it matches its example {example!r}; correct one of them")
    return rule


def _rule_problems(table: dict[str, Any]) -> Iterator[str]:
    if not isinstance(table.get("id"), str) or not _ID.fullmatch(table["id"]):
        yield "`id` is missing or not lower-case words joined by hyphens"
    if table.get("category") not in set(Category):
        yield f"unknown category {table.get('category')!r}; one of {', '.join(Category)}"
    for key in sorted(set(table) - _KEYS):
        yield f"unknown key {key!r}; the keys are {', '.join(sorted(_KEYS))}"
    for key in ("status", "reply", "remote", "provider", "pattern", "example"):
        if not _is_texts(table.get(key, [])):
            yield f"`{key}` is a text or a list of texts"
            return
    if "class" in table and table["class"] not in set(BounceClass):
        yield '`class` is "hard" or "soft"'
    if not isinstance(table.get("vague", False), bool) or not isinstance(table.get("note", ""), str):
        yield "`vague` is true or false, `note` is a text"
    yield from _condition_problems(table)


def _condition_problems(table: dict[str, Any]) -> Iterator[str]:
    for status in _texts(table, "status"):
        if not _STATUS.fullmatch(status):
            yield f'bad status {status!r}; write "5.1.1", or x for any number: "5.1.x"'
    for reply in _texts(table, "reply"):
        if not _REPLY.fullmatch(reply):
            yield f'bad reply code {reply!r}; write "550", or x for any digit: "55x"'
    for pattern in _texts(table, "pattern"):
        if not pattern_of(pattern):
            yield f"the pattern {pattern!r} has no word in it; codes belong into `status` or `reply`"
    if not any(_texts(table, key) for key in ("status", "reply", "remote", "provider", "pattern")):
        yield "it has no condition; add `pattern`, `status`, `reply`, `remote` or `provider`"
    if not _texts(table, "example"):
        yield "it has no `example`; write one reply that it is for"


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _texts(table: dict[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, ())
    return (value,) if isinstance(value, str) else tuple(value)


# ---- checking --------------------------------------------------------------------------------------------------------


def duplicate_ids(rules: Sequence[Rule]) -> list[str]:
    """One line for each id that a rule shares with one before it in the sequence."""
    seen: dict[str, Rule] = {}
    problems = []
    for rule in rules:
        if rule.id in seen:
            problems.append(f"{rule.file}: rule {rule.id!r}: {seen[rule.id].file} has this id too; choose another")
        seen.setdefault(rule.id, rule)
    return problems


def hidden_examples(rules: RuleSet, which: Iterable[Rule]) -> list[str]:
    """One line for each example that another rule decides, or none."""
    from bounceproc.classify.classifier import Classifier  # noqa: PLC0415 - the classifier is built on this module

    classifier = Classifier(rules)
    problems = []
    for rule in which:
        for example in rule.examples:
            got = classifier.classify(
                example, remote_mta=example_host(rule), domain=example_domain(rule, rules.providers)
            )
            if got.rule != rule.id:
                problems.append(
                    f"{rule.file}: rule {rule.id!r}: its example {example!r} is decided by {got.rule!r}; "
                    "move the rule up, or correct pattern or example"
                )
    return problems


def example_host(rule: Rule) -> str | None:
    """A remote host that the rule's `remote` condition accepts."""
    return rule.remote[0].replace("*", "mx1") if rule.remote else None


def example_domain(rule: Rule, providers: Providers) -> str | None:
    """A recipient domain that the rule's `provider` condition accepts."""
    if not rule.provider:
        return None
    known = providers.named(rule.provider[0])
    return (known.domains[0] if known and known.domains else rule.provider[0]).replace("*", "a")


def _raise(problems: list[str]) -> None:
    if problems:
        raise ConfigError(
            f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the classification rules",
            "; ".join(problems[:3]),
            tuple(problems),
        )


# ---- the compiled form -----------------------------------------------------------------------------------------------


def dump_compiled(rules: RuleSet) -> str:
    """Rules as JSON, one a line, with the digest of the files they come from."""
    lines = [json.dumps(_row(rule), ensure_ascii=False, separators=(",", ":")) for rule in rules.rules]
    known = [[one.name, one.domains, one.hosts] for one in rules.providers]
    providers = json.dumps(known, ensure_ascii=False, separators=(",", ":"))
    body = ",\n".join(lines)
    index = json.dumps(rules.index, ensure_ascii=False, separators=(",", ":"))
    return f'{{"digest":"{data_digest()}",\n"providers":{providers},\n"index":{index},\n"rules":[\n{body}\n]}}\n'


def _row(rule: Rule) -> list[Any]:
    conditions = (rule.status, rule.reply, rule.remote, rule.provider)
    return [rule.id, rule.category, rule.class_ or "", rule.file, int(rule.vague), rule.patterns, *conditions]


def _compiled_rules() -> RuleSet | None:
    try:
        data = json.loads(COMPILED.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(data, dict) or data.get("digest") != data_digest():
        return None
    categories, classes = {one.value: one for one in Category}, {"": None, **{one.value: one for one in BounceClass}}
    rules = tuple(
        Rule(
            id_,
            categories[category],
            classes[class_],
            tuple(status),
            tuple(reply),
            tuple(remote),
            tuple(provider),
            tuple(patterns),
            bool(vague),
            file,
        )
        for id_, category, class_, file, vague, patterns, status, reply, remote, provider in data["rules"]
    )
    known = [Provider(name, tuple(domains), tuple(hosts)) for name, domains, hosts in data["providers"]]
    return RuleSet(rules, Providers(known), data["index"])
