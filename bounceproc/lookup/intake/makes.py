"""Whose list it is, by its columns, and what a row of it asks for.

The columns are those of the services' documentation: SES `ListSuppressedDestinations` and its bulk import, SendGrid's lists of
bounces, blocks, invalid addresses, spam reports and unsubscribes, Mailgun's bounces, complaints and unsubscribes, Postmark's
suppression dump, SparkPost's suppression list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bounceproc.classify.categories import CATEGORIES, Fault
from bounceproc.classify.classifier import default_classifier
from bounceproc.errors import UsageError
from bounceproc.lookup.intake.words import (
    RowError,
    category_of,
    moment_of,
    plain,
    reason_of,
    scope_of,
    subject_of,
    until_of,
)
from bounceproc.ports import Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    Cells = Mapping[str, str]

ADDRESS: Final = ("email", "address", "emailaddress", "recipient", "mail", "subscriber")
"""Columns of the address, by their plain names, the likeliest first."""
SINCE: Final = ("since", "created", "createdat", "lastupdatetime", "updated", "suppressedat")
"""Columns of the moment when it began."""
NOTE: Final = ("note", "description", "error", "detail")
"""Columns of a sentence about it."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What is taken where a row does not say it, and with `forced_reason` also where it does."""

    reason: str = "import"
    scope: str = "*"
    until: datetime | None = None
    note: str | None = None
    forced_reason: bool = False


@dataclass(frozen=True, slots=True)
class Make:
    """One service's kind of list."""

    name: str
    about: str
    fits: Callable[[frozenset[str]], bool]
    """Whether these columns are its own."""
    read: Callable[[Cells, Defaults], list[Wish]]
    """What a row asks for; raises RowError."""


def _first(cells: Cells, names: tuple[str, ...]) -> str:
    return next((cells[name] for name in names if cells.get(name, "").strip()), "")


def _wish(cells: Cells, given: Defaults, reason: str | None, **more: str | None) -> Wish:
    scope = more.pop("scope", None)
    note = more.pop("note", None)
    return Wish(
        subject_of(_first(cells, ADDRESS)),
        scope or given.scope,
        given.reason if given.forced_reason or reason is None else reason,
        given.until,
        note or given.note,
        moment_of(_first(cells, SINCE)),
        **more,
    )


def _bounced(cells: Cells, given: Defaults, note: str = "") -> Wish:
    """What the service itself calls permanent."""
    wish = _wish(cells, given, "bounce", note=note or None)
    return replace(wish, class_="hard") if wish.reason == "bounce" else wish


def generic(cells: Cells, given: Defaults) -> list[Wish]:
    """Any list with a column of addresses, our own export included; a reason that is none of ours becomes the note."""
    if not _first(cells, ADDRESS) and cells.get("domain", "").strip():
        cells = {**cells, "address": "@" + cells["domain"].strip().removeprefix("@")}
    if cells.get("action", "").strip() == "remove":
        raise RowError("it tells of a removal: import a whole list, not what changed")
    text = cells.get("reason", "")
    reason = reason_of(text)
    note = _first(cells, NOTE) or ("" if reason else text.strip())
    category = category_of(cells.get("category", "")) or category_of(text)
    wish = _wish(
        cells,
        given,
        reason,
        scope=scope_of(cells.get("scope", ""), cells.get("stream", "")),
        note=note,
        category=category,
        class_=cells.get("class", "") if cells.get("class", "") in {"hard", "soft"} else None,
    )
    return [replace(wish, until=until_of(cells.get("until", "")) or given.until)]


def _ses(cells: Cells, given: Defaults) -> list[Wish]:
    reason = cells.get("reason", "").strip().upper()
    if reason == "BOUNCE":
        return [_bounced(cells, given)]
    if reason == "COMPLAINT":
        return [_wish(cells, given, "complaint")]
    raise RowError("its reason is neither BOUNCE nor COMPLAINT")


def _sendgrid(cells: Cells, given: Defaults) -> list[Wish]:
    """SendGrid's lists tell themselves apart by their columns alone; blocks look like bounces, and are about the sender."""
    if "groupid" in cells or "groupname" in cells:
        group = cells.get("groupname", "").strip() or cells.get("groupid", "").strip()
        return [_wish(cells, given, "unsubscribe", scope=scope_of("", group))]
    if "ip" in cells:
        return [_wish(cells, given, "complaint")]
    if "reason" not in cells:
        return [_wish(cells, given, "unsubscribe" if "created" in cells else None)]
    if "status" not in cells:
        return [_bounced(cells, given, cells["reason"])]
    said = default_classifier().classify(f"{cells['status']} {cells['reason']}".strip())
    if CATEGORIES[said.category].fault in {Fault.SENDER, Fault.RECEIVER} and not given.forced_reason:
        raise RowError(
            f"the reply is about the sender or the server ({said.category.value}): --reason bounce takes it all the same"
        )
    wish = _wish(cells, given, "bounce", note=cells["reason"], category=said.category.value)
    return [replace(wish, class_=said.class_.value)]


def _mailgun(cells: Cells, given: Defaults) -> list[Wish]:
    if "code" in cells or "error" in cells:
        return [replace(_bounced(cells, given, cells.get("error", "")), category=category_of(cells.get("error", "")))]
    if "tags" in cells or "tag" in cells:
        tags = [tag for tag in (cells.get("tags") or cells.get("tag", "")).split(",") if tag.strip()] or ["*"]
        if "*" in map(str.strip, tags):
            return [_wish(cells, given, "unsubscribe", scope=given.scope)]
        return [_wish(cells, given, "unsubscribe", scope=scope_of("", tag)) for tag in tags]
    return [_wish(cells, given, "complaint")]


def _postmark(cells: Cells, given: Defaults) -> list[Wish]:
    why = plain(cells.get("suppressionreason", ""))
    if why == "hardbounce":
        return [_bounced(cells, given)]
    if why == "spamcomplaint":
        return [_wish(cells, given, "complaint")]
    if why not in {"", "manualsuppression"}:
        raise RowError("its reason is none of HardBounce, SpamComplaint and ManualSuppression")
    wished = plain(cells.get("origin", "")) == "recipient"
    return [_wish(cells, given, "unsubscribe" if wished else None)]


def _sparkpost(cells: Cells, given: Defaults) -> list[Wish]:
    said = cells.get("description", "").strip()
    reason = reason_of(cells.get("source", "")) or reason_of(said)
    category = category_of(said)
    return [_wish(cells, given, reason, note=None if category or reason_of(said) else said, category=category)]


_MAILGUN: Final = ({"address", "createdat"}, {"address", "createdat", "count"})
_SENDGRID: Final = (
    {"email", "created"},
    {"email", "created", "ip"},
    {"email", "created", "reason"},
    {"email", "created", "reason", "status"},
)

MAKES: Final = {
    make.name: make
    for make in (
        Make("postmark", "Postmark's suppression dump", lambda names: "suppressionreason" in names, _postmark),
        Make(
            "sparkpost",
            "SparkPost's suppression list",
            lambda names: "recipient" in names and not names.isdisjoint({"type", "nontransactional", "source"}),
            _sparkpost,
        ),
        Make(
            "mailgun",
            "Mailgun's bounces, complaints or unsubscribes",
            lambda names: names >= {"address", "code", "error"} or names >= {"address", "tags"} or names in _MAILGUN,
            _mailgun,
        ),
        Make(
            "sendgrid",
            "SendGrid's bounces, blocks, spam reports or unsubscribes",
            lambda names: names in _SENDGRID or names >= {"email", "groupid"},
            _sendgrid,
        ),
        Make(
            "ses",
            "the list of Amazon SES",
            lambda names: names in ({"emailaddress", "reason"}, {"emailaddress", "reason", "lastupdatetime"}),
            _ses,
        ),
        Make("csv", "a list with a head line", lambda names: not names.isdisjoint((*ADDRESS, "domain")), generic),
    )
}
"""By name; the first that fits is taken."""
ALIASES: Final = {
    "jsonl": "csv",
    "json": "csv",
    "txt": "csv",
    "mailgun-bounces": "mailgun",
    "mailgun-complaints": "mailgun",
    "mailgun-unsubscribes": "mailgun",
}
"""Other names: how a list is laid out is seen from the list itself."""


def make_named(name: str) -> Make:
    """The make with this name.

    Raises:
        UsageError: there is none.

    """
    found = MAKES.get(ALIASES.get(name, name))
    if found is None:
        raise UsageError(f"{name!r} is no format of a list", f"There are {', '.join((*MAKES, *ALIASES))}.")
    return found


def make_of(columns: frozenset[str]) -> Make | None:
    """Whose list has these columns, by their plain names."""
    return next((make for make in MAKES.values() if make.fits(columns)), None)
