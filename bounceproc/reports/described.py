"""The tables of `prose_formats.toml`: `python -m bounceproc.reports.described` after every change of them.

That writes them as JSON, too, since a TOML reader takes longer to load than a run needs for some hundred messages. JSON that
was made of other tables, or was damaged, is passed over.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final
from zlib import crc32

FORMATS: Final = Path(__file__).with_name("prose_formats.toml")
WRITTEN: Final = FORMATS.with_suffix(".json")

Table = dict[str, Any]


def tables() -> list[Table]:
    """The `[[format]]` tables in the order of the file."""
    source = FORMATS.read_bytes()
    try:
        written = json.loads(WRITTEN.read_bytes())
        if written["digest"] == _digest(source):
            found: list[Table] = written["formats"]
            return found
    except (OSError, ValueError, LookupError, TypeError):
        pass
    return _read(source)


def dumped() -> str:
    """What `prose_formats.json` has to be."""
    source = FORMATS.read_bytes()
    return json.dumps({"digest": _digest(source), "formats": _read(source)}, ensure_ascii=False, indent=0) + "\n"


def _read(source: bytes) -> list[Table]:
    import tomllib  # noqa: PLC0415 - see above

    found: list[Table] = tomllib.loads(source.decode())["format"]
    return found


def _digest(source: bytes) -> str:
    """It is to notice a change, not a forger: whoever can write here can write anything."""
    return f"{len(source)}-{crc32(source):08x}"


if __name__ == "__main__":
    WRITTEN.write_text(dumped(), encoding="utf-8")
    sys.stderr.write(f"{len(tables())} formats\n")
