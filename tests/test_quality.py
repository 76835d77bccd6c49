"""The tree is formatted, linted and typed: the same command proves it that runs the tests."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "command",
    [("ruff", "format", "--check", "."), ("ruff", "check", "."), ("mypy",)],
    ids=["ruff-format", "ruff-check", "mypy"],
)
def test_the_tree_is_clean(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


POSSESSIVE_GROUP = re.compile(r"\(\?:[^\n]*\)(?:[*+?]|\{[^}\n]*\})\+")
WHERE_A_TURN_NEVER_ENDS_IN_THE_MIDDLE = {"lookup/bulk/layout.py": 4}
"""A field of CSV may be empty, and so never fails; quotation marks fail before anything was taken; a number of fields is had or not."""


def test_no_group_is_possessive() -> None:
    """Before Python 3.11.5 such a one may end in the middle of its last turn (a rewritten file of CSV was torn by one)."""
    package = ROOT / "bounceproc"
    found = Counter(
        path.relative_to(package).as_posix()
        for path in (*package.rglob("*.py"), *package.rglob("*.toml"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if POSSESSIVE_GROUP.search(line)
    )
    assert found == WHERE_A_TURN_NEVER_ENDS_IN_THE_MIDDLE
