"""The compiled core answers as its sources do, and never stands before a source that was changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bounceproc import _native

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "bounceproc"
WHERE = "import bounceproc.reports.dsn as one, bounceproc.event as other; print(one.__file__, other.__file__)"

compiled = pytest.mark.skipif(
    not (PACKAGE / f"event{_native.SUFFIX}").exists() and not os.environ.get("CI"),
    reason="the core was not compiled: there was no C compiler",
)


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != _native.VARIABLE} | environment
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_every_compiled_module_is_a_module_of_the_core() -> None:
    for name in _native.COMPILED:
        assert (PACKAGE / f"{name}.py").is_file()


@compiled
def test_all_of_the_core_was_compiled() -> None:
    assert [name for name in _native.COMPILED if not (PACKAGE / f"{name}{_native.SUFFIX}").exists()] == []


@compiled
def test_compiled_and_sources_answer_the_same() -> None:
    line = ("-m", "bounceproc", "classify", "--format", "jsonl", str(ROOT / "tests" / "corpus"))
    fuzz = ("-m", "tests.fuzz", "--inputs", "300", "--seed", "5")

    assert run(*line) == run(*line, BOUNCEPROC_PURE="1") != ""
    assert run(*fuzz) == run(*fuzz, BOUNCEPROC_PURE="1") != ""


@compiled
def test_a_source_that_was_changed_since_runs_instead(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "bounceproc", copy_function=shutil.copy2)
    for shared in ROOT.glob(f"*{_native.SUFFIX}"):
        shutil.copy2(shared, tmp_path)
    (tmp_path / "pyproject.toml").touch()
    inside = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {WHERE}"
    for name in _native.COMPILED:
        os.utime(tmp_path / "bounceproc" / f"{name}.py", (1, 1))

    assert [Path(file).suffix for file in run("-c", inside, cwd=tmp_path).split()] == [".so", ".so"]
    assert [Path(file).suffix for file in run("-c", inside, cwd=tmp_path, BOUNCEPROC_PURE="1").split()] == [
        ".py",
        ".py",
    ]
    os.utime(tmp_path / "bounceproc" / "status.py")
    assert [Path(file).suffix for file in run("-c", inside, cwd=tmp_path).split()] == [".py", ".py"]
