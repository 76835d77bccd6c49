"""The shapes of what is asked and answered, as the OpenAPI document has them (JSON Schema 2020-12)."""

from __future__ import annotations

from typing import Any, Final

from bounceproc.lookup.http.hot import LIST_LIMIT

Schema = dict[str, Any]

WORDS_LIMIT: Final = 1000
"""Characters of a reason, a note, a consent or a scope."""
ACTOR_LIMIT: Final = 200
"""Characters of a name or a ticket."""

TEXT: Final = {"type": "string"}
_MAYBE: Final = {"type": ["string", "null"]}
_FLAG: Final = {"type": "boolean"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TIME: Final = {"type": "string", "format": "date-time"}
_MOMENT: Final[Schema] = {"anyOf": [_TIME, {"type": "null"}]}
_STREAM: Final = {"type": ["string", "null"], "maxLength": 200, "pattern": "^[A-Za-z0-9._-]*$"}
WORDS: Final = {"type": "string", "minLength": 1, "maxLength": WORDS_LIMIT, "pattern": r"\S"}
SCOPE: Final = {"type": "string", "maxLength": WORDS_LIMIT, "pattern": r"^(\*|stream:[A-Za-z0-9._-]+)$"}
ACTOR: Final = {
    "type": "string",
    "minLength": 1,
    "maxLength": ACTOR_LIMIT,
    "pattern": r"^[^@]*[^@\s][^@]*$",
    "description": "For whom, as a name or a ticket in printable characters, never an address: it is not erased by a forget. The name of the token is recorded as well.",
}


def _object(properties: Schema, *optional: str) -> Schema:
    """An object that has all of these, but for the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def pages(item: Schema) -> Schema:
    """One page of a list: `cursor` leads to the next one."""
    return _object({"results": {"type": "array", "items": item}, "cursor": _MAYBE})


PROBLEM: Final = _object({"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT})

ANSWER: Final = _object(
    {
        "address": TEXT,
        "suppressed": {
            "type": ["boolean", "null"],
            "description": "null, with error, where what was asked is no address.",
        },
        "known": {"type": "boolean", "description": "False where the database cannot be asked, and on_error answers."},
        **dict.fromkeys(("scope", "reason", "category"), _MAYBE),
        **dict.fromkeys(("since", "until"), _MOMENT),
        "ref": _MAYBE,
        "error": TEXT,
    },
    *("known", "scope", "reason", "category", "since", "until", "ref", "error"),
)
ANSWERS: Final = _object({"results": {"type": "array", "items": ANSWER}})
CHECK: Final = _object(
    {
        "addresses": {
            "type": "array",
            "items": TEXT,
            "maxItems": LIST_LIMIT,
            "description": "Addresses, or their SHA-256 in hexadecimal.",
        },
        "stream": _MAYBE,
    },
    "stream",
)

ENTRY: Final = _object(
    {
        "address": {**_MAYBE, "description": "null where it was forgotten, or where hashes alone are kept."},
        "scope": TEXT,
        "reason": TEXT,
        **dict.fromkeys(("category", "class"), _MAYBE),
        "since": _TIME,
        "until": _MOMENT,
        "ref": _MAYBE,
        "origin": TEXT,
        "note": _MAYBE,
    }
)
CHANGE: Final = _object(
    {
        "version": TEXT,
        "at": _TIME,
        "action": {"enum": ["add", "change", "remove", "keep", "unkeep", "forget"]},
        **ENTRY["properties"],
    }
)
EVENT: Final = _object(
    {
        **dict.fromkeys(("recipient", "final_recipient"), _MAYBE),
        "event": TEXT,
        **dict.fromkeys(("class", "category", "status"), _MAYBE),
        "smtp_code": {"type": ["integer", "null"]},
        **dict.fromkeys(("diagnostic", "action", "remote_mta", "feedback_type"), _MAYBE),
        "trust": TEXT,
        **dict.fromkeys(("rule", "original_message_id", "derived"), _MAYBE),
        "occurred_at": _MOMENT,
        **dict.fromkeys(("stream", "reference"), _MAYBE),
        "id": TEXT,
        "received_at": _TIME,
        "source": _MAYBE,
        "ref": _MAYBE,
        **dict.fromkeys(("kind", "detector"), _MAYBE),
    }
)

PUT: Final = _object(
    {
        "reason": {
            **WORDS,
            "description": "bounce, complaint, unsubscribe, manual or import; other words are the note of a manual one.",
        },
        "scope": SCOPE,
        "until": _MOMENT,
        "note": {"anyOf": [WORDS, {"type": "null"}], "description": "A sentence that is kept with the entry."},
        "actor": {"anyOf": [ACTOR, {"type": "null"}]},
    },
    *("scope", "until", "note", "actor"),
)
PUT_DONE: Final = _object(
    {
        "address": TEXT,
        "suppressed": {"type": "boolean", "description": "False where `until` is over already."},
        "changed": _FLAG,
    }
)
LIFT_DONE: Final = _object({"address": TEXT, "lifted": _COUNT})

_MAIL: Final = _object(
    {
        "message_id": {"type": "string", "minLength": 1, "maxLength": 998, "pattern": "^[!-;=?-~]+$"},
        "recipient": {"type": "string", "format": "email"},
        "stream": _STREAM,
        "reference": {"type": ["string", "null"], "maxLength": 200, "pattern": "^[ -~]*$"},
        "sent_at": {
            "anyOf": [*_MOMENT["anyOf"], {"type": "string", "maxLength": 0}],
            "description": "Not in the future; now where it is not there or empty.",
        },
    },
    *("stream", "reference", "sent_at"),
)
SENT: Final[Schema] = {
    "anyOf": [_MAIL, _object({"messages": {"type": "array", "items": _MAIL, "maxItems": LIST_LIMIT}})]
}
REMEMBERED: Final = _object({"new": _COUNT})

ALIVE: Final = _object({"status": {"const": "ok"}})
READY: Final = _object({"status": {"const": "ok"}, "version": TEXT})
