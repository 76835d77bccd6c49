"""Finding the configuration: the folders are those of platformdirs, told sooner."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bounceproc.config import finding

PLAIN = [
    {"HOME": "/home/somebody"},
    {"HOME": "/root", "XDG_CONFIG_HOME": "/srv/settings"},
    {"HOME": "/root", "XDG_CONFIG_HOME": "", "XDG_CONFIG_DIRS": "/opt/etc:/etc/xdg"},
]
OTHER = [
    {},
    {"HOME": "somewhere"},
    {"HOME": "/root", "XDG_CONFIG_HOME": "settings"},
    {"HOME": "/root", "XDG_CONFIG_DIRS": " /etc/xdg"},
    {"HOME": "/root", "ANDROID_DATA": "/data"},
]


@pytest.mark.skipif(sys.platform != "linux", reason="platformdirs knows the other systems")
@pytest.mark.parametrize("environ", PLAIN)
def test_plain_folders_are_those_of_platformdirs(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "ANDROID_DATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert finding._plain_folders(environ) == finding._asked_folders()
    assert finding._folders()[1] == Path("/etc/bounceproc/bounceproc.toml")


@pytest.mark.parametrize("environ", OTHER)
def test_what_is_not_plain_is_left_to_platformdirs(environ: dict[str, str]) -> None:
    assert finding._plain_folders(environ) is None
