"""Rules: what a file may say, what is wrong with it, and the order of all."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import pytest

from bounceproc.classify import builtin as module
from bounceproc.classify.builtin import COMPILED, data_digest, dump_compiled, read_built_in
from bounceproc.classify.categories import Category
from bounceproc.classify.classifier import Classifier
from bounceproc.classify.providers import Providers
from bounceproc.classify.rule import Rule, RuleSet, reply_fits, status_fits
from bounceproc.classify.rules import (
    check,
    hidden_examples,
    hidden_patterns,
    listing,
    load_all,
    load_rules,
    try_examples,
)
from bounceproc.classify.words import contains
from bounceproc.errors import ConfigError
from bounceproc.event import BounceClass
from bounceproc.status import EnhancedStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = """
[[rule]]
id = "our-gateway"
category = "policy"
pattern = "zebra says no"
example = "550 Zebra says no"
"""


@pytest.fixture(scope="module")
def built_in() -> RuleSet:
    return read_built_in()


def write(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_example_of_every_rule_is_decided_by_that_rule(built_in: RuleSet) -> None:
    assert hidden_examples(built_in, built_in.rules) == []


def test_no_pattern_is_always_taken_by_an_earlier_rule(built_in: RuleSet) -> None:
    assert hidden_patterns(built_in.rules) == []


def test_the_registry_of_enhanced_status_codes_is_covered(built_in: RuleSet) -> None:
    registered = {1: 11, 2: 5, 3: 7, 4: 8, 5: 7, 6: 11, 7: 31}  # subject -> number of details, from 0
    known = {code for rule in built_in.rules if not rule.patterns for code in rule.status}
    missing = [
        f"x.{subject}.{detail}"
        for subject, details in registered.items()
        for detail in range(details)
        if not {f"{class_}.{subject}.{detail}" for class_ in "x5"} & known
    ]

    assert missing == []


def test_the_compiled_rules_are_those_of_the_files(built_in: RuleSet) -> None:
    assert COMPILED.read_text(encoding="utf-8").partition("\n")[0] == data_digest(), (
        "a rule file changed: run python -m bounceproc.classify.compiled"
    )
    assert COMPILED.read_text(encoding="utf-8") == dump_compiled(built_in)


def test_compiled_rules_of_other_files_are_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stale = tmp_path / "compiled.txt"
    stale.write_text(COMPILED.read_text(encoding="utf-8").replace(data_digest(), "5-1-0badc0de", 1), encoding="utf-8")
    monkeypatch.setattr(module, "COMPILED", stale)

    assert len(load_rules().rules) == len(read_built_in().rules)


DAMAGES: dict[str, Callable[[list[str]], object]] = {
    "empty": lambda lines: lines.clear(),
    "no JSON": lambda lines: operator.setitem(lines, 1, lines[1][:-1]),
    "without words": lambda lines: lines.pop(2),
    "a pattern too many": lambda lines: operator.setitem(lines, 3, f"{lines[3]}|word"),
    "cut off in a line": lambda lines: lines.pop(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_compiled_file_is_ignored(damage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = COMPILED.read_text(encoding="utf-8").split("\n")
    DAMAGES[damage](lines)
    damaged = tmp_path / "compiled.txt"
    damaged.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(module, "COMPILED", damaged)
    monkeypatch.setattr(module, "read_built_in", lambda: RuleSet.of([], Providers([])))

    assert module.built_in_rules().rules == ()


def test_the_rules_of_the_compiled_file_are_those_of_the_files(built_in: RuleSet) -> None:
    found = module.built_in_rules()

    assert all(rule.has_patterns == bool(rule.patterns) for rule in found.rules)
    assert [told(rule) for rule in found.rules] == [told(rule) for rule in built_in.rules]
    assert list(found.providers) == list(built_in.providers)
    assert found.index.words == built_in.index.words
    assert [found.index.behind(word) for word in found.index.words] == [
        built_in.index.behind(word) for word in built_in.index.words
    ]


def told(rule: Rule) -> tuple[object, ...]:
    conditions = (rule.status, rule.reply, rule.remote, rule.provider, rule.patterns, rule.has_conditions)
    return (rule.id, rule.category, rule.class_, rule.vague, rule.doubt, rule.file, rule.note, *conditions)


def test_an_operators_rule_goes_first(tmp_path: Path) -> None:
    own = write(tmp_path, GOOD.replace("zebra says no", "user unknown").replace("Zebra says no", "User unknown"))

    answer = Classifier(load_rules([own])).classify("550 5.1.1 User unknown")

    assert (answer.rule, answer.category, answer.class_) == ("our-gateway", Category.POLICY, BounceClass.SOFT)


def test_an_operators_rules_leave_the_others_alone(tmp_path: Path) -> None:
    with_own = Classifier(load_rules([write(tmp_path, GOOD)]))
    without = Classifier(load_rules())

    assert with_own.classify("550 zebra says no").rule == "our-gateway"
    for text in ("552 mailbox full", "550 5.1.1", "421 too many connections", "something else"):
        assert without.classify(text) == with_own.classify(text)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('"policy"', '"polizy"'), "unknown category 'polizy'"),
        (('"our-gateway"', '"Our Gateway"'), "`id` is missing or not lower-case"),
        (('id = "our-gateway"', ""), "'number 1': `id` is missing"),
        (('"our-gateway"', '"mailbox-full"'), "phrases.toml has this id too; choose another"),
        (("Zebra says no", "Zebra says yes"), "no pattern of it matches its example"),
        (('"zebra says no"', '"550 5.1.1"'), "has no word in it"),
        (('"zebra says no"', "7"), "`pattern` is a text or a list of texts"),
        (("pattern =", 'status = "5.1"\npattern ='), "bad status '5.1'; write"),
        (("pattern =", 'reply = "600"\npattern ='), "bad reply code '600'; write"),
        (("pattern =", 'provider = "yaho"\npattern ='), "unknown provider 'yaho'; did you mean 'yahoo'?"),
        (("pattern =", 'provider = "zebra"\npattern ='), "unknown provider 'zebra'; write a domain"),
        (("pattern =", 'class = "medium"\npattern ='), '`class` is "hard" or "soft"'),
        (("pattern =", 'vague = "yes"\npattern ='), "`vague` is true or false"),
        (("pattern =", 'doubt = "yes"\npattern ='), '`doubt` is "hard" or "address"'),
        (('"policy"', '"bad-mailbox"\ndoubt = "hard"'), "a rule that doubts condemns nobody"),
        (("pattern =", "patern ="), "unknown key 'patern'"),
        (("pattern =", 'regex = "x"\npattern ='), "unknown key 'regex'"),
        (('example = "550 Zebra says no"', ""), "it has no `example`; write one reply"),
        (('pattern = "zebra says no"', ""), "it has no condition; add"),
        (("[[rule]]", "[rule]"), "`rule` is no list of tables; begin each rule with [[rule]]"),
        (("[[rule]]", "[["), "cannot be read"),
        (("[[rule]]", "rules = 1\n[[rule]]"), "unknown key 'rules' at the top"),
    ],
)
def test_a_wrong_rule_is_named_with_file_rule_and_remedy(change: tuple[str, str], problem: str, tmp_path: Path) -> None:
    own = write(tmp_path, GOOD.replace(*change))

    with pytest.raises(ConfigError) as caught:
        load_rules([own])

    assert any(line.startswith(str(own)) and problem in line for line in caught.value.problems), caught.value.problems
    assert ConfigError.exit_code == 78


def test_a_rule_that_an_earlier_one_hides_is_an_error(tmp_path: Path) -> None:
    hidden = GOOD.replace("our-gateway", "hidden").replace("zebra says no", "zebra says").replace("550 Z", "550 A z")
    with pytest.raises(ConfigError) as caught:
        load_rules([write(tmp_path, GOOD + hidden)])

    assert "is decided by 'our-gateway' (" in caught.value.problems[0]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 problem in the classification rules"):
        load_rules([tmp_path / "nowhere.toml"])


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_rules(
            [write(tmp_path, GOOD.replace("policy", "x") + GOOD.replace("zebra says no", "550").replace("our-", ""))]
        )

    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("want", "status", "fits"),
    [
        ("5.1.1", "5.1.1", True),
        ("5.1.1", "5.1.10", False),
        ("x.1.1", "4.1.1", True),
        ("4.x.x", "4.7.650", True),
        ("5.1.x", "5.2.1", False),
    ],
)
def test_an_x_stands_for_any_number_of_a_status(want: str, status: str, *, fits: bool) -> None:
    assert fits == status_fits(want, EnhancedStatus.parse(status))


def test_no_status_fits_no_condition() -> None:
    assert not status_fits("x.x.x", None)
    assert not reply_fits("xxx", None)


@pytest.mark.parametrize(("want", "code", "fits"), [("550", 550, True), ("55x", 553, True), ("4xx", 550, False)])
def test_an_x_stands_for_any_digit_of_a_reply_code(want: str, code: int, *, fits: bool) -> None:
    assert fits == reply_fits(want, code)


def test_vague_rules_come_after_all_others_but_reply_codes(built_in: RuleSet) -> None:
    kinds = [2 if rule.file == "reply-code.toml" else int(rule.vague) for rule in built_in.rules]

    assert kinds == sorted(kinds)
    assert next(rule.file for rule in built_in.rules if not (rule.vague or rule.doubt)).startswith("providers/")


def test_a_remote_condition_asks_for_the_host() -> None:
    rule = Rule("r", Category.POLICY, remote=("*.example.net",), patterns=("no",))
    classifier = Classifier(RuleSet.of([rule], Providers([])))

    assert classifier.classify("550 no", remote_mta="MX1.example.net").rule == "r"
    assert classifier.classify("550 no", remote_mta="mx1.example.com").rule == "none"
    assert classifier.classify("550 no").rule == "none"


def test_a_provider_condition_asks_for_a_name_or_a_domain() -> None:
    rule = Rule("r", Category.POLICY, provider=("google", "*.example.net"))
    classifier = Classifier(RuleSet.of([rule], load_rules().providers))

    assert classifier.classify("no", domain="gmail.com").rule == "r"
    assert classifier.classify("no", remote_mta="aspmx.l.google.com").rule == "r"
    assert classifier.classify("no", domain="a.example.net").rule == "r"
    assert classifier.classify("no", domain="example.net", remote_mta="mx.example.net").rule == "none"


def test_every_rule_has_a_pattern_that_can_match(built_in: RuleSet) -> None:
    for rule in built_in.rules:
        for pattern in rule.patterns:
            assert contains(f" {pattern.replace(' * ', ' ')} ", pattern)


def test_a_choice_in_a_pattern_stands_for_each_of_its_wordings(tmp_path: Path) -> None:
    own = write(tmp_path, GOOD.replace("zebra says no", "(zebra|gnu) (always|) says no"))
    classifier = Classifier(load_rules([own]))

    assert {classifier.classify(f"550 {text}").rule for text in ("gnu says no", "zebra always says no")} == {
        "our-gateway"
    }
    assert classifier.classify("550 gnat says no").rule != "our-gateway"


def test_brackets_without_a_choice_are_punctuation(tmp_path: Path) -> None:
    own = write(tmp_path, GOOD.replace("zebra says no", "(zebra) says no"))

    assert Classifier(load_rules([own])).classify("550 zebra says no").rule == "our-gateway"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (" ".join(["(a|b|c|d|e)"] * 9), "stands for more than 600 wordings; make two rules of it"),
        ("(zebra|)", "has no word in it"),
    ],
)
def test_a_choice_that_is_too_wide_or_empty_is_told(pattern: str, problem: str, tmp_path: Path) -> None:
    assert any(problem in line for line in check([write(tmp_path, GOOD.replace("zebra says no", pattern))]))


def test_a_good_file_has_no_problems(tmp_path: Path) -> None:
    assert check([write(tmp_path, GOOD)]) == []
    assert check([]) == []


def test_a_rule_hidden_by_one_of_another_file_is_told_with_both_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text(GOOD, encoding="utf-8")
    second.write_text(GOOD.replace("our-gateway", "theirs").replace("zebra says no", "a zebra says no now").replace(
        "550 Zebra says no", "550 A zebra says no now"), encoding="utf-8")  # fmt: skip

    problems = check([first, second])

    assert check([second, first]) == []
    assert (
        f"{second}: rule 'theirs': its pattern 'a zebra says no now' is always taken by 'our-gateway' ({first})"
        in (problems[1])
    )
    assert f"is decided by 'our-gateway' ({first})" in problems[0]


def test_checking_tells_all_problems_of_all_files(tmp_path: Path) -> None:
    own = write(tmp_path, GOOD.replace('"policy"', '"polizy"'))

    problems = check([own, tmp_path / "nowhere.toml"])

    assert [line.split(": ")[0] for line in problems] == [str(own), str(tmp_path / "nowhere.toml")]


def test_each_example_is_tried(built_in: RuleSet) -> None:
    results = try_examples(built_in)

    assert len(results) == sum(len(rule.examples) for rule in built_in.rules)
    assert all(result.passed for result in results)
    assert all(result.category == result.rule.category for result in results)


def test_examples_of_an_operator_are_tried_among_all_rules(tmp_path: Path) -> None:
    rules = load_all([write(tmp_path, GOOD)])

    first, *others = try_examples(rules, rules.rules[:2])

    assert (first.rule.id, first.example, first.decided_by) == ("our-gateway", "550 Zebra says no", "our-gateway")
    assert others


def test_a_list_shows_what_each_rule_gives_and_for_whom(tmp_path: Path) -> None:
    note = 'note = "ours"\nprovider = "google"\npattern ='
    listed = listing(load_all([write(tmp_path, GOOD.replace("pattern =", note))]))

    first = listed[0]
    assert (first.id, first.category, first.class_) == ("our-gateway", Category.POLICY, BounceClass.SOFT)
    assert (first.provider, first.note, first.examples) == (("google",), "ours", ("550 Zebra says no",))
    assert first.patterns == ("zebra says no",)
    assert next(one for one in listed if one.id == "status-x-1-1").class_ is BounceClass.HARD


def test_a_provider_may_name_one_host_or_many(tmp_path: Path) -> None:
    rule = '[[rule]]\nid = "ours"\ncategory = "policy"\nprovider = "hoster"\npattern = "zebra"\nexample = "550 Zebra"\n'
    for hosts in ('"mx.example"', '["mx.example"]'):
        path = tmp_path / "rules.toml"
        path.write_text(f'[provider]\nname = "hoster"\nhosts = {hosts}\n{rule}')
        assert load_all([path]).providers.name(domain=None, remote_mta="in1.mx.example") == "hoster"
    path.write_text(f'[provider]\nname = "hoster"\nhosts = 5\n{rule}')
    with pytest.raises(ConfigError) as caught:
        load_all([path])
    assert caught.value.problems == (f"{path}: [provider] `hosts` is a text or a list of texts",)


def test_no_provider_that_is_built_in_has_a_name_without_a_dot() -> None:
    known = load_rules().providers._by_name.values()
    assert [name for one in known for name in (*one.domains, *one.hosts) if "." not in name] == []
