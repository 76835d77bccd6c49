"""The policy in force: made from a configuration, and shown under the names that it has there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from bounceproc.event import BounceClass, EventType, Trust
from bounceproc.policy.incident import IncidentPolicy
from bounceproc.policy.settings import Policy, Threshold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bounceproc.config import Config
    from bounceproc.config import Policy as PolicySection
    from bounceproc.config import Threshold as ThresholdSection
    from bounceproc.event import Event

SOFT: Final = ("inactive-mailbox", "mailbox-full", "recipient-refused")
"""Categories of soft bounces that suppress on repetition."""
HARD: Final = ("bad-mailbox", "bad-domain", "mailbox-moved", "suppressed-upstream")
"""Categories of hard bounces that may have a row of their own."""
ROWS: Final = ("complaint", "unsubscribe", "hard", *HARD, *SOFT, "unknown-address", "domain")
"""Every row, in the order in which they are shown."""

NOTHING_TO_HOLD_AGAINST: Final = {
    Trust.SIGNED: "acts",
    Trust.MATCHED: "acts",
    Trust.REPORTED: "acts",
    Trust.HEURISTIC: "counts",
}
"""What each trust may do where nothing is known of our own mail: no report could ever be more than reported."""
HELD_AGAINST_DOMAINS: Final = NOTHING_TO_HOLD_AGAINST | {Trust.REPORTED: "counts", Trust.HEURISTIC: "reviews"}
"""The same where our own domains are known, or what was sent."""
HELD_AGAINST_TOKENS: Final = NOTHING_TO_HOLD_AGAINST | {Trust.REPORTED: "reviews", Trust.HEURISTIC: "reviews"}
"""The same where our own mail is signed: what bears no token may be anybody's."""


def policy_of(config: Config, rows: PolicySection | None = None) -> Policy:
    """The policy of a configuration; `rows` are those of another one, to be tried with what this one knows of our mail."""
    rows = rows or config.policy
    weights = weights_of(config, rows)
    levels = {
        weight: frozenset(trust for trust in Trust if weights[trust] == weight)
        for weight in ("acts", "counts", "reviews")
    }
    given = {name: threshold(row) for name in ROWS if (row := row_of(rows, name)) is not None}
    return Policy(
        enforce=rows.mode.value == "enforce",
        complaint=given["complaint"],
        unsubscribe=given["unsubscribe"],
        hard=given["hard"],
        hard_rows={name: given[name] for name in HARD if name in given},
        soft={name: given[name] for name in SOFT},
        unknown_address=given["unknown-address"],
        domain=given["domain"],
        counted_messages=rows.trust.messages,
        counted_days=rows.trust.days,
        review_again=rows.review.again,
        review_keep=timedelta(days=rows.review.keep_days),
        incident=IncidentPolicy(**dict(rows.incident)),
        **levels,
    )


def weights_of(config: Config, rows: PolicySection) -> dict[Trust, str]:
    """What each trust may do: as written, else as it follows from what is known of our own mail."""
    if config.identity.secret is not None:
        usual = HELD_AGAINST_TOKENS
    elif config.identity.domains or config.identity.ledger:
        usual = HELD_AGAINST_DOMAINS
    else:
        usual = NOTHING_TO_HOLD_AGAINST
    written = {trust: getattr(rows.trust, trust.value) for trust in Trust}
    return {trust: written[trust].value if written[trust] is not None else usual[trust] for trust in Trust}


def row_of(rows: PolicySection, name: str) -> ThresholdSection | None:
    """The row of this name; None for a category of hard bounce that has none of its own."""
    found: ThresholdSection | None = getattr(rows, name.replace("-", "_"))
    return found


def deciding_on_trust(policy: Policy) -> Callable[[Event], bool] | None:
    """Of which reported events policy would think differently if they were matched; None: of none."""
    levels = (policy.acts, policy.counts, policy.reviews)
    reported, matched = (
        next((place for place, level in enumerate(levels) if trust in level), len(levels))
        for trust in (Trust.REPORTED, Trust.MATCHED)
    )
    if matched >= reported:
        return None
    counted = frozenset({*policy.soft, *policy.domain_categories, "unknown"})

    def decides(event: Event) -> bool:
        is_harmless = event.type is EventType.BOUNCE and event.class_ is not BounceClass.HARD
        return not is_harmless or event.category in counted

    return decides


def threshold(row: ThresholdSection) -> Threshold:
    """A row as policy counts with it."""
    given: Mapping[str, Any] = dict(row)
    return Threshold(
        messages=row.messages,
        days=row.days,
        span=timedelta(days=row.span_days),
        within=_period(row.within_days),
        expires=_period(row.expires_days),
        addresses=given.get("addresses", 1),
        scope=str(given.get("scope", "*")),
        second_look=_period(given.get("second_look_days", 0)),
        suppress=row.suppress,
    )


def _period(days: int) -> timedelta | None:
    return timedelta(days=days) if days else None


def shown(config: Config) -> dict[str, Any]:
    """The table `[policy]` with every value in force, as plain values: written into a file, it makes the same policy."""
    rows = config.policy
    plain: dict[str, Any] = {"mode": rows.mode.value}
    weights = {trust.value: weight for trust, weight in weights_of(config, rows).items()}
    plain["trust"] = weights | {"messages": rows.trust.messages, "days": rows.trust.days}
    plain["review"] = dict(rows.review)
    plain["incident"] = dict(rows.incident)
    for name in ROWS:
        row = row_of(rows, name)
        if row is not None:
            plain[name] = {key: str(value) if isinstance(value, str) else value for key, value in dict(row).items()}
    return plain
