"""systemd is told over the socket that it named, and a socket that is not there harms nobody."""

from __future__ import annotations

import os
import socket
import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bounceproc.service.notify import Notifier

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("abstract", [False, True])
def test_each_notice_is_a_datagram_to_the_socket_that_was_named(tmp_path: Path, *, abstract: bool) -> None:
    name = f"@bounceproc-{uuid.uuid4()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(name.replace("@", "\0", 1) if abstract else name)
        server.settimeout(5)
        with closing(Notifier({"NOTIFY_SOCKET": name})) as notifier:
            notifier.ready()
            notifier.status("2 folders\nREADY=0")
            notifier.status("2 folders\nREADY=0")
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            notifier.reloading()
            notifier.alive()
            notifier.stopping()
        told = [server.recv(1000).decode() for _ in range(5)]

    assert told[:2] == ["READY=1", "STATUS=2 folders\ufffdREADY=0"]
    assert told[3:] == ["WATCHDOG=1", "STOPPING=1"]
    first, _, moment = told[2].partition("\nMONOTONIC_USEC=")
    assert first == "RELOADING=1"
    assert before <= int(moment) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


@pytest.mark.parametrize("name", ["", "/nowhere/notify", "relative", "@nobody-listens", "/" + "x" * 200])
def test_nobody_who_listens_is_no_error(name: str) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": name})) as notifier:
        notifier.ready()
        notifier.status("fine")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "many"}, None),
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_a_sign_of_life_comes_twice_as_often_as_systemd_asks(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environ).watchdog == seconds
