"""What a configuration makes of it: nothing without a reason, everything where it is asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bounceproc.bootstrap.ours import evidence_of, not_served
from bounceproc.config import Config

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

OURS = '[identity]\ndomains = ["example.com"]\n'


def config(folder: Path, text: str) -> Config:
    path = folder / "given.toml"
    path.write_text(text)
    return Config.load(path, environ={})


def test_with_nothing_known_of_our_mail_there_is_none(tmp_path: Path) -> None:
    assert evidence_of(config(tmp_path, "")) is None
    assert evidence_of(config(tmp_path, '[identity]\ntrusted_authserv = ["mx.example.com"]\n')) is None


def test_operators_of_ones_own_stand_beside_those_that_are_known(tmp_path: Path) -> None:
    own = '[[feedback_loop]]\nname = "Own"\nsenders = ["fbl@own.example"]\nsigned_by = ["sign.example"]\n'
    found = evidence_of(config(tmp_path, OURS + 'trusted_authserv = ["mx.example.com"]\n' + own))
    assert found is not None
    assert {"Yahoo", "Own"} <= {operator.name for operator in found.operators.known}
    assert (found.domains, found.trusted) == (frozenset({"example.com"}), frozenset({"mx.example.com"}))
    assert found.keys is not None


def test_where_it_is_not_wanted_nothing_is_verified_or_asked(tmp_path: Path) -> None:
    found = evidence_of(config(tmp_path, OURS + "dkim = false\n"))
    assert found is not None
    assert (found.keys, found.verifies) == (None, None)


def test_a_missing_library_is_told_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [note for note in not_served(config(tmp_path, OURS)) if "dkim" in note]
    for name in ("dkim", "bounceproc.evidence.verifying"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "dkim" else object())

    found = evidence_of(config(tmp_path, OURS))
    (note,) = not_served(config(tmp_path, OURS))

    assert found is not None
    assert found.keys is None
    assert "pip install 'bounceproc[dkim]'" in note
    assert not_served(config(tmp_path, "")) == ()
    assert not_served(config(tmp_path, OURS + "dkim = false\n")) == ()
