"""Where a server of LMTP listens."""

from __future__ import annotations

import socket
import stat
from typing import TYPE_CHECKING

import pytest

from bounceproc.config import Endpoint
from bounceproc.errors import ConfigError, TemporaryError
from bounceproc.sources.lmtp.listening import Door, listening

if TYPE_CHECKING:
    from pathlib import Path


def test_a_unix_socket_has_its_mode_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with listening(Door(Endpoint(path=path), socket_mode=0o620)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o620
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert not path.exists()


def test_a_socket_that_a_dead_process_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with listening(Door(Endpoint(path=path))):
        assert path.is_socket()


def test_the_socket_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with (
        listening(Door(Endpoint(path=path))),
        pytest.raises(TemporaryError, match="another process listens"),
        listening(Door(Endpoint(path=path))),
    ):
        pass
    assert not path.exists()


def test_what_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="is no socket"), listening(Door(Endpoint(path=path))):
        pass
    assert path.read_text() == "precious"


def test_another_servers_socket_at_the_same_place_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with listening(Door(Endpoint(path=path))):
        path.rename(tmp_path / "mine")
        path.write_text("somebody else's")
    assert path.exists()


def test_a_port_in_use_is_tried_again_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = Endpoint("127.0.0.1", other.getsockname()[1])
        with pytest.raises(TemporaryError, match="another process listens"), listening(Door(place)):
            pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "mail.example.com"])
def test_a_place_open_to_others_is_refused_unless_allowed(host: str) -> None:
    with pytest.raises(ConfigError, match="open to others"), listening(Door(Endpoint(host, 24))):
        pass


def test_a_place_open_to_others_can_be_allowed() -> None:
    with listening(Door(Endpoint("0.0.0.0", 0), allow_remote=True)) as opened:
        assert opened.getsockname()[0] == "0.0.0.0"


def test_an_owner_that_is_not_there_is_a_wrong_configuration(tmp_path: Path) -> None:
    door = Door(Endpoint(path=tmp_path / "lmtp"), socket_owner="nobody-here:nogroup-here")
    with pytest.raises(ConfigError, match="socket_owner"), listening(door):
        pass
