"""Tokens are renewed in time, refresh tokens are never lost, and neither shows itself."""

from __future__ import annotations

import logging
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.config import Secret
from bounceproc.errors import ConfigError
from bounceproc.sources.tokens.google import Google
from bounceproc.sources.tokens.microsoft import Microsoft
from bounceproc.sources.tokens.refusal import MAX_SAID, one_line
from bounceproc.sources.tokens.tokens import MARGIN, AccessToken, RefreshToken, Tokens

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Giver:
    """Gives a token for an hour each time."""

    name = "Giver"

    def __init__(self) -> None:
        self.now = NOON
        self.given = 0

    def obtain(self) -> AccessToken:
        self.given += 1
        return AccessToken(f"token-{self.given}", self.now + timedelta(hours=1))


def test_a_token_is_renewed_before_it_ends() -> None:
    giver = Giver()
    tokens = Tokens(giver, now=lambda: giver.now)
    tokens.current()
    giver.now = NOON + timedelta(hours=1) - MARGIN
    assert tokens.current().text == "token-1"
    giver.now += timedelta(seconds=1)
    assert tokens.current().text == "token-2"


def test_only_the_token_that_was_refused_is_renewed() -> None:
    giver = Giver()
    tokens = Tokens(giver, now=lambda: giver.now)
    assert tokens.current(refused="token-0").text == "token-1"
    assert tokens.current(refused="token-0").text == "token-1"
    assert tokens.current(refused="token-1").text == "token-2"


def test_tokens_hide_in_a_servers_words() -> None:
    tokens = Tokens(Giver(), now=lambda: NOON)
    tokens.current()
    tokens.current(refused="token-1")
    assert tokens.hide("no token-1, no token-2") == "no ***, no ***"
    assert "token-2" not in repr(tokens.current())


def test_a_rotated_refresh_token_replaces_its_file_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    refresh = RefreshToken(Secret("refresh", file=tmp_path / "link"))
    refresh.replace("new")

    assert (tmp_path / "link").is_symlink()
    assert refresh.read() == "new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_a_rotated_refresh_token_without_a_file_lasts_as_long_as_the_process() -> None:
    secret = Secret("refresh", text="given-1")
    RefreshToken(secret).replace("newer-1")
    assert RefreshToken(secret).read() == "newer-1"
    RefreshToken(secret).replace("newest-1")
    assert RefreshToken(secret).read() == "newest-1"
    assert RefreshToken(Secret("refresh", text="another")).read() == "another"


def test_a_file_that_cannot_be_replaced_is_said_and_the_token_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    (tmp_path / "file").write_text("Sesame-old-2\n")
    refresh = RefreshToken(Secret("mailbox returns: oauth_refresh_token", file=tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        refresh.replace("Sesame-new-2")

    assert refresh.read() == "Sesame-new-2"
    assert "cannot be replaced: Read-only file system" in caplog.text
    assert "Sesame" not in caplog.text


@pytest.mark.parametrize("library", ["google.auth", "msal", "requests"])
def test_a_missing_extra_is_named(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "bounceproc.sources.tokens.http", raising=False)
    for name in ("google.auth.transport.requests", "msal.exceptions"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    google = Google(mailbox="returns", user="u", service_account=Secret("key", text="{}"))
    provider = google if library == "google.auth" else Microsoft(mailbox="returns", client_id="app")
    with pytest.raises(ConfigError, match=r"pip install 'bounceproc\[oauth\]'"):
        provider.obtain()


def test_a_file_that_is_no_service_account_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text('{"private_key": "Sesame"}')
    google = Google(mailbox="returns", user="u", service_account=Secret("key", file=tmp_path / "key.json"))
    with pytest.raises(ConfigError, match=r"key\.json is no key of a service account") as failed:
        google.obtain()
    assert "Sesame" not in f"{failed.value!r}"
    assert failed.value.__cause__ is None


def test_a_strangers_words_are_one_short_line() -> None:
    assert one_line("a\r\n\x1b[31mb secret", ["secret"]) == "a [31mb ***"
    assert len(one_line("x" * 10_000, [])) == MAX_SAID
