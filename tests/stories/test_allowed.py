"""A person's decision to go on sending and what is automatic about the domain: the same question has the same answer at every door."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote

import pytest

from bounceproc.address import Address
from bounceproc.client import AsyncClient, Client
from bounceproc.client import snapshot as client_snapshot
from tests.servers import require
from tests.servers.exim import expand
from tests.store.kit import DAY, Bench, bounce, complaint, reading, soft
from tests.stories.serving import Served, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Door: TypeAlias = Callable[["Ground", list[str]], set[str]]

CASES: Final = {
    "anybody@dead.example": True,  # the domain is suppressed by policy
    "boss@dead.example": False,  # a person decided to go on sending
    "BOSS@Dead.Example": False,
    "boss@imported.example": False,  # a list is automatic, too
    "anybody@imported.example": True,
    "boss@shut.example": True,  # a person decided about the whole domain, later
    "angry@dead.example": True,  # the decision is no consent of who complained
    "ended@dead.example": True,  # it was for a time
    "news@dead.example": True,  # it was for one stream
    "user+tag@live.example": False,  # closer than what is automatic about user@
    "user@live.example": True,
    "boss@live.example": False,
}
EXTENDED: Final = {
    "boss+tag@dead.example": False,  # user+tag@ is user@ where that is configured
    "user+other@live.example": True,
}
"""Only for those who take extensions off."""


def prepare(bench: Bench) -> None:
    """A list in which people and machines disagree."""
    bench.now = datetime.now(UTC)
    days = [bench.now - (14 - 2 * number) * DAY for number in range(6)]
    dead = [soft(f"u{n % 3}@dead.example", "expired", at=at) for n, at in enumerate(days)]
    yesterday = bench.now - DAY
    for name in ("boss@dead", "angry@dead", "boss@imported", "boss@shut", "boss@live", "user+tag@live"):
        keep(bench, f"{name}.example", now=yesterday)
    keep(bench, "ended@dead.example", now=yesterday, until=bench.now - timedelta(hours=1))
    keep(bench, "news@dead.example", now=yesterday, scope="stream:news")
    at = bench.now - timedelta(minutes=30)
    events = [*dead, complaint("angry@dead.example", at=at), bounce("user@live.example", at=at)]
    bench.process(*(reading(event, ref=str(number)) for number, event in enumerate(events)))
    bench.suppress("@imported.example", reason="import", origin="import")
    bench.suppress("@shut.example", note="they are bankrupt")


def keep(bench: Bench, address: str, **more: Any) -> None:
    fields: dict[str, Any] = {"scope": "*", "until": None, "note": "they telephoned", "consent": None, "actor": "anna"}
    bench.store.keeping.keep(Address.parse(address), **{**fields, **more})


class Ground:
    """A folder with the list, every export of it, and a running server."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.house = served.house
        self.folder = served.house.folder
        self._made: set[str] = set()

    def export(self, format_: str, name: str) -> Path:
        path = self.folder / name
        if name not in self._made:
            self.house.run("export", "--format", format_, "-o", str(path))
            self._made.add(name)
        return path


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("allowed")
    with Bench.prepare(f"sqlite:///{folder}/bounceproc.db", folder) as bench:
        prepare(bench)
    with serving(folder, head='[privacy]\npepper_file = "test.pepper"\n[lookup]\nextension = true\n') as served:
        yield Ground(served)


# ---- the doors ---------------------------------------------------------------------------------------------------------


def _check(ground: Ground, addresses: list[str]) -> set[str]:
    database = f"sqlite:///{ground.house.database}"
    found = ground.house.json("check", "--format", "json", "--database", database, *addresses, code=1)
    return {one["address"] for one in found if one["suppressed"]}


def _filter(ground: Ground, addresses: list[str]) -> set[str]:
    kept = ground.house.run("filter", stdin="\n".join(addresses).encode()).stdout.splitlines()
    return set(addresses) - set(kept)


def _each(ask: Callable[[Ground, str], bool]) -> Door:
    return lambda ground, addresses: {address for address in addresses if ask(ground, address)}


def _socketmap(ground: Ground, address: str) -> bool:
    return ground.served.map(b"suppressed " + address.encode()) != b"NOTFOUND "


def _policy(ground: Ground, address: str) -> bool:
    return ground.served.ask_policy(recipient=address) != b"action=DUNNO\n\n"


def _http(ground: Ground, address: str) -> bool:
    status, answer, _ = ground.served.request("GET", f"/v1/addresses/{quote(address)}")
    assert status == 200
    return bool(answer["suppressed"])


def _bulk(ground: Ground, address: str) -> bool:
    _, answer, _ = ground.served.request("POST", "/v1/check", {"addresses": ["fine@example.com", address]})
    assert answer["results"][0]["suppressed"] is False
    return bool(answer["results"][1]["suppressed"])


def _client(ground: Ground, address: str) -> bool:
    with closing(Client(f"http://127.0.0.1:{ground.served.http}", on_error="raise", timeout=30)) as client:
        return client.check(address).suppressed


def _async_client(ground: Ground, address: str) -> bool:
    async def ask() -> bool:
        url = f"http://127.0.0.1:{ground.served.http}"
        async with AsyncClient(url, on_error="raise", timeout=30) as client:
            return (await client.check(address)).suppressed

    return asyncio.run(ask())


def _snapshot(ground: Ground, address: str) -> bool:
    (answer,) = client_snapshot.ask(ground.export("sqlite", "snapshot.db"), [address], stream=None)
    assert answer is not None
    return answer.suppressed


def _jsonl(ground: Ground, addresses: list[str]) -> set[str]:
    """Who reads the entries alone has to take allowed addresses from `suppress allowed`, as the export says."""
    entries = [json.loads(line) for line in ground.export("jsonl", "list.jsonl").read_text().splitlines()]
    listed = {entry["address"]: entry["origin"] for entry in entries}
    decisions = ground.house.json("suppress", "allowed", "--format", "jsonl")
    allowed = {one["address"] for one in decisions if one["scope"] == "*"}

    def is_suppressed(address: Address) -> bool:
        domain = listed.get(f"@{address.domain}")
        return address.normal in listed or (
            domain is not None and (domain == "manual" or address.normal not in allowed)
        )

    return {address for address in addresses if is_suppressed(Address.parse(address))}


def _table(kind: str, end: str) -> Door:
    def ask(ground: Ground, address: str) -> bool:
        ground.export(kind, f"table{end}")
        found = (_postmap(f"{kind}:{ground.folder}/table", key) for key in _access_keys(address))
        return next((action for action in found if action), "DUNNO") != "DUNNO"

    return _each(ask)


def _access_keys(address: str) -> list[str]:
    """What Postfix asks for, in the order of access(5), with recipient_delimiter = +; it folds the case."""
    local, _, domain = address.lower().rpartition("@")
    bare = local.partition("+")[0]
    return [f"{local}@{domain}", *([f"{bare}@{domain}"] if bare != local else []), domain]


def _postmap(table: str, key: str) -> str:
    command = [require("postmap", "postfix"), "-q", key, table]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == "", done.stderr
    return done.stdout.strip()


def _view(name: str) -> Door:
    def ask(ground: Ground, addresses: list[str]) -> set[str]:
        database = ground.folder / name if name == "bounceproc.db" else ground.export("sqlite", name)
        table = ground.folder / f"{name}.cf"
        query = "SELECT action FROM v_postfix WHERE address IN ('%s', '@%d') ORDER BY action LIMIT 1"
        table.write_text(f"dbpath = {database}\nquery = {query}\n")
        os.utime(table, (0, 0))  # Postfix waits before it reads a file that was just written
        return {each for each in addresses if _postmap(f"sqlite:{table}", each) not in {"", "DUNNO"}}

    return ask


def _exim(format_: str, search: str) -> Door:
    def ask(ground: Ground, address: str) -> bool:
        path = ground.export(format_, f"exim-{format_}")
        lowered = address.lower()
        return expand(ground.folder, f"${{lookup{{{lowered}}}{search}{{{path}}}}}") != ""

    return _each(ask)


def _allowed_view(ground: Ground, address: str) -> bool:
    """Whoever asks the views of the list themselves."""
    parsed = Address.parse(address)
    question = """SELECT count(*) FROM v_suppressed AS s WHERE s.address = :own
        OR s.address = :domain AND NOT EXISTS (SELECT 1 FROM v_allowed AS a WHERE a.address = :own)"""
    with closing(sqlite3.connect(ground.house.database)) as database:
        values = {"own": parsed.normal, "domain": f"@{parsed.domain}"}
        return bool(database.execute(question, values).fetchone()[0])


EVERYTHING: Final[dict[str, Door]] = {
    "check": _check,
    "socketmap": _each(_socketmap),
    "policy service": _each(_policy),
    "HTTP": _each(_http),
    "HTTP bulk": _each(_bulk),
    "client": _each(_client),
    "async client": _each(_async_client),
    "filter": _filter,
    "texthash": _table("texthash", ""),
    "cdb": _table("cdb", ".cdb"),
    "lmdb": _table("lmdb", ".lmdb"),
}
PLAIN: Final[dict[str, Door]] = {
    "client's snapshot": _each(_snapshot),
    "jsonl and the decisions": _jsonl,
    "v_postfix of the database": _view("bounceproc.db"),
    "v_postfix of a snapshot": _view("snapshot.db"),
    "v_allowed": _each(_allowed_view),
    "lsearch": _exim("lsearch", "lsearch*@"),
    "exim-cdb": _exim("exim-cdb", "cdb*@"),
}
"""Doors that take no extension off."""


@pytest.mark.server
@pytest.mark.parametrize("door", [*EVERYTHING, *PLAIN])
def test_the_same_question_has_the_same_answer(ground: Ground, door: str) -> None:
    cases = CASES if door in PLAIN else CASES | EXTENDED
    ask = (EVERYTHING | PLAIN)[door]

    assert ask(ground, list(cases)) == {address for address, is_suppressed in cases.items() if is_suppressed}


def test_a_list_that_cannot_say_it_says_how_many_it_overrules(ground: Ground) -> None:
    for format_ in ("csv", "rspamd"):
        said = ground.house.run("export", "--format", format_).stderr
        assert "3 addresses that a person goes on sending to" in said, format_
    for format_ in ("texthash", "ses"):
        assert "goes on sending" not in ground.house.run("export", "--format", format_, "-o", "some.list").stderr


def test_a_decision_is_no_addition_to_a_list_of_a_sending_service(ground: Ground) -> None:
    added = ground.house.run("export", "--format", "ses", "--since", "0").stdout

    assert "angry@dead.example" in added
    assert "boss@" not in added
