"""TOML with line numbers: the parser of the standard library gives values, this room adds where they stand, and writes them."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from bounceproc.config.values import WrongValueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Location = tuple[str | int, ...]

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED: Final = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_PARTS: Final = re.compile(_PART)
_BLANK: Final = re.compile(r"(?:\s|#[^\n]*(?=\n|\Z))+")
_HEADER: Final = re.compile(rf"(\[\[?)[ \t]*({_DOTTED})[ \t]*\]\]?")
_KEY: Final = re.compile(rf"({_DOTTED})[ \t]*=")
_VALUE: Final = re.compile(
    r'''
      (?P<skip> """(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5} | \'\'\'(?:[^']|'{1,2}(?!'))*'{3,5}
              | "(?:[^"\\\n]|\\.)*" | '[^'\n]*' | \#[^\n]* | [^"'\#\n\[\]{}]+ )
    | (?P<open> [\[{] ) | (?P<close> [\]}] ) | (?P<end> \n )
    ''',
    re.VERBOSE | re.DOTALL,
)
_POSITION: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class TomlSyntaxError(WrongValueError):
    """The text is no TOML from this line and column on."""

    def __init__(self, what: str, advice: str, line: int, column: int) -> None:
        self.line = line
        self.column = column
        super().__init__(what, advice)


def parse(text: str) -> tuple[dict[str, Any], dict[Location, int]]:
    """The values of a TOML text, and the line (from 1) of each table and key; tables that stand in lists have an index.

    Raises:
        TomlSyntaxError: it is no TOML.

    """
    text = text.replace("\r\n", "\n")
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = _POSITION.search(str(error))
        line, column = (int(found[1]), int(found[2])) if found and found[1] else (text.count("\n") + 1, 1)
        what = _POSITION.sub("", str(error)) or "it nests too deeply"
        advice = "Text stands in quotes, a table's name in brackets, and each key once."
        raise TomlSyntaxError(f"this is no TOML: {what}", advice, line, column) from error
    lines: dict[Location, int] = {}
    for path, line in _places(text):
        lines.setdefault(path, line)
    return values, lines


def _places(text: str) -> Iterator[tuple[Location, int]]:
    """Each table and key of a text that is known to be TOML."""
    lists: dict[Location, int] = {}
    table: Location = ()
    position, line, counted = 0, 1, 0
    while position < len(text):
        if blank := _BLANK.match(text, position):
            position = blank.end()
            continue
        line, counted = line + text.count("\n", counted, position), position
        if header := _HEADER.match(text, position):
            table = _table(header, lists)
            yield from ((table[:end], line) for end in range(1, len(table) + 1))
            position = header.end()
        elif key := _KEY.match(text, position):
            path = (*table, *_split(key[1]))
            yield from ((path[:end], line) for end in range(len(table) + 1, len(path) + 1))
            position = _end_of_value(text, key.end())
        else:
            return


def _table(header: re.Match[str], lists: dict[Location, int]) -> Location:
    """The path of a table, with the index of the last element wherever the way leads through a list of tables."""
    *way, last = _split(header[2])
    path: Location = ()
    for part in way:
        path = (*path, part)
        path = (*path, lists[path]) if path in lists else path
    path = (*path, last)
    if header[1] == "[[":
        lists[path] = lists.get(path, -1) + 1
    return (*path, lists[path]) if path in lists else path


def _split(dotted: str) -> list[str]:
    return [tomllib.loads(f"k = {part}")["k"] if part[0] in "\"'" else part for part in _PARTS.findall(dotted)]


def _end_of_value(text: str, position: int) -> int:
    depth = 0
    while token := _VALUE.match(text, position):
        position = token.end()
        depth += bool(token["open"]) - bool(token["close"])
        if token["end"] and depth <= 0:
            break
    return position


def write(tables: Mapping[str, Any]) -> str:
    """TOML text of tables of tables, as far as a configuration needs it; what is None is left out."""
    blocks = []
    for name, table in tables.items():
        for each in table if isinstance(table, list) else [table]:
            head = f"[[{bare_or_quoted(name)}]]" if isinstance(table, list) else f"[{bare_or_quoted(name)}]"
            blocks.append("\n".join([head, *_pairs(each)]))
    return "\n\n".join(blocks) + "\n"


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{bare_or_quoted(key)} = {_value(value)}" for key, value in table.items() if value is not None]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(_pairs(value))} }}" if value else "{}"
    return _quoted(str(value))


def bare_or_quoted(key: str) -> str:
    """A key as TOML writes it."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quoted(key)


def _quoted(text: str) -> str:
    # JSON escapes as TOML does but for DEL; what is no Unicode (a file name of other octets) cannot be written at all.
    shown = text.encode(errors="replace").decode()
    return json.dumps(shown, ensure_ascii=False).replace("\x7f", "\\u007f")
