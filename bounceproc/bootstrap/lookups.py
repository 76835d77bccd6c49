"""What answers senders: the server with all its doors."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bounceproc.bootstrap.byhand import manual_reason
from bounceproc.bootstrap.database import delimiter_of, open_store
from bounceproc.bootstrap.ours import recipient_digest
from bounceproc.errors import BadDataError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from socket import socket

    from bounceproc.address import Address
    from bounceproc.config import Config, Endpoint
    from bounceproc.lookup.follower import Follower
    from bounceproc.lookup.http.server import HttpServer
    from bounceproc.lookup.server import House
    from bounceproc.lookup.tokens import Tokens as BearerTokens
    from bounceproc.ports import Wanted
    from bounceproc.service.porter import Door
    from bounceproc.store.store import Store


@dataclass(frozen=True, slots=True)
class _BySenders:
    """Remembers for programs what they sent."""

    store: Store
    digest: Callable[[Address], str] | None

    def sent(self, messages: Sequence[Mapping[str, object]]) -> int:
        from bounceproc.sentmail import SentMail

        now, mails = datetime.now(UTC), []
        for number, row in enumerate(messages):
            try:
                mails.append(SentMail.of(row, now))
            except BadDataError as error:
                raise BadDataError(f"messages[{number}]: {error.what}") from error
        return self.store.sent.add(mails, digest=self.digest)


def serve_lookups(config: Config, *, on_ready: Callable[[str], None], on_stop: Callable[[], None]) -> None:
    """Answer senders until a signal ends it.

    Raises:
        ConfigError: it cannot listen as configured, or a library for HTTP is not installed.
        BounceprocError: the database cannot be used at all.

    """
    from bounceproc.lookup.tokens import Tokens
    from bounceproc.lookup.workers import spread
    from bounceproc.sockets import listening

    section = config.serve
    tokens = Tokens.parse(section.secret.read()) if section.secret else Tokens()
    places = {
        name: place
        for name, place in (("socketmap", section.socketmap), ("policy", section.policy), ("http", section.http))
        if place is not None
    }
    _check_places(places, tokens=bool(tokens))
    with ExitStack() as held:
        mode, owner = int(section.socket_mode, 8), section.socket_owner
        opened = {
            name: held.enter_context(listening(place, f"serve.{name}", mode=mode, owner=owner))
            for name, place in places.items()
        }
        path = section.snapshot_file
        if path is None and section.workers > 1:
            from tempfile import TemporaryDirectory

            path = Path(held.enter_context(TemporaryDirectory(prefix="bounceproc-"))) / "index"
        if section.workers > 1:
            with open_store(config) as store:
                _follower(store, path).load()  # the snapshot that all of them map
        ready = ", ".join(f"{name} on {place}" for name, place in places.items())

        def work(number: int) -> None:
            first = number == 0
            with open_store(config) as store:
                house = _house(
                    config, store, opened, tokens, path if first or section.workers > 1 else None, leads=first
                )
                house.run(lambda: on_ready(ready) if first else None, on_stop if first else lambda: None)

        spread(section.workers, work)


def _check_places(places: dict[str, Endpoint], *, tokens: bool) -> None:
    if not places:
        raise ConfigError("[serve] listens nowhere", "Give http, socketmap or policy a place.")
    if (http := places.get("http")) is not None:
        if not http.is_local and not tokens:
            raise ConfigError(
                f"serve.http: {http} is open to others, and there are no tokens",
                "Write tokens_file = ..., with what `bounceproc serve --new-token read NAME` prints, or listen on 127.0.0.1.",
            )
        try:
            import bounceproc.lookup.http.server  # noqa: F401 - whether it can be
        except ModuleNotFoundError as error:
            advice = "Install it: pip install 'bounceproc[serve]', or write http = \"off\"."
            raise ConfigError(f"the library for HTTP is not installed ({error.name})", advice) from error


def _follower(store: Store, path: Path | None, *, leads: bool = True) -> Follower:
    from bounceproc.lookup.follower import Follower

    return Follower(store.lookups, store.keys.id, path=path, leads=leads)


def _house(
    config: Config, store: Store, opened: dict[str, socket], tokens: BearerTokens, path: Path | None, *, leads: bool
) -> House:
    from concurrent.futures import ThreadPoolExecutor

    from bounceproc.lookup.desk import Desk
    from bounceproc.lookup.server import Door, House

    section = config.serve
    executor = ThreadPoolExecutor(4, "database")
    follower = _follower(store, path, leads=leads)
    follower.load()
    desk = Desk(
        store.keys,
        follower,
        delimiter=delimiter_of(config),
        max_staleness=section.max_staleness,
        executor=executor,
    )
    modes = {
        "socketmap": section.socketmap_on_error or section.on_error,
        "policy": section.policy_on_error or section.on_error,
        "http": section.http_on_error or section.on_error,
    }
    doors = {name: Door(name, one, modes[name].value == "open") for name, one in opened.items()}

    def http_server(door: Door) -> HttpServer:
        from bounceproc import __version__
        from bounceproc.lookup.http.gate import Gate
        from bounceproc.lookup.http.server import Backroom, HttpServer

        place = section.http
        room = Backroom(
            desk=desk,
            gate=Gate(tokens, is_local=place is not None and place.is_local, rate=section.rate_limit),
            entries=store.lookups,
            reader=store.suppressions,
            writer=_ByPrograms(store),
            sent=_BySenders(store, recipient_digest(config)) if config.identity.ledger else None,
            counters=store.counters,
            doors=[(one.name, one.tally, one.hall) for one in doors.values()],
            executor=executor,
            version=__version__,
        )
        return HttpServer(room, door.tally, door.hall, is_open=door.is_open)

    streams = {name.lower(): stream for name, stream in section.streams.items()}
    return House(desk=desk, streams=streams, http_server=http_server, **doors)


@dataclass(frozen=True, slots=True)
class _ByPrograms:
    """Changes the list for programs."""

    store: Store

    def put(self, wanted: Wanted) -> bool:
        reason, note = manual_reason(wanted.reason, wanted.note)
        return self.store.suppressions.suppress(
            wanted.subject,
            scope=wanted.scope,
            reason=reason,
            until=wanted.until,
            note=note,
            actor=wanted.actor,
            now=datetime.now(UTC),
            origin="api",
        )

    def lift(self, wanted: Wanted, *, every_scope: bool) -> int:
        return self.store.suppressions.lift(
            wanted.subject,
            scope=None if every_scope else wanted.scope,
            note=wanted.reason,
            consent=wanted.consent,
            actor=wanted.actor,
            now=datetime.now(UTC),
        )


def new_token(name: str, role: str) -> tuple[str, str]:
    """A token for HTTP, and the line for the file of tokens."""
    from bounceproc.lookup.tokens import new_token as make

    return make(name, role)
