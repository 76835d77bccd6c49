"""The application: the hot questions straight on ASGI, everything else by Starlette."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from bounceproc.errors import BounceprocError
from bounceproc.lookup.http.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from starlette.types import ASGIApp

    from bounceproc.lookup.http.gate import Receive, Scope
    from bounceproc.lookup.http.hot import Questions

    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

ADDRESSES: Final = "/v1/addresses/"
_READS: Final = frozenset({"GET", "HEAD"})
_JSON: Final = (b"content-type", b"application/json")


class Application:
    """What uvicorn calls for each request."""

    def __init__(self, questions: Questions, others: ASGIApp) -> None:
        self._questions = questions
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        is_one = method in _READS and path.startswith(ADDRESSES) and not path.endswith("/events")
        if not is_one and (method != "POST" or path != "/v1/check"):
            await self._others(scope, receive, send)
            return
        try:
            if is_one:
                answer = await self._questions.one(scope, path[len(ADDRESSES) :])
            else:
                answer = await self._questions.many(scope, receive)
        except ProblemError as problem:
            await _refuse(send, problem)
        except BounceprocError as error:
            await _refuse(send, unavailable(error))
        except Exception:  # a mistake of ours is told like every other problem, and the next question is answered
            logging.getLogger(__name__).exception("a question could not be answered")
            await _refuse(send, broken())
        else:
            length = (b"content-length", str(len(answer)).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [_JSON, length]})
            await send({"type": "http.response.body", "body": answer})


def unavailable(error: BounceprocError) -> ProblemError:
    """What a caller hears when the list cannot be asked: whether to send all the same is the caller's to declare."""
    logging.getLogger(__name__).warning("a question cannot be answered: %s", error.what)
    return ProblemError(503, "the suppression list cannot be asked", {"retry-after": "1"})


def broken() -> ProblemError:
    """What a caller hears of a mistake of ours; the log has the rest."""
    return ProblemError(500, "this request could not be answered; the log of the server says why")


async def _refuse(send: Send, problem: ProblemError) -> None:
    body = problem.body()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
