"""The value that every reader of this room gives: what one message says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from bounceproc.event import Event, Kind
from bounceproc.reports.mime import Headers
from bounceproc.reports.original import Original

NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})


class Report(NamedTuple):
    """One message, read. Its events are not classified yet."""

    kind: Kind
    detector: str
    """Which reader knew the format: `rfc3464`, `rfc5965`, `jmrp`, `rfc3834`, `unsubscribe`, `rfc8098`, a prose format's id, `flufl.bounce`."""
    events: tuple[Event, ...]
    message_id: str | None = None
    """Message-ID of the report itself, with its angle brackets."""
    reporting_mta: str | None = None
    extensions: Mapping[str, str] = NO_FIELDS
    """Fields that were read and not understood, kept for a better reader."""
    headers: Headers | None = None
    """The message's own header: whoever checks tokens, signatures and streams looks there for what he needs."""
    original: Original | None = None
    """The header of the returned copy of our own mail, where there is one."""


def reported(
    *,
    kind: Kind,
    detector: str,
    events: tuple[Event, ...],
    message_id: str | None = None,
    reporting_mta: str | None = None,
    extensions: Mapping[str, str] = NO_FIELDS,
    headers: Headers | None = None,
    original: Original | None = None,
) -> Report:
    """`Report(...)` for what is made once a message, without the detour of a named tuple's own constructor."""
    values = (kind, detector, events, message_id, reporting_mta, extensions, headers, original)
    return tuple.__new__(Report, values)
