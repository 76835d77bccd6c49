"""A rule file: how it is read, and what is wrong with it.

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
a gap of up to 120 characters, and `(user|account) (is|) unknown` stands for each of its alternatives, of which one may be
empty. So no pattern can run away.

The first rule that matches wins: the operator's files; the providers' (by name); phrases; other languages; enhanced status
codes; then those of them marked vague, in the same order; then bare reply codes. Inside a file the order is the file's:
what blames the sender or the load stands before what blames the address. A rule with `doubt` waits: it is asked only
where a rule behind it would condemn the address (`doubt = "hard"`), or blame it (`"address"`: or find its mailbox full or
shut), and takes its place. Where a text quotes a reply, the words of the
reply are asked first, and those before it only where the reply is vague.
"""

from __future__ import annotations

import re
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Final

from bounceproc.classify.categories import CATEGORIES, Category
from bounceproc.classify.letters import undone
from bounceproc.classify.providers import Provider
from bounceproc.classify.rule import Rule
from bounceproc.classify.words import contains, folded, pattern_of, words_of
from bounceproc.errors import ConfigError
from bounceproc.event import BounceClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_STATUS: Final = re.compile(r"([245x])\.(\d{1,3}|x)\.(\d{1,3}|x)")
_REPLY: Final = re.compile(r"[45x][0-5x][0-9x]")
_CHOICE: Final = re.compile(r"\(([^()]*\|[^()]*)\)")
"""`(one|other)` in a pattern. Without a bar, brackets are punctuation."""

MAX_SPELLINGS: Final = 600
"""Wordings that one pattern may stand for: three lists of eight, and no file that fills the memory."""

_KEYS: Final = frozenset(
    ("id", "category", "status", "reply", "remote", "provider", "class", "pattern", "example", "note", "vague", "doubt")
)


def read_file(path: Path, name: str, problems: list[str]) -> tuple[list[Rule], Provider | None]:
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
    for key in ("domains", "hosts"):
        if not _is_texts(table.get(key, [])):
            problems.append(f"{name}: [provider] `{key}` is a text or a list of texts")
            return None
    return Provider(table["name"], _texts(table, "domains"), _texts(table, "hosts"))


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
        patterns=tuple(
            dict.fromkeys(pattern_of(one) for text in _texts(table, "pattern") for one in spelled_out(text))
        ),
        written=_texts(table, "pattern"),
        vague=table.get("vague", False),
        doubt=table.get("doubt", ""),
        file=name,
        examples=_texts(table, "example"),
        note=table.get("note", ""),
    )
    for example in rule.examples:
        if rule.patterns and not any(contains(folded(words_of(undone(example))), pattern) for pattern in rule.patterns):
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
    if table.get("doubt", "") not in ("", "hard", "address"):
        yield '`doubt` is "hard" or "address"'
    elif table.get("doubt") and table.get("class") != "soft" and _is_hard(table.get("category")):
        yield 'a rule that doubts condemns nobody; add `class = "soft"`, or choose another category'
    yield from _condition_problems(table)


def _condition_problems(table: dict[str, Any]) -> Iterator[str]:
    for status in _texts(table, "status"):
        if not _STATUS.fullmatch(status):
            yield f'bad status {status!r}; write "5.1.1", or x for any number: "5.1.x"'
    for reply in _texts(table, "reply"):
        if not _REPLY.fullmatch(reply):
            yield f'bad reply code {reply!r}; write "550", or x for any digit: "55x"'
    for pattern in _texts(table, "pattern"):
        if _spellings(pattern) > MAX_SPELLINGS:
            yield f"the pattern {pattern!r} stands for more than {MAX_SPELLINGS} wordings; make two rules of it"
        elif not all(map(pattern_of, spelled_out(pattern))):
            yield f"the pattern {pattern!r} has no word in it; codes belong into `status` or `reply`"
    if not any(_texts(table, key) for key in ("status", "reply", "remote", "provider", "pattern")):
        yield "it has no condition; add `pattern`, `status`, `reply`, `remote` or `provider`"
    if not _texts(table, "example"):
        yield "it has no `example`; write one reply that it is for"


def _is_hard(category: Any) -> bool:
    return category in set(Category) and CATEGORIES[Category(category)].class_ is BounceClass.HARD


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _texts(table: dict[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, ())
    return (value,) if isinstance(value, str) else tuple(value)


def spelled_out(pattern: str) -> list[str]:
    """Each wording that a pattern with `(one|other)` in it stands for, in order; the pattern itself where it has none."""
    pieces = _CHOICE.split(pattern)
    choices = [piece.split("|") if place % 2 else [piece] for place, piece in enumerate(pieces)]
    return ["".join(chosen) for chosen in product(*choices)]


def _spellings(pattern: str) -> int:
    return prod(choice.count("|") + 1 for choice in _CHOICE.findall(pattern))


def duplicate_ids(rules: Iterable[Rule]) -> list[str]:
    """One line for each id that a rule shares with one before it in the sequence."""
    seen: dict[str, Rule] = {}
    problems = []
    for rule in rules:
        if rule.id in seen:
            problems.append(f"{rule.file}: rule {rule.id!r}: {seen[rule.id].file} has this id too; choose another")
        seen.setdefault(rule.id, rule)
    return problems


def raise_problems(problems: list[str]) -> None:
    """Nothing where there are none.

    Raises:
        ConfigError: with one line a problem.

    """
    if problems:
        raise ConfigError(
            f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the classification rules",
            "",
            tuple(problems),
        )
