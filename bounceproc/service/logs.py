"""Log lines: text for people and the journal, or one JSON object a line; always one line, and never a secret."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

NAME: Final = "bounceproc"
"""The one logger; libraries' own only speak up from warnings on."""
FIELDS: Final = "fields"
"""The attribute of a record that holds what it is about."""
MAX_VALUE: Final = 500
"""Characters of one value: a stranger's Message-ID has no bound."""
MIN_SECRET: Final = 3
"""A secret of fewer characters would blot out half of every line."""
HIDDEN: Final = "***"

# Journald reads `<N>` at a line's beginning as its priority (sd-daemon(3)).
_PRIORITIES: Final = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}


class _Formatter(logging.Formatter):
    """What both forms share: one line, bounded values, no secrets."""

    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._secrets: tuple[str, ...] = ()
        self.hide(secrets)

    def hide(self, secrets: Collection[str]) -> None:
        """Keep these out of every line from now on, those known before as well."""
        with self._guard:
            long_enough = [secret for secret in secrets if len(secret) >= MIN_SECRET]
            known = {*self._secrets, *(form for secret in long_enough for form in _forms(secret))}
            self._secrets = tuple(sorted(known, key=len, reverse=True))

    def clean(self, value: object) -> str:
        """A value's text without secrets and control characters."""
        text = str(value)
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        shown = "".join(char if char.isprintable() else _escaped(char) for char in text[: MAX_VALUE + 1])
        return shown if len(text) <= MAX_VALUE else f"{shown[:MAX_VALUE]}..."

    def described(self, record: logging.LogRecord) -> dict[str, object]:
        """The record's fields, cleaned; an exception is one of them."""
        fields: Mapping[str, object] = getattr(record, FIELDS, {})
        found: dict[str, object] = {
            key: value if isinstance(value, int | float) else self.clean(value)
            for key, value in fields.items()
            if value is not None
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            found["exception"] = self.clean(f"{type(error).__name__}: {error}")
            found["at"] = _place(error)
        return found


class TextFormatter(_Formatter):
    """`2026-11-25T12:00:00Z info returns INBOX: batch recorded messages=5`; in the journal a priority instead of the time."""

    def __init__(self, secrets: Collection[str] = (), *, journal: bool = False) -> None:
        super().__init__(secrets)
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = self.described(record)
        place = " ".join(str(fields.pop(key)) for key in ("mailbox", "folder") if key in fields)
        rest = "".join(f" {key}={_quoted(value)}" for key, value in fields.items())
        said = f"{place}: " if place else ""
        head = (
            f"<{_PRIORITIES.get(record.levelname, 6)}>"
            if self._journal
            else f"{_time(record)} {record.levelname.lower()} "
        )
        return f"{head}{said}{self.clean(record.getMessage())}{rest}"


class JsonFormatter(_Formatter):
    """One object a line: `time`, `level`, `message`, and what the line is about."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        head = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "message": self.clean(record.getMessage()),
        }
        return json.dumps(head | self.described(record))


def set_up(
    *, form: str = "text", level: str = "info", secrets: Collection[str] = (), stream: TextIO | None = None
) -> None:
    """Let the program's log go to standard error in this form, from this level on. A second call replaces the first."""
    handler = logging.StreamHandler(stream or sys.stderr)
    # Whoever asked for nothing in particular reads it in the journal, or on a terminal.
    journal = stream is None and "JOURNAL_STREAM" in os.environ and not sys.stderr.isatty()
    before = [each.formatter for each in logging.getLogger().handlers if isinstance(each.formatter, _Formatter)]
    known = {secret for formatter in before for secret in formatter._secrets}  # noqa: SLF001 - a class of this module
    hidden = {*secrets, *known}
    handler.setFormatter(JsonFormatter(hidden) if form == "json" else TextFormatter(hidden, journal=journal))
    root = logging.getLogger()
    for each in list(root.handlers):
        if isinstance(each.formatter, _Formatter):
            root.removeHandler(each)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(NAME).setLevel(level.upper())
    logging.raiseExceptions = False  # a full disk or a closed pipe behind standard error never stops the work


def hide(secrets: Collection[str]) -> None:
    """Keep these out of every line from now on: a token that was renewed, a password that was changed."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _Formatter):
            handler.formatter.hide(secrets)


def tell(level: int, message: str, *, error: BaseException | None = None, **fields: object) -> None:
    """One line about what the fields name: mailbox, folder, uid, message_id, outcome ..."""
    with suppress(OSError):
        logging.getLogger(NAME).log(level, "%s", message, extra={FIELDS: fields}, exc_info=error)


def is_heard(level: int) -> bool:
    """Whether anybody reads lines of this level: many of them need not be made then."""
    return logging.getLogger(NAME).isEnabledFor(level)


def _forms(secret: str) -> set[str]:
    """A secret as it is, as Python and JSON quote it, and as it stands in an address of a database."""
    return {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")}


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode() if char != " " else char


def _quoted(value: object) -> str:
    text = str(value)
    return text if text and not set(text) & set(" \"'=") else json.dumps(text, ensure_ascii=False)


def _place(error: BaseException) -> str:
    """Where in the program it happened: file and line of the innermost frame."""
    trace = error.__traceback__
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
