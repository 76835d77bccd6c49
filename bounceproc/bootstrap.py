"""Put the house together from a configuration: the only room that knows every adapter."""

from __future__ import annotations

import getpass
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bounceproc.address import Address
from bounceproc.errors import AccessError, BounceprocError, ConfigError, TemporaryError, UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bounceproc.classify.categories import CategoryInfo
    from bounceproc.config import Config
    from bounceproc.lookup.export import ExportSummary
    from bounceproc.pipeline import BatchResult, Pipeline
    from bounceproc.policy.settings import Policy
    from bounceproc.ports import RawMessage, SuppressionReader
    from bounceproc.service import Summary
    from bounceproc.store.schema import Schema
    from bounceproc.store.store import Store

OnBatch = "Callable[[BatchResult, int, int | None], None]"

REASONS = ("bounce", "complaint", "unsubscribe", "manual", "import")
"""The reasons of a suppression; whatever else a person writes is a note."""


# ---- reading, with no database ---------------------------------------------------------------------------------------


def read_messages(paths: Sequence[str], *, mbox: bool = False) -> Iterator[RawMessage]:
    """Messages from files, mboxes, Maildirs, folders of them and standard input, in a stable order."""
    from bounceproc.sources.files import read_messages as read  # noqa: PLC0415 - each command loads only what it needs

    return read(paths, mbox=mbox)


def read_lines(path: str) -> Iterator[str]:
    """The lines of a text file, or of standard input for `-`; bytes that are no UTF-8 are replaced."""
    try:
        lines = sys.stdin.buffer if path == "-" else Path(path).open("rb")
        with lines:
            for line in lines:
                yield line.decode(errors="replace").rstrip("\r\n")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", "Name a text file, or - for standard input."
        ) from error


def describe(message: RawMessage) -> dict[str, Any]:
    """What one message says (`classify --format jsonl`)."""
    from bounceproc import pipeline  # noqa: PLC0415
    from bounceproc.classify.classifier import default_classifier  # noqa: PLC0415

    return pipeline.describe(message, default_classifier())


def describe_reply(text: str) -> dict[str, Any]:
    """What one SMTP reply or Diagnostic-Code says (`classify --replies`)."""
    from bounceproc.classify.classifier import default_classifier  # noqa: PLC0415

    found = default_classifier().classify(text)
    return {
        "text": text,
        "class": found.class_.value,
        "category": found.category.value,
        "status": str(found.status) if found.status else None,
        "smtp_code": found.smtp_code,
        "rule": found.rule,
    }


def category_info(name: str | None) -> CategoryInfo | None:
    """What a category means; None for a name that is no category of ours."""
    from bounceproc.classify.categories import CATEGORIES, Category  # noqa: PLC0415

    return CATEGORIES[Category(name)] if name in set(Category) else None
