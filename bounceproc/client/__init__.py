"""Ask a running bounceproc before you send: blocking or asynchronous, one address or many, with nothing to install besides.

    from bounceproc.client import Client

    client = Client("http://127.0.0.1:8025", on_error="open")
    if client.check("user@example.com").suppressed:
        ...

Whoever asks says what holds when nobody answers within half a second: `on_error="open"` (send), `"closed"` (do not) or `"raise"`. A snapshot
(`bounceproc export --format sqlite -o FILE`) answers in between, where one is named.
"""

from bounceproc.client.answer import Answer, NoAnswerError, OnError
from bounceproc.client.asynchronous import AsyncClient
from bounceproc.client.blocking import Client

__all__ = ["Answer", "AsyncClient", "Client", "NoAnswerError", "OnError"]
