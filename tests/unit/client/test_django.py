"""Django's messages reach those who may be mailed, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django
import pytest
from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection

from bounceproc.client import NoAnswerError
from tests.servers.postfix import free_port
from tests.unit.client.server import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKEND = "bounceproc.client.django.EmailBackend"
MEMORY = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture(scope="module", autouse=True)
def _configured() -> None:
    prepare()


def prepare() -> None:
    """Django takes its settings once in a process."""
    if not settings.configured:
        settings.configure(EMAIL_BACKEND=BACKEND, DEFAULT_FROM_EMAIL="us@sender.example")
        django.setup()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    mail.outbox = []
    with serving() as running:
        configure(monkeypatch, URL=running.url, TIMEOUT=5)
        yield running


def configure(monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    monkeypatch.setattr(settings, "BOUNCEPROC", {"ON_ERROR": "open", "BACKEND": MEMORY, **options}, raising=False)


def message(to: list[str], **more: Any) -> EmailMessage:
    return EmailMessage("Hello", "Text", None, to, **more)


def test_suppressed_recipients_are_taken_out_of_each_field(server: Server) -> None:
    sent = message(
        ["A Person <good@example.com>", '"Bad, Very" <bad@example.com>'],
        cc=["bad@example.com", "cc@example.com"],
        bcc=["ü@example.com", "bcc@example.com"],
        headers={"X-Test": "1"},
    )

    assert sent.send() == 1

    (got,) = mail.outbox
    assert (got.to, got.cc, got.bcc) == (["A Person <good@example.com>"], ["cc@example.com"], ["bcc@example.com"])
    assert got.extra_headers == {"X-Test": "1"}
    assert len(sent.recipients()) == 6, "the caller's message stays as it is"
    assert len(server.requests) == 1, "all recipients are asked for at once"


def test_nothing_is_sent_of_a_message_that_nobody_may_get(server: Server) -> None:
    assert message(["bad@example.com"], bcc=["ü@example.com"]).send() == 0
    assert mail.outbox == []


def test_many_messages_are_asked_for_at_once_and_keep_their_order(server: Server) -> None:
    html = EmailMultiAlternatives("Hi", "Text", None, ["b@example.com", "bad@example.com"])
    html.attach_alternative("<p>Text</p>", "text/html")
    messages = [message(["a@example.com"]), message(["bad@example.com"]), html]

    assert get_connection().send_messages(messages) == 2

    assert [got.to for got in mail.outbox] == [["a@example.com"], ["b@example.com"]]
    assert isinstance(mail.outbox[1], EmailMultiAlternatives)
    assert "text/html" in mail.outbox[1].message().as_string()
    assert len(server.requests) == 1


def test_a_stream_is_that_of_the_settings_or_of_the_message(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, URL=server.url, TIMEOUT=5, STREAM="receipts")
    for_news = message(["news@example.com", "a@example.com"])
    for_news.bounceproc_stream = "news"

    assert get_connection().send_messages([message(["news@example.com"]), for_news]) == 2

    assert [got.to for got in mail.outbox] == [["news@example.com"], ["a@example.com"]]


def test_an_open_connection_is_used_for_all_messages_until_it_is_closed(server: Server) -> None:
    with get_connection() as connection:
        for number in range(3):
            assert connection.send_messages([message([f"a{number}@example.com"])]) == 1

    assert server.connections == 1
    assert len(mail.outbox) == 3


def test_when_nobody_answers_what_was_declared_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    mail.outbox = []
    url = f"http://127.0.0.1:{free_port()}"
    for declared, count in (("open", 1), ("closed", 0)):
        configure(monkeypatch, URL=url, ON_ERROR=declared)
        assert message(["a@example.com"]).send() == count
    configure(monkeypatch, URL=url, ON_ERROR="raise")
    with pytest.raises(NoAnswerError):
        message(["a@example.com"]).send()
    assert message(["a@example.com"]).send(fail_silently=True) == 0
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [({"ON_ERROR": "maybe"}, "open, closed or raise"), ({"URI": "x"}, "no key 'URI'"), ({"URL": "x"}, "unix:PATH")],
)
def test_wrong_settings_are_told(options: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, **options)
    with pytest.raises(ImproperlyConfigured, match=told):
        get_connection()
    monkeypatch.delattr(settings, "BOUNCEPROC")
    with pytest.raises(ImproperlyConfigured, match="ON_ERROR"):
        get_connection()
