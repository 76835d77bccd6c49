"""The built-in rules: read from their TOML files, or from one compiled file that is read a thousand times as fast."""

from __future__ import annotations

import json
from binascii import crc32
from pathlib import Path
from typing import Any, Final

from bounceproc.classify.categories import Category
from bounceproc.classify.providers import Provider, Providers
from bounceproc.classify.rule import BETWEEN, Rule, RuleSet
from bounceproc.classify.rulefile import duplicate_ids, raise_problems, read_file
from bounceproc.event import BounceClass

DATA: Final = Path(__file__).parent / "data"
COMPILED: Final = DATA / "compiled.txt"
"""The built-in rules once more, read and in order, because TOML takes a thousand times as long. Made by `python -m
bounceproc.classify.compiled`; it names the digest of the files it was made from and is ignored when they changed.

Its lines: the digest; providers and rules without their patterns, in JSON; the keys of the index; the entries of each key;
then the patterns of each rule. What is long is no JSON, so that a start need not look at each letter of it, nor unpack
the patterns of rules that no text comes near."""

_FORM: Final = "5"
"""The form of the compiled file: another number for another form, so that an old file is not read as a new one."""


def built_in_rules() -> RuleSet:
    """The built-in rules as fast as they can be had: without examples where the compiled file is in step."""
    return _compiled_rules() or read_built_in()


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
        rules, provider = read_file(path, name, problems)
        layers += ((_layer(name, rule), rule) for rule in rules)
        known += [provider] if provider else []
    layers.sort(key=lambda pair: pair[0])
    found = RuleSet.of((rule for _, rule in layers), Providers(known))
    problems += duplicate_ids(found.rules)
    raise_problems(problems)
    return found


def data_files() -> list[Path]:
    """The built-in rule files, sorted by name."""
    return sorted(DATA.rglob("*.toml"))


def data_digest() -> str:
    """A checksum of names and contents of the built-in rule files, their size, and the form they are compiled to.

    It is to notice a change, not a forger: whoever can write here can write anything.
    """
    checksum, size = 0, 0
    for path in data_files():
        content = path.read_bytes()
        checksum = crc32(content, crc32(path.relative_to(DATA).as_posix().encode(), checksum))
        size += len(content)
    return f"{_FORM}-{size}-{checksum:08x}"


def _layer(name: str, rule: Rule) -> int:
    if name == "doubts.toml":
        return -1
    order = ("providers/", "phrases.toml", "languages/", "enhanced-status.toml")
    if name == "reply-code.toml":
        return 2 * len(order)
    place = next((i for i, start in enumerate(order) if name.startswith(start)), len(order) - 1)
    return place + len(order) * rule.vague


def dump_compiled(rules: RuleSet) -> str:
    """Rules as the compiled file has them, with the digest of the files they come from."""
    known = [[one.name, one.domains, one.hosts] for one in rules.providers]
    rows = [_row(rule) for rule in rules.rules]
    lines = [
        data_digest(),
        json.dumps([known, rows], ensure_ascii=False, separators=(",", ":")),
        BETWEEN.join(rules.index),
        BETWEEN.join(rules.index.values()),
        *(BETWEEN.join(rule.patterns) for rule in rules.rules),
    ]
    return "".join(f"{line}\n" for line in lines)


def _row(rule: Rule) -> list[Any]:
    conditions = (rule.status, rule.reply, rule.remote, rule.provider)
    return [rule.id, rule.category, rule.class_ or "", rule.file, int(rule.vague), rule.doubt, rule.note, *conditions]


def _compiled_rules() -> RuleSet | None:
    try:
        digest, head, keys, entries, *packed, end = COMPILED.read_bytes().split(b"\n")
        if digest.decode() != data_digest():
            return None
        known, rows = json.loads(head)
        if end or len(rows) != len(packed):
            return None
        index = dict(zip(*(line.decode().split(BETWEEN) for line in (keys, entries)), strict=True))
    except (OSError, ValueError):
        return None
    categories, classes = {one.value: one for one in Category}, {"": None, **{one.value: one for one in BounceClass}}
    rules = tuple(
        Rule(
            id_,
            categories[category],
            classes[class_],
            status=tuple(status),
            reply=tuple(reply),
            remote=tuple(remote),
            provider=tuple(provider),
            packed=patterns,
            vague=bool(vague),
            doubt=doubt,
            file=file,
            note=note,
        )
        for (id_, category, class_, file, vague, doubt, note, status, reply, remote, provider), patterns in zip(
            rows, packed, strict=True
        )
    )
    return RuleSet(
        rules, Providers(Provider(name, tuple(domains), tuple(hosts)) for name, domains, hosts in known), index
    )
