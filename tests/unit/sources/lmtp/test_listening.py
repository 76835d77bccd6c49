"""Where a server of LMTP listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bounceproc.config import Endpoint
from bounceproc.errors import ConfigError
from bounceproc.sources.lmtp.listening import Door, listening

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "mail.example.com"])
def test_a_place_open_to_others_is_refused_unless_allowed(host: str) -> None:
    with pytest.raises(ConfigError, match="open to others"), listening(Door(Endpoint(host, 24))):
        pass


def test_a_place_open_to_others_can_be_allowed() -> None:
    with listening(Door(Endpoint("0.0.0.0", 0), allow_remote=True)) as opened:
        assert opened.getsockname()[0] == "0.0.0.0"


def test_an_owner_that_is_not_there_is_a_wrong_configuration(tmp_path: Path) -> None:
    door = Door(Endpoint(path=tmp_path / "lmtp"), socket_owner="nobody-here:nogroup-here")
    with pytest.raises(ConfigError, match=r"lmtp\.socket_owner"), listening(door):
        pass
