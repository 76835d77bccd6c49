"""The way to an IMAP server: protected as configured, logged in, and with its refusals told apart."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import CapabilityError, IMAPClientAbortError, IMAPClientError, IMAPClientReadOnlyError

from bounceproc.errors import AccessError, ConfigError, UnavailableError
from bounceproc.sources.imap.sasl import log_in_by_token
from bounceproc.sources.mailbox import Security

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bounceproc.errors import BounceprocError
    from bounceproc.sources.mailbox import Mailbox

CONNECT_TIMEOUT: Final = 30.0
"""Seconds for the connection, its TLS handshake and the greeting."""
ANSWER_TIMEOUT: Final = 120.0
"""Seconds without a single octet. Servers take their time for the first SELECT of a large folder, and for large moves."""
GOODBYE_TIMEOUT: Final = 5.0
"""Seconds for LOGOUT: everything is done by then, so nobody waits for a server that does not answer."""
MAX_SAID: Final = 200
"""Characters of a server's words that are repeated in an error."""

_CODE: Final = re.compile(r"\[([A-Z][A-Z-]{1,30})(?: [^\]]{0,200})?\]")
_BYTES: Final = re.compile(r"""b(['"])(.*)\1""", re.DOTALL)
_ATOM: Final = re.compile(r"[A-Za-z0-9!#$&'+,./:;<=>?@^_`|~-]+")

NONSENSE: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError,
)  # fmt: skip
"""What the libraries trip over, and where they stop looking, when a server says what is no IMAP."""

_DENIED: Final = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "NOPERM"})
_OWN_CERTIFICATE: Final = frozenset(
    f"{version}_ALERT_{reason}"
    for version in ("TLSV13", "TLSV1", "SSLV3")
    for reason in (
        "CERTIFICATE_REQUIRED",
        "UNKNOWN_CA",
        "BAD_CERTIFICATE",
        "CERTIFICATE_UNKNOWN",
        "CERTIFICATE_EXPIRED",
    )
)
"""What OpenSSL calls a server's refusal of a client certificate, or of having none (RFC 8446 section 6.2)."""
_TEMPORARY: Final = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CORRUPTION"})


def open_connection(mailbox: Mailbox) -> IMAPClient:
    """A connection, protected as the mailbox asks and logged in.

    Raises:
        ConfigError: the protection asked for cannot be had, or the server's certificate is not trusted.
        UnavailableError: the server cannot be reached, or ends the conversation.
        AccessError: it does not accept the password.

    """
    client = dial(mailbox)
    try:
        log_in(client, mailbox)
    except BaseException:
        with suppress(OSError):
            client.shutdown()
        raise
    return client


def dial(mailbox: Mailbox) -> IMAPClient:
    """A connection, protected as the mailbox asks, and nobody is logged in yet.

    Raises:
        ConfigError, UnavailableError, AccessError: see `open_connection`.

    """
    with conversation(mailbox):
        client = _connected(mailbox)
        try:
            client.normalise_times = False  # times with their zone, not in this machine's
            if mailbox.security is Security.STARTTLS:
                _start_tls(client, mailbox)
        except BaseException:
            with suppress(OSError):
                client.shutdown()
            raise
        return client


def close_connection(client: IMAPClient, *, politely: bool) -> None:
    """Hang up, with a goodbye where the server is waiting for a command."""
    try:
        if politely:
            client.socket().settimeout(GOODBYE_TIMEOUT)
            client.logout()
            return
    except (OSError, IMAPClientError):
        pass
    with suppress(OSError):
        client.shutdown()


@contextmanager
def conversation(mailbox: Mailbox) -> Iterator[None]:
    """Turn what may happen while talking to the server into our own errors. No password is ever in one."""
    try:
        yield
    except (IMAPClientError, OSError) as error:
        raise _translated(error, mailbox) from error
    except NONSENSE as error:
        raise UnavailableError(
            f"{mailbox.host}:{mailbox.port} says what is no IMAP ({type(error).__name__})",
            f"Nothing is lost; the next run tries it again. If this stays, check host and port of mailbox {mailbox.name!r}.",
        ) from error


def response_code(error: IMAPClientError) -> str | None:
    """The response code of a refusal (RFC 9051 section 7.1, RFC 5530): `NONEXISTENT`, `TRYCREATE`, ..."""
    found = _CODE.search(str(error))
    return found[1] if found else None


def was_refused(error: IMAPClientError) -> bool:
    """Whether the server answered and said no: the conversation goes on."""
    # IMAPClient makes a refused login of whatever happens during one, an ended conversation too.
    return not isinstance(error, IMAPClientAbortError) and not isinstance(error.__context__, IMAPClientAbortError)


# ---- opening ---------------------------------------------------------------------------------------------------------


def _connected(mailbox: Mailbox) -> IMAPClient:
    timeout = SocketTimeout(CONNECT_TIMEOUT, ANSWER_TIMEOUT)
    if mailbox.security is Security.TLS:
        context = _tls_context(mailbox)
        return IMAPClient(mailbox.host, mailbox.port, ssl=True, ssl_context=context, timeout=timeout)
    if mailbox.security is Security.STARTTLS or mailbox.allow_plaintext:
        return IMAPClient(mailbox.host, mailbox.port, ssl=False, timeout=timeout)
    addresses = _loopback_addresses(mailbox)
    for address in addresses[:-1]:
        with suppress(OSError):  # localhost is often ::1 too, where nobody listens
            return IMAPClient(address, mailbox.port, ssl=False, timeout=timeout)
    return IMAPClient(addresses[-1], mailbox.port, ssl=False, timeout=timeout)


def _loopback_addresses(mailbox: Mailbox) -> list[str]:
    """The addresses of a host that lies on this machine: the connection goes to them, whatever the name says next."""
    found = socket.getaddrinfo(mailbox.host, mailbox.port, type=socket.SOCK_STREAM)
    addresses = [str(address[0]) for *_, address in found]
    if not all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses):
        raise ConfigError(
            f"mailbox {mailbox.name!r}: the password would travel unprotected to {mailbox.host}",
            'Set security to "tls" or "starttls". allow_plaintext = true lets it pass, on a network that you trust.',
        )
    return addresses


def _tls_context(mailbox: Mailbox) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=mailbox.ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(
            f"mailbox {mailbox.name!r}: ca_file {mailbox.ca_file} cannot be used: {error.strerror or error}",
            "Name a file with certificates in PEM form.",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996: what is older is no protection
    if mailbox.client_cert_file is not None:
        _load_own_certificate(context, mailbox, mailbox.client_cert_file)
    return context


def _load_own_certificate(context: ssl.SSLContext, mailbox: Mailbox, certificate: str) -> None:
    # Without a function OpenSSL asks the terminal for the password of an encrypted key, and waits.
    password = (mailbox.client_key_password or "").encode()
    try:
        context.load_cert_chain(certificate, mailbox.client_key_file, lambda: password)
    except OSError as error:
        files = " with ".join(filter(None, (certificate, mailbox.client_key_file)))
        raise ConfigError(
            f"mailbox {mailbox.name!r}: client_cert_file {files} cannot be used: {_reason(error)}",
            "Name a certificate and its own key in PEM form; an encrypted key needs client_key_password_file.",
        ) from error


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return error.strerror or str(error)


def _start_tls(client: IMAPClient, mailbox: Mailbox) -> None:
    try:
        client.starttls(_tls_context(mailbox))
    except CapabilityError as error:
        raise ConfigError(
            f"mailbox {mailbox.name!r}: {mailbox.host}:{mailbox.port} offers no STARTTLS",
            'Set security to "tls" and port to 993, or ask who runs the server.',
        ) from error


def log_in(client: IMAPClient, mailbox: Mailbox) -> None:
    """Log in, by password or by access token.

    Raises:
        ConfigError, UnavailableError, AccessError: see `open_connection`.

    """
    with conversation(mailbox):
        _log_in(client, mailbox)


def _log_in(client: IMAPClient, mailbox: Mailbox) -> None:
    try:
        if mailbox.tokens is not None:
            log_in_by_token(client, mailbox, mailbox.tokens)
        else:
            _log_in_by_password(client, mailbox)
    except IMAPClientError as error:
        if not was_refused(error) or response_code(error) in _TEMPORARY:
            raise
        raise AccessError(
            f"{mailbox.host}:{mailbox.port} does not let {mailbox.user} in: {_said(error, mailbox)}",
            f"Check user and password of mailbox {mailbox.name!r}; some providers ask for an app password."
            if mailbox.tokens is None
            else f"{mailbox.tokens.provider} gave a token that this server does not take for this user: check user of "
            f"mailbox {mailbox.name!r}, the token's scope, and the rights on the mailbox.",
        ) from error


def _log_in_by_password(client: IMAPClient, mailbox: Mailbox) -> None:
    capabilities = client.capabilities()
    # PLAIN carries any character; LOGIN carries ASCII, and not every library quotes it.
    if b"AUTH=PLAIN" in capabilities:
        client.plain_login(mailbox.user, mailbox.password)
    elif b"LOGINDISABLED" in capabilities:
        raise ConfigError(
            f"mailbox {mailbox.name!r}: {mailbox.host}:{mailbox.port} takes no password on this connection",
            'Set security to "tls" or "starttls", or auth to "xoauth2-google" or "xoauth2-microsoft".',
        )
    elif _ATOM.fullmatch(mailbox.user) and mailbox.password.isascii():
        client.login(mailbox.user, mailbox.password)
    else:
        raise ConfigError(
            f"mailbox {mailbox.name!r}: {mailbox.host} only takes user names and passwords in ASCII",
            "Give the account another password, or a user name without spaces and quotes.",
        )


# ---- refusals --------------------------------------------------------------------------------------------------------


def _translated(error: IMAPClientError | OSError, mailbox: Mailbox) -> BounceprocError:
    where = f"{mailbox.host}:{mailbox.port}"
    if isinstance(error, OSError):
        return _translated_network(error, where, mailbox)
    said = _said(error, mailbox)
    if isinstance(error, IMAPClientReadOnlyError):
        return AccessError(
            f"{where} lets {mailbox.user} read the folder but not change it",
            f'Ask for the right to write, or set all on_... of mailbox {mailbox.name!r} to "leave".',
        )
    if not was_refused(error):
        return UnavailableError(
            f"{where} ended the conversation: {said}", "Nothing is lost; the next run goes on here."
        )
    if response_code(error) in _DENIED:
        return AccessError(f"{where} refuses {mailbox.user}: {said}", "Ask for the right, or for another account.")
    return UnavailableError(f"{where} refuses: {said}", "Nothing is lost; the next run tries it again.")


def _translated_network(error: OSError, where: str, mailbox: Mailbox) -> BounceprocError:
    check = f"Check host, port and security of mailbox {mailbox.name!r}, and that the server runs."
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigError(
            f"the certificate of {where} is not trusted: {error.verify_message}",
            "Set host to the name in the certificate, or ca_file to the authority that signed it.",
        )
    if isinstance(error, ssl.SSLError):
        if (error.reason or "") in _OWN_CERTIFICATE:
            return AccessError(
                f"{where} does not take our certificate: {(error.reason or '').lower().replace('_', ' ')}",
                f"Set client_cert_file and client_key_file of mailbox {mailbox.name!r} to what the server's authority signed.",
            )
        return UnavailableError(
            f"{where} does not speak TLS as expected: {error.reason or error}",
            f'Port 993 goes with security = "tls", port 143 with "starttls". {check}',
        )
    if isinstance(error, socket.gaierror):
        return UnavailableError(f"the name {mailbox.host} cannot be resolved: {error.strerror}", check)
    if isinstance(error, TimeoutError):
        return UnavailableError(f"{where} does not answer in time", check)
    return UnavailableError(f"{where} cannot be reached: {error.strerror or error}", check)


def _said(error: IMAPClientError, mailbox: Mailbox) -> str:
    """A server's words in one line: of bounded length, and without the password, should it repeat it."""
    first = error.args[0] if error.args else ""
    text = first.decode(errors="replace") if isinstance(first, bytes) else str(first)
    wrapped = _BYTES.fullmatch(text)  # imaplib prints the answer to LOGIN as a bytes literal
    text = mailbox.hide(wrapped[2] if wrapped else text)
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:MAX_SAID]
