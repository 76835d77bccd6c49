"""The settings of a mailbox."""

from __future__ import annotations

from typing import Any

import pytest

from bounceproc.errors import ConfigError
from bounceproc.ports import Outcome
from bounceproc.sources.mailbox import Disposal, Mailbox, same_folder


def mailbox(**changes: Any) -> Mailbox:
    settings: dict[str, Any] = {"name": "returns", "host": "imap.example.com", "user": "bounces", "password": "Sesame"}
    return Mailbox(**settings | changes)


def test_the_password_is_not_in_the_printed_form() -> None:
    assert "Sesame" not in repr(mailbox())


def test_reports_are_moved_and_other_mail_is_left_by_default() -> None:
    assert {outcome: str(disposal) for outcome, disposal in mailbox().disposals.items()} == {
        Outcome.REPORT: "move:Processed",
        Outcome.OWN_REFUSAL: "move:Processed",
        Outcome.AUTO_REPLY: "leave",
        Outcome.UNRECOGNISED: "leave",
        Outcome.MALFORMED: "move:Malformed",
    }


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"batch_size": 0}, "batch_size is 1 to 500"),
        ({"batch_size": 501}, "batch_size is 1 to 500"),
        ({"port": 70000}, "port is 1 to 65535"),
        ({"host": ""}, "'' is no host name"),
        ({"host": "imap..example.com"}, "is no host name"),
        ({"user": "a\r\nA1 LOGOUT"}, "user has control characters"),
        ({"password": "a\nb"}, "password has control characters"),
        ({"on_report": Disposal.parse("move:inbox")}, "cannot be moved to 'INBOX'"),
        ({"folder": "Processed"}, "cannot be moved to 'Processed'"),
    ],
)
def test_a_value_that_cannot_serve_is_told(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as failed:
        mailbox(**changes)
    assert failed.value.problems
    assert "Sesame" not in str(failed.value)


def test_only_inbox_has_no_case() -> None:
    assert same_folder("inbox", "INBOX")
    assert not same_folder("processed", "Processed")
