"""Memory is bounded by the batch, not by the mailbox."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.classify import measured
from tests.stories.house import House
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.server


def peak(dovecot: Dovecot, folder: Path, count: int) -> int:
    user = dovecot.new_user()
    user.prefill(dsn(f"u{n}@d{n}.example", original=f"<o.{n}@sender.example>") + b"x\r\n" * 1000 for n in range(count))
    folder.mkdir()
    House(folder, user, extra="batch_size = 200")
    config = str(folder / "bounceproc.toml")
    _, octets = measured([sys.executable, "-m", "bounceproc", "poll", "--once", "--config", config])
    assert len(user.uids("Processed")) == count
    user.close()
    return octets


def test_five_times_the_mail_takes_no_more_memory(dovecot: Dovecot, tmp_path: Path) -> None:
    small = peak(dovecot, tmp_path / "small", 1000)
    large = peak(dovecot, tmp_path / "large", 5000)
    assert small < 120_000_000
    assert large < 1.1 * small
