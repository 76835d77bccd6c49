"""A real Dovecot for tests: one unprivileged instance on free loopback ports, a fresh mailbox for every test."""

from __future__ import annotations

import grp
import hashlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from imapclient import IMAPClient, SocketTimeout

from bounceproc.sources.mailbox import Disposal, Mailbox, Security
from tests.servers import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

HOST: Final = "127.0.0.1"
PASSWORD: Final = "secret"
START_TIMEOUT: Final = 15.0
"""Seconds until Dovecot has to greet; it takes 0.2 s on an idle machine."""
UNPRIVILEGED: Final = "nobody"
"""Who Dovecot runs as when the tests run as root: any account that owns nothing."""

# The whole instance runs as one user: that user is the internal and the login user too, and nothing is chrooted.
CONFIGURATION: Final = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log/dovecot.log
info_log_path = {folder}/log/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{folder}/tls/server.pem
ssl_key = <{folder}/tls/server.key
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
first_valid_uid = 1
mail_uid = {user}
mail_gid = {group}
mail_home = {folder}/mail/%u
mail_location = maildir:~/Maildir
mail_max_userip_connections = 100
maildir_very_dirty_syncs = no
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
}}
service anvil {{
  chroot =
  # Without it a wrong password makes the next logins from this address wait for seconds.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service stats {{
  chroot =
}}
service imap {{
  process_limit = 100
}}
protocol imap {{
  {imap_settings}
}}
{extra}
"""

QUOTA: Final = """\
mail_plugins = $mail_plugins quota
plugin {
  quota = count:User quota
  quota_rule = *:messages=%d
  quota_vsizes = yes
}
"""
"""Accounts that hold this many messages; COPY needs room for both, and a MOVE inside one account none."""
FULL: Final = "Full"
"""The namespace whose folders may hold FULL_LIMIT messages, on a server with `NARROW`."""
FULL_LIMIT: Final = 20
# Dovecot lets a MOVE pass where both folders count against the same quota, so there are two.
NARROW: Final = f"""\
mail_plugins = quota
plugin {{
  quota = maildir:all
  quota2 = maildir:full:ns={FULL}/
  quota2_rule = *:messages={FULL_LIMIT}
}}
namespace full {{
  prefix = {FULL}/
  separator = /
  location = maildir:~/Full
}}
"""
"""`[OVERQUOTA]` for what goes below `Full`."""
ACL: Final = """\
mail_plugins = acl
plugin {
  acl = vfile
}
"""
"""Rights for each folder: see `MailUser.allow`."""


@dataclass(slots=True)
class MailUser:
    """A fresh account of a running Dovecot, seen by a mail program of its own."""

    server: Dovecot
    name: str
    password: str = PASSWORD
    _clients: list[IMAPClient] = field(default_factory=list)
    _prefilled: int = 1

    def mailbox(self, **changes: Any) -> Mailbox:
        """The settings that reach this account's INBOX; nothing is moved unless asked for."""
        settings: dict[str, Any] = {
            "name": "returns",
            "host": self.server.host,
            "port": self.server.port,
            "security": Security.NONE,
            "user": self.name,
            "password": self.password,
            "on_report": Disposal.parse("leave"),
            "on_malformed": Disposal.parse("leave"),
        }
        return Mailbox(**settings | changes)

    def client(self) -> IMAPClient:
        """A connection of its own, logged in, closed at the end of the test."""
        client = IMAPClient(self.server.host, self.server.port, ssl=False, timeout=SocketTimeout(5, 30))
        self._clients.append(client)
        client.login(self.name, self.password)
        return client

    @contextmanager
    def connected(self, folder: str | None = None) -> Iterator[IMAPClient]:
        """A connection for a moment, with a folder selected where one is named."""
        with IMAPClient(self.server.host, self.server.port, ssl=False, timeout=SocketTimeout(5, 30)) as client:
            client.login(self.name, self.password)
            if folder is not None:
                client.select_folder(folder)
            yield client

    def deliver(self, message: bytes, folder: str = "INBOX", internaldate: datetime | None = None) -> None:
        """Put one message into a folder, which is made where it is missing."""
        with self.connected() as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            client.append(folder, message, msg_time=internaldate)

    def prefill(self, messages: Iterable[bytes], folder: str = "INBOX") -> int:
        """Put many messages into a folder at once, as files of its Maildir; returns how many."""
        home = self.server.folder / "mail" / self.name
        parts = [top / part for top in (self.maildir(), self.maildir(folder)) for part in ("", "cur", "new", "tmp")]
        for path in (home, *parts):
            path.mkdir(exist_ok=True)
            self.server.give(path)
        new = self.maildir(folder) / "new"
        number = 0
        for number, message in enumerate(messages, 1):
            path = new / f"1700000000.M{number:08}P{self._prefilled}.test"
            path.write_bytes(message)
            self.server.give(path)
        self._prefilled += 1
        return number

    def remove(self) -> None:
        """Take the whole account off the disk."""
        shutil.rmtree(self.server.folder / "mail" / self.name, ignore_errors=True)

    def maildir(self, folder: str = "INBOX") -> Path:
        """Where a folder lies on the disk."""
        top = self.server.folder / "mail" / self.name / "Maildir"
        return top if folder == "INBOX" else top / f".{folder}"

    def stored(self) -> dict[str, Counter[tuple[bytes, str]]]:
        """Digest and flags of every message on the disk, by folder: what cannot be hidden by a view of the server's."""
        found: dict[str, Counter[tuple[bytes, str]]] = {}
        top = self.maildir()
        for folder in (top, *top.glob(".*/")):
            mails = [path for part in ("new", "cur") for path in (folder / part).iterdir()]
            name = folder.name.removeprefix(".") if folder != top else "INBOX"
            found[name] = Counter(
                (hashlib.blake2b(path.read_bytes(), digest_size=16).digest(), path.name.partition(":2,")[2])
                for path in mails
            )
        return {name: mails for name, mails in found.items() if mails}

    def twin(self) -> MailUser:
        """Another account with the same folders, messages, UIDs and dates: made in no time, since files are linked."""
        other = self.server.new_user()
        other._prefilled = self._prefilled  # names of files that are taken

        def link(source: str, target: str) -> None:
            if Path(source).parent.name in {"cur", "new"}:
                os.link(source, target)  # the content of a message never changes
            else:
                shutil.copy2(source, target)

        home = self.server.folder / "mail" / other.name
        shutil.copytree(self.server.folder / "mail" / self.name, home, copy_function=link)
        for path in (home, *home.rglob("*")):
            self.server.give(path)
        return other

    def allow(self, rights: str, folder: str = "INBOX") -> None:
        """Let the owner do this in a folder and nothing else (RFC 4314); the server needs `ACL` for it."""
        path = self.maildir(folder) / "dovecot-acl"
        path.write_text(f"owner {rights}\n")
        self.server.give(path)

    def renumber(self, uidvalidity: int, folder: str = "INBOX") -> None:
        """Give a folder another UIDVALIDITY, as a server does that was set up anew or lost its indexes."""
        self.server.doveadm("mailbox", "update", "-u", self.name, "--uid-validity", str(uidvalidity), folder)

    def create(self, *folders: str) -> None:
        """Make folders."""
        with self.connected() as client:
            for folder in folders:
                client.create_folder(folder)

    def folders(self) -> list[str]:
        """The names of all folders, sorted."""
        with self.connected() as client:
            return sorted(name for _, _, name in client.list_folders())

    def subscribed(self) -> list[str]:
        """The names of the folders that a mail program shows, sorted."""
        with self.connected() as client:
            return sorted(name for _, _, name in client.list_sub_folders())

    def messages(self, folder: str = "INBOX") -> list[tuple[int, frozenset[bytes], bytes]]:
        """UID, flags (without `\\Recent`) and content of each message of a folder, in order; looking changes nothing."""
        with self.connected() as client:
            client.select_folder(folder, readonly=True)
            found: dict[int, dict[bytes, Any]] = client.fetch(client.search(), ["FLAGS", "BODY.PEEK[]"])
            return [
                (uid, frozenset(data[b"FLAGS"]) - {b"\\Recent"}, data[b"BODY[]"]) for uid, data in sorted(found.items())
            ]

    def uids(self, folder: str = "INBOX") -> list[int]:
        """The UIDs of a folder, in order."""
        with self.connected() as client:
            client.select_folder(folder, readonly=True)
            return sorted(client.search())

    def expunge(self, uids: Iterable[int], folder: str = "INBOX") -> None:
        """Take messages away for good, as another mail program would."""
        with self.connected(folder) as client:
            gone = list(uids)
            client.delete_messages(gone)
            client.uid_expunge(gone)

    def uidvalidity(self, folder: str = "INBOX") -> int:
        """UIDVALIDITY of a folder."""
        with self.connected() as client:
            return int(client.select_folder(folder, readonly=True)[b"UIDVALIDITY"])

    def kick(self) -> None:
        """Let the server end all sessions of this user, as on a restart."""
        self.server.doveadm("kick", self.name)

    def close(self) -> None:
        """End the connections that the test left open."""
        for client in self._clients:
            try:
                client.logout()
            except Exception:  # noqa: BLE001 - the test may have broken the connection in any way
                client.shutdown()


class Dovecot:
    """A running instance, whole in one temporary folder."""

    def __init__(
        self,
        folder: Path,
        *,
        separator: str = "/",
        prefix: str = "",
        capability: str | None = None,
        mechanisms: str = "plain login",
        extra: str = "",
        files: Mapping[str, str] | None = None,
    ) -> None:
        self.host = HOST
        self.folder = folder
        self.port, self.tls_port = _free_ports(2)
        self.ca_file = folder / "tls" / "ca.pem"
        self._numbers = itertools.count(1)
        self._account = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self._process: subprocess.Popen[bytes] | None = None
        for name, content in (files or {}).items():
            (folder / name).write_text(content)
        self._configure(
            separator=separator,
            prefix=prefix,
            mechanisms=mechanisms,
            extra=extra.replace("{folder}", str(folder)),
            imap_settings=f"imap_capability = {capability}" if capability else "",
        )

    def _configure(self, **settings: str) -> None:
        for name in ("run", "state", "log", "mail", "tls"):
            (self.folder / name).mkdir()
        _make_certificate(self.folder / "tls")
        text = CONFIGURATION.format(
            folder=self.folder,
            user=self._account.pw_name,
            group=_group_name(self._account.pw_gid),
            password=PASSWORD,
            port=self.port,
            tls_port=self.tls_port,
            **settings,
        )
        (self.folder / "dovecot.conf").write_text(text)
        for path in (self.folder, *self.folder.rglob("*")):
            self.give(path)

    def give(self, path: Path) -> None:
        """Make a file or folder the server's own, where the tests run as root."""
        if os.geteuid() == 0:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _as_server(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}

    @contextmanager
    def running(self) -> Iterator[Dovecot]:
        """The server as a foreground child, ended with the block."""
        try:
            self.start()
            yield self
        finally:
            self.stop()

    def start(self) -> None:
        """Start it, on the ports that it had before, and wait until it greets."""
        command = [require("dovecot", "dovecot-imapd"), "-F", "-c", str(self.folder / "dovecot.conf")]
        with (self.folder / "log" / "stderr").open("ab") as errors:
            self._process = subprocess.Popen(
                command, stderr=errors, cwd=self.folder, start_new_session=True, **self._as_server()
            )
        self._wait(self._process)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End all its processes at once (the master alone would wait a second for the others): SIGKILL is a power cut."""
        if self._process is not None:
            self.signal(how)
            self._process.wait(START_TIMEOUT)
            self._process = None
            # Its children end a moment after the master, and one of them may still greet.
            deadline = time.monotonic() + START_TIMEOUT
            while self._greets() and time.monotonic() < deadline:
                time.sleep(0.01)

    def signal(self, what: signal.Signals) -> None:
        """Send a signal to all its processes."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, what)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its connections stand and nothing answers, for as long as the block lasts."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and process.poll() is None:
            if self._greets():
                return
            time.sleep(0.02)
        pytest.fail(f"Dovecot did not start:\n{self.log()}")

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                return connection.recv(64).startswith(b"* OK")
        except OSError:
            return False

    def log(self) -> str:
        """What the server says of itself."""
        return "".join(path.read_text(errors="replace") for path in sorted((self.folder / "log").iterdir()))

    def doveadm(self, *arguments: str) -> None:
        """Run an administrator's command against this instance."""
        command = [require("doveadm", "dovecot-core"), "-c", str(self.folder / "dovecot.conf"), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=30, cwd=self.folder, **self._as_server())

    def new_user(self) -> MailUser:
        """An account that nobody has used yet."""
        return MailUser(self, f"user{next(self._numbers)}")


@contextmanager
def start_dovecot(**settings: Any) -> Iterator[Dovecot]:
    """A running instance; `capability` replaces what the server says it can do after the login.

    `mechanisms` are those of the login, `extra` is more configuration, `files` are laid beside it.
    """
    version = subprocess.run([require("dovecot", "dovecot-imapd"), "--version"], capture_output=True, check=True)
    if not version.stdout.startswith(b"2.3."):
        pytest.skip(f"this fixture writes a configuration for Dovecot 2.3, here is {version.stdout.decode().strip()}")
    # Not in pytest's own temporary folder: the unprivileged user may not enter that, and socket paths must be short.
    folder = Path(tempfile.mkdtemp(prefix="bp-dovecot-"))
    try:
        with Dovecot(folder, **settings).running() as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _group_name(gid: int) -> str:
    return grp.getgrgid(gid).gr_name


def _make_certificate(folder: Path) -> None:
    """A certification authority of our own (`ca.pem`), and certificates for localhost and for a client (`server.pem`, `client.pem`)."""
    openssl = require("openssl", "openssl")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    authority = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    (folder / "client.ext").write_text(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
    )
    (folder / "server.ext").write_text(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    ca = ("-config", "request.cnf", "-subj", "/CN=bounceproc test authority", "-keyout", "ca.key", "-out", "ca.pem")
    server = ("-config", "request.cnf", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (folder / "request.cnf").write_text("[req]\ndistinguished_name=name\n[name]\n")
    client = ("-config", "request.cnf", "-subj", "/CN=bounceproc", "-keyout", "client.key", "-out", "client.csr")
    authority_signs = ("-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "2", "-days", "2")
    for command in (
        ("req", "-x509", *key, *ca, "-days", "2", *authority, "-addext", "subjectKeyIdentifier=hash"),
        ("req", *key, *server),
        ("req", *key, *client),
        ("x509", "-req", "-in", "server.csr", *authority_signs, "-extfile", "server.ext", "-out", "server.pem"),
        ("x509", "-req", "-in", "client.csr", *authority_signs, "-extfile", "client.ext", "-out", "client.pem"),
        ("pkey", "-in", "client.key", "-aes256", "-passout", "pass:Sesame-key", "-out", "client-locked.key"),
    ):
        subprocess.run([openssl, *command], check=True, capture_output=True, cwd=folder, timeout=30)


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """One Dovecot for the whole run."""
    with start_dovecot() as server:
        yield server


@pytest.fixture
def mail_user(dovecot: Dovecot) -> Iterator[MailUser]:
    """A fresh account with an empty INBOX."""
    user = dovecot.new_user()
    yield user
    user.close()
