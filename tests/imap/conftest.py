"""Mailboxes on real Dovecots: one as it comes, others that can do less or name their folders differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.dovecot import start_dovecot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.dovecot import Dovecot, MailUser


@pytest.fixture(scope="session")
def dovecot_without_move() -> Iterator[Dovecot]:
    """A server that knows UIDPLUS and not MOVE."""
    with start_dovecot(capability="IMAP4rev1 UIDPLUS NAMESPACE LITERAL+") as server:
        yield server


@pytest.fixture(scope="session")
def bare_dovecot() -> Iterator[Dovecot]:
    """A server that knows no extension at all."""
    with start_dovecot(capability="IMAP4rev1") as server:
        yield server


@pytest.fixture(scope="session")
def plain_dovecot() -> Iterator[Dovecot]:
    """A server that can move, and says nothing of its namespaces."""
    with start_dovecot(capability="IMAP4rev1 MOVE") as server:
        yield server


@pytest.fixture(scope="session")
def dotted_dovecot() -> Iterator[Dovecot]:
    """A server that wants every folder below `INBOX.`, with a dot between folders, as Courier and Cyrus did."""
    with start_dovecot(separator=".", prefix="INBOX.") as server:
        yield server


@pytest.fixture
def user_without_move(dovecot_without_move: Dovecot) -> Iterator[MailUser]:
    user = dovecot_without_move.new_user()
    yield user
    user.close()


@pytest.fixture
def bare_user(bare_dovecot: Dovecot) -> Iterator[MailUser]:
    user = bare_dovecot.new_user()
    yield user
    user.close()


@pytest.fixture
def plain_user(plain_dovecot: Dovecot) -> Iterator[MailUser]:
    user = plain_dovecot.new_user()
    yield user
    user.close()


@pytest.fixture
def dotted_user(dotted_dovecot: Dovecot) -> Iterator[MailUser]:
    user = dotted_dovecot.new_user()
    yield user
    user.close()
