"""What whole messages mean: where the reader and the classifier have to know of each other's words."""

from __future__ import annotations

from pathlib import Path

from bounceproc.classify.classifier import default_classifier
from bounceproc.event import BounceClass
from bounceproc.meaning import interpret

CORPUS = Path(__file__).parent.parent / "corpus" / "dsn"


def said(name: str) -> dict[str, tuple[str, BounceClass | None]]:
    """Category and class of each recipient of a message of the corpus."""
    meaning = interpret((CORPUS / f"{name}.eml").read_bytes(), default_classifier())
    return {str(event.recipient): (event.category or "", event.class_) for event in meaning.events}


def test_who_is_unknown_depends_on_the_command_that_was_answered() -> None:
    """Postfix and Exim name it to people alone; without it the words of a filter or about a sender condemn the recipient."""
    assert said("043-postfix-names-the-command") == {
        "taro@docomo.ne.jp": ("recipient-refused", BounceClass.SOFT),
        "hana@example.org": ("invalid-sender", BounceClass.SOFT),
        "jiro@example.org": ("bad-mailbox", BounceClass.HARD),
    }
    assert said("044-exim-names-the-command") == {"hana@example.org": ("invalid-sender", BounceClass.SOFT)}


def test_a_reply_that_was_waited_on_is_left_as_it_stands() -> None:
    """What Exim puts behind it is taken off where it ends the text, and the reply decides."""
    message = (CORPUS / "044-exim-names-the-command.eml").read_bytes()
    waited = message.replace(b"550 5.1.1 No such user here", b"451 4.7.1 Zu viele Verbindungen: retry timeout exceeded")
    (event,) = interpret(waited, default_classifier()).events
    assert (event.diagnostic, event.category) == (
        "451 4.7.1 Zu viele Verbindungen: retry timeout exceeded",
        "rate-limited",
    )


def test_the_command_is_that_of_the_recipient_s_own_reply() -> None:
    """Two servers may say the same words, one of them of the sender."""
    message = (CORPUS / "043-postfix-names-the-command.eml").read_bytes()
    alike = message.replace(b"550 5.1.1 User\n    unknown (in", b"550 5.1.1 No such\n    user here (in")
    alike = alike.replace(b"smtp; 550 5.1.1 User unknown", b"smtp; 550 5.1.1 No such user here")
    classes = {
        str(event.recipient): event.class_
        for event in interpret(alike.replace(b"hana@example.org", b"hana@example.net"), default_classifier()).events
    }
    assert (classes["hana@example.net"], classes["jiro@example.org"]) == (BounceClass.SOFT, BounceClass.HARD)
