"""The way in by LMTP."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from bounceproc.bootstrap.flow import Tools, carry_out, planned
from bounceproc.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from socket import socket

    from bounceproc.config import Config, Endpoint
    from bounceproc.rawmessage import RawMessage
    from bounceproc.service.porter import Door
    from bounceproc.service.run import Summary
    from bounceproc.service.supervisor import Plan
    from bounceproc.sources.lmtp.listening import Door as Entrance


def serve_lmtp(load: Callable[[], Config], *, listen: str | None = None) -> tuple[int, Summary]:
    """Take mail by LMTP until a signal ends it; the exit code, and what was done. `load` reads the configuration, at each SIGHUP anew.

    Raises:
        ConfigError: it cannot listen as configured, or the library for it is not installed.
        BounceprocError: the database cannot be used at all.

    """
    from bounceproc.service.run import Summary
    from bounceproc.sources.lmtp.listening import Entrances

    summary, entrances = Summary("lmtp"), Entrances()
    place = _listen(listen) if listen is not None else None

    def plan() -> Plan:
        config = load()

        def jobs(tools: Tools) -> Iterator[Door]:
            yield _door(tools, config, summary, lambda door: tools.held.enter_context(entrances.at(door)), place)

        return planned(config, jobs, one="door", many="doors")

    return carry_out(plan), summary


def _door(
    tools: Tools, config: Config, summary: Summary, enter: Callable[[Entrance], socket], place: Endpoint | None
) -> Door:
    from bounceproc.service.porter import Door
    from bounceproc.service.receive import Receiver
    from bounceproc.sources.lmtp.hall import Hall
    from bounceproc.sources.lmtp.listening import Door as Entrance

    try:
        from bounceproc.sources.lmtp.server import serve
    except ModuleNotFoundError as error:
        advice = "Install it: pip install 'bounceproc[lmtp]'."
        raise ConfigError(f"the library for LMTP is not installed ({error.name})", advice) from error

    section = config.lmtp
    endpoint = place or section.listen
    opened = enter(Entrance(endpoint, int(section.socket_mode, 8), section.socket_owner, section.allow_remote))

    def serve_here(record: Callable[[Sequence[RawMessage]], None], **options: Any) -> None:
        hall = Hall(
            max_connections=section.max_connections,
            max_in_flight=section.max_memory_mb * 1024 * 1024,
            max_message=section.max_message_mb * 1024 * 1024,
            talk_timeout=section.timeout,
            stop_timeout=section.stop_timeout,
        )
        serve(opened, hall, record, **options)

    return Door(
        name=summary.source,
        place=str(endpoint),
        serve=serve_here,
        receiver=partial(Receiver, summary.source, tools.store.ledger, tools.pipeline, summary),
        idle=tools.idle.work,
    )


def _listen(text: str) -> Endpoint:
    from bounceproc.config.values import Endpoint, WrongValueError

    try:
        return Endpoint.parse(text)
    except WrongValueError as error:
        raise UsageError(error.what, "Write 127.0.0.1:2424 or unix:PATH.") from error
