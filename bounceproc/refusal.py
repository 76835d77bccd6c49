"""Our own refusals, known again: a report that only says what we answered ourselves is no news of the recipient.

A mail server that asks us refuses a suppressed recipient with words of ours. The mail server of the sender reports that, and
the report comes here. Counted, each attempt to mail a suppressed address would be new evidence against it, for ever.
"""

from __future__ import annotations

import re
from typing import Final

_DAY: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])"
_WORDS: Final = re.compile(
    rf"\bsuppressed(?::\s[A-Za-z0-9._-]{{1,60}})?,?\ssince\s{_DAY}"
    rf"|(?:\A|\b5\.[17]\.1[\s:]\s*|\brejected:\s)(?:undeliverable|not\sto\sbe\smailed)\ssince\s{_DAY}",
    re.IGNORECASE,
)


def is_ours(diagnostic: str) -> bool:
    """Whether a reply is one that we gave.

    Anybody may write these words, and gains nothing: such a report is ignored. Other people's words about a mailbox
    (`mailbox undeliverable since 2026-11-01`) are not ours.
    """
    return "since" in diagnostic and _WORDS.search(diagnostic) is not None
