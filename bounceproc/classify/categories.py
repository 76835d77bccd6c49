"""The vocabulary: why a delivery failed, whose fault that is, and what the sender can do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from bounceproc.event import BounceClass


class Category(StrEnum):
    """Why a delivery failed. `CATEGORIES` says what each means."""

    BAD_MAILBOX = "bad-mailbox"
    BAD_DOMAIN = "bad-domain"
    MAILBOX_MOVED = "mailbox-moved"
    SUPPRESSED_UPSTREAM = "suppressed-upstream"
    INACTIVE_MAILBOX = "inactive-mailbox"
    MAILBOX_FULL = "mailbox-full"
    RECIPIENT_REFUSED = "recipient-refused"
    SPAM_BLOCK = "spam-block"
    SPAM_CONTENT = "spam-content"
    VIRUS = "virus"
    CONTENT_REJECTED = "content-rejected"
    MESSAGE_TOO_LARGE = "message-too-large"
    POLICY = "policy"
    AUTHENTICATION = "authentication"
    REVERSE_DNS = "reverse-dns"
    INVALID_SENDER = "invalid-sender"
    RELAYING_DENIED = "relaying-denied"
    RATE_LIMITED = "rate-limited"
    GREYLISTED = "greylisted"
    TLS_REQUIRED = "tls-required"
    PROTOCOL_ERROR = "protocol-error"
    DNS_FAILURE = "dns-failure"
    NETWORK_ERROR = "network-error"
    ROUTING_LOOP = "routing-loop"
    RECEIVER_ERROR = "receiver-error"
    RECEIVER_FULL = "receiver-full"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Fault(StrEnum):
    """Who has to change something before the mail can be delivered."""

    RECIPIENT = "recipient"
    SENDER = "sender"
    RECEIVER = "receiver"
    NOBODY = "-"


class CategoryInfo:
    """What a category means."""

    __slots__ = ("advice", "class_", "fault", "meaning")

    def __init__(self, fault: Fault, class_: BounceClass, meaning: str, advice: str) -> None:
        self.fault: Final = fault
        self.class_: Final = class_
        self.meaning: Final = meaning
        self.advice: Final = advice


def _hard(meaning: str, advice: str) -> CategoryInfo:
    return CategoryInfo(Fault.RECIPIENT, BounceClass.HARD, meaning, advice)


def _soft(fault: Fault, meaning: str, advice: str) -> CategoryInfo:
    return CategoryInfo(fault, BounceClass.SOFT, meaning, advice)


CATEGORIES: Final[dict[Category, CategoryInfo]] = {
    Category.BAD_MAILBOX: _hard("no such user", "Stop mailing this address; look at how it was collected."),
    Category.BAD_DOMAIN: _hard(
        "no such domain, or it takes no mail",
        "Stop mailing this domain; look for typing errors where it was collected.",
    ),
    Category.MAILBOX_MOVED: _hard(
        "the person moved and nothing is forwarded",
        "Stop mailing this address; the text may name the new one, which needs a new consent.",
    ),
    Category.SUPPRESSED_UPSTREAM: _hard(
        "a provider's own suppression list refused it", "Stop mailing this address, or lift it at that provider first."
    ),
    Category.INACTIVE_MAILBOX: _soft(
        Fault.RECIPIENT, "disabled, suspended or abandoned", "Wait for a second report; after that the address is dead."
    ),
    Category.MAILBOX_FULL: _soft(
        Fault.RECIPIENT, "over quota", "Mail less often until it empties; weeks of it mean an abandoned mailbox."
    ),
    Category.RECIPIENT_REFUSED: _soft(
        Fault.RECIPIENT, "the recipient's own filter or list refuses", "Ask whether this person still wants the mail."
    ),
    Category.SPAM_BLOCK: _soft(
        Fault.SENDER,
        "the reputation of IP, host or domain",
        "Check the block list or postmaster page that the reply names; ask for removal there.",
    ),
    Category.SPAM_CONTENT: _soft(
        Fault.SENDER,
        "this content is judged spam",
        "Check links, wording and the list's consent; send a sample to the provider's postmaster.",
    ),
    Category.VIRUS: _soft(
        Fault.SENDER, "a virus was found", "Scan the sending system and the attachment before anything else is sent."
    ),
    Category.CONTENT_REJECTED: _soft(
        Fault.SENDER,
        "a header, the body or an attachment is refused",
        "Check the named header or attachment type; link to the file instead.",
    ),
    Category.MESSAGE_TOO_LARGE: _soft(
        Fault.SENDER, "over a size limit", "Send a smaller message; link to files instead of attaching them."
    ),
    Category.POLICY: _soft(
        Fault.SENDER,
        "another local policy",
        "Read the reply's link; the receiver's postmaster can say which rule it was.",
    ),
    Category.AUTHENTICATION: _soft(
        Fault.SENDER,
        "SPF, DKIM, DMARC or ARC failed",
        "Check the SPF record, the DKIM key and their alignment for the sending domain.",
    ),
    Category.REVERSE_DNS: _soft(
        Fault.SENDER,
        "PTR, HELO or forward-confirmed DNS is missing",
        "Give the sending IP a PTR name that resolves back to it, and HELO with it.",
    ),
    Category.INVALID_SENDER: _soft(
        Fault.SENDER,
        "the envelope or header sender is refused",
        "Check that the sender's domain exists and accepts mail, and who may use it.",
    ),
    Category.RELAYING_DENIED: _soft(
        Fault.SENDER,
        "the host does not relay for this domain",
        "Check the route: the MX, a smart host, or missing authentication.",
    ),
    Category.RATE_LIMITED: _soft(
        Fault.SENDER,
        "too fast, too many connections or recipients",
        "Send more slowly to this provider: fewer connections, fewer recipients each.",
    ),
    Category.GREYLISTED: _soft(
        Fault.RECEIVER,
        "come back later, by design",
        "Nothing: a mail server that retries from the same IP gets through.",
    ),
    Category.TLS_REQUIRED: _soft(
        Fault.SENDER,
        "encryption is missing or failed",
        "Check STARTTLS, certificates and MTA-STS or DANE on both sides.",
    ),
    Category.PROTOCOL_ERROR: _soft(
        Fault.SENDER,
        "syntax, sequence or RFC compliance",
        "Check what the sending software writes: line length, bare line feeds, duplicate headers.",
    ),
    Category.DNS_FAILURE: _soft(
        Fault.RECEIVER,
        "the resolver failed, not the name",
        "Check the own resolver; else wait for the receiver's name servers.",
    ),
    Category.NETWORK_ERROR: _soft(
        Fault.RECEIVER,
        "refused, reset, timed out or unreachable",
        "Wait; if many domains show it, check the own network and firewall.",
    ),
    Category.ROUTING_LOOP: _soft(
        Fault.RECEIVER, "too many hops, mail loops", "Tell the receiver's postmaster: a forward points back to itself."
    ),
    Category.RECEIVER_ERROR: _soft(
        Fault.RECEIVER,
        "the remote system or its delivery program failed",
        "Wait; if it lasts, tell the receiver's postmaster.",
    ),
    Category.RECEIVER_FULL: _soft(
        Fault.RECEIVER, "the remote system is out of disk", "Wait; if it lasts, tell the receiver's postmaster."
    ),
    Category.EXPIRED: _soft(
        Fault.RECEIVER,
        "the queue lifetime is over and no reason is given",
        "Look into the sending server's log for the last attempt.",
    ),
    Category.UNKNOWN: _soft(Fault.NOBODY, "no rule knows this text", "Read the text; a rule of your own can name it."),
}
