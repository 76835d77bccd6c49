"""The built-in rules: read from their TOML files, or from one compiled file that is read a hundred times as fast."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from bounceproc.classify.categories import Category
from bounceproc.classify.providers import Provider, Providers
from bounceproc.classify.rule import Rule, RuleSet
from bounceproc.classify.rulefile import duplicate_ids, raise_problems, read_file
from bounceproc.event import BounceClass

DATA: Final = Path(__file__).parent / "data"
COMPILED: Final = DATA / "compiled.json"
"""The built-in rules once more, read and in order, because TOML takes a hundred times as long. Made by `python -m
bounceproc.classify.compiled`; it names the digest of the files it was made from and is ignored when they changed."""

_BETWEEN: Final = "|"
"""What separates patterns: a sign that is in none, and that JSON need not escape."""

_FORM: Final = b"4"
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
    """A digest of names and contents of the built-in rule files, and of the form they are compiled to."""
    digest = blake2b(_FORM, digest_size=16)
    for path in data_files():
        digest.update(path.relative_to(DATA).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _layer(name: str, rule: Rule) -> int:
    if name == "doubts.toml":
        return -1
    order = ("providers/", "phrases.toml", "languages/", "enhanced-status.toml")
    if name == "reply-code.toml":
        return 2 * len(order)
    place = next((i for i, start in enumerate(order) if name.startswith(start)), len(order) - 1)
    return place + len(order) * rule.vague


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
    return [
        rule.id,
        rule.category,
        rule.class_ or "",
        rule.file,
        int(rule.vague),
        rule.doubt,
        _BETWEEN.join(rule.patterns),
        *conditions,
        rule.note,
    ]


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
            tuple(patterns.split(_BETWEEN)) if patterns else (),
            bool(vague),
            doubt,
            file,
            note,
        )
        for id_, category, class_, file, vague, doubt, patterns, status, reply, remote, provider, note in data["rules"]
    )
    known = [Provider(name, tuple(domains), tuple(hosts)) for name, domains, hosts in data["providers"]]
    return RuleSet(rules, Providers(known), data["index"])
