"""A missing server skips a test on a developer's machine, and fails it where CI promises to have it."""

from __future__ import annotations

import pytest

from tests.servers import require


def test_a_server_that_is_not_installed_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"no-such-server is not installed \(package nothing\)"):
        require("no-such-server", "nothing")


def test_a_server_that_is_not_installed_fails_under_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-server is not installed"):
        require("no-such-server", "nothing")
