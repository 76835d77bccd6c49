"""The built-in rules: read from their TOML files, or from one compiled file that is read a thousand times as fast."""

from __future__ import annotations

import json
from binascii import crc32
from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from bounceproc.classify.categories import Category
from bounceproc.classify.index import Index
from bounceproc.classify.providers import Provider, Providers
from bounceproc.classify.rule import BETWEEN, Packed, Rule, RuleSet
from bounceproc.classify.words import words_of
from bounceproc.event import BounceClass
from bounceproc.rare import Rare

DATA: Final = Path(__file__).parent / "data"
COMPILED: Final = DATA / "compiled.txt"
"""The built-in rules once more, read and in order, because TOML takes a thousand times as long. Made by `python -m
bounceproc.classify.compiled`; it names the digest of the files it was made from and is ignored when they changed.

Its lines: the digest; providers and rules without their patterns, and how many octets of the last line are whose, in JSON; the
first words of the index; and the groups of the index with the patterns of all rules, one behind the other. So a start neither
looks at each letter of what is long, nor unpacks what no text comes near."""

_FORM: Final = "6"
"""The form of the compiled file: another number for another form, so that an old file is not read as a new one."""


def built_in_rules() -> RuleSet:
    """The built-in rules as fast as they can be had: without examples where the compiled file is in step."""
    return _compiled_rules() or read_built_in()


def read_built_in() -> RuleSet:
    """The built-in rules and providers from their TOML files: slow, with examples and notes, checked but for the examples.

    Raises:
        ConfigError: a rule is wrong.

    """
    from bounceproc.classify.rulefile import duplicate_ids, raise_problems, read_file  # noqa: PLC0415 - nearly never

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
    packed = [BETWEEN.join(rule.patterns).encode() for rule in rules.rules]
    groups = [rules.index.group(place) for place in range(len(rules.index.words))]
    head = {
        "providers": [[one.name, one.domains, one.hosts] for one in rules.providers],
        "details": {place: _details(rule) for place, rule in enumerate(rules.rules) if any(_details(rule))},
        "columns": [BETWEEN.join(column) for column in zip(*map(_row, rules.rules), strict=True)],
        "groups": [len(group) for group in groups],
        "patterns": [len(patterns) for patterns in packed],
    }
    lines = (
        data_digest(),
        json.dumps(head, ensure_ascii=False, separators=(",", ":")),
        BETWEEN.join(rules.index.words),
        b"".join((*groups, *packed)).decode(),
    )
    return "".join(f"{line}\n" for line in lines)


def dump_words(rules: RuleSet) -> str:
    """The words of other languages, with how many patterns and examples have them, one a line: for `letters`.

    A pattern that is one word, such as `virus`, is in most languages.
    """
    known = Counter(
        word
        for rule in rules.rules
        for line in (*rule.patterns, *(" ".join(words_of(example)) for example in rule.examples))
        if rule.file.startswith("languages/") or " " not in line
        for word in set(line.split())
        if len(word) > _SHORT and not _OTHER_SCRIPT.search(word)
    )
    return "".join(f"{word}={known[word]}\n" for word in sorted(known))


_SHORT: Final = 2
_OTHER_SCRIPT: Final = Rare(r"[^a-z\u00df]")


def _row(rule: Rule) -> tuple[str, ...]:
    """What each rule has."""
    return (rule.id, rule.category, rule.class_ or "", rule.file, "vague" if rule.vague else "", rule.doubt)


def _details(rule: Rule) -> tuple[object, ...]:
    """What few rules have."""
    return (rule.status, rule.reply, rule.remote, rule.provider, rule.note)


def _compiled_rules() -> RuleSet | None:
    try:
        data = COMPILED.read_bytes()
        digest, head_at = _line(data, 0)
        if digest.decode() != data_digest():
            return None
        line, words_at = _line(data, head_at)
        head = json.loads(line)
        words, at = _line(data, words_at)
    except (OSError, ValueError):
        return None
    groups, patterns = head["groups"], head["patterns"]
    patterns_at = at + sum(groups)
    if data[patterns_at + sum(patterns) :] != b"\n":
        return None  # cut off
    providers = (Provider(name, tuple(domains), tuple(hosts)) for name, domains, hosts in head["providers"])
    return RuleSet(
        _rules(head, [*accumulate(patterns, initial=patterns_at)], data),
        Providers(providers),
        Index(words.decode().split(BETWEEN), groups, data, at),
    )


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    """The line that begins here, and where the next one does: the last line is long, so that the file is not split at all."""
    end = data.index(b"\n", at)
    return data[at:end], end + 1


def _rules(head: dict[str, Any], ends: list[int], data: bytes) -> tuple[Rule, ...]:
    """The rules; their patterns stay packed."""
    columns = [column.split(BETWEEN) for column in head["columns"]]
    categories, classes = {one.value: one for one in Category}, {"": None, **{one.value: one for one in BounceClass}}
    details = head["details"]
    rules: list[Rule] = []
    for place, (id_, category, class_, file, vague, doubt) in enumerate(zip(*columns, strict=True)):
        status, reply, remote, provider, note = details.get(str(place), _NO_DETAILS)
        packed = Packed(data, ends[place], ends[place + 1])
        rules.append(
            Rule(
                id_,
                categories[category],
                classes[class_],
                tuple(status),
                tuple(reply),
                tuple(remote),
                tuple(provider),
                packed if ends[place] < ends[place + 1] else (),
                vague != "",
                doubt,
                file,
                note,
            )
        )
    return tuple(rules)


_NO_DETAILS: Final = ((), (), (), (), "")
