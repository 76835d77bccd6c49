"""What a change would do, for people and for scripts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bounceproc.cli.output import Format, harmless, out, print_json, say, table
from bounceproc.event import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bounceproc.policy.replay import Difference
    from bounceproc.service.replay import Judged, Outlook

LIMIT: Final = 50
"""Lines of a table, unless asked for more."""

LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Lines of each table; JSON always has them all.")]


def show_outlooks(found: Iterator[Outlook], format_: Format, limit: int) -> None:
    """Show every difference as it is found, and what they add up to."""
    moves: Counter[str] = Counter()
    judged: Counter[tuple[str, str, str]] = Counter()
    made = table("would", "address", "scope", "reason", "category", "until", "why", "besides")
    for outlook in found:
        for one in outlook.judged if not outlook.subject.history.is_domain else ():
            judged[str(one.before.category), str(one.after.category), str(one.after.rule)] += 1
            if format_.is_json:
                print_json(_event(one))
        for difference in outlook.differences:
            moves[difference.move.value] += 1
            if format_.is_json:
                print_json(_entry(outlook, difference))
            elif made.row_count < limit:
                made.add_row(*_cells(outlook, difference))
    if not format_.is_json:
        _print(made, judged, sum(moves.values()), limit)
    say(
        f"{moves['enter']} would enter the list, {moves['leave']} would leave it, {moves['change']} would end otherwise"
    )


def _print(made: Any, judged: Counter[tuple[str, str, str]], entries: int, limit: int) -> None:
    if judged:
        changes = table("recorded as", "would be", "rule", "events")
        for (before, after, rule), number in judged.most_common(limit):
            changes.add_row(*map(harmless, (before, after, rule, number)))
        out().print(changes)
    out().print(made if entries else "The list would stay as it is.")
    if entries > made.row_count:
        say(f"and {entries - made.row_count} more: --limit or --format json shows them")


def _cells(outlook: Outlook, difference: Difference) -> list[str]:
    until = f"{difference.until:%Y-%m-%d}" if difference.until else "-"
    besides = ", ".join(outlook.subject.otherwise)
    plain = (difference.move.value, outlook.subject.address or "(forgotten)", difference.scope, difference.reason)
    return [
        *map(harmless, plain),
        harmless(difference.category or "-"),
        until,
        harmless(difference.why or "-", 60),
        harmless(f"stays suppressed: {besides}" if besides else "-"),
    ]


def _entry(outlook: Outlook, difference: Difference) -> dict[str, Any]:
    return {
        "what": "entry",
        "move": difference.move.value,
        "address": outlook.subject.address,
        "scope": difference.scope,
        "reason": difference.reason,
        "category": difference.category,
        "until": iso(difference.until),
        "why": difference.why,
        "otherwise": list(outlook.subject.otherwise),
    }


def _event(one: Judged) -> dict[str, Any]:
    before, after = one.before, one.after
    return {
        "what": "event",
        "id": one.event.hex(),
        "recipient": before.recipient.text if before.recipient else None,
        "diagnostic": before.diagnostic or None,
        "before": {"category": before.category, "class": before.class_, "rule": before.rule},
        "after": {"category": after.category, "class": after.class_, "rule": after.rule},
    }
