"""The way to a real server, and the ways it is barred."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.errors import AccessError, BounceprocError, ConfigError, UnavailableError
from bounceproc.sources.imap import ImapSource, Security
from bounceproc.sources.imap import connection as connection_module

if TYPE_CHECKING:
    from tests.servers.dovecot import MailUser

pytestmark = pytest.mark.server

MESSAGE = b"Subject: one\r\n\r\nbody\r\n"


def read(user: MailUser, **changes: Any) -> list[bytes]:
    with ImapSource(user.mailbox(**changes)) as source:
        return [raw.data for batch in source.batches() for raw in batch.messages]


def failure(kind: type[BounceprocError], user: MailUser, **changes: Any) -> BounceprocError:
    with pytest.raises(kind) as failed:
        read(user, **changes)
    return failed.value


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls_with_an_authority_of_our_own(mail_user: MailUser, host: str) -> None:
    mail_user.deliver(MESSAGE)
    server = mail_user.server
    tls = {"security": Security.TLS, "host": host, "port": server.tls_port, "ca_file": str(server.ca_file)}
    assert read(mail_user, **tls) == [MESSAGE]


def test_starttls_with_an_authority_of_our_own(mail_user: MailUser) -> None:
    mail_user.deliver(MESSAGE)
    settings = {"security": Security.STARTTLS, "ca_file": str(mail_user.server.ca_file)}
    assert read(mail_user, **settings) == [MESSAGE]


def test_the_test_servers_certificate_passes_the_strict_rules_of_newer_pythons(mail_user: MailUser) -> None:
    context = ssl.create_default_context(cafile=mail_user.server.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    address = (mail_user.server.host, mail_user.server.tls_port)
    with socket.create_connection(address) as plain, context.wrap_socket(plain, server_hostname="localhost") as tls:
        assert tls.version() == "TLSv1.3"


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_an_untrusted_certificate_is_refused(mail_user: MailUser, security: Security) -> None:
    port = mail_user.server.tls_port if security is Security.TLS else mail_user.server.port
    error = failure(ConfigError, mail_user, security=security, port=port, host="localhost")
    assert "is not trusted" in error.what
    assert "ca_file" in error.advice


def test_a_certificate_for_another_name_is_refused(mail_user: MailUser, monkeypatch: pytest.MonkeyPatch) -> None:
    server = mail_user.server

    def resolve(_: str, port: int, *__: Any, **___: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (server.host, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    tls = {"security": Security.TLS, "port": server.tls_port, "ca_file": str(server.ca_file)}
    error = failure(ConfigError, mail_user, host="imap.example.com", **tls)
    assert "the certificate of imap.example.com" in error.what
    assert "Hostname mismatch" in error.what


def test_tls_where_none_is_spoken_says_which_port_goes_with_what(mail_user: MailUser) -> None:
    error = failure(UnavailableError, mail_user, security=Security.TLS)
    assert "does not speak TLS" in error.what
    assert 'port 143 with "starttls"' in error.advice


def test_a_ca_file_that_cannot_be_read_is_named(mail_user: MailUser) -> None:
    error = failure(ConfigError, mail_user, security=Security.STARTTLS, ca_file="/nonexistent/ca.pem")
    assert "/nonexistent/ca.pem" in error.what


def test_a_wrong_password_is_refused_and_not_repeated(mail_user: MailUser) -> None:
    error = failure(AccessError, mail_user, password="Sesame-0815")
    assert error.exit_code == 77
    assert mail_user.name in error.what
    assert "Authentication failed" in error.what
    assert "Sesame-0815" not in f"{error!r} {error} {error.__cause__!r}"


def test_a_password_may_have_any_character(mail_user: MailUser) -> None:
    error = failure(AccessError, mail_user, password='Löwe "x" \\ y')
    assert "Authentication failed" in error.what


def test_a_refused_connection_names_host_and_port(mail_user: MailUser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(UnavailableError, mail_user, port=port)
    assert error.exit_code == 69
    assert error.retry
    assert f"127.0.0.1:{port}" in error.what
    assert "Connection refused" in error.what


def test_plaintext_reaches_a_server_that_listens_on_one_of_localhosts_addresses(
    mail_user: MailUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_user.deliver(MESSAGE)
    resolve = socket.getaddrinfo

    def resolve_all(host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        others = [(socket.AF_INET6, 1, 6, "", ("::1", port, 0, 0))] if host == "localhost" else []
        return others + resolve(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_all)
    assert read(mail_user, host="localhost") == [MESSAGE]


def test_plaintext_to_another_machine_is_refused_before_any_connection(
    mail_user: MailUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (address, 143)) for address in ("127.0.0.1", "192.0.2.1")]

    def connect(*_: Any, **__: Any) -> None:
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(connection_module, "IMAPClient", connect)
    error = failure(ConfigError, mail_user, host="imap.example.com")
    assert "the password would travel unprotected to imap.example.com" in error.what


def test_plaintext_may_be_allowed_on_a_network_one_trusts(mail_user: MailUser) -> None:
    mail_user.deliver(MESSAGE)
    assert read(mail_user, allow_plaintext=True) == [MESSAGE]


def test_a_name_that_does_not_exist_is_unavailable(mail_user: MailUser, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for security in Security:
        error = failure(UnavailableError, mail_user, host="imap.example.invalid", security=security)
        assert "the name imap.example.invalid cannot be resolved" in error.what
