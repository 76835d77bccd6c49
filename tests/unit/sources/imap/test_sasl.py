"""What is said in AUTHENTICATE, byte for byte, and what a refusal's JSON says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.errors import AccessError, UnavailableError
from bounceproc.sources.imap import ImapSource, sasl
from bounceproc.sources.tokens.tokens import AccessToken, Tokens

if TYPE_CHECKING:
    from tests.unit.sources.imap.conftest import ScriptedServer


def tokens() -> Tokens:
    numbers = iter(range(1, 100))
    expires = datetime.now(UTC) + timedelta(hours=1)
    provider: Any = SimpleNamespace(name="Giver", obtain=lambda: AccessToken(f"Sesame-{next(numbers)}", expires))
    return Tokens(provider)


@pytest.mark.parametrize(
    ("capability", "name", "opening", "closing"),
    [
        (b"AUTH=XOAUTH2", "XOAUTH2", b"user=a,b=c@example.com\1auth=Bearer T\1\1", b""),
        (
            b"AUTH=OAUTHBEARER",
            "OAUTHBEARER",
            b"n,a=a=2Cb=3Dc@example.com,\1host=imap.example.com\1port=993\1auth=Bearer T\1\1",
            b"\1",
        ),
    ],
)
def test_the_words_of_a_mechanism(capability: bytes, name: str, opening: bytes, closing: bytes) -> None:
    client: Any = SimpleNamespace(capabilities=lambda: (b"IMAP4REV1", capability))
    mailbox: Any = SimpleNamespace(user="a,b=c@example.com", host="imap.example.com", port=993)
    mechanism, opened = sasl._mechanism(client, mailbox)
    conversation = opened("T")

    assert mechanism == name
    assert conversation(b"") == opening
    assert conversation(b'{"status":"401","schemes":"bearer"}') == closing
    assert conversation.reason == "status: 401, schemes: bearer"
    assert conversation(b"once more") is None


@pytest.mark.parametrize("challenge", [b"", b"no JSON", b"[]", b"[" * 5000, b"\xff", b'{"status": ""}'])
def test_what_is_no_reason_is_none(challenge: bytes) -> None:
    assert sasl.decoded(challenge) == ""


def test_two_refusals_end_it_and_no_token_is_repeated(server: ScriptedServer) -> None:
    server.say(
        {
            "CAPABILITY": ["* CAPABILITY IMAP4rev1 AUTH=XOAUTH2", "{tag} OK done"],
            "AUTHENTICATE XOAUTH2": ["{tag} NO [AUTHENTICATIONFAILED] not with Sesame-1 or Sesame-2"],
        }
    )
    with pytest.raises(AccessError) as failed, ImapSource(server.mailbox(password="", tokens=tokens())):
        pass
    assert server.commands.count("AUTHENTICATE XOAUTH2") == 2
    assert "not with *** or ***" in failed.value.what
    assert "Giver gave a token" in failed.value.advice


@pytest.mark.parametrize("answer", ["{tag} NO [UNAVAILABLE] later", "* BYE too many connections"])
def test_a_server_that_has_trouble_is_asked_later_with_the_same_token(server: ScriptedServer, answer: str) -> None:
    server.say(
        {
            "CAPABILITY": ["* CAPABILITY IMAP4rev1 AUTH=XOAUTH2", "{tag} OK done"],
            "AUTHENTICATE XOAUTH2": [answer, *(["hang up"] if "BYE" in answer else [])],
        }
    )
    with pytest.raises(UnavailableError), ImapSource(server.mailbox(password="", tokens=tokens())):
        pass
    assert server.commands.count("AUTHENTICATE XOAUTH2") == 1
