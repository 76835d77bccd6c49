"""Ask a running bounceproc before you send: blocking or asynchronous, one address or many, with nothing to install besides.

    from bounceproc.client import Client

    client = Client("http://127.0.0.1:8025", on_error="open")
    if client.check("user@example.com").suppressed:
        ...

Whoever asks says what holds when nobody answers within half a second: `on_error="open"` (send), `"closed"` (do not) or `"raise"`. A snapshot
(`bounceproc export --format sqlite -o FILE`) answers in between, where one is named.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from bounceproc.client.answer import Answer, NoAnswerError, OnError
    from bounceproc.client.asynchronous import AsyncClient
    from bounceproc.client.blocking import Client

_HOMES: Final = {
    "Answer": "answer",
    "NoAnswerError": "answer",
    "OnError": "answer",
    "AsyncClient": "asynchronous",
    "Client": "blocking",
}

__all__ = ["Answer", "AsyncClient", "Client", "NoAnswerError", "OnError"]


def __getattr__(name: str) -> Any:
    """PEP 562: whoever blocks does not load asyncio."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"bounceproc.client.{_HOMES[name]}"), name)
