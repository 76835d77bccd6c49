"""Where servers listen: never in place of a living one, never over what is no socket, and nobody in before mode and owner are right."""

from __future__ import annotations

import socket
import stat
from typing import TYPE_CHECKING

import pytest

from bounceproc.config import Endpoint
from bounceproc.errors import ConfigError, TemporaryError
from bounceproc.sockets import dress, listening

if TYPE_CHECKING:
    from pathlib import Path

SETTING = "serve.socketmap"


def test_a_unix_socket_has_its_mode_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "door"
    with listening(Endpoint(path=path), SETTING, mode=0o620):
        assert stat.S_IMODE(path.stat().st_mode) == 0o620
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert not path.exists()


def test_a_socket_that_a_dead_process_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "door"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with listening(Endpoint(path=path), SETTING):
        assert path.is_socket()


def test_the_socket_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "door"
    with (
        listening(Endpoint(path=path), SETTING),
        pytest.raises(TemporaryError, match="another process listens"),
        listening(Endpoint(path=path), SETTING),
    ):
        pass
    assert not path.exists()


def test_what_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "door"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="is no socket"), listening(Endpoint(path=path), SETTING):
        pass
    assert path.read_text() == "precious"


def test_another_servers_socket_at_the_same_place_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "door"
    with listening(Endpoint(path=path), SETTING):
        path.rename(tmp_path / "mine")
        path.write_text("somebody else's")
    assert path.exists()


def test_a_port_in_use_is_tried_again_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = Endpoint("127.0.0.1", other.getsockname()[1])
        with pytest.raises(TemporaryError, match="another process listens"), listening(place, SETTING):
            pass


def test_an_owner_that_is_not_there_is_a_wrong_configuration(tmp_path: Path) -> None:
    place = Endpoint(path=tmp_path / "door")
    with pytest.raises(ConfigError, match=r"serve\.socket_owner"), listening(place, SETTING, owner="nobody-here:"):
        pass
    assert not (tmp_path / "door").exists()


def test_a_socket_that_is_open_gets_another_mode(tmp_path: Path) -> None:
    place = Endpoint(path=tmp_path / "door")
    with listening(place, SETTING):
        dress(place, SETTING, mode=0o600, owner=None)
        assert stat.S_IMODE((tmp_path / "door").stat().st_mode) == 0o600
