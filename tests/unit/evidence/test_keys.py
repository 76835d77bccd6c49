"""Keys are asked for once, remembered for a while, and missed without harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.resolver
import pytest

from bounceproc.evidence import keys as room
from bounceproc.evidence.keys import Keys
from tests.servers.names import NameServer
from tests.unit.evidence.signing import record

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "s1._domainkey.example.org"
OTHER = "s2._domainkey.example.org"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer({NAME: record(), "two.example.org": [b"p=a", b"p=b"], "wide.example.org": b"x" * 5000}) as one:
        yield one


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(server: NameServer, clock: Clock) -> Keys:
    return Keys([server.address], clock)


def test_a_key_is_asked_for_once_while_it_holds(keys: Keys, server: NameServer, clock: Clock) -> None:
    assert not keys.known(NAME)
    assert keys.find(NAME) == keys.find(NAME) == record()
    assert keys.known(NAME)
    assert server.asked == [NAME]
    clock.now += server.ttl
    assert not keys.known(NAME)
    assert keys.find(NAME) == record()
    assert server.asked == [NAME, NAME]


@pytest.mark.parametrize(("ttl", "held"), [(0, room.SHORTEST), (10_000_000, room.LONGEST)])
def test_how_long_it_is_remembered_has_bounds(
    keys: Keys, server: NameServer, clock: Clock, ttl: int, held: float
) -> None:
    server.ttl = ttl
    keys.find(NAME)
    clock.now += held - 1
    assert keys.known(NAME)
    clock.now += 1
    assert not keys.known(NAME)


def test_that_there_is_none_is_remembered_too(keys: Keys, server: NameServer, clock: Clock) -> None:
    assert keys.find(OTHER) is keys.find(OTHER) is None
    assert server.asked == [OTHER]
    clock.now += room.NOTHING
    assert keys.find(OTHER) is None
    assert server.asked == [OTHER, OTHER]


def test_several_records_or_a_huge_one_are_none(
    keys: Keys, server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys.find("two.example.org") is None
    monkeypatch.setattr(room, "MAX_RECORD", 100)
    assert keys.find(NAME) is None


def test_no_more_than_so_many_are_remembered_and_invented_names_push_out_no_key(
    keys: Keys, server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "KEPT", 3)
    keys.find(NAME)
    for number in range(10):
        keys.find(f"x{number}._domainkey.example.org")
    assert keys.known(NAME)
    assert sum(keys.known(f"x{number}._domainkey.example.org") for number in range(10)) == 3


def test_a_server_that_is_silent_is_asked_a_few_times_and_then_left_alone(
    keys: Keys, server: NameServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "TIMEOUT", 0.1)
    server.rcode = "silence"
    for _ in range(room.SILENT):
        assert keys.find(NAME) is None
    assert not keys.known(NAME), "that nobody answered is no answer"
    asked = len(server.asked)
    assert keys.find(NAME) is None
    assert len(server.asked) == asked
    monkeypatch.setattr(room, "TIMEOUT", 5.0)
    server.rcode = ""
    clock.now += room.REST
    assert keys.find(NAME) == record()


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED"])
def test_a_server_that_fails_at_one_name_is_asked_for_others(
    keys: Keys, server: NameServer, clock: Clock, rcode: str
) -> None:
    server.rcode = rcode
    for number in range(room.SILENT * 2):
        assert keys.find(f"x{number}.example.org") is None
    assert keys.find("x0.example.org") is None
    assert len(server.asked) == room.SILENT * 2
    server.rcode = ""
    assert keys.find(NAME) == record()
    clock.now += room.REST
    assert not keys.known("x0.example.org")


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 300, "\udcff.example", "_domainkey." + "a" * 70 + ".example"])
def test_names_that_cannot_be_are_none(keys: Keys, name: str) -> None:
    assert keys.find(name) is None


def test_a_system_without_name_servers_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_configuration(*_: object, **__: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver, "Resolver", no_configuration)
    assert Keys().find(NAME) is None
