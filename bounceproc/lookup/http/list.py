"""The list read in pages, changed by programs, and the server looked after: everything but the two hot questions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bounceproc.errors import BadDataError, BounceprocError, ConsentError
from bounceproc.lookup.http import metrics, openapi
from bounceproc.lookup.http.app import broken, unavailable
from bounceproc.lookup.http.gate import body, json_object
from bounceproc.lookup.http.hot import LIST_LIMIT, one_of, subject
from bounceproc.lookup.http.problems import ProblemError
from bounceproc.lookup.http.schemas import ACTOR_LIMIT, WORDS_LIMIT
from bounceproc.ports import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from starlette.requests import Request

    from bounceproc.lookup.desk import Desk
    from bounceproc.lookup.hall import Hall
    from bounceproc.lookup.http.gate import Gate
    from bounceproc.lookup.tally import Tally
    from bounceproc.lookup.tokens import Caller
    from bounceproc.ports import ListReader, ListWriter, SentLedger, SuppressionReader

PAGE = 1000
"""Entries in one answer, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backroom:
    """What the routes work with."""

    desk: Desk
    gate: Gate
    entries: ListReader
    reader: SuppressionReader
    writer: ListWriter
    counters: Callable[[], Mapping[str, Mapping[str, int]]]
    doors: Sequence[tuple[str, Tally, Hall]]
    executor: Executor
    version: str
    sent: SentLedger | None = None

    async def run(self, work: Callable[[], Any]) -> Any:
        """Do in a thread what waits for the database."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    async def events(self, request: Request) -> Response:
        """The history of one address, newest first."""
        self.gate.reader(request.scope)
        address, limit = subject(request.path_params["address"]), _limit(request)
        cursor = one_of(request.scope, "cursor")
        story = await self.run(lambda: self.reader.status(address, stream=None, now=datetime.now(UTC)))
        told = story.events
        if cursor is not None:
            places = [place for place, event in enumerate(told, 1) if event.id == cursor]
            if not places:
                raise ProblemError(404, "there is no event any more where this cursor leads: begin again")
            told = told[places[0] :]
        page = told[:limit]
        return _page([event.to_dict() for event in page], page[-1].id if len(told) > limit else None)

    async def suppressions(self, request: Request) -> Response:
        """The list."""
        self.gate.reader(request.scope)
        after, limit = _place(request, "cursor"), _limit(request)
        found, place = await self.run(lambda: self.entries.page(after, limit, datetime.now(UTC)))
        rows = [{"address": entry.address, **entry.to_dict()} for entry in found]
        return _page(rows, None if place is None else str(place))

    async def changes(self, request: Request) -> Response:
        """The feed."""
        self.gate.reader(request.scope)
        since, limit = _place(request, "since"), _limit(request)
        found = await self.run(lambda: list(islice(self.reader.changes(since=since), limit)))
        if not found and since > (newest := await self.run(self.reader.version)):
            raise ProblemError(
                409, f"version {since} is none of this feed, whose newest is {newest}: take the whole list again"
            )
        rows = [
            {
                "version": str(change.version),
                "at": change.at.isoformat(),
                "action": change.action,
                "address": change.suppression.address,
                **change.suppression.to_dict(),
            }
            for change in found
        ]
        return _page(rows, str(found[-1].version if found else since))

    async def write(self, request: Request) -> Response:
        """Suppress, or lift: one route, so that a 405 names both methods."""
        return await (self.put(request) if request.method == "PUT" else self.delete(request))

    async def put(self, request: Request) -> Response:
        """Suppress."""
        caller = self.gate.writer(request.scope)
        asked = json_object(await body(request.receive))
        wanted = Wanted(
            subject=subject(request.path_params["address"]),
            scope=_scope(asked.get("scope", "*")),
            reason=_reason(asked.get("reason")),
            note=_words("note", asked.get("note")),
            until=_moment(asked.get("until")),
            actor=_actor(asked.get("actor"), caller),
        )
        changed = await self.run(lambda: self.writer.put(wanted))
        holds = wanted.until is None or wanted.until > datetime.now(UTC)
        return JSONResponse({"address": wanted.subject.text, "suppressed": holds, "changed": changed})

    async def delete(self, request: Request) -> Response:
        """Lift."""
        caller = self.gate.writer(request.scope)
        scope = one_of(request.scope, "scope")
        wanted = Wanted(
            subject=subject(request.path_params["address"]),
            scope=_scope("*" if scope is None else scope),
            reason=_reason(one_of(request.scope, "reason")),
            consent=_words("consent", one_of(request.scope, "consent")),
            actor=_actor(one_of(request.scope, "actor"), caller),
        )
        lifted = await self.run(lambda: self.writer.lift(wanted, every_scope=scope is None))
        return JSONResponse({"address": wanted.subject.text, "lifted": lifted})

    async def remember(self, request: Request) -> Response:
        """What was sent."""
        self.gate.writer(request.scope)
        ledger = self.sent
        if ledger is None:
            raise ProblemError(501, "this server keeps no ledger of what was sent")
        asked = json_object(await body(request.receive))
        messages = asked.get("messages", [asked])
        if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
            raise ProblemError(422, "messages has to be a list of objects")
        if len(messages) > LIST_LIMIT:
            raise ProblemError(422, f"messages has more than {LIST_LIMIT} objects")
        try:
            new = await self.run(lambda: ledger.sent(messages))
        except BadDataError as error:
            raise ProblemError(422, error.what) from error
        return JSONResponse({"new": new})

    async def healthz(self, request: Request) -> Response:
        """The process lives."""
        self.gate.operator(request.scope)
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Answers can be trusted."""
        self.gate.operator(request.scope)
        if not self.desk.is_fresh():
            raise ProblemError(503, "the database has not answered for too long")
        return JSONResponse({"status": "ok", "version": str(self.desk.follower.place.version)})

    async def measured(self, request: Request) -> Response:
        """For Prometheus."""
        self.gate.operator(request.scope)
        try:
            counters = await self.run(self.counters)
        except BounceprocError:
            counters = None
        text = metrics.render(self.desk.follower, self.doors, counters)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def described(self, request: Request) -> Response:
        """For programs that read OpenAPI."""
        self.gate.operator(request.scope)
        return JSONResponse(openapi.document(self.version))


def routes(room: Backroom) -> Starlette:
    """The application."""
    made = Starlette(
        routes=[
            Route("/v1/addresses/{address:path}/events", room.events, methods=["GET"]),
            Route(
                "/v1/addresses/{address:path}", room.described, methods=["GET"]
            ),  # answered before; here for its 405 alone
            Route("/v1/check", room.described, methods=["POST"]),
            Route("/v1/suppressions", room.suppressions, methods=["GET"]),
            Route("/v1/suppressions/{address:path}", room.write, methods=["PUT", "DELETE"]),
            Route("/v1/changes", room.changes, methods=["GET"]),
            Route("/v1/sent", room.remember, methods=["POST"]),
            Route("/healthz", room.healthz, methods=["GET"]),
            Route("/readyz", room.readyz, methods=["GET"]),
            Route("/metrics", room.measured, methods=["GET"]),
            Route("/openapi.json", room.described, methods=["GET"]),
        ],
        exception_handlers={
            ProblemError: _problem,
            BounceprocError: _problem,
            HTTPException: _problem,
            Exception: _problem,
        },
    )
    made.router.redirect_slashes = False  # a redirect is neither an answer nor a problem
    return made


async def _problem(_request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        error = ProblemError(error.status_code, str(error.detail), dict(error.headers or {}))
    elif isinstance(error, ConsentError):
        error = ProblemError(409, f"{error.what}: only the recipient can take that back, and consent has to say how")
    elif isinstance(error, BounceprocError):
        error = unavailable(error)
    elif not isinstance(error, ProblemError):
        error = broken()  # uvicorn hears of it as well, and logs it
    return Response(error.body(), error.status, error.headers, media_type="application/problem+json")


def _page(results: list[Any], cursor: str | None) -> Response:
    return JSONResponse({"results": results, "cursor": cursor})


def _limit(request: Request) -> int:
    text = one_of(request.scope, "limit")
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= PAGE):
        raise ProblemError(400, f"limit has to be a number from 1 to {PAGE}")
    return int(text)


def _place(request: Request, name: str) -> int:
    text = one_of(request.scope, name)
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ProblemError(400, f"{name} has to be a cursor that this server gave")
    return int(text)


def _reason(text: object) -> str:
    if not isinstance(text, str) or not text.strip() or len(text) > WORDS_LIMIT:
        raise ProblemError(422, f"a change needs a reason of at most {WORDS_LIMIT} characters")
    return text


def _words(name: str, text: object) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str) or not text.strip() or len(text) > WORDS_LIMIT:
        raise ProblemError(422, f"{name} has 1 to {WORDS_LIMIT} characters")
    return text


def _actor(name: object, caller: Caller) -> str:
    """Who it was, for whomever they say they did it: the token is named in any case.

    A recipient who changes something himself is tempting to name here, but who it was is sealed, and survives a `forget`.
    """
    if name is None:
        return f"api:{caller.name}"
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > ACTOR_LIMIT:
        raise ProblemError(422, f"actor has 1 to {ACTOR_LIMIT} characters, all of which can be printed")
    if "@" in name:
        raise ProblemError(422, "actor is a name or a ticket, and no address: it is never erased")
    return f"{name.strip()} (api:{caller.name})"


def _scope(text: object) -> str:
    if isinstance(text, str) and len(text) <= WORDS_LIMIT and text.isprintable():
        kind, _, name = text.partition(":")
        if text == "*" or (kind == "stream" and name.strip()):
            return text
    raise ProblemError(422, "scope is '*' or stream:NAME")


def _moment(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text if isinstance(text, str) else "")
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ProblemError(422, "until has to be a moment in ISO 8601") from error
