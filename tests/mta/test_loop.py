"""The whole way round with a real Postfix and a real Dovecot: what bounced once is refused at the next RCPT."""

from __future__ import annotations

import queue
import smtplib
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiosmtpd.controller import Controller

from tests.servers import require
from tests.servers.dovecot import start_dovecot
from tests.servers.postfix import DOMAIN, Postfix, free_port, postfix_to
from tests.stories.house import House
from tests.stories.serving import DEADLINE, Served, serving, until
from tests.unit.mails import complaint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import Popen

    from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.server

LMTP: Final = """\
protocols = imap lmtp
auth_username_format = %n
service lmtp {
  chroot =
  inet_listener lmtp {
    address = 127.0.0.1
    port = @PORT@
  }
}
protocol lmtp {
  postmaster_address = postmaster@sender.test
}
"""
LETTER: Final = (
    b"From: news@sender.test\r\nTo: someone@dest.test\r\nSubject: News\r\nMessage-ID: <%d@sender.test>\r\n\r\nNews.\r\n"
)

MAPS: Final = {
    "socketmap": "check_recipient_access socketmap:inet:127.0.0.1:{0.socketmap}:suppressed",
    "policy": "check_policy_service inet:127.0.0.1:{0.policy}",
}
"""The two ways in which Postfix asks, as the README has them."""


class World:
    """Where all mail goes: it knows nobody whose name begins with `gone`."""

    def __init__(self) -> None:
        self.taken: queue.Queue[str] = queue.Queue()

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - the library's name
        if address.startswith("gone"):
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        for address in envelope.rcpt_tos:
            self.taken.put(address)
        return "250 taken"


@dataclass
class Loop:
    """A sender's mail server, its mailbox for bounces, the poller and the server that it asks."""

    postfix: Postfix
    served: Served
    world: World
    mailbox: str
    """The account that bounces come to."""
    sent: int = 0
    accepted: list[str] = field(default_factory=list)

    def ask(self, recipient: str) -> tuple[int, str]:
        """What Postfix answers to RCPT."""
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=DEADLINE) as client:
            client.ehlo()
            client.mail(f"{self.mailbox}@{DOMAIN}")
            code, said = client.rcpt(recipient)
        return code, said.decode()

    def send(self, recipient: str) -> int:
        """A whole message; the code of the answer that decided."""
        self.sent += 1
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=DEADLINE) as client:
            try:
                client.sendmail(f"{self.mailbox}@{DOMAIN}", [recipient], LETTER % self.sent)
            except smtplib.SMTPRecipientsRefused as refused:
                return refused.recipients[recipient][0]
        self.accepted.append(recipient)
        return 250

    def serve_again(self) -> Popen[bytes]:
        """Start the server once more, at the same ports."""
        return self.served.house.start("serve")


@contextmanager
def dovecot_with_lmtp() -> Iterator[tuple[Dovecot, int]]:
    """A mailbox server, and the port that takes mail for its accounts."""
    require("/usr/lib/dovecot/lmtp", "dovecot-lmtpd")
    port = free_port()
    with start_dovecot(extra=LMTP.replace("@PORT@", str(port))) as dovecot:
        yield dovecot, port


@contextmanager
def loop(folder: Path, way: str) -> Iterator[Loop]:
    """All of it, running."""
    world = World()
    with ExitStack() as held:
        dovecot, lmtp = held.enter_context(dovecot_with_lmtp())
        user = dovecot.new_user()
        sink = Controller(world, hostname="127.0.0.1", port=free_port())
        sink.start()
        held.callback(sink.stop)
        mailbox = House(folder, user).configuration.read_text()
        served = held.enter_context(serving(folder, head=mailbox))
        postfix = held.enter_context(
            postfix_to(
                lmtp,
                f"""\
transport_maps = inline:{{ {{ {DOMAIN} = lmtp:inet:127.0.0.1:{lmtp} }}, {{ dest.test = smtp:[127.0.0.1]:{sink.port} }} }}
access_map_reject_code = 550
smtpd_recipient_restrictions = {MAPS[way].format(served)}, permit_mynetworks, reject
smtpd_policy_service_default_action = DUNNO
smtpd_error_sleep_time = 0s
""",
            )
        )
        poller = served.house.start("poll", "--watch")
        try:
            yield Loop(postfix, served, world, user.name)
        finally:
            poller.terminate()
            poller.communicate(timeout=DEADLINE)


@pytest.mark.parametrize("way", MAPS)
def test_what_bounced_or_was_complained_about_is_refused_at_the_next_rcpt(tmp_path: Path, way: str) -> None:
    with loop(tmp_path, way) as made:
        assert made.send("gone@dest.test") == 250, "nobody knows yet"
        until(lambda: made.ask("gone@dest.test")[0] == 550)
        since = time.monotonic()  # all of them run by now
        assert made.send("gone-too@dest.test") == 250
        until(lambda: made.ask("gone-too@dest.test")[0] == 550)
        print(f"{way}: refused {time.monotonic() - since:.2f} s after it was sent")  # noqa: T201 - a figure, not a claim
        code, said = made.ask("Gone@Dest.Test")
        assert (code, said[:5]) == (550, "5.1.1"), said
        assert made.ask("living@dest.test")[0] == 250

        assert made.ask("reader@dest.test")[0] == 250
        made.postfix.send(f"{made.mailbox}@{DOMAIN}", complaint("reader@dest.test").replace(b"\n", b"\r\n"))
        until(lambda: made.ask("reader@dest.test")[0] == 550)
        assert made.ask("reader@dest.test")[1].startswith("5.7.1")
        assert made.send("living@dest.test") == 250
        assert made.world.taken.get(timeout=DEADLINE) == "living@dest.test"


@pytest.mark.parametrize("way", MAPS)
def test_a_server_killed_in_the_middle_costs_no_mail(tmp_path: Path, way: str) -> None:
    with loop(tmp_path, way) as made:
        made.send("gone@dest.test")
        until(lambda: made.ask("gone@dest.test")[0] == 550)
        everybody = [f"reader{number}@dest.test" for number in range(12)]
        codes = [made.send(each) for each in everybody[:6]]
        made.served.process.kill()
        made.served.process.wait(DEADLINE)
        codes += [made.send(each) for each in everybody[6:9]]
        again = made.serve_again()
        try:
            until(lambda: made.ask("gone@dest.test")[0] == 550)
            codes += [made.send(each) for each in everybody[9:]]
            without = {"socketmap": 451, "policy": 250}[
                way
            ]  # a map that is away defers; a policy that is away is passed by
            assert codes == [250] * 6 + [without] * 3 + [250] * 3
            if without == 451:  # a sender keeps what was deferred, and tries again
                assert [made.send(each) for each in everybody[6:9]] == [250] * 3
            arrived = {made.world.taken.get(timeout=DEADLINE) for _ in everybody}
            assert arrived == set(everybody)
            assert made.world.taken.empty()
        finally:
            again.terminate()
            again.communicate(timeout=DEADLINE)
