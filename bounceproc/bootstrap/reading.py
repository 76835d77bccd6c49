"""What can be said with no database: messages and lines from files, judged by the built-in rules and an operator's own."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bounceproc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bounceproc.classify.categories import CategoryInfo
    from bounceproc.classify.classifier import Classifier
    from bounceproc.rawmessage import RawMessage

CHUNK: Final = 256
"""Messages handed to another process at a time: enough to hide the cost of handing over ..."""
CHUNK_BYTES: Final = 4 * 1024 * 1024
"""... and octets, few enough to keep memory small."""


def read_messages(paths: Sequence[str], *, mbox: bool = False) -> Iterator[RawMessage]:
    """Messages from files, mboxes, Maildirs, folders of them and standard input, in a stable order."""
    from bounceproc.sources.files import read_messages as read

    return read(paths, mbox=mbox)


def in_chunks(messages: Iterable[RawMessage]) -> Iterator[list[RawMessage]]:
    """The messages in order, in the groups that other processes get."""
    from bounceproc.sources.bounds import bounded

    return bounded(messages, lambda message: len(message.data), max_items=CHUNK, max_bytes=CHUNK_BYTES)


def read_lines(path: str) -> Iterator[str]:
    """The lines of a text file, or of standard input for `-`; bytes that are no UTF-8 are replaced."""
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as lines:
            for line in lines:
                yield line.decode(errors="replace").rstrip("\r\n")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", "Name a text file, or - for standard input."
        ) from error


def classifier_with(rule_files: Sequence[Path] = ()) -> Classifier:
    """The built-in rules behind an operator's own.

    Raises:
        ConfigError: a rule file is wrong; `problems` has one line for each wrong place.

    """
    from bounceproc.classify.classifier import Classifier, default_classifier

    if not rule_files:
        return default_classifier()
    from bounceproc.classify.rules import load_rules

    return Classifier(load_rules(rule_files))


def describer(rule_files: Sequence[Path] = ()) -> Callable[[RawMessage], str]:
    """What says of one message what `classify --format jsonl` prints."""
    from bounceproc.meaning import describe

    classifier = classifier_with(rule_files)
    return lambda message: describe(message, classifier)


def describe_reply(text: str, classifier: Classifier) -> dict[str, Any]:
    """What one SMTP reply or Diagnostic-Code says (`classify --replies`)."""
    found = classifier.classify(text)
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
    from bounceproc.classify.categories import CATEGORIES, Category

    return CATEGORIES[Category(name)] if name in set(Category) else None
