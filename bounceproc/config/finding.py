"""Where the configuration file lies. Apart from the rest, because asking whether there is one needs no pydantic."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bounceproc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME: Final = "bounceproc.toml"
FILE_VARIABLE: Final = "BOUNCEPROC_CONFIG"


def find(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The file in force: the one named, else the one named by the environment, else the first that is there; None if none is.

    Raises:
        ConfigError: a file is there and may not be looked at.

    """
    named = path or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    if named is not None:
        return cwd / named
    if _is_there(cwd / FILE_NAME):
        return cwd / FILE_NAME
    return next((place for place in _folders() if _is_there(place)), None)


def _folders() -> list[Path]:
    user, site = _plain_folders(os.environ) or _asked_folders()
    return [folder / FILE_NAME for folder in (user, Path("/etc/bounceproc"), site)]


def _plain_folders(environ: Mapping[str, str]) -> tuple[Path, Path] | None:
    """A user's folder and the system's by the XDG Base Directory Specification; None where this is no plain Linux.

    `platformdirs` says the same, and takes longer to load than many a command to run.
    """
    home = environ.get("HOME", "")
    user = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    site = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)[0]
    is_plain = all(place.startswith("/") and place == place.strip() for place in (home, user, site))
    if sys.platform != "linux" or "ANDROID_DATA" in environ or not is_plain:
        return None
    return Path(user, "bounceproc"), Path(site, "bounceproc")


def _asked_folders() -> tuple[Path, Path]:
    from platformdirs import site_config_path, user_config_path  # noqa: PLC0415 - not needed where all is plain

    return user_config_path("bounceproc"), site_config_path("bounceproc")


def _is_there(place: Path) -> bool:
    """Whether there is a file. One that we may not see must not be passed over: its database would silently be another one."""
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise unreadable(place, error) from error
    return True


def unreadable(place: Path, error: OSError) -> ConfigError:
    """What to say of a file that cannot be read."""
    return ConfigError(
        f"the configuration {place} cannot be read: {error.strerror}",
        f"Name another file with --config or {FILE_VARIABLE}, or let this account read it.",
    )
