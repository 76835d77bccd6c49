"""Where a real mail server and its filter write Authentication-Results, they are read; where a sender writes them, they are not."""

from __future__ import annotations

import queue
from typing import Any, Final

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP

from bounceproc.evidence.letter import Letter
from bounceproc.evidence.results import Claim, claims
from tests.servers.milter import filter_that_inserts
from tests.servers.postfix import DOMAIN, START_TIMEOUT, free_port, postfix_to
from tests.unit.mails import complaint

HOST: Final = "mx.sender.test"
FORGED: Final = f"Authentication-Results: {HOST}; dkim=pass header.d=forged.example\r\n".encode()
RECEIVED: Final = f"Received: from a by {HOST} (Postfix) with LMTP id 1; Mon, 23 Nov 2026 09:00:00 +0000\r\n".encode()


class Inbox(queue.Queue[bytes]):
    """Takes what is handed over by LMTP."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        self.put(envelope.original_content)
        return "250 taken"


class Door(Controller):
    """Listens for LMTP."""

    def factory(self) -> LMTP:
        return LMTP(self.handler)


@pytest.mark.server
@pytest.mark.parametrize("index", [0, 1])
def test_what_the_filter_of_a_postfix_wrote_counts_and_what_the_sender_wrote_does_not(index: int) -> None:
    inbox = Inbox()
    door = Door(inbox, hostname="127.0.0.1", port=free_port())
    door.start()
    try:
        results = f"{HOST};\n\tdkim=pass (2048-bit key) header.d=provider.example header.s=s1"
        with filter_that_inserts(index, "Authentication-Results", results) as port:
            more = f"smtpd_milters = inet:127.0.0.1:{port}\nmilter_default_action = tempfail\n"
            with postfix_to(door.port, more) as postfix:
                for above in (b"", FORGED, RECEIVED + FORGED, b"From: x@forged.example\r\n" + FORGED):
                    postfix.send(f"fbl@{DOMAIN}", above + complaint().replace(b"\n", b"\r\n"))
                mails = [inbox.get(timeout=START_TIMEOUT) for _ in range(4)]
    finally:
        door.stop()

    for mail in mails:
        letter = Letter.parse(mail)
        assert letter is not None
        assert claims(letter.fields, frozenset({HOST})) == (Claim(HOST, "provider.example"),), mail[:600].decode()
