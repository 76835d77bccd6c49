"""No text is passed over in which a pattern would be found."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from bounceproc.reports import arf, autoreply, mail, unsubscribe
from bounceproc.reports.sought import Sought

ALL = {
    "daemon": mail.USUAL_DAEMON,
    "machine": mail._MACHINE_NAME,
    "bounce": mail._BOUNCE_SUBJECT,
    "jmrp": arf._JMRP_SUBJECT,
    "desk": arf._DESK_SUBJECT,
    "dmarc": arf._DMARC_SUBJECT,
    "answer": autoreply._SUBJECT,
    "unsubscribe": unsubscribe._SUBJECT,
    "bare": unsubscribe._BARE,
}


def needs(parsed: Any, words: tuple[str, ...]) -> bool:
    """Whether all that a pattern matches has one of the words, or a character that is not ASCII."""
    run = ""
    for name, value in [*parsed, ("END", None)]:
        if str(name) == "LITERAL":
            run += chr(value).lower()
            continue
        if not run.isascii() or any(word in run for word in words):
            return True
        run = ""
        if str(name) == "BRANCH" and all(needs(one, words) for one in value[1]):
            return True
        if str(name) == "SUBPATTERN" and needs(value[3], words):
            return True
        if str(name).endswith("REPEAT") and value[0] > 0 and needs(value[2], words):
            return True
    return False


@pytest.mark.parametrize("name", ALL)
def test_every_match_has_one_of_the_words(name: str) -> None:
    sought = ALL[name]
    assert needs(
        importlib.import_module("re._parser").parse(sought.rare.pattern.pattern, sought.rare.pattern.flags),
        sought.words,
    )
    assert all(word == word.lower() and word.isascii() for word in sought.words)


def test_a_text_is_searched_in_any_case_and_where_it_is_not_ascii() -> None:
    sought = Sought("spam", "spam|müll")
    assert sought.search("This is SPAM")
    assert sought.search("This is Müll")
    assert sought.match("Spam")
    assert not sought.match("No spam")
    assert sought.fullmatch("spam")
    assert not sought.fullmatch("spam!")
    assert not sought.search("nothing")
