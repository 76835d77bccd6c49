"""The compiled rules are written only when every rule holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bounceproc.classify import compiled
from bounceproc.classify.builtin import data_digest
from bounceproc.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_file_is_written_and_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "compiled.txt"
    monkeypatch.setattr(compiled, "COMPILED", target)

    assert compiled.main() == 0
    assert target.read_text(encoding="utf-8").startswith(data_digest())
    assert " rules, " in capsys.readouterr().err


def test_a_broken_rule_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ConfigError("x", "", ("phrases.toml: rule 'x': wrong",))

    monkeypatch.setattr(compiled, "COMPILED", tmp_path / "compiled.txt")
    monkeypatch.setattr(compiled, "read_built_in", broken)

    assert compiled.main() == 78
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == "phrases.toml: rule 'x': wrong\n"
