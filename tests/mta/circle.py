"""A sender's whole machine: Postfix that asks before it sends, Dovecot with the mailbox for bounces, the poller and the server."""

from __future__ import annotations

import itertools
import re
import signal
import smtplib
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiosmtpd.controller import Controller

from bounceproc.lookup.snippets import snippet
from tests.servers import require
from tests.servers.dovecot import start_dovecot
from tests.servers.postfix import DOMAIN, Postfix, free_port, postfix_to
from tests.stories.house import House
from tests.stories.serving import DEADLINE, Served, serving, until, until_listening
from tests.stories.watching import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.dovecot import Dovecot, MailUser

SLOW: Final = "[poll]\ninterval = 600\nrecheck = 600\n"
"""Nothing is found by looking again: only by being told."""
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
    "From: News <news@sender.test>\r\nTo: {to}\r\nSubject: News\r\nMessage-ID: <{number}@sender.test>\r\n\r\nNews.\r\n"
)
LETTER_ID: Final = re.compile(rb"^Message-ID: <(\d+)@sender\.test>", re.IGNORECASE | re.MULTILINE)


def documented(way: str) -> str:
    """The lines for main.cf that `bounceproc snippet postfix` prints for this way."""
    code, socketmap, policy = (
        next(text for rule, text in _rules() if rule.startswith(words))
        for words in ("the code", "a running server (", "a running server that knows")
    )
    deferring = policy.replace("smtpd_policy_service_default_action = DUNNO\n", "")
    return code + {"socketmap": socketmap, "policy": policy, "policy that defers": deferring}[way]


def _rules() -> list[tuple[str, str]]:
    found = re.split(r"^# ---- (.*) ----$", snippet("postfix"), flags=re.MULTILINE)
    return list(zip(found[1::2], found[2::2], strict=True))


class World:
    """Where all mail goes: it has no room for names that begin with `full` until it is emptied, and knows no `gone`."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.is_full = True

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - the library's name
        if address.startswith("gone"):
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        if address.startswith("full") and self.is_full:
            return f"452 4.2.2 <{address}>: Mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        self.taken += _letters(envelope.content)
        return "250 2.0.0 taken"


@dataclass
class Circle:
    """All of it, running."""

    postfix: Postfix
    served: Served
    world: World
    way: str
    """How Postfix asks."""
    user: MailUser
    """The account that bounces come to."""
    accepted: dict[int, str] = field(default_factory=dict)
    """The letters that Postfix answers for, and to whom they go."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def return_path(self) -> str:
        """Where Postfix sends its reports."""
        return f"{self.user.name}@{DOMAIN}"

    def ask(self, recipient: str) -> tuple[int, str]:
        """What Postfix answers to RCPT; nothing is sent."""
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=DEADLINE) as client:
            client.ehlo()
            client.mail(self.return_path)
            code, said = client.rcpt(recipient)
        return code, said.decode()

    def send(self, recipient: str, return_path: str | None = None) -> int:
        """A whole letter of its own number; the code of the answer that decided."""
        number = next(self._numbers)
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=DEADLINE) as client:
            try:
                client.sendmail(
                    return_path or self.return_path, [recipient], LETTER.format(to=recipient, number=number)
                )
            except smtplib.SMTPRecipientsRefused as refused:
                return refused.recipients[recipient][0]
        self.accepted[number] = recipient
        return 250

    @contextmanager
    def timed(self, recipient: str, what: str) -> Iterator[None]:
        """Print how long it takes from the arrival of what the block sends in the mailbox until Postfix refuses, and wait for that."""
        before = self._mails()
        yield
        until(lambda: self._mails() > before)
        arrived = time.monotonic()
        until(lambda: self.ask(recipient)[0] == 550)
        print(f"{self.way}: refused {time.monotonic() - arrived:.2f} s after {what} was delivered")  # noqa: T201 - a figure, not a claim

    def _mails(self) -> int:
        return sum(path.parent.name in {"new", "cur"} for path in self.user.maildir().rglob("*"))

    def arrived(self) -> Counter[str]:
        """Whom the world has taken letters for."""
        return Counter(self.accepted[number] for number in self.world.taken)

    def reported(self) -> list[int]:
        """The letters that a report in the mailbox is about, of all its folders."""
        return [
            number
            for folder in self.user.folders()
            for *_, mail in self.user.messages(folder)
            for number in _letters(mail)
        ]

    def accounts(self) -> Counter[int]:
        """How often each letter is found: with the world, in the mailbox as a report, in the queue."""
        numbers = {recipient: number for number, recipient in self.accepted.items()}
        waiting = [numbers[to] for to in self.postfix.queued() if to in numbers]
        return Counter([*self.world.taken, *self.reported(), *waiting])

    def kill(self) -> None:
        """The server's process is gone from one moment to the next."""
        self.served.process.kill()
        self.served.process.wait(DEADLINE)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server's connections stand and nothing answers, for as long as the block lasts."""
        self.served.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.served.process.send_signal(signal.SIGCONT)

    @contextmanager
    def serving_again(self) -> Iterator[None]:
        """The server once more, at the same ports, until the block ends."""
        process = self.served.house.start("serve")
        try:
            until_listening(process)
            yield
        finally:
            process.terminate()
            process.communicate(timeout=DEADLINE)


@contextmanager
def circle(folder: Path, way: str, more: str = "", head: str = "") -> Iterator[Circle]:
    """Everything started, and stopped with the block; Postfix asks in the given way.

    `more`: for main.cf, and the last word. `head`: tables of our own configuration.
    """
    with ExitStack() as held:
        dovecot, lmtp = held.enter_context(_dovecot_with_lmtp())
        user = dovecot.new_user()
        world = World()
        sink = Controller(world, hostname="127.0.0.1", port=free_port())
        sink.start()
        held.callback(sink.stop)
        served = held.enter_context(serving(folder, head=head + SLOW + House(folder, user).configuration.read_text()))
        asks = documented(way).replace("127.0.0.1:8026", f"127.0.0.1:{served.socketmap}")
        asks = asks.replace("127.0.0.1:8027", f"127.0.0.1:{served.policy}")
        routes = f"{{ {DOMAIN} = lmtp:inet:127.0.0.1:{lmtp} }}, {{ dest.test = smtp:[127.0.0.1]:{sink.port} }}"
        asks += f"transport_maps = inline:{{ {routes} }}\nsmtpd_error_sleep_time = 0s\n{more}"
        postfix = held.enter_context(postfix_to(lmtp, asks))
        poller = Watched(folder)
        held.callback(poller.close)
        poller.until(lambda: any("1 waiting for mail" in line for line in poller.told))
        yield Circle(postfix, served, world, way, user)


@contextmanager
def _dovecot_with_lmtp() -> Iterator[tuple[Dovecot, int]]:
    """A mailbox server, and the port that takes mail for its accounts."""
    require("/usr/lib/dovecot/lmtp", "dovecot-lmtpd")
    port = free_port()
    with start_dovecot(extra=LMTP.replace("@PORT@", str(port))) as dovecot:
        yield dovecot, port


def _letters(mail: bytes) -> list[int]:
    return [int(number) for number in LETTER_ID.findall(mail)]
