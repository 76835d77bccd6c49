"""What is wrong, one line each: where it stands, which key it is, what is wrong with it and what to write instead."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from bounceproc.config.sections import LISTS, Document, FeedbackLoop, Mailbox, Stream, model_of
from bounceproc.config.toml import bare_or_quoted
from bounceproc.config.values import WrongValueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from bounceproc.config.layers import Layers, Location


TWINS: Final = (
    "url",
    "password",
    "token_secret",
    "tokens",
    "oauth_client_secret",
    "oauth_refresh_token",
    "client_key_password",
)
"""Secrets that may be given by themselves, as a file or as a variable: by one of them."""


def problems_of(layers: Layers, error: ValidationError | None) -> list[str]:
    """Every problem, in the order of the file."""
    found = [*_by_models(error), *_by_hand(layers.tree)]
    placed = [(layers.where(path), f"{dotted(path)}: {what}. {advice}") for path, what, advice in found]
    ordered = sorted(enumerate(placed), key=lambda pair: (pair[1][0][0], pair[0]))
    return list(dict.fromkeys(f"{place}: {text}" for _, ((_, place), text) in ordered))


def dotted(path: Location) -> str:
    """A key as people write it: `mailbox[1].port`, counted from 0."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{bare_or_quoted(part)}" if text else bare_or_quoted(part)
    return text


# ---- what the models say ---------------------------------------------------------------------------------------------


def _by_models(error: ValidationError | None) -> Iterator[tuple[Location, str, str]]:
    for detail in error.errors(include_url=False) if error else ():
        what, advice = _explained(detail)
        yield detail["loc"], what, advice


_SENTENCES: Final = {
    "missing": ("is missing", "Write {key} = ..."),
    "int_type": ("is a whole number, not {type}", "Write it without quotes and without a point."),
    "bool_type": ("is true or false, not {type}", "Write true or false, without quotes."),
    "string_type": ("is text, not {type}", "Put it in quotes."),
    "path_type": ("is text, not {type}", "Put it in quotes."),
    "string_too_short": ("is empty", "Write a text, or leave the key out."),
    "greater_than_equal": ("{value} is too small", "Write {ge} or more."),
    "less_than_equal": ("{value} is too large", "Write {le} or less."),
    "enum": ("{value!r} is not known", "Write {expected}."),
    "tuple_type": ("is a list, not {type}", 'Write ["one", "two"].'),
    "model_type": ("is a table, not {type}", "Write [{path}] with single brackets, and its keys below."),
}
"""What pydantic calls a mistake, what is wrong, and what to write instead."""


def _explained(detail: ErrorDetails) -> tuple[str, str]:
    path, kind, value, limits = detail["loc"], detail["type"], detail["input"], detail.get("ctx", {})
    wrong = limits.get("error")
    if isinstance(wrong, WrongValueError):
        return wrong.what, wrong.advice
    if kind == "extra_forbidden":
        return f"is no {_noun(value)} that this version knows", _hint(path)
    if kind == "tuple_type" and len(path) == 1 and path[0] in LISTS:
        return f"is a list of tables, not {_type(value)}", f"Write [[{path[0]}]] with double brackets."
    if kind == "enum" and not isinstance(value, str):
        kind = "string_type"
    what, advice = _SENTENCES.get(kind, (detail["msg"].replace("{", "{{").replace("}", "}}"), "Correct it."))
    known = {**limits, "value": value, "type": _type(value), "key": path[-1], "path": dotted(path)}
    return what.format(**known), advice.format(**known)


def _noun(value: object) -> str:
    is_table = isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict))
    return "table" if is_table else "key"


def _type(value: object) -> str:
    """What TOML calls it. Never the value: it may be a secret in the wrong place."""
    match value:
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number with a point"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
    return "a date or time"


def _hint(path: Location) -> str:
    known = _known(path[:-1])
    close = get_close_matches(str(path[-1]).lower().replace("-", "_"), known, 1, 0.6)
    close = close or get_close_matches(str(path[-1]).lower(), known, 1, 0.6)
    if close and len(path) == 1:
        return f"Did you mean `[[{close[0]}]]`?" if close[0] in LISTS else f"Did you mean `[{close[0]}]`?"
    if close:
        return f"Did you mean `{close[0]}`?"
    if path[:1] == ("policy",) and len(path) == 2:
        rows = ", ".join(name for name in known if name != "mode")
        return f"Known here: {rows}; what is no fault of the recipient condemns no address."
    elsewhere = [f"[{name}]" for name in Document.model_fields if path[-1] in _known((name,)) and name not in path]
    return f"It belongs into {' or '.join(elsewhere)}." if elsewhere else f"Known here: {', '.join(known)}."


_ROWS: Final[dict[str, type[BaseModel]]] = {"mailbox": Mailbox, "stream": Stream, "feedback_loop": FeedbackLoop}


def _known(path: Location) -> list[str]:
    """The keys of the table at this path."""
    model: type[BaseModel] = Document
    for part in path:
        if part in LISTS:
            model = _ROWS[part]
        elif isinstance(part, str):
            fields = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
            below = model_of(fields.get(part))
            if below is None:
                return []
            model = below
    return [info.alias or name for name, info in model.model_fields.items()]


# ---- what no single value shows --------------------------------------------------------------------------------------


def _by_hand(tree: Mapping[str, Any]) -> Iterator[tuple[Location, str, str]]:
    """Looked for in the tree as written, so that a wrong value elsewhere hides none of it."""
    for name in ("database", "identity", "serve"):
        yield from _two_twins((name,), tree[name])
    for index, mailbox in _tables(tree["mailbox"]):
        yield from _two_twins(("mailbox", index), mailbox)
        first = mailbox["folders"][:1] if isinstance(mailbox.get("folders"), list) else []
        if first and "folder" in mailbox and first != [mailbox["folder"]]:
            yield ("mailbox", index, "folders"), "stands beside folder", "Keep one of them."
        for what, advice in _missing_for_login(mailbox):
            yield ("mailbox", index), what, advice
    for name in LISTS:
        yield from _same_names(name, _tables(tree[name]))


_CLIENT_ID: Final = 'Write oauth_client_id = "ID" of the application that you registered at {}.'
_REFRESH: Final = 'or oauth_refresh_token_file = "PATH" with the refresh token of a person who agreed.'
_CONSOLE: Final = "console.cloud.google.com, APIs & Services, Credentials"
_ENTRA: Final = "entra.microsoft.com, App registrations"


def _missing_for_login(mailbox: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a way to log in needs and does not have, and where to get it."""
    auth = mailbox.get("auth", "password")
    if auth == "password" and not _has(mailbox, "password"):
        yield "has no password", 'Write password_file = "PATH", password_env = "VARIABLE" or password = "...".'
    elif auth == "xoauth2-google":
        yield from _missing_at_google(mailbox)
    elif auth == "xoauth2-microsoft":
        yield from _missing_at_microsoft(mailbox)
    if "client_key_file" in mailbox and "client_cert_file" not in mailbox:
        yield "has a client_key_file and no client_cert_file", 'Write client_cert_file = "PATH" as well.'


def _missing_at_google(mailbox: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    account, refresh = "oauth_service_account_file" in mailbox, _has(mailbox, "oauth_refresh_token")
    if account and refresh:
        yield "has a service account and a refresh token", "Keep one of them."
    elif not account and not refresh:
        advice = f'Write oauth_service_account_file = "PATH" with a JSON key from {_CONSOLE}, {_REFRESH}'
        yield "has no way to get tokens from Google", advice
    if refresh and "oauth_client_id" not in mailbox:
        yield "has no oauth_client_id", _CLIENT_ID.format(_CONSOLE)
    if refresh and not _has(mailbox, "oauth_client_secret"):
        yield "has no oauth_client_secret", f'Write oauth_client_secret_file = "PATH" with the secret from {_CONSOLE}.'


def _missing_at_microsoft(mailbox: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "oauth_client_id" not in mailbox:
        yield "has no oauth_client_id", _CLIENT_ID.format(_ENTRA)
    if not _has(mailbox, "oauth_client_secret") and not _has(mailbox, "oauth_refresh_token"):
        advice = f'Write oauth_client_secret_file = "PATH" with a client secret from {_ENTRA}, {_REFRESH}'
        yield "has no way to get tokens from Microsoft", advice
    if "oauth_tenant" not in mailbox and not _has(mailbox, "oauth_refresh_token"):
        yield "has no oauth_tenant", f'Write oauth_tenant = "ID" with the directory (tenant) id from {_ENTRA}.'


def _has(table: Mapping[str, Any], secret: str) -> bool:
    return any(key in table for key in (secret, f"{secret}_file", f"{secret}_env"))


def _tables(value: object) -> list[tuple[int, Mapping[str, Any]]]:
    return (
        [(index, each) for index, each in enumerate(value) if isinstance(each, dict)] if isinstance(value, list) else []
    )


def _two_twins(path: Location, table: object) -> Iterator[tuple[Location, str, str]]:
    if not isinstance(table, dict):
        return
    for base in TWINS:
        given = [key for key in (base, f"{base}_file", f"{base}_env") if key in table]
        if len(given) > 1:
            yield (
                (*path, given[1]),
                f"{' and '.join(given)} are the same secret, given more than once",
                "Keep one of them.",
            )


def _same_names(name: str, tables: list[tuple[int, Mapping[str, Any]]]) -> Iterator[tuple[Location, str, str]]:
    seen: Counter[str] = Counter()
    for index, table in tables:
        own = table.get("name")
        if isinstance(own, str):
            seen[own] += 1
            if seen[own] > 1:
                yield (name, index, "name"), f"{own!r} is the name of another {name}", "Choose another name."
