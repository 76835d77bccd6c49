"""The whole circle with real servers: what bounces once, or is complained about once, is refused at the next RCPT."""

from __future__ import annotations

import contextlib
import smtplib
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from aiosmtpd.controller import Controller

from tests.servers.postfix import DOMAIN, Postfix, postfix_to
from tests.stories.house import House
from tests.stories.serving import free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from subprocess import Popen

    from aiosmtpd.smtp import SMTP, Envelope, Session

    from tests.servers.dovecot import MailUser

pytestmark = pytest.mark.server

WORLD: Final = "dest.test"
"""Every address of it is looked after by the sink; those that begin with `gone` do not exist there."""
RETURN_PATH: Final = f"bounces@{DOMAIN}"
COMPLAINT: Final = f"""\
From: feedback@isp.example.net
To: {RETURN_PATH}
Subject: FW: October
Message-ID: <arf.1@isp.example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="arf"

--arf
Content-Type: text/plain

One of our readers has had enough.

--arf
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Reader/1.0
Version: 1
Original-Rcpt-To: <reader@{WORLD}>

--arf
Content-Type: message/rfc822

From: News <news@sender.test>
To: reader@{WORLD}
Subject: October
Message-ID: <oct.1@sender.test>

Hello.

--arf--
""".replace("\n", "\r\n").encode()


class Sink:
    """The remote world: takes what it knows."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("gone"):
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.taken += envelope.rcpt_tos
        return "250 2.0.0 taken"


@dataclass
class Circle:
    """Everything that takes part, as a sender sees it."""

    house: House
    postfix: Postfix
    sink: Sink
    user: MailUser
    places: dict[str, int]

    def send(self, *recipients: str) -> dict[str, tuple[int, bytes]]:
        """Send a message; the answers of those recipients that were not taken."""
        message = (
            b"From: News <news@sender.test>\r\nSubject: October\r\nMessage-ID: <oct@sender.test>\r\n\r\nHello.\r\n"
        )
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=30) as client:
            try:
                return client.sendmail(RETURN_PATH, recipients, message)
            except smtplib.SMTPRecipientsRefused as error:
                return error.recipients

    def asked(self, recipient: str) -> tuple[int, bytes]:
        """What Postfix says to this recipient, with nothing sent."""
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=30) as client:
            client.ehlo()
            client.mail(RETURN_PATH)
            return client.rcpt(recipient)

    def refused(self, recipient: str) -> Callable[[], bool]:
        return lambda: self.asked(recipient)[0] == 550

    @contextlib.contextmanager
    def running(self, *command: str, ready: bytes) -> Iterator[Popen[bytes]]:
        """One command of ours, until the block ends."""
        process = self.house.start(*command)
        assert process.stderr is not None
        try:
            line = b""
            while ready not in line:
                line = process.stderr.readline()
                assert line, f"{command} ended"
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)


@pytest.fixture
def circle(tmp_path: Path, mail_user: MailUser, request: pytest.FixtureRequest) -> Iterator[Circle]:
    """Postfix that asks through the given door, delivers to the account, and sends into the sink."""
    restriction, more = request.param
    mail_user.folders()  # its Maildir is made by the first login
    house = House(tmp_path, mail_user)
    places = {name: free_port() for name in ("http", "socketmap", "policy")}
    lines = "".join(f'{name} = "127.0.0.1:{port}"\n' for name, port in places.items())
    house.configuration.write_text(f"{house.configuration.read_text()}\n[serve]\n{lines}")
    sink, account = Sink(), mail_user.server.folder.stat()
    controller = Controller(sink, hostname="127.0.0.1", port=free_port())
    maildir = f"{mail_user.maildir()}/"
    settings = f"""\
transport_maps = inline:{{ {{ {WORLD} = smtp:[127.0.0.1]:{controller.port} }} }}
relay_domains = {WORLD}
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = /
virtual_mailbox_maps = inline:{{ {{ {RETURN_PATH} = {maildir} }} }}
virtual_uid_maps = static:{account.st_uid}
virtual_gid_maps = static:{account.st_gid}
access_map_reject_code = 550
smtpd_recipient_restrictions = {restriction.format(**places)}, permit_mynetworks, reject
{more}
"""
    controller.start()
    try:
        with postfix_to(1, settings) as postfix:
            yield Circle(house, postfix, sink, mail_user, places)
    finally:
        controller.stop()


SOCKETMAP: Final = ("check_recipient_access socketmap:inet:127.0.0.1:{socketmap}:suppressed", "")
POLICY: Final = ("check_policy_service inet:127.0.0.1:{policy}", "smtpd_policy_service_retry_delay = 1s")
PASSING: Final = (POLICY[0], "smtpd_policy_service_retry_delay = 1s\nsmtpd_policy_service_default_action = DUNNO")


@pytest.mark.parametrize("circle", [SOCKETMAP, POLICY], ids=["socketmap", "policy"], indirect=True)
def test_what_bounced_is_refused_at_the_next_rcpt(circle: Circle) -> None:
    with circle.running("serve", ready=b"listening"), circle.running("poll", "--watch", ready=b"connected"):
        assert circle.send(f"fine@{WORLD}", f"gone@{WORLD}") == {}
        circle.postfix.wait_for(f"to=<{RETURN_PATH}>, relay=virtual")
        delivered = time.monotonic()
        until(circle.refused(f"gone@{WORLD}"))
        seconds = time.monotonic() - delivered  # pytest -s shows it
        sys.stdout.write(f"refused {seconds:.2f} seconds after the report was delivered\n")

        code, words = circle.asked(f"Gone@{WORLD.upper()}")
        assert (code, words[:6]) == (550, b"5.1.1 ")
        assert b"bad-mailbox, since" in words
        assert list(circle.send(f"fine@{WORLD}", f"gone@{WORLD}")) == [f"gone@{WORLD}"]
        until(lambda: circle.sink.taken == [f"fine@{WORLD}"] * 2)
    assert len(circle.user.uids("Processed")) == 1


@pytest.mark.parametrize("circle", [SOCKETMAP, POLICY], ids=["socketmap", "policy"], indirect=True)
def test_who_complained_is_refused_and_nobody_is_told_why(circle: Circle) -> None:
    with circle.running("serve", ready=b"listening"):
        assert circle.asked(f"reader@{WORLD}")[0] == 250
        circle.postfix.send(RETURN_PATH, COMPLAINT)
        circle.postfix.wait_for(f"to=<{RETURN_PATH}>, relay=virtual")
        circle.house.run("poll", "--once")

        until(circle.refused(f"reader@{WORLD}"))
        code, words = circle.asked(f"reader@{WORLD}")
        assert (code, words[:6]) == (550, b"5.7.1 ")
        assert b"complain" not in words.lower()
        assert circle.asked(f"other@{WORLD}")[0] == 250


@pytest.mark.parametrize(
    ("circle", "without"),
    [(SOCKETMAP, b"4.3.5"), (POLICY, b"4.3.5"), (PASSING, None)],
    ids=["socketmap", "policy", "policy that passes"],
    indirect=["circle"],
)
def test_a_server_that_is_killed_defers_or_passes_as_declared_and_nothing_is_lost(
    circle: Circle, without: bytes | None
) -> None:
    first, second = f"gone.one@{WORLD}", f"gone.two@{WORLD}"
    with circle.running("poll", "--watch", ready=b"connected"):
        with circle.running("serve", ready=b"listening") as server:
            assert circle.send(first, second, f"fine@{WORLD}") == {}
            until(circle.refused(first))
            server.kill()
            server.wait(60)

            code, words = circle.asked(first)
            assert (code, words[:5]) == ((451, without) if without else (250, words[:5]))
            assert circle.asked(f"fine@{WORLD}")[0] == code
        circle.postfix.send(RETURN_PATH, COMPLAINT) if without is None else circle.user.deliver(COMPLAINT)
        until(lambda: len(circle.user.uids("Processed")) == 2)  # one report about both, and the complaint
        with circle.running("serve", ready=b"listening"):
            assert [circle.asked(each)[0] for each in (first, second, f"reader@{WORLD}")] == [550] * 3
            assert circle.send(f"fine@{WORLD}") == {}
            until(lambda: circle.sink.taken == [f"fine@{WORLD}"] * 2)
