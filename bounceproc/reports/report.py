"""The value that every reader of this room gives: what one message says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from bounceproc.event import Event, Kind
from bounceproc.reports.mime import Headers
from bounceproc.reports.original import Original


class Report(NamedTuple):
    """One message, read. Its events are not classified yet."""

    kind: Kind
    detector: str
    """Which reader knew the format: `rfc3464`, `rfc5965`, `jmrp`, `rfc3834`, `unsubscribe`, `rfc8098`, a prose format's id, `flufl.bounce`."""
    events: tuple[Event, ...]
    message_id: str | None = None
    """Message-ID of the report itself, with its angle brackets."""
    reporting_mta: str | None = None
    extensions: Mapping[str, str] = MappingProxyType({})
    """Fields that were read and not understood, kept for a better reader."""
    headers: Headers | None = None
    """The message's own header: whoever checks tokens, signatures and streams looks there for what he needs."""
    original: Original | None = None
    """The header of the returned copy of our own mail, where there is one."""
