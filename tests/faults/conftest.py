"""A Dovecot of its own, behind a proxy, for tests that stop and break it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bounceproc.service import overlap
from bounceproc.sources.imap import plan
from tests.crash.ground import Ground, filled
from tests.servers.dovecot import start_dovecot
from tests.servers.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.dovecot import Dovecot

MESSAGES = 40
BATCH = 10


@pytest.fixture(autouse=True)
def batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch is settled by itself, and not all are read before the first one is, so that there are many moves to break in.

    As several are settled, `tests/crash` does it.
    """
    monkeypatch.setattr(overlap, "STRIDE", 1)
    for room in (overlap, plan):
        monkeypatch.setattr(room, "READ_AHEAD", 2)


@pytest.fixture(scope="session")
def fragile() -> Iterator[Dovecot]:
    """A server that may be stopped, killed and frozen: nobody else uses it."""
    with start_dovecot() as server:
        yield server


@pytest.fixture(scope="session")
def shared_ground(fragile: Dovecot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """40 messages in four batches, and what an undisturbed run makes of them."""
    with Proxy(fragile.port) as proxy:
        ground = Ground(proxy, filled(fragile, MESSAGES), tmp_path_factory.mktemp("ground"), batch_size=BATCH)
        ground.learn()
        assert set(ground.folders) == {"INBOX", "Processed", "Malformed"}
        yield ground


@pytest.fixture
def ground(shared_ground: Ground) -> Ground:
    """The same, with nothing planned and nothing counted."""
    shared_ground.proxy.forget()
    return shared_ground
