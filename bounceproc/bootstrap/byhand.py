"""What people say when they change the list: about whom, where, why, and who they are."""

from __future__ import annotations

from typing import Final

from bounceproc.address import Address
from bounceproc.errors import UsageError

ACTOR_LIMIT: Final = 200
"""Characters of a name that somebody acts for."""

REASONS: Final = ("bounce", "complaint", "unsubscribe", "manual", "import")
"""The reasons of a suppression; whatever else a person writes is a note."""


def subject(text: str) -> Address:
    """An address, or a whole domain where it begins with `@`."""
    return Address.parse_domain(text) if text.strip().startswith("@") else Address.parse(text)


def scope_of(text: str) -> str:
    """`*` or `stream:NAME`.

    Raises:
        UsageError: it is neither.

    """
    if text == "*" or (text.startswith("stream:") and text[7:].strip() and text.isprintable()):
        return text
    raise UsageError(f"{text!r} is no scope", "Write '*' for all mail (quoted, for the shell's sake) or stream:NAME.")


def manual_reason(reason: str, note: str | None) -> tuple[str, str | None]:
    """The reason of an entry made by hand, and its note: words that are no reason become the note of a manual one."""
    word = reason.strip().lower()
    if word in REASONS:
        return word, note
    return "manual", "; ".join(part for part in (reason.strip(), note) if part)


def actor() -> str:
    """Who changes the list by hand: the user of this system."""
    import getpass

    try:
        return f"user:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return "user:unknown"


def actor_for(name: str | None) -> str:
    """Who changes the list by hand, for whomever they say they do it: the user of this system is named in any case.

    Raises:
        UsageError: the name cannot be shown, or holds an address.

    """
    if name is None or not name.strip():
        return actor()
    if "@" in name:
        raise UsageError("the actor holds an address, which `forget` would not find", "Write a name or a ticket.")
    if not name.isprintable() or len(name) > ACTOR_LIMIT:
        raise UsageError("the actor has signs that cannot be printed, or is too long", "Write a name or a ticket.")
    return f"{name.strip()} ({actor()})"
