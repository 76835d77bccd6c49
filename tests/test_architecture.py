"""The walls between the rooms stand, every module says what it is, and no text sends a reader to a package registry."""

from __future__ import annotations

import ast
import contextlib
import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = ROOT / "bounceproc"
MODULES: Final = sorted(path for path in PACKAGE.rglob("*.py") if "_migrations" not in path.parts)

REGISTRIES: Final = ("pypi", "pythonhosted", "anaconda", "conda", "npmjs", "crates", "rubygems", "packagist")
"""The hosts' names without their ends, so that this file does not name one."""

_HOST: Final = re.compile(rf"(?:\b|_)(?:{'|'.join(REGISTRIES)})\.(?:org|com|io)\b", re.IGNORECASE)
_SKIPPED: Final = re.compile(r"\.git|\.venv.*|\..*_cache|\.hypothesis|__pycache__|dist|build|\.coverage.*|.*\.egg-info")
_BINARY: Final = frozenset({".db", ".pyc", ".gz", ".zst", ".png", ".whl"})


CONTRACTS: Final = [
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
]


@pytest.fixture(scope="module")
def report() -> str:
    """What import-linter prints, without its cache: a stale one would hide a broken wall."""
    program = Path(sysconfig.get_path("scripts"), "lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_wall_between_rooms_stands(report: str, name: str) -> None:
    assert re.search(rf"^{re.escape(name)} KEPT$", report, re.MULTILINE), report


def test_every_contract_and_module_was_looked_at(report: str) -> None:
    counted = re.search(r"Analyzed (\d+) files", report)

    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in report
    assert len(CONTRACTS) >= 4
    assert counted
    assert int(counted[1]) >= len(MODULES)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_pydantic_lives_in_the_configuration_because_it_costs_every_start_a_tenth_of_a_second(path: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Import)]
    froms = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names} | {node.module or "" for node in froms}

    assert PACKAGE / "config" in path.parents or not {name for name in names if name.startswith("pydantic")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_opens_with_one_sentence(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

    assert docstring, f"{path.name} does not say what it is"
    assert docstring.splitlines()[0].endswith((".", "?")), "the first line is a whole sentence"
    assert docstring[0].isupper() or docstring[0] in "`_"


def _texts() -> Iterator[tuple[Path, str]]:
    todo = [ROOT]
    while todo:
        for path in todo.pop().iterdir():
            if _SKIPPED.fullmatch(path.name) or path.is_symlink():
                continue
            if path.is_dir():
                todo.append(path)
            elif path.suffix not in _BINARY:
                with contextlib.suppress(FileNotFoundError):  # another test's file, gone again
                    yield path.relative_to(ROOT), path.read_text(encoding="utf-8", errors="replace")


def test_no_text_names_a_package_registry() -> None:
    texts = dict(_texts())

    assert Path("pyproject.toml") in texts
    assert Path("bounceproc/address.py") in texts
    assert {str(path): found[0] for path, text in texts.items() if (found := _HOST.search(text))} == {}


def test_the_registries_would_be_found() -> None:
    assert all(_HOST.search(f"https://files.{name}.org/simple") for name in REGISTRIES)
    assert not _HOST.search("crates of mail; example.org; pypi")
