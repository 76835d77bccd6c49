"""What is said of a message that no reader knows."""

from __future__ import annotations

import pytest

from bounceproc.classify.classifier import default_classifier
from bounceproc.explain import explain_message


@pytest.mark.parametrize(
    ("header", "begins"),
    [
        ("Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net\nSubject: hm", "not understood"),
        ("From: Ann <ann@example.org>\nSubject: hm", "ordinary mail"),
        ("From: postmaster@example.org\nSubject: Our new disks", "ordinary mail"),
    ],
)
def test_a_notice_that_nobody_understood_is_said_to_be_so(header: str, begins: str) -> None:
    blocks = explain_message(f"{header}\n\nSomething happened.\n".encode(), default_classifier())

    assert len(blocks) == 1
    assert blocks[0][0].text.startswith(begins)
    assert "nobody is suppressed" in blocks[0][0].text
