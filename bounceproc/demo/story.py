"""What the demonstration does: deliver the sample mail, poll it, and say what became of each message."""

from __future__ import annotations

import imaplib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from bounceproc.bootstrap.database import open_store
from bounceproc.bootstrap.mailboxes import run_mailboxes
from bounceproc.bootstrap.reading import category_info
from bounceproc.config import Config
from bounceproc.demo.server import imap_server
from bounceproc.event import EventType, Kind
from bounceproc.policies import policy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bounceproc.demo.server import DemoServer
    from bounceproc.event import Event
    from bounceproc.pipeline import BatchResult
    from bounceproc.policy.settings import Policy
    from bounceproc.ports import Reading, Suppression
    from bounceproc.service.run import Summary

CONFIG: Final = """\
# Made by `bounceproc demo`. The mailbox of the demonstration lived in memory and is gone; the database is real.
[database]
url = "sqlite:///bounceproc.db"

[privacy]
pepper_file = "bounceproc.pepper"
"""
"""The configuration that the demonstration leaves behind, for the commands to try next."""

FOLDERS: Final = ("INBOX", "Processed", "Malformed")
"""Where the default configuration leaves or moves mail."""


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one message (or of one address in it)."""

    sample: str
    recipient: str
    said: str
    decision: str
    suppressed: bool


@dataclass(frozen=True, slots=True)
class Story:
    """The whole run."""

    lines: tuple[Line, ...]
    summary: Summary
    folders: dict[str, int]
    """How many messages lie where when the run is over."""
    config_file: Path


def run(folder: Path, on_batch: Callable[[BatchResult, int, int | None], None]) -> Story:
    """Run the whole flow and leave database, pepper and configuration in `folder`, which must not exist yet."""
    folder.mkdir(parents=True, mode=0o700)
    config_file = folder / "bounceproc.toml"
    config_file.write_text(CONFIG, encoding="utf-8")
    results: list[BatchResult] = []
    with imap_server() as server:
        samples = _deliver(server)
        mailbox = {
            "name": "demo",
            "host": server.host,
            "port": server.port,
            "security": "none",
            "user": server.user,
            "password": server.password,
        }
        config = Config.load(config_file, overrides={"mailbox": [mailbox]})

        def remember(result: BatchResult, done: int, total: int | None) -> None:
            results.append(result)
            on_batch(result, done, total)

        runs = run_mailboxes(config, [], on_batch=remember)
        for _, error in runs.failures:
            raise error
        folders = _count(server)
    readings = [reading for result in results for reading in result.readings]
    return Story(tuple(_lines(config, samples, readings)), runs.summaries[0], folders, config_file)


def sample_mail() -> Iterator[tuple[str, bytes]]:
    """Name and content of each sample, in order."""
    for entry in sorted(files("bounceproc.demo").joinpath("mail").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".eml"):
            yield entry.name[3:-4].replace("-", " "), entry.read_bytes()


def _deliver(server: DemoServer) -> dict[str, str]:
    """Put the sample mail into INBOX as a mail server would; gives each sample's name by its Message-ID."""
    names = {}
    with imaplib.IMAP4(server.host, server.port, timeout=10) as client:
        client.login(server.user, server.password)
        for name, content in sample_mail():
            head = BytesHeaderParser().parsebytes(content)
            names[str(head["Message-ID"])] = name
            received = imaplib.Time2Internaldate(parsedate_to_datetime(str(head["Date"])))
            client.append("INBOX", "", received, content.replace(b"\n", b"\r\n"))
    return names


def _count(server: DemoServer) -> dict[str, int]:
    counts = {}
    with imaplib.IMAP4(server.host, server.port, timeout=10) as client:
        client.login(server.user, server.password)
        for name in FOLDERS:
            answer, data = client.select(name, readonly=True)
            counts[name] = int(data[0] or 0) if answer == "OK" else 0
    return counts


def _lines(config: Config, samples: dict[str, str], readings: list[Reading]) -> Iterator[Line]:
    policy = policy_of(config)
    addresses = [event.recipient for reading in readings for event in reading.events if event.recipient]
    with open_store(config) as store:
        found = store.suppressions.check(addresses, stream=None, now=datetime.now(UTC))
    for reading, (name, _) in zip(readings, sample_mail(), strict=True):
        sample = samples.get(reading.message_id or "", name)
        if not reading.events:
            yield Line(sample, "-", str(reading.kind), _unheard(reading), suppressed=False)
        for event in reading.events:
            entry = found.get(event.recipient.normal) if event.recipient else None
            recipient = event.recipient.text if event.recipient else "-"
            yield Line(sample, recipient, _said(event), _decision(event, entry, policy), suppressed=entry is not None)


def _said(event: Event) -> str:
    kind = f"{event.class_} {event.type}" if event.type is EventType.BOUNCE else str(event.type)
    return f"{kind}: {event.category}" if event.category else kind


def _unheard(reading: Reading) -> str:
    if reading.kind is Kind.MALFORMED:
        return "parked in Malformed for a person"
    return "left in INBOX, unread"


def _decision(event: Event, entry: Suppression | None, policy: Policy) -> str:
    if entry is not None:
        return f"suppressed: {(entry.note or entry.reason).rpartition(': ')[2]}"
    if event.type is EventType.DELAY:
        return "nothing yet: the queue still tries"
    if event.type is not EventType.BOUNCE:
        return "nothing: recorded"
    threshold = policy.soft.get(str(event.category))
    if threshold is not None:
        return f"counts: 1 of {threshold.messages} messages"
    info = category_info(str(event.category))
    return f"nothing: it is the {info.fault}'s fault" if info and info.fault in ("sender", "receiver") else "counts"
