"""Programs that ask by `bounceproc.client`, of a server that really runs: what it says, and what holds when it is slow, gone or refuses."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage

from bounceproc.client import AsyncClient, Client, NoAnswerError
from bounceproc.client.blocking import TIMEOUT
from tests.stories.house import House
from tests.stories.serving import serving, until
from tests.unit.client.test_django import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bounceproc.client import Answer, OnError
    from tests.stories.serving import Served

PATIENT: Final = 30.0
"""Seconds for a server that answers: a busy machine is no subject of these tests."""
BRIEF: Final = TIMEOUT
"""Seconds for a server that never answers: what every client has, unless it says otherwise."""


class _Asking:
    """The same questions, blocking or not."""

    def __init__(self, kind: str, served: Served, **options: Any) -> None:
        self._is_async = kind == "async"
        self._url = f"http://127.0.0.1:{served.http}"
        self._options = {"on_error": "raise", "timeout": PATIENT, **options}

    def check(self, address: str, **more: Any) -> Answer:
        return self._call("check", address, more)  # type: ignore[no-any-return]

    def check_many(self, addresses: list[str], **more: Any) -> list[Answer]:
        return self._call("check_many", addresses, more)  # type: ignore[no-any-return]

    def _call(self, name: str, asked: object, more: dict[str, Any]) -> Any:
        async def ask() -> Any:
            async with AsyncClient(self._url, **self._options) as client:
                return await getattr(client, name)(asked, **more)

        if self._is_async:
            return asyncio.run(ask())
        with Client(self._url, **self._options) as client:
            return getattr(client, name)(asked, **more)


@pytest.fixture(params=["blocking", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _fill(folder: Path) -> House:
    house = House(folder)
    house.run("suppress", "add", "gone@example.com", "ü@bücher.example", "--reason", "bounce")
    house.run("suppress", "add", "reader@example.com", "--reason", "unsubscribe", "--scope", "stream:news")
    house.run("suppress", "add", "@dead.example", "--until", "30d")
    return house


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("client")
    _fill(folder)
    with serving(folder) as running:
        yield running


@contextmanager
def stopped(served: Served) -> Iterator[None]:
    """The server's connections stand, and it says nothing."""
    served.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        served.process.send_signal(signal.SIGCONT)


def test_one_address_is_answered_with_why(served: Served, kind: str) -> None:
    client = _Asking(kind, served)

    assert client.check("fine@example.com").suppressed is False
    told = client.check("GONE@Example.com")
    assert (told.address, told.suppressed, told.reason, told.scope, told.known) == (
        "GONE@Example.com", True, "bounce", "*", True,
    )  # fmt: skip
    assert client.check("ü@bücher.example").suppressed
    assert client.check("anybody@dead.example").until is not None
    assert client.check("reader@example.com").suppressed
    assert client.check("reader@example.com", stream="news").suppressed
    assert not client.check("reader@example.com", stream="invoices").suppressed
    assert not client.check("a/b?c#d%41@example.com").suppressed


def test_many_addresses_are_answered_in_the_order_asked(served: Served, kind: str) -> None:
    asked = [f"user{number}@example.com" for number in range(12_000)]  # more than one request may have
    asked[7] = asked[11_999] = "gone@example.com"
    asked[10_001] = hashlib.sha256(b"gone@example.com").hexdigest()

    answers = _Asking(kind, served).check_many(asked)

    assert [answer.address for answer in answers] == asked
    assert [place for place, answer in enumerate(answers) if answer.suppressed] == [7, 10_001, 11_999]
    assert _Asking(kind, served).check_many([]) == []


def test_what_is_no_address_is_no_answer_and_spoils_no_other(served: Served, kind: str) -> None:
    found = _Asking(kind, served, on_error="open").check_many(["nobody", "gone@example.com"])

    assert [(answer.suppressed, answer.known) for answer in found] == [(False, False), (True, True)]
    with pytest.raises(NoAnswerError):
        _Asking(kind, served).check("nobody")


@pytest.mark.parametrize(("declared", "suppressed"), [("open", False), ("closed", True)])
def test_a_server_that_says_nothing_is_waited_for_no_longer_than_that(
    served: Served, kind: str, declared: OnError, suppressed: bool
) -> None:
    assert BRIEF == 0.5
    client = _Asking(kind, served, on_error=declared, timeout=BRIEF)
    with stopped(served):
        start = time.monotonic()
        alone = client.check("gone@example.com")
        assert BRIEF * 0.9 < time.monotonic() - start < PATIENT
        both = client.check_many(["gone@example.com", "fine@example.com"])

    assert [(each.suppressed, each.known) for each in (alone, *both)] == [(suppressed, False)] * 3
    until(lambda: _Asking(kind, served).check("gone@example.com").known)


def test_threads_share_one_client(served: Served) -> None:
    wrong: list[str] = []
    with Client(f"http://127.0.0.1:{served.http}", on_error="raise", timeout=PATIENT) as client:

        def ask(number: int) -> None:
            for turn in range(30):
                address = "gone@example.com" if (number + turn) % 2 else f"fine{number}@example.com"
                answer = client.check(address)
                if (answer.address, answer.suppressed) != (address, address == "gone@example.com"):
                    wrong.append(address)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_server_that_is_gone_is_answered_for_by_the_snapshot_then_as_declared_and_is_asked_again(
    tmp_path: Path, kind: str
) -> None:
    house = _fill(tmp_path)
    snapshot = tmp_path / "snapshot.db"
    house.run("export", "--format", "sqlite", "-o", str(snapshot))
    house.run("suppress", "add", "later@example.com")
    asked = ["gone@example.com", "fine@example.com", "anybody@dead.example", "later@example.com"]
    with serving(tmp_path) as served:
        client = _Asking(kind, served, on_error="closed", snapshot=snapshot)
        without = _Asking(kind, served, on_error="open")
        assert [answer.suppressed for answer in client.check_many(asked)] == [True, False, True, True]
        served.process.kill()
        served.process.wait(60)

        found = client.check_many(asked)
        assert [(answer.suppressed, answer.known) for answer in found] == [
            (True, True), (False, True), (True, True), (False, True),
        ]  # fmt: skip
        assert client.check("reader@example.com", stream="news").suppressed
        assert not client.check("reader@example.com", stream="invoices").suppressed
        assert [(answer.suppressed, answer.known) for answer in without.check_many(asked)] == [(False, False)] * 4
        snapshot.unlink()
        assert [(answer.suppressed, answer.known) for answer in client.check_many(asked)] == [(True, False)] * 4


def test_a_token_is_needed_where_the_server_has_tokens(tmp_path: Path, kind: str) -> None:
    house = _fill(tmp_path)
    made = house.run("serve", "--new-token", "read", "shop")
    (tmp_path / "tokens").write_text(made.stderr.strip().rpartition(": ")[2])
    (tmp_path / "tokens").chmod(0o600)
    with serving(tmp_path, 'tokens_file = "tokens"\n') as served:
        assert _Asking(kind, served, token=made.stdout.strip()).check("gone@example.com").suppressed
        for wrong in (None, "wrong"):
            with pytest.raises(NoAnswerError, match="401") as caught:
                _Asking(kind, served, token=wrong).check("gone@example.com")
            assert "wrong" not in str(caught.value)


def test_django_drops_recipients_one_by_one(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare()
    mail.outbox = []
    options = {
        "URL": f"http://127.0.0.1:{served.http}",
        "ON_ERROR": "open",
        "TIMEOUT": PATIENT,
        "BACKEND": "django.core.mail.backends.locmem.EmailBackend",
    }
    monkeypatch.setattr(settings, "BOUNCEPROC", options, raising=False)

    def send() -> int:
        to = ["A Person <a@example.com>", "Gone <gone@example.com>"]
        message = EmailMessage("Hi", "Text", "us@example.com", to, cc=["x@dead.example"], bcc=["b@example.com"])
        return int(message.send())

    assert send() == 1
    (got,) = mail.outbox
    assert (got.to, got.cc, got.bcc) == (["A Person <a@example.com>"], [], ["b@example.com"])
    assert EmailMessage("Hi", "Text", "us@example.com", ["gone@example.com"]).send() == 0

    for declared, count in (("open", 1), ("closed", 0)):
        monkeypatch.setattr(settings, "BOUNCEPROC", {**options, "ON_ERROR": declared, "TIMEOUT": BRIEF})
        with stopped(served):
            assert send() == count
    assert len(mail.outbox) == 2
    assert "Gone <gone@example.com>" in mail.outbox[1].to
