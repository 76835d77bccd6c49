"""The document that says what the server answers to what (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any, Final

from bounceproc.lookup.http import schemas

_PROBLEM: Final = {
    "description": "What went wrong (RFC 9457).",
    "content": {"application/problem+json": {"schema": schemas.PROBLEM}},
}
_ADDRESS: Final = {
    "name": "address",
    "in": "path",
    "required": True,
    "description": "An e-mail address in any of its forms, or @domain for a whole domain.",
    "schema": {"type": "string", "format": "email", "minLength": 2},
}
_PLACE: Final = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_EVENT: Final = {"type": "string", "pattern": "^[0-9a-f]+$"}
_ALWAYS: Final = (400, 401, 429, 500, 503)
"""What any request may be answered: nonsense, no token, too many, a mistake of ours, no database."""


def _query(name: str, schema: dict[str, Any] = schemas.TEXT, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(
    name: str,
    summary: str,
    schema: dict[str, Any] | None,
    *parameters: dict[str, Any],
    body: dict[str, Any] | None = None,
    problems: tuple[int, ...] = (),
) -> dict[str, Any]:
    content = {"text/plain": {"schema": schemas.TEXT}} if schema is None else _json(schema)
    answers: dict[str, Any] = {"200": {"description": summary, "content": content}}
    answers |= {str(status): _PROBLEM for status in sorted({*_ALWAYS, *problems})}
    found: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": list(parameters),
        "responses": answers,
    }
    if body is not None:
        found["requestBody"] = {"required": True, "content": _json(body)}
    return found


def document(version: str) -> dict[str, Any]:
    """The whole document."""
    limit = _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000})
    cursor, stream = _query("cursor", _PLACE), _query("stream")
    return {
        "openapi": "3.1.0",
        "info": {"title": "bounceproc", "version": version},
        "security": [{"bearer": []}, {}],
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/v1/addresses/{address}": {
                "get": _operation("ask", "May this address be mailed?", schemas.ANSWER, _ADDRESS, stream)
            },
            "/v1/addresses/{address}/events": {
                "get": _operation(
                    "history",
                    "Its history, newest first.",
                    schemas.pages(schemas.EVENT),
                    _ADDRESS,
                    _query("cursor", _EVENT),
                    limit,
                    problems=(404,),
                )
            },
            "/v1/check": {
                "post": _operation(
                    "check",
                    "May these be mailed? In the order asked.",
                    schemas.ANSWERS,
                    body=schemas.CHECK,
                    problems=(413, 422),
                )
            },
            "/v1/suppressions": {
                "get": _operation("suppressions", "The list.", schemas.pages(schemas.ENTRY), cursor, limit)
            },
            "/v1/suppressions/{address}": {"put": _put(), "delete": _delete()},
            "/v1/changes": {
                "get": _operation(
                    "changes",
                    "The feed behind a version.",
                    schemas.pages(schemas.CHANGE),
                    _query("since", _PLACE),
                    limit,
                    problems=(409,),
                )
            },
            "/v1/sent": {
                "post": _operation(
                    "sent", "What was sent.", schemas.REMEMBERED, body=schemas.SENT, problems=(403, 413, 422, 501)
                ),
            },
            "/healthz": {"get": _operation("healthz", "The process lives.", schemas.ALIVE)},
            "/readyz": {"get": _operation("readyz", "Answers can be trusted.", schemas.READY)},
            "/metrics": {"get": _operation("metrics", "For Prometheus.", None)},
            "/openapi.json": {"get": _operation("openapi", "This document.", {"type": "object"})},
        },
    }


def _put() -> dict[str, Any]:
    return _operation("suppress", "Suppress.", schemas.PUT_DONE, _ADDRESS, body=schemas.PUT, problems=(403, 413, 422))


def _delete() -> dict[str, Any]:
    return _operation(
        "lift",
        "Lift. A complaint only with `consent`: how the recipient took it back.",
        schemas.LIFT_DONE,
        _ADDRESS,
        _query("reason", schemas.WORDS, required=True),
        _query("scope", schemas.SCOPE),
        _query("consent", schemas.WORDS),
        _query("actor", schemas.ACTOR),
        problems=(403, 409, 422),
    )
