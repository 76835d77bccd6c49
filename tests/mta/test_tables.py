"""Every table that is exported is one that Postfix and Exim look up in, and they find in it what the list says."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from bounceproc.lookup.export import export
from tests.servers import require
from tests.servers.exim import expand
from tests.unit.lookup.test_export import NOW, List, entry

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.server

ENTRIES = [
    entry("user@example.com"),
    entry("#odd/+@example.com"),
    entry("@gone.example", reason="manual", category=None, class_=None, ref=None),
    entry("ü@xn--bcher-kva.example"),
    *(entry(f"user{number}@example.org") for number in range(300)),
]
HARD = "5.1.1 undeliverable since 2026-11-01, ref=00ff"
SOFT = "5.7.1 not to be mailed since 2026-11-01"


def postmap(table: str, key: str) -> str | None:
    """What Postfix finds; None for nothing."""
    done = subprocess.run(
        [require("postmap", "postfix"), "-q", key, table], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr == "", done.stderr
    return done.stdout.rstrip("\n") if done.returncode == 0 else None


@pytest.mark.parametrize("format_", ["texthash", "cdb", "lmdb"])
def test_postfix_finds_what_the_list_says(format_: str, tmp_path: Path) -> None:
    end = {"texthash": "", "cdb": ".cdb", "lmdb": ".lmdb"}[format_]

    export(List(ENTRIES), format_, tmp_path / f"list{end}", now=NOW)
    table = f"{format_}:{tmp_path / 'list'}"

    assert postmap(table, "user@example.com") == f"REJECT {HARD}"
    assert postmap(table, "user299@example.org") == f"REJECT {HARD}"
    assert postmap(table, "gone.example") == f"REJECT {SOFT}"
    assert postmap(table, "ü@bücher.example") == postmap(table, "ü@xn--bcher-kva.example") == f"REJECT {HARD}"
    assert postmap(table, "other@example.com") is None
    assert postmap(table, "#odd/+@example.com") == (None if format_ == "texthash" else f"REJECT {HARD}")


def test_what_is_written_for_texthash_is_what_postmap_makes_any_other_table_of(tmp_path: Path) -> None:
    export(List(ENTRIES), "texthash", tmp_path / "list", now=NOW)

    subprocess.run([require("postmap", "postfix"), f"lmdb:{tmp_path / 'list'}"], check=True, timeout=30)

    assert postmap(f"lmdb:{tmp_path / 'list'}", "user7@example.org") == f"REJECT {HARD}"


def test_postfix_finds_in_a_snapshot_what_the_list_says(tmp_path: Path) -> None:
    export(List(ENTRIES), "sqlite", tmp_path / "snapshot.db", now=NOW)
    (tmp_path / "sqlite.cf").write_text(
        f"dbpath = {tmp_path}/snapshot.db\n"
        "query = SELECT action FROM v_postfix WHERE address IN ('%s', '@%d') ORDER BY action LIMIT 1\n"
    )
    table = f"sqlite:{tmp_path}/sqlite.cf"

    assert postmap(table, "user@example.com") == f"REJECT {HARD}"
    assert postmap(table, "x@gone.example") == f"REJECT {SOFT}"
    assert postmap(table, "x@sub.gone.example") is None
    assert postmap(table, "' OR 1=1 --@example.com") is None


@pytest.mark.parametrize(("format_", "search"), [("lsearch", "lsearch*@"), ("exim-cdb", "cdb*@")])
def test_exim_finds_what_the_list_says(format_: str, search: str, tmp_path: Path) -> None:
    export(List(ENTRIES), format_, tmp_path / "list", now=NOW)

    def looked_up(key: str) -> str:
        return expand(tmp_path, f"${{lookup{{{key}}}{search}{{{tmp_path}/list}}{{$value}}{{none}}}}")

    assert looked_up("user@example.com") == HARD
    assert looked_up("user299@example.org") == HARD
    assert looked_up("x@gone.example") == SOFT
    assert looked_up("x@sub.gone.example") == "none"
    assert looked_up("other@example.com") == "none"
    assert looked_up("#odd/+@example.com") == HARD
    assert looked_up("ü@bücher.example") == HARD
