"""Plain command lines are answered without the command line's library, all others by it, and both say the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bounceproc.cli import quick

MESSAGE = Path(__file__).parents[2] / "corpus" / "dsn" / "001-unknown-user.eml"


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bounceproc.config.finding._folders", list)
    for name in ("BOUNCEPROC_CONFIG", "BOUNCEPROC_DATABASE__URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify", "--format", "jsonl", "x.eml"],
        ["classify", "x.eml", "--format=json"],
        ["classify", "--jobs", "2", "--format", "jsonl", "-"],
        ["classify", "-j", "2", "a", "b", "--format", "table"],
        ["poll"],
        ["poll", "--once", "-c", "x.toml", "--format=json", "-m", "returns", "--database", "sqlite:///x"],
        ["check", "a@example.com"],
        [
            "check",
            "-q",
            "a@example.com",
            "-",
            "--stream",
            "news",
            "--format=json",
            "-c",
            "x.toml",
            "--database",
            "sqlite:///x",
        ],
    ],
)
def test_a_plain_line_is_taken(arguments: list[str]) -> None:
    assert quick.command(arguments) is not None


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["poll", "--watch"],
        ["poll", "--once", "--dry-run"],
        ["poll", "--once", "--format", "xml"],
        ["poll", "-m", "one", "--mailbox", "two"],
        ["poll", "one"],
        ["poll", "--log-level", "debug"],
        ["classify"],
        ["classify", "--format", "jsonl"],
        ["classify", "x.eml"],
        ["classify", "--format", "xml", "x.eml"],
        ["classify", "--format", "jsonl", "--jobs", "0", "x.eml"],
        ["classify", "--format", "jsonl", "--jobs", "two", "x.eml"],
        ["classify", "--format", "jsonl", "x.eml", "--jobs"],
        ["classify", "--format", "jsonl", "--rules", "mine.toml", "x.eml"],
        ["classify", "--format", "jsonl", "--help", "x.eml"],
        ["classify", "--format", "--jobs", "x.eml"],
        ["classify", "--format", "jsonl", "--", "x.eml"],
        ["check"],
        ["check", "--help"],
        ["check", "--", "-a@example.com"],
        ["check", "a@example.com", "--format", "xml"],
        ["check", "a@example.com", "--stream", "a\nb"],
        ["check", "a@example.com", "--database", ""],
    ],
)
def test_what_is_not_plain_is_left_to_the_library(arguments: list[str]) -> None:
    assert quick.command(arguments) is None


def test_a_configuration_in_force_may_name_rules_and_is_left_to_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ["classify", "--format", "jsonl", "x.eml"]
    monkeypatch.setenv("BOUNCEPROC_CLASSIFY__RULE_FILES", "mine.toml")
    assert quick.command(plain) is None
    monkeypatch.delenv("BOUNCEPROC_CLASSIFY__RULE_FILES")
    (tmp_path / "bounceproc.toml").write_text("")
    assert quick.command(plain) is None


def test_both_ways_print_the_same_and_the_quick_one_loads_neither_typer_nor_pydantic(tmp_path: Path) -> None:
    watch = "import sys; from bounceproc.cli.main import main; main(); print(sorted({'typer', 'pydantic'} & {*sys.modules}))"
    line = [sys.executable, "-c", watch, "classify", "--format", "jsonl", str(MESSAGE)]
    quickly = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    (tmp_path / "bounceproc.toml").write_text("")
    usual = [sys.executable, "-m", "bounceproc", *line[3:]]
    slowly = subprocess.run(usual, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()

    assert quickly[-1] == "[]"
    assert quickly[:-1] == slowly
    assert '"bad-mailbox"' in slowly[0]
