"""Where a running server is, seen without reading the whole configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bounceproc.config.server import named_server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ('[serve]\nhttp = "127.0.0.1:8025"', "http://127.0.0.1:8025"),
        ('[serve]\nhttp = "localhost:1"', "http://localhost:1"),
        ('[serve]\nhttp = "[::1]:8025"', "http://[::1]:8025"),
        ('[serve]\nhttp = "0.0.0.0:8025"', "http://127.0.0.1:8025"),
        ('[serve]\nhttp = "192.0.2.1:8025"', None),
        ('[serve]\nhttp = "off"', None),
        ("[serve]\nhttp = 1", None),
        ("[serve]\nhttp = broken", None),
        ('[serve]\nsocketmap = "off"', None),
        ("", None),
    ],
)
def test_the_file_names_a_server_of_this_machine_or_none(text: str, url: str | None, tmp_path: Path) -> None:
    (tmp_path / "bounceproc.toml").write_text(text)

    assert named_server(None, {}, tmp_path) == url


def test_a_unix_socket_lies_beside_the_file_and_the_environment_stands_above_it(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('[serve]\nhttp = "unix:run/http"')

    assert named_server(tmp_path / "x.toml", {}, tmp_path / "elsewhere") == f"unix:{tmp_path}/run/http"
    environ = {"BOUNCEPROC_SERVE__HTTP": "127.0.0.1:9"}
    assert named_server(tmp_path / "x.toml", environ, tmp_path) == "http://127.0.0.1:9"
    assert named_server(tmp_path / "none.toml", {}, tmp_path) is None
