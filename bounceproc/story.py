"""The whole story of an address: what the ledger knows, how policy counted it, and what would change that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bounceproc.event import iso
from bounceproc.policy.account import account

if TYPE_CHECKING:
    from datetime import datetime

    from bounceproc.policy.account import Progress
    from bounceproc.policy.settings import Policy
    from bounceproc.ports import AddressStatus, Suppression

TOO_MANY: Final = "does not count: too many others of its kind are newer"
"""A history is capped."""
NAMELESS: Final = "does not count: no history is kept of it any more"


@dataclass(frozen=True, slots=True)
class Story:
    """What is known of one address, and why it is so."""

    status: AddressStatus
    counted: dict[str, str]
    """By event id in hexadecimal: what the event counted for."""
    progress: tuple[Progress, ...]
    """Of the address, and of its domain where something was reported of that."""

    def of(self, event: str) -> str:
        """What an event counted for."""
        return self.counted.get(event, TOO_MANY if self.status.histories else NAMELESS)

    def to_dict(self) -> dict[str, Any]:
        """The status under the names that scripts rely on, and with each event and suppression what is said here."""
        plain: dict[str, Any] = dict(self.status.to_dict())
        plain["suppressions"] = [
            {**row, "lifted_by": lifted_by(entry), "second_look": entry.second_look}
            for row, entry in zip(plain["suppressions"], self.status.suppressions, strict=True)
        ]
        plain["events"] = [{**row, "counted": self.of(row["id"])} for row in plain["events"]]
        plain["progress"] = [one.to_dict() for one in self.progress]
        plain["kept"] = list(self.status.kept)
        plain["review"] = list(self.status.review)
        return plain


def tell(status: AddressStatus, policy: Policy, now: datetime) -> Story:
    """Hold what is known against the policy in force."""
    counted: dict[str, str] = {}
    progress: list[Progress] = []
    for history in sorted(status.histories, key=lambda one: one.is_domain):
        told = account(history, policy, now)
        if not history.is_domain or not status.histories[0].is_domain:
            for id_, sentence in told.counted.items():
                counted.setdefault(id_.hex(), sentence)
        progress += told.progress
    return Story(status, counted, tuple(progress))


def lifted_by(entry: Suppression) -> str:
    """What would lift a suppression, and when it ends by itself."""
    if entry.origin != "policy":
        end = f"on {iso(entry.until)}, or " if entry.until else ""
        return f"{end}a person: `bounceproc suppress remove`"
    if entry.reason != "bounce":
        return "the recipient's own consent: `bounceproc suppress allow --consent`"
    if entry.second_look:
        return f"a sign of delivery that happens before {iso(entry.until)}; it is permanent then"
    end = f", or the end on {iso(entry.until)}" if entry.until else ""
    if (entry.address or "").startswith("@"):
        return f"a sign of delivery to any address of the domain{end}"
    if entry.class_ == "soft":
        return f"a sign of delivery{end}"
    return "a person: `bounceproc suppress remove`"
