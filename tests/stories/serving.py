"""`bounceproc serve` in a process of its own, and small clients of its three tongues."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.stories.house import House

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import Popen

DEADLINE = 30.0
"""Seconds after which a test gives up waiting."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port: int = opened.getsockname()[1]
        return port


def until(true: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)


def netstring(data: bytes) -> bytes:
    return b"%d:%b," % (len(data), data)


@dataclass
class Served:
    """A running server."""

    house: House
    process: Popen[bytes]
    http: int
    socketmap: int
    policy: int

    def connect(self, port: int) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)

    def map(self, query: bytes) -> bytes:
        """One question to the socketmap, its answer without the frame."""
        with self.connect(self.socketmap) as client:
            client.sendall(netstring(query))
            return read_netstring(client)

    def ask_policy(self, **fields: str) -> bytes:
        lines = [f"{name}={value}" for name, value in {"request": "smtpd_access_policy", **fields}.items()]
        with self.connect(self.policy) as client:
            client.sendall("\n".join([*lines, "", ""]).encode())
            return client.recv(4096)

    def request(
        self, method: str, path: str, body: object = None, *, token: str | None = None, raw: bytes | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=DEADLINE)
        with contextlib.closing(connection):
            data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
            connection.request(method, path, data, {"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            text = answer.read()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            is_json = "json" in headers.get("content-type", "")
            return answer.status, json.loads(text) if is_json and text else text.decode(), headers

    def memory(self) -> int:
        """Octets of the server's memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1]) * 4096

    def peak_memory(self) -> int:
        """The most that it ever was."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def children(self) -> set[int]:
        """The processes that it started and that live."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(child) for child in path.read_text("ascii").split()}


def is_alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def read_netstring(client: socket.socket) -> bytes:
    data = b""
    while b":" not in data or len(data) < int(data.partition(b":")[0]) + len(data.partition(b":")[0]) + 2:
        piece = client.recv(65536)
        assert piece, f"the server closed after {data!r}"
        data += piece
    return data.partition(b":")[2][:-1]


def until_listening(process: Popen[bytes]) -> None:
    """Wait until a server that was just started says so."""
    assert process.stderr is not None
    said = b""
    while not said.rpartition(b"\n")[0].rpartition(b"\n")[2].startswith(b"listening"):  # notes may come first
        line = process.stderr.readline()
        said += line
        assert line, said


@contextlib.contextmanager
def serving(folder: Path, extra: str = "", head: str = "", socketmap: str | None = None) -> Iterator[Served]:
    """A server with its own database, until the block ends. `socketmap`: where it is, if not at a port."""
    house = House(folder)
    ports = [free_port() for _ in range(3)]
    listed = {name: f"127.0.0.1:{port}" for name, port in zip(("http", "socketmap", "policy"), ports, strict=True)}
    listed["socketmap"] = socketmap or listed["socketmap"]
    places = "".join(f'{name} = "{place}"\n' for name, place in listed.items())
    (folder / "bounceproc.toml").write_text(f"{head}\n[serve]\n{places}{extra}")
    process = house.start("serve")
    try:
        until_listening(process)
        yield Served(house, process, *ports)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE)
