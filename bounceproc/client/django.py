"""An e-mail backend for Django that takes suppressed recipients out of to, cc and bcc, one by one, before another backend sends.

    EMAIL_BACKEND = "bounceproc.client.django.EmailBackend"
    BOUNCEPROC = {"URL": "http://127.0.0.1:8025", "ON_ERROR": "open"}

Further keys: `TOKEN`, `TIMEOUT` (seconds), `SNAPSHOT` (a file), `STREAM`, and `BACKEND`, which sends what is left (default: SMTP). A message may name
a stream of its own in its attribute `bounceproc_stream`.
"""

from __future__ import annotations

import logging
from copy import copy
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend

from bounceproc.client.answer import NoAnswerError
from bounceproc.client.blocking import TIMEOUT, Client
from bounceproc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.core.mail import EmailMessage

KEYS: Final = frozenset({"URL", "ON_ERROR", "TOKEN", "TIMEOUT", "SNAPSHOT", "STREAM", "BACKEND"})
FIELDS: Final = ("to", "cc", "bcc")
SMTP: Final = "django.core.mail.backends.smtp.EmailBackend"

logger = logging.getLogger(__name__)


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]  # Django has no types
    """Asks once for all recipients of all messages; nothing is sent of a message whose recipients are all suppressed."""

    def __init__(self, fail_silently: bool = False, **options: Any) -> None:
        """Options go to the backend that sends.

        Raises:
            ImproperlyConfigured: `BOUNCEPROC` lacks something or has something else.

        """
        super().__init__(fail_silently=fail_silently)
        given: dict[str, Any] = dict(getattr(settings, "BOUNCEPROC", {}))
        unknown = sorted(set(given) - KEYS)
        if unknown:
            raise ImproperlyConfigured(f"BOUNCEPROC has no key {unknown[0]!r}: there are {', '.join(sorted(KEYS))}")
        if given.get("ON_ERROR") not in {"open", "closed", "raise"}:
            raise ImproperlyConfigured(
                "BOUNCEPROC['ON_ERROR'] says what holds when nobody answers: open, closed or raise"
            )
        try:
            self._client = Client(
                given.get("URL", "http://127.0.0.1:8025"),
                on_error=given["ON_ERROR"],
                token=given.get("TOKEN"),
                timeout=given.get("TIMEOUT", TIMEOUT),
                snapshot=Path(given["SNAPSHOT"]) if given.get("SNAPSHOT") else None,
            )
        except UsageError as error:
            raise ImproperlyConfigured(str(error)) from error
        self._stream: str | None = given.get("STREAM")
        self._is_open = False
        self._sender = get_connection(given.get("BACKEND", SMTP), fail_silently=fail_silently, **options)

    def open(self) -> Any:
        """Open the connection of the backend that sends."""
        self._is_open = True
        return self._sender.open()

    def close(self) -> None:
        """Close both connections."""
        self._is_open = False
        self._client.close()
        self._sender.close()

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send what is left of the messages; returns how many were sent. The caller's messages stay as they are.

        Raises:
            NoAnswerError: nobody answered, `ON_ERROR` is `raise`, and failures are not silent.

        """
        try:
            suppressed = self._suppressed(email_messages)
        except NoAnswerError:
            if self.fail_silently:
                return 0
            raise
        finally:
            if not self._is_open:  # Django lets a backend that was made for one message go without closing it
                self._client.close()
        left = [message for message in (self._without(each, suppressed) for each in email_messages) if message]
        return self._sender.send_messages(left) or 0 if left else 0

    def _suppressed(self, messages: Sequence[EmailMessage]) -> set[tuple[str | None, str]]:
        """Stream and address, as `_address` reads it, of all recipients that must not be mailed."""
        asked: dict[str | None, dict[str, None]] = {}
        for message in messages:
            addresses = (_address(text) for name in FIELDS for text in getattr(message, name))
            asked.setdefault(self._stream_of(message), {}).update(dict.fromkeys(addresses))
        return {
            (stream, answer.address)
            for stream, addresses in asked.items()
            for answer in self._client.check_many(addresses, stream=stream)
            if answer.suppressed
        }

    def _without(self, message: EmailMessage, suppressed: set[tuple[str | None, str]]) -> EmailMessage | None:
        """The message for those of its recipients that may be mailed; itself for all of them, None for nobody."""
        stream = self._stream_of(message)

        def kept(texts: Iterable[str]) -> list[str]:
            return [text for text in texts if (stream, _address(text)) not in suppressed]

        left = {name: kept(getattr(message, name)) for name in FIELDS}
        before, after = len(message.recipients()), sum(map(len, left.values()))
        if all(len(left[name]) == len(getattr(message, name)) for name in FIELDS):
            return message
        logger.info("%d of %d recipients of a message are suppressed", before - after, before)
        if not after:
            return None
        changed = copy(message)
        for name, texts in left.items():
            setattr(changed, name, texts)
        return changed

    def _stream_of(self, message: EmailMessage) -> str | None:
        stream: str | None = getattr(message, "bounceproc_stream", self._stream)
        return stream


def _address(text: str) -> str:
    """The address of `Name <address>`; the text itself where there is none to be seen."""
    return parseaddr(text)[1] or text
