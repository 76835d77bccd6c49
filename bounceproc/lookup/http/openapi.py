"""The document that says what the server answers to what (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any, Final

from bounceproc.lookup.http.hot import LIST_LIMIT

_TEXT: Final = {"type": "string"}
_MAYBE: Final = {"type": ["string", "null"]}
_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "address": _TEXT,
        "suppressed": {"type": ["boolean", "null"]},
        "known": {"type": "boolean", "description": "False where the database cannot be asked, and on_error answers."},
        **dict.fromkeys(("scope", "reason", "category", "since", "until", "ref", "error"), _MAYBE),
    },
    "required": ["address", "suppressed"],
}
_LIST: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"results": {"type": "array", "items": {"type": "object"}}, "cursor": _MAYBE},
    "required": ["results", "cursor"],
}
_PROBLEM: Final = {
    "description": "What went wrong (RFC 9457).",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "properties": {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT},
                "required": ["type", "title", "status", "detail"],
            }
        }
    },
}
_ADDRESS: Final = {
    "name": "address",
    "in": "path",
    "required": True,
    "description": "An e-mail address in any of its forms, or @domain for a whole domain.",
    "schema": {"type": "string", "format": "email", "minLength": 2},
}
_WORDS: Final = {"type": "string", "minLength": 1, "maxLength": 1000, "pattern": r"\S"}
_SCOPE: Final = {"type": "string", "maxLength": 1000, "pattern": r"^(\*|stream:[A-Za-z0-9._-]+)$"}
_MOMENT: Final[dict[str, Any]] = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
_MAIL: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "message_id": {"type": "string", "minLength": 1, "maxLength": 998, "pattern": "^[!-;=?-~]+$"},
        "recipient": {"type": "string", "format": "email"},
        "stream": {"type": ["string", "null"], "maxLength": 200, "pattern": "^[A-Za-z0-9._-]*$"},
        "reference": {"type": ["string", "null"], "maxLength": 200, "pattern": "^[ -~]*$"},
        "sent_at": {
            "anyOf": [*_MOMENT["anyOf"], {"type": "string", "maxLength": 0}],
            "description": "Not in the future; now where it is not there or empty.",
        },
    },
    "required": ["message_id", "recipient"],
}
_SENT: Final[dict[str, Any]] = {
    "anyOf": [
        _MAIL,
        {
            "type": "object",
            "properties": {"messages": {"type": "array", "items": _MAIL, "maxItems": LIST_LIMIT}},
            "required": ["messages"],
        },
    ]
}
_PLACE: Final = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_EVENT: Final = {"type": "string", "pattern": "^[0-9a-f]+$"}


def _query(name: str, schema: dict[str, Any] = _TEXT, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(
    summary: str,
    schema: dict[str, Any] | None,
    *parameters: dict[str, Any],
    body: dict[str, Any] | None = None,
    problems: tuple[int, ...] = (),
) -> dict[str, Any]:
    content = {"text/plain": {"schema": _TEXT}} if schema is None else _json(schema)
    answers: dict[str, Any] = {"200": {"description": summary, "content": content}}
    answers |= {str(status): _PROBLEM for status in sorted({400, 401, 429, 503, *problems})}
    found: dict[str, Any] = {"summary": summary, "parameters": list(parameters), "responses": answers}
    if body is not None:
        found["requestBody"] = {"required": True, "content": _json(body)}
    return found


def document(version: str) -> dict[str, Any]:
    """The whole document."""
    limit = _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000})
    cursor, stream = _query("cursor", _PLACE), _query("stream")
    check = {
        "type": "object",
        "properties": {
            "addresses": {"type": "array", "items": _TEXT, "maxItems": LIST_LIMIT},
            "stream": {"type": ["string", "null"]},
        },
        "required": ["addresses"],
    }
    put = {
        "type": "object",
        "properties": {"reason": _WORDS, "scope": _SCOPE, "until": _MOMENT},
        "required": ["reason"],
    }
    plain = {"type": "object"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "bounceproc", "version": version},
        "security": [{"bearer": []}, {}],
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/v1/addresses/{address}": {"get": _operation("May this address be mailed?", _ANSWER, _ADDRESS, stream)},
            "/v1/addresses/{address}/events": {
                "get": _operation(
                    "Its history, newest first.", _LIST, _ADDRESS, _query("cursor", _EVENT), limit, problems=(404,)
                )
            },
            "/v1/check": {
                "post": _operation(
                    "May these be mailed? In the order asked.",
                    {
                        "type": "object",
                        "properties": {"results": {"type": "array", "items": _ANSWER}},
                        "required": ["results"],
                    },
                    body=check,
                    problems=(413, 422),
                )
            },
            "/v1/suppressions": {"get": _operation("The list.", _LIST, cursor, limit)},
            "/v1/suppressions/{address}": {
                "put": _operation("Suppress.", plain, _ADDRESS, body=put, problems=(403, 413, 422)),
                "delete": _operation(
                    "Lift. A complaint only with `consent`: how the recipient took it back.",
                    plain,
                    _ADDRESS,
                    _query("reason", _WORDS, required=True),
                    _query("scope", _SCOPE),
                    _query("consent", _WORDS),
                    problems=(403, 409, 422),
                ),
            },
            "/v1/changes": {"get": _operation("The feed behind a version.", _LIST, _query("since", _PLACE), limit)},
            "/v1/sent": {
                "post": _operation("What was sent.", plain, body=_SENT, problems=(403, 413, 422, 501)),
            },
            "/healthz": {"get": _operation("The process lives.", plain)},
            "/readyz": {"get": _operation("Answers can be trusted.", plain)},
            "/metrics": {"get": _operation("For Prometheus.", None)},
            "/openapi.json": {"get": _operation("This document.", plain)},
        },
    }
