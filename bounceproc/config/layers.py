"""Where values come from: defaults, the file, the environment and the command line, laid over each other."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_origin

from bounceproc.config.finding import FILE_VARIABLE, find, unreadable
from bounceproc.config.sections import LISTS, Document, defaults, model_of
from bounceproc.config.toml import TomlSyntaxError, parse
from bounceproc.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel

MAX_FILE_OCTETS: Final = 1024 * 1024
"""A configuration longer than this is another file, named by mistake."""
PREFIX: Final = "BOUNCEPROC_"
_NO_KEYS: Final = frozenset((FILE_VARIABLE, "BOUNCEPROC_PURE"))
"""Variables that stand for no key: which file is read, and whether the sources run where they were compiled."""

_SQLITE: Final = re.compile(r"(sqlite(?:\+\w+)?:///)([^?]+)(.*)", re.DOTALL)
_TWIN: Final = re.compile(r"_(?:file|env)\Z")
_BOOLEANS: Final = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}

Location = tuple[str | int, ...]


@dataclass(slots=True)
class Layers:
    """All layers in one tree, and where each part of it was written."""

    source: Path | None
    folder: Path
    """What relative paths of file, environment and defaults are relative to."""
    tree: dict[str, Any] = field(default_factory=defaults)
    origins: dict[Location, tuple[int, str]] = field(default_factory=dict)
    """Line number (0 outside the file) and how to call the place."""
    warnings: list[str] = field(default_factory=list)

    def add(self, values: Mapping[str, Any], origins: Mapping[Location, tuple[int, str]], folder: Path) -> None:
        """Lay the values over what is there; paths in them are relative to `folder`."""
        _lay(_rooted(values, folder), self.tree)
        replaced = {path for path in origins if len(path) == 1 and path[0] in LISTS}
        self.origins = {path: place for path, place in self.origins.items() if path[:1] not in replaced}
        self.origins.update(origins)

    def where(self, path: Location) -> tuple[int, str]:
        """The place of the longest part of the path that has one: a missing key is missing in its table."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.origins:
                return self.origins[path[:end]]
        return 0, str(self.source or "defaults")


def gather(path: Path | None, overrides: Mapping[str, Any], environ: Mapping[str, str], cwd: Path) -> Layers:
    """Find and read every layer.

    Raises:
        ConfigError: the file that was named is not there, cannot be read, or is no TOML.

    """
    source = find(path, environ, cwd)
    layers = Layers(source, source.parent if source else cwd)
    layers.add(defaults(), {}, layers.folder)
    if source is not None:
        values, lines = _read(source)
        layers.add(values, {place: (line, f"{source}:{line}") for place, line in lines.items()}, layers.folder)
    values, names = _from_environment(environ, layers.warnings)
    layers.add(values, names, layers.folder)
    given = _without_none(overrides)
    # Whoever types a path means it from where they are.
    layers.add(given, dict.fromkeys(_leaves(given), (0, "command line")), cwd)
    _place_pepper(layers)
    return layers


# ---- the file --------------------------------------------------------------------------------------------------------


def _read(source: Path) -> tuple[dict[str, Any], dict[Location, int]]:
    try:
        with source.open("rb") as file:
            raw = file.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        raise unreadable(source, error) from error
    if len(raw) > MAX_FILE_OCTETS:
        raise ConfigError(f"{source} is longer than {MAX_FILE_OCTETS} octets", "Name the configuration file.")
    try:
        return parse(raw.decode("utf-8-sig"))  # Windows editors put a byte order mark in front
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = f"{source}:{line}: these octets are not UTF-8. Save the file as UTF-8."
        raise ConfigError(f"{source} cannot be read", "", (problem,)) from error
    except TomlSyntaxError as error:
        problem = f"{source}:{error.line}:{error.column}: {error}"
        raise ConfigError(f"{source} cannot be read", "", (problem,)) from error


# ---- the environment -------------------------------------------------------------------------------------------------


def _from_environment(
    environ: Mapping[str, str], warnings: list[str]
) -> tuple[dict[str, Any], dict[Location, tuple[int, str]]]:
    known = _variables()
    values: dict[str, Any] = {}
    names: dict[Location, tuple[int, str]] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in _NO_KEYS or not environ[name]:
            continue  # an empty variable is how compose files say "not set"
        if name not in known:
            warnings.append(_unknown_variable(name, known))
            continue
        path, kind = known[name]
        table = values
        for part in path[:-1]:
            table = table.setdefault(part, {})
        table[path[-1]] = _typed(environ[name], kind)
        names[path] = (0, name)
    return values, names


def _variables(model: type[BaseModel] = Document, path: tuple[str, ...] = ()) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Every variable that means something, with the key it stands for and the type of its value."""
    found: dict[str, tuple[tuple[str, ...], Any]] = {}
    for name, info in model.model_fields.items():
        here = (*path, info.alias or name)
        below = None if name in LISTS else model_of(info.annotation)
        if below is not None:
            found |= _variables(below, here)
        elif path:  # lists of tables stand at the top and have no variables
            found[PREFIX + "__".join(here).replace("-", "_").upper()] = (here, info.annotation)
    return found


def _unknown_variable(name: str, known: Mapping[str, object]) -> str:
    meant = name.removeprefix(PREFIX)
    first = meant.partition("__")[0].lower()
    if first in LISTS:
        return f"{name} means nothing: [[{first}]] tables stand in the file alone"
    close = get_close_matches(meant, [each.removeprefix(PREFIX) for each in known], 1)
    return f"{name} means nothing to this version" + (f"; did you mean {PREFIX}{close[0]}?" if close else "")


def _typed(text: str, kind: Any) -> Any:
    """A variable's text as the type that TOML would give; what cannot be is left for the models to refuse."""
    if kind is bool:
        return _BOOLEANS.get(text.strip().lower(), text)
    if kind is int:
        return int(text) if re.fullmatch(r"\s*-?[0-9]{1,9}\s*", text) else text
    if get_origin(kind) is tuple:
        return _listed(text)
    return text


def _listed(text: str) -> Any:
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


# ---- laying over each other ------------------------------------------------------------------------------------------


def _lay(upper: Mapping[str, Any], lower: dict[str, Any]) -> None:
    """Values of the upper layer replace those of the lower one. A secret and its twins count as one value."""
    for key, value in upper.items():
        below = lower.get(key)
        if isinstance(value, Mapping) and isinstance(below, dict):
            _lay(value, below)
            continue
        base = _TWIN.sub("", key)
        for twin in {base, f"{base}_file", f"{base}_env"} - set(upper):
            lower.pop(twin, None)
        lower[key] = value


def _rooted(value: Any, folder: Path, key: str = "") -> Any:
    """A copy in which relative paths begin at the folder: `*_file`, `*_files`, `unix:PATH` and the file of an SQLite database."""
    if isinstance(value, Mapping):
        return {name: _rooted(each, folder, name) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rooted(each, folder, key.removesuffix("s")) for each in value]
    if isinstance(value, str | Path) and key.endswith("_file") and str(value):
        return folder / value
    if not isinstance(value, str):
        return value
    if key in {"http", "socketmap", "policy", "listen"} and value.startswith("unix:") and value != "unix:":
        return f"unix:{folder / value.removeprefix('unix:')}"
    return rooted_url(value, folder) if key == "url" else value


def rooted_url(url: str, folder: Path) -> str:
    """The address of a database, an SQLite file's path made absolute."""
    found = _SQLITE.fullmatch(url.strip())
    if not found or found[2] == ":memory:":
        return url
    return f"{found[1]}{folder / found[2]}{found[3]}"


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for one in memory and for every other database."""
    found = _SQLITE.fullmatch(url)
    return Path(found[2]) if found and found[2] != ":memory:" else None


def _place_pepper(layers: Layers) -> None:
    """By default the pepper lies beside the SQLite file, and beside the configuration where there is none."""
    privacy, database = layers.tree["privacy"], layers.tree["database"]
    if not isinstance(privacy, dict) or "pepper_file" in privacy:
        return
    url = database.get("url") if isinstance(database, dict) else None
    file = sqlite_file(url) if isinstance(url, str) else None
    privacy["pepper_file"] = (file.parent if file else layers.folder) / "bounceproc.pepper"


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options that were not given are None."""
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value is not None
    }


def _leaves(values: Mapping[str, Any], path: Location = ()) -> list[Location]:
    found: list[Location] = []
    for key, value in values.items():
        found += _leaves(value, (*path, key)) if isinstance(value, Mapping) else [(*path, key)]
    return found
