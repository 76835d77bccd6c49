"""Whether addresses may be mailed, asked of a running server where the configuration names one, else of the database, and printed."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from bounceproc.cli.loading import load
from bounceproc.cli.output import Format, harmless, print_json, say
from bounceproc.errors import BadDataError, InvalidAddressError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bounceproc.address import Address
    from bounceproc.client import Client
    from bounceproc.ports import Suppression

BATCH: Final = 1_000
"""Addresses that are asked for at a time: standard input may have any number."""
PATIENCE: Final = 0.3
"""Seconds that a server of this machine has for an answer; the database needs about as long."""


class _Told(NamedTuple):
    """What is printed of one suppression."""

    reason: str
    category: str | None
    scope: str
    since: str
    entry: dict[str, str | None]


def check(
    names: Sequence[str], *, stream: str | None, quiet: bool, format_: Format, config: Path | None, database: str | None
) -> int:
    """Print the answers; returns the exit code. `-` among the names is standard input, one address a line.

    Raises:
        InvalidAddressError: a name is no address; nothing is asked then.

    """
    from bounceproc.address import Address

    parsed = [None if name == "-" else Address.parse(name) for name in names]
    wrong = [0]
    suppressed = False
    with _Asking(config, database, stream, needs_all=format_.is_json, speaks=not quiet) as asking:
        addresses = _expanded(parsed, wrong)
        while batch := list(islice(addresses, BATCH)):
            found = asking.ask(batch)
            suppressed = suppressed or bool(found)
            for address in () if quiet else batch:
                _print(address, found.get(address.normal), format_)
    return BadDataError.exit_code if wrong[0] else 1 if suppressed else 0


def _expanded(parsed: Iterable[Address | None], wrong: list[int]) -> Iterator[Address]:
    """The addresses, those of standard input in place of None. Lines that are no addresses are counted and told."""
    from bounceproc.address import Address
    from bounceproc.bootstrap.reading import read_lines

    for one in parsed:
        if one is not None:
            yield one
            continue
        for line in filter(str.strip, read_lines("-")):
            try:
                yield Address.parse(line)
            except InvalidAddressError as error:
                wrong[0] += 1
                say(str(error))


def _print(address: Address, told: _Told | None, format_: Format) -> None:
    if format_.is_json:
        print_json({"address": address.text, "suppressed": told is not None, **(told.entry if told else {})})
    elif told is None:
        sys.stdout.write(f"{harmless(address)}  send\n")
    else:
        why = harmless(told.reason + (f", {told.category}" if told.category else ""))
        scope, since = harmless(told.scope), harmless(told.since[:10])
        sys.stdout.write(f"{harmless(address)}  SUPPRESSED  {why}, scope {scope}, since {since}\n")


class _Asking:
    """Whoever answers: the server until it fails once, the database from then on."""

    def __init__(
        self, config: Path | None, database: str | None, stream: str | None, *, needs_all: bool, speaks: bool
    ) -> None:
        self._config = config
        self._speaks = speaks
        self._database = database
        self._stream = stream
        # A database that was named is another one than the server's, and only the database knows who decided and who wrote a note.
        self._client = None if database or needs_all else self._running()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._client is not None:
            self._client.close()
        self._held.close()

    def ask(self, addresses: Sequence[Address]) -> dict[str, _Told]:
        """What is suppressed, by normal form."""
        if self._client is not None:
            from bounceproc.client import NoAnswerError

            try:
                answers = self._client.check_many([address.normal for address in addresses], stream=self._stream)
            except NoAnswerError as error:
                if self._speaks:
                    say(f"[serve] http: {error.what}; asking the database instead")
                self._client.close()
                self._client = None
            else:
                return {
                    address.normal: _Told(told.reason or "?", told.category, told.scope or "*", told.since or "?", {})
                    for address, told in zip(addresses, answers, strict=True)
                    if told.suppressed
                }
        found = self._list(addresses, stream=self._stream, now=datetime.now(UTC))
        return {normal: _told(entry) for normal, entry in found.items()}

    @cached_property
    def _list(self) -> Any:
        from bounceproc.bootstrap.database import open_list

        return self._held.enter_context(open_list(load(self._config, self._database)))

    def _running(self) -> Client | None:
        from bounceproc.config.server import named_server

        url = named_server(self._config, os.environ, Path.cwd())
        if url is None:
            return None
        from bounceproc.client.blocking import Client

        return Client(url, on_error="raise", timeout=PATIENCE)


def _told(entry: Suppression) -> _Told:
    return _Told(entry.reason, entry.category, entry.scope, entry.since.date().isoformat(), entry.to_dict())
