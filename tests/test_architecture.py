"""The walls between the rooms stand, every module says what it is, and no text sends a reader to a package registry."""

from __future__ import annotations

import ast
import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from importlinter import configuration
from importlinter.application import use_cases
from importlinter.application.user_options import UserOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from importlinter.application.ports.reporting import Report

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = ROOT / "bounceproc"
MODULES: Final = sorted(path for path in PACKAGE.rglob("*.py") if "_migrations" not in path.parts)

REGISTRIES: Final = ("pypi", "pythonhosted", "anaconda", "conda", "npmjs", "crates", "rubygems", "packagist")
"""The hosts' names without their ends, so that this file does not name one."""

_HOST: Final = re.compile(rf"(?:\b|_)(?:{'|'.join(REGISTRIES)})\.(?:org|com|io)\b", re.IGNORECASE)
_SKIPPED: Final = re.compile(r"\.git|\.venv.*|\..*_cache|\.hypothesis|__pycache__|dist|build|\.coverage.*|.*\.egg-info")
_BINARY: Final = frozenset({".db", ".pyc", ".gz", ".zst", ".png", ".whl"})


@pytest.fixture(scope="module")
def report() -> Report:
    """What import-linter finds, without its cache: a stale one would hide a broken wall."""
    configuration.configure()
    options = use_cases.read_user_options(config_filename=str(ROOT / "pyproject.toml"))
    assert isinstance(options, UserOptions)
    use_cases._register_contract_types(options)
    return use_cases.create_report(options, cache_dir=None)


def _contracts() -> list[str]:
    configuration.configure()
    options = use_cases.read_user_options(config_filename=str(ROOT / "pyproject.toml"))
    return [contract["name"] for contract in options.contracts_options]


@pytest.mark.parametrize("name", _contracts())
def test_a_wall_between_rooms_stands(report: Report, name: str) -> None:
    (check,) = [check for contract, check in report.get_contracts_and_checks() if contract.name == name]

    assert check.kept, check.metadata
    assert not check.warnings


def test_every_contract_was_looked_at(report: Report) -> None:
    assert len(list(report.get_contracts_and_checks())) == len(_contracts()) >= 4
    assert report.module_count >= len(MODULES)


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
