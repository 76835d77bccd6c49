"""Whether a notice only warns that delivery takes longer: no failure, whatever its fields say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bounceproc.reports.mail import Mail

READ: Final = 4096
"""Characters of a notice in which the sentence is looked for: it stands at the top."""

_HINTS: Final = (
    *(
        b"arning",
        b"ARNING",
        b"elayed",
        b"ELAY",
        b"retried",
        b"retry",
        b"trying",
        b"to try",
        b"porary failure rep",
        b"not yet",
    ),
    *(
        b"resend",
        b"ncomplete",
        b"ttempts",
        b"to attempt",
        b"advisory",
        b"postpone",
        b"delivered yet",
        b"weiterhin",
        b"noch nicht",
    ),
)
"""Octets of which one stands in every sentence below that is ASCII: a cheap test before the text is decoded."""

_SUBJECT: Final = re.compile(
    r"\W{0,4}(?:\[[^\]\n]{1,60}\][ \t]*)?(?:warning\b[^a-z]{0,4}(?:could not send|message)|(?:mail |message )?(?:delivery )?(?:status )?(?:notification )?"
    r"(?:delayed|delay|warning)\b|delayed:|delivery (?:has been |is )?delayed|(?:mail )?delivery status notification[: -]*\(?(?:delay|warning)|"
    r"(?:zustellung )?verzögert|zustellungsverzögerung|remise (?:retardée|différée)|entrega (?:retrasada|demorada|atrasada)|"
    r"recapito ritardato|bezorging vertraagd|配信遅延|配送の遅延|传递延迟|傳遞延遲)",
    re.IGNORECASE,
)
"""Subjects of warnings, from their beginning: further on the subject of our own mail may be quoted."""

_SUBJECT_WORDS: Final = ("warning", "delay", "retrasad", "demorad", "atrasad", "ritardat", "vertraagd")
"""Of which one stands in every subject above that is ASCII: a cheap test before the pattern."""

_WARNS: Final = (
    *(
        "warning message only",
        "this is just a warning",
        "this is only a warning",
        "this is a warning",
        "delivery incomplete **",
    ),
    *(
        "will be retried",
        "will retry",
        "will keep trying",
        "will continue to try",
        "continue to attempt",
        "will try again",
    ),
    *(
        "delivery attempts will continue",
        "attempts to deliver will continue",
        "temporary failure report",
        "still being retried",
    ),
    *(
        "not yet been delivered",
        "not need to resend",
        "not have to resend",
        "has been delayed",
        "have been delayed",
        "is delayed",
    ),
    *(
        "was delayed",
        "being delayed",
        "advisory-only",
        "been postponed",
        "not been delivered yet",
        "will continue to be attempted",
    ),
    *(
        "wird weiterhin versucht",
        "noch nicht zugestellt",
        "n'a pas encore été",
        "todavía no se ha",
        "ещё не доставлено",
        "еще не доставлено",
    ),
    *("まだ配信されて", "再送を試み", "尚未送达"),
)
"""Of which one stands in the notice of a warning, lower case, white space squeezed."""

_GIVES_UP: Final = (
    *(
        "giving up",
        "given up",
        "gave up",
        "permanent error",
        "permanent failure",
        "permanent fatal",
        "failed permanently",
    ),
    *("removed from the queue", "no further", "not going to try again", "in the queue too long", "delivery has failed"),
    *("could not be delivered for", "has expired", "message expired", "retry timeout exceeded", "not be retried"),
)
"""Of which one stands in the notice of a failure."""


def is_warning(mail: Mail) -> bool:
    """Whether the subject or the text says that the queue still tries."""
    if says_so_in_subject(mail):
        return True
    if not _is_hinted(mail):
        return False
    return says_warning(mail.human if mail.root.is_multipart else mail.notice)


def says_so_in_subject(mail: Mail) -> bool:
    """Whether the subject says that the queue still tries."""
    subject = mail.subject[:300]
    if subject.isascii():
        lowered = subject.lower()
        for word in _SUBJECT_WORDS:
            if word in lowered:
                break
        else:
            return False
    return _SUBJECT.match(subject) is not None


def says_warning(text: str) -> bool:
    """Whether a notice warns before it says, if it does, that anything was given up."""
    top = text[:READ].lower().replace("\n", " ").replace("    ", " ").replace("  ", " ")
    warned = _first(_WARNS, top)
    # Exim and Gmail warn that they will give up some day: what is said first is meant.
    return warned < len(top) and warned <= _first(_GIVES_UP, top[: warned + 100])


def _first(phrases: tuple[str, ...], text: str) -> int:
    """Where the first of some phrases stands; the text's length where none does."""
    first = len(text)
    for phrase in phrases:
        at = text.find(phrase, 0, first)
        if at >= 0:
            first = at
    return first


def _is_hinted(mail: Mail) -> bool:
    part = mail.leaves[0]
    top = part.data[part.body : min(part.end, part.body + READ)]
    if not top.isascii() or part.encoding == "base64" or b"\x1b" in top:
        return True
    for hint in _HINTS:  # noqa: SIM110 - a loop is twice as fast as any() here
        if hint in top:
            return True
    return False
