"""Access tokens and client certificates open a real server's doors, and no failure tells a secret."""

from __future__ import annotations

import dataclasses
import json
import logging
import subprocess
import traceback
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from google.auth import _exponential_backoff
from imapclient import IMAPClient

from bounceproc.config import Secret
from bounceproc.errors import AccessError, BounceprocError, ConfigError, UnavailableError
from bounceproc.sources.imap import ImapSource, Security
from bounceproc.sources.imap import connection as connection_module
from bounceproc.sources.tokens.google import Google
from bounceproc.sources.tokens.microsoft import Microsoft
from bounceproc.sources.tokens.tokens import RefreshToken, Tokens
from tests.servers import require
from tests.servers.dovecot import start_dovecot
from tests.servers.provider import TENANT, Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bounceproc.sources.mailbox import Mailbox
    from tests.servers.dovecot import Dovecot, MailUser

pytestmark = pytest.mark.server

MESSAGE: Final = b"Subject: one\r\n\r\nbody\r\n"
WAYS: Final = ("google-account", "google-refresh", "microsoft-application", "microsoft-refresh")

PASSDB: Final = """
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}
"""


def _oauth2_conf(url: str) -> str:
    return f"tokeninfo_url = {url}/tokeninfo?access_token=\nusername_attribute = email\n"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's library waits for seconds before it asks again."""
    monkeypatch.setattr(_exponential_backoff, "time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture(scope="module")
def plain_provider() -> Iterator[Provider]:
    with Provider().running() as provider:
        yield provider


@pytest.fixture(scope="module", params=["xoauth2", "xoauth2 oauthbearer"], ids=["XOAUTH2", "OAUTHBEARER"])
def token_dovecot(request: pytest.FixtureRequest, plain_provider: Provider) -> Iterator[Dovecot]:
    """A server that asks the provider whose token it is."""
    conf = _oauth2_conf(plain_provider.url.replace("localhost", "127.0.0.1"))
    mechanisms = f"plain login {request.param}"
    with start_dovecot(mechanisms=mechanisms, extra=PASSDB, files={"oauth2.conf": conf}) as server:
        yield server


@pytest.fixture
def tls_provider(
    token_dovecot: Dovecot, plain_provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Provider]:
    """The same provider over TLS, as Microsoft's library insists on."""
    tls = token_dovecot.folder / "tls"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls / "ca.pem"))
    secure = Provider(tls / "server.pem", tls / "server.key")
    secure.users = plain_provider.users
    with secure.running():
        yield secure


@pytest.fixture
def user(token_dovecot: Dovecot) -> Iterator[MailUser]:
    account = token_dovecot.new_user()
    yield account
    account.close()


@pytest.fixture(scope="module")
def account_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The private key of a service account."""
    path = tmp_path_factory.mktemp("key") / "key.pem"
    openssl = require("openssl", "openssl")
    command = [openssl, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path.read_text()


@pytest.fixture
def way(
    plain_provider: Provider, tls_provider: Provider, user: MailUser, account_key: str, tmp_path: Path
) -> Callable[[str], tuple[Mailbox, Provider]]:
    """A mailbox that is logged in to in one of the four ways, and the provider that it asks."""

    def make(name: str) -> tuple[Mailbox, Provider]:
        secret = Secret("client secret", text="Sesame-secret")
        (tmp_path / "refresh").write_text("Sesame-refresh-0\n")
        refresh = RefreshToken(Secret("refresh token", file=tmp_path / "refresh"))
        key = {
            "client_email": "robot@project.example",
            "private_key": account_key,
            "token_uri": f"{plain_provider.url}/t",
        }
        (tmp_path / "account.json").write_text(json.dumps({"type": "service_account", **key}))
        account = Secret("service account", file=tmp_path / "account.json")
        google: dict[str, Any] = {"mailbox": "returns", "user": user.name, "token_uri": f"{plain_provider.url}/token"}
        microsoft: dict[str, Any] = {
            "mailbox": "returns",
            "client_id": "app",
            "tenant": TENANT,
            "authority": tls_provider.url,
        }
        given: dict[str, Any] = {
            "google-account": lambda: Google(**google, service_account=account),
            "google-refresh": lambda: Google(**google, client_id="app", client_secret=secret, refresh_token=refresh),
            "microsoft-application": lambda: Microsoft(**microsoft, client_secret=secret),
            "microsoft-refresh": lambda: Microsoft(**microsoft, refresh_token=refresh),
        }
        provider = plain_provider if name.startswith("google") else tls_provider
        provider.user, provider.rotates = user.name, False
        provider.requests.clear()
        provider.answers.clear()
        return user.mailbox(password="", tokens=Tokens(given[name]())), provider

    return make


def read(mailbox: Mailbox) -> list[bytes]:
    with ImapSource(mailbox) as source:
        return [raw.data for batch in source.batches() for raw in batch.messages]


def failure(kind: type[BounceprocError], mailbox: Mailbox) -> BounceprocError:
    with pytest.raises(kind) as failed:
        read(mailbox)
    return failed.value


@pytest.mark.parametrize("name", WAYS)
def test_a_token_opens_the_mailbox_and_serves_again(name: str, way: Any, user: MailUser) -> None:
    user.deliver(MESSAGE)
    mailbox, provider = way(name)

    assert read(mailbox) == [MESSAGE]
    assert read(mailbox) == [MESSAGE]
    assert len(provider.requests) == 1


def test_oauthbearer_is_chosen_where_it_is_offered(
    way: Any, token_dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    login = IMAPClient.sasl_login

    def watched(client: Any, mechanism: str, answer: Any) -> Any:
        used.append(mechanism)
        return login(client, mechanism, answer)

    monkeypatch.setattr(IMAPClient, "sasl_login", watched)
    read(way("google-refresh")[0])
    offered = "oauthbearer" in (token_dovecot.folder / "dovecot.conf").read_text().partition("passdb")[0]
    assert used == ["OAUTHBEARER" if offered else "XOAUTH2"]


@pytest.mark.parametrize("name", WAYS)
def test_a_token_that_was_taken_back_is_renewed_once(name: str, way: Any) -> None:
    mailbox, provider = way(name)
    read(mailbox)
    provider.users.clear()

    assert read(mailbox) == []
    assert len(provider.requests) == 2


@pytest.mark.parametrize("name", WAYS)
def test_a_user_whom_the_token_is_not_for_is_refused_with_the_servers_reason(name: str, way: Any) -> None:
    mailbox, provider = way(name)
    provider.user = "somebody-else"

    error = failure(AccessError, mailbox)
    assert error.exit_code == 77
    assert mailbox.user in error.what
    assert "status: " in error.what
    assert len(provider.requests) == 2


@pytest.mark.parametrize("name", WAYS)
def test_no_failure_tells_a_secret(
    name: str, way: Any, account_key: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    mailbox, provider = way(name)
    failures: list[BounceprocError] = []

    def fails(kind: type[BounceprocError], *answers: tuple[int, str]) -> None:
        provider.answers[:] = answers
        failures.append(failure(kind, dataclasses.replace(mailbox, tokens=Tokens(mailbox.tokens._provider))))

    sent = {"refresh": "Sesame-refresh-0", "application": "Sesame-secret"}.get(name.partition("-")[2], "")
    echo = json.dumps({"error": "invalid_grant", "error_description": f"not {sent}"})
    fails(AccessError, (400, echo))
    fails(AccessError, (401, json.dumps({"error": "invalid_client", "error_description": "wrong"})))
    fails(UnavailableError, *[(503, '{"error": "server_error", "error_description": "' + sent + '"}')] * 4)
    fails(UnavailableError, (200, '["Sesame-access-5"]'))
    fails(UnavailableError, *[(200, "Sesame-access-6 is no JSON")] * 4)
    provider.user = "somebody-else"
    fails(AccessError)

    shown = [f"{mailbox!r} {mailbox.tokens!r} {mailbox.tokens._provider!r}", caplog.text, *capfd.readouterr()]
    shown += ["".join(traceback.format_exception(error)) + repr(error) for error in failures]
    for text in shown:
        assert "Sesame" not in text
        assert account_key.splitlines()[1] not in text


def test_a_provider_that_does_not_answer_is_tried_again_later(way: Any) -> None:
    mailbox, _ = way("microsoft-refresh")
    away = dataclasses.replace(mailbox.tokens._provider, authority="https://localhost:1")

    error = failure(UnavailableError, dataclasses.replace(mailbox, tokens=Tokens(away)))
    assert error.retry
    assert "Microsoft gives no access token for mailbox 'returns' now: ConnectionError" in error.what


def test_a_new_refresh_token_replaces_the_file_and_serves_next_time(way: Any, tmp_path: Path) -> None:
    mailbox, provider = way("microsoft-refresh")
    provider.rotates = True
    (tmp_path / "refresh").chmod(0o644)
    read(mailbox)

    assert (tmp_path / "refresh").read_text() == "Sesame-refresh-1\n"
    assert (tmp_path / "refresh").stat().st_mode & 0o777 == 0o600
    provider.users.clear()
    read(mailbox)
    assert [form["refresh_token"] for form in provider.requests] == ["Sesame-refresh-0", "Sesame-refresh-1"]


def test_a_server_without_tokens_is_named(mail_user: MailUser, way: Any) -> None:
    error = failure(ConfigError, mail_user.mailbox(password="", tokens=way("google-refresh")[0].tokens))
    assert "takes no access tokens" in error.what


# ---- client certificates ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate_dovecot() -> Iterator[Dovecot]:
    """A server that lets nobody in without a certificate."""
    asks = "ssl_ca = <{folder}/tls/ca.pem\nssl_verify_client_cert = yes\nauth_ssl_require_client_cert = yes\n"
    with start_dovecot(extra=asks + "ssl_require_crl = no\n") as server:
        yield server


def by_certificate(server: Dovecot, **changes: Any) -> Mailbox:
    tls = {"security": Security.TLS, "host": "localhost", "port": server.tls_port, "ca_file": str(server.ca_file)}
    return server.new_user().mailbox(**tls | changes)


@pytest.mark.parametrize("key", ["client.key", "client-locked.key"])
def test_a_client_certificate_opens_the_door(certificate_dovecot: Dovecot, key: str) -> None:
    tls = certificate_dovecot.folder / "tls"
    files = {"client_cert_file": str(tls / "client.pem"), "client_key_file": str(tls / key)}
    assert read(by_certificate(certificate_dovecot, client_key_password="Sesame-key", **files)) == []


def test_without_a_certificate_the_door_stays_shut(certificate_dovecot: Dovecot) -> None:
    error = failure(AccessError, by_certificate(certificate_dovecot))
    assert "certificate" in f"{error}"


def test_a_locked_key_asks_nobody_at_the_terminal_and_is_named(certificate_dovecot: Dovecot) -> None:
    tls = certificate_dovecot.folder / "tls"
    files = {"client_cert_file": str(tls / "client.pem"), "client_key_file": str(tls / "client-locked.key")}
    for password in (None, "Sesame-wrong"):
        error = failure(ConfigError, by_certificate(certificate_dovecot, client_key_password=password, **files))
        assert "client-locked.key cannot be used" in error.what
        assert "client_key_password_file" in error.advice
        assert "Sesame" not in "".join(traceback.format_exception(error))


def test_what_is_older_than_tls_1_2_is_never_spoken(certificate_dovecot: Dovecot) -> None:
    context = connection_module._tls_context(by_certificate(certificate_dovecot))
    assert context.minimum_version.name == "TLSv1_2"
