"""The mailbox is not what it was a moment ago: full, closed, renamed, numbered anew, emptied or filled by somebody else."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import AccessError, ConfigError, UnavailableError
from tests.crash.ground import Ground, filled
from tests.crash.rows import differences
from tests.servers.dovecot import ACL, FULL_LIMIT, NARROW, start_dovecot
from tests.servers.proxy import Call, Plan, Point, Proxy, Way
from tests.unit.mails import ORDINARY, dsn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.crash.ground import Folders
    from tests.servers.dovecot import Dovecot, MailUser

pytestmark = pytest.mark.server

THIRD_FETCH = Point(Way.UP, -9, b"UID FETCH", nth=3)
THIRD_MOVE = Point(Way.UP, -8, b"UID MOVE", nth=3)


@pytest.fixture
def meanwhile(ground: Ground) -> Callable[[Point, Callable[[], object]], None]:
    """Let something be done when a run has come to a point."""

    def plan(at: Point, action: Callable[[], object]) -> None:
        ground.proxy.plan = Plan((Call(at, action),))

    return plan


# ---- full, closed ----------------------------------------------------------------------------------------------------


@pytest.fixture
def narrow_ground(tmp_path: Path) -> Iterator[Ground]:
    """Reports go to a folder that holds no more than FULL_LIMIT messages."""
    with start_dovecot(extra=NARROW) as server, Proxy(server.port) as proxy:
        yield Ground(proxy, filled(server, 12), tmp_path, batch_size=4, extra='on_report = "move:Full/Processed"')


def test_a_full_mailbox_loses_nothing_and_goes_on_when_there_is_room(narrow_ground: Ground) -> None:
    narrow_ground.learn()
    with narrow_ground.trial() as trial:
        for number in range(FULL_LIMIT - 2):
            trial.user.deliver(b"Subject: %d\r\n\r\nold\r\n" % number, "Full/Old")

        ((_, error),) = trial.run().failures
        assert isinstance(error, UnavailableError)
        assert error.retry
        assert "the account is full" in error.what
        assert error.advice
        assert digests(trial.user.stored()).total() + len(trial.user.uids("Full/Processed")) == narrow_ground.count
        assert trial.progress().recorded == narrow_ground.count
        assert trial.progress().unsettled

        with trial.user.connected() as client:
            client.delete_folder("Full/Old")
        assert not trial.run().failures
        assert differences(trial.rows(), narrow_ground.rows) == []
        assert trial.user.stored()["INBOX"] == narrow_ground.folders["INBOX"]
        assert digests(trial.user.stored()).total() + len(trial.user.uids("Full/Processed")) == narrow_ground.count


@pytest.fixture
def guarded_ground(tmp_path: Path) -> Iterator[Ground]:
    """Rights are kept for each folder."""
    with start_dovecot(extra=ACL) as server, Proxy(server.port) as proxy:
        ground = Ground(proxy, filled(server, 12), tmp_path, batch_size=4)
        ground.learn()
        yield ground


def test_a_target_that_takes_nothing_is_an_access_error_and_loses_nothing(guarded_ground: Ground) -> None:
    with guarded_ground.trial() as trial:
        trial.user.create("Processed")
        trial.user.allow("lr", "Processed")

        ((_, error),) = trial.run().failures
        assert isinstance(error, AccessError)
        assert "[NOPERM]" in error.what
        assert error.advice
        assert trial.user.uids("Processed") == []
        assert digests(trial.user.stored()).total() == guarded_ground.count
        assert trial.progress().unsettled

        trial.user.allow("lrwstipekxa", "Processed")
        assert not trial.run().failures
        assert guarded_ground.strays(trial) == []


def test_a_folder_that_may_only_be_read_is_an_access_error_before_anything_is_recorded(guarded_ground: Ground) -> None:
    with guarded_ground.trial() as trial:
        trial.user.allow("lr")

        ((_, error),) = trial.run().failures
        assert isinstance(error, AccessError)
        assert error.exit_code == 77
        assert "leave" in error.advice
        assert trial.progress().recorded == 0

        trial.user.allow("lrwstipekxa")
        assert not trial.run().failures
        assert guarded_ground.strays(trial) == []


# ---- gone, numbered anew ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [THIRD_FETCH, THIRD_MOVE], ids=["reading", "settling"])
def test_a_folder_that_is_renamed_in_the_middle_ends_the_run_and_not_the_mail(
    fragile_bounces: Ground, at: Point
) -> None:
    ground = fragile_bounces
    with ground.trial() as trial:

        def rename(old: str, new: str) -> None:
            with trial.user.connected() as client:
                client.rename_folder(old, new)

        ground.proxy.forget(Plan((Call(at, lambda: rename("Bounces", "Elsewhere")),)))
        failures = trial.run().failures
        assert all(isinstance(error, (UnavailableError, ConfigError)) for _, error in failures), failures
        ground.proxy.forget()

        ((_, error),) = trial.run().failures
        assert isinstance(error, ConfigError)
        assert error.exit_code == 78
        assert "Elsewhere" in error.advice

        rename("Elsewhere", "Bounces")
        assert not trial.run().failures
        assert ground.strays(trial) == []


@pytest.fixture
def fragile_bounces(ground: Ground, fragile: Dovecot, tmp_path: Path) -> Ground:
    """Mail that lies in a folder of its own, which can be renamed."""
    other = Ground(ground.proxy, filled(fragile, 40, "Bounces"), tmp_path, batch_size=10, extra='folder = "Bounces"')
    other.learn()
    return other


def test_a_new_uidvalidity_is_read_from_the_beginning_and_changes_nothing_that_is_known(ground: Ground) -> None:
    with ground.trial() as trial:
        assert not trial.run().failures
        trial.user.renumber(trial.user.uidvalidity() + 1)
        assert not trial.run().failures
        assert not trial.run().failures
        assert differences(trial.rows(places=False), ground.people) == []
        assert trial.user.stored() == ground.folders


@pytest.mark.parametrize("at", [THIRD_FETCH, THIRD_MOVE], ids=["reading", "settling"])
def test_a_new_uidvalidity_in_the_middle_counts_nothing_twice(
    ground: Ground, meanwhile: Callable[[Point, Callable[[], object]], None], at: Point
) -> None:
    with ground.trial() as trial:
        meanwhile(at, lambda: trial.user.renumber(trial.user.uidvalidity() + 1))
        assert all(isinstance(error, UnavailableError) for _, error in trial.run().failures)
        ground.proxy.forget()
        assert not trial.run().failures
        assert differences(trial.rows(places=False), ground.people) == []
        assert trial.user.stored() == ground.folders


# ---- other programs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [THIRD_FETCH, THIRD_MOVE], ids=["reading", "settling"])
def test_what_somebody_else_deletes_is_missing_and_nothing_else(
    ground: Ground, meanwhile: Callable[[Point, Callable[[], object]], None], at: Point
) -> None:
    gone = {22, 24, 31, 39}
    with ground.trial() as trial:
        meanwhile(at, lambda: trial.user.expunge(gone))
        assert not trial.run().failures
        ground.proxy.forget()
        assert not trial.run().failures
        found = sum(trial.user.stored().values(), Counter[tuple[bytes, str]]())
        wanted = sum(ground.folders.values(), Counter[tuple[bytes, str]]())
        assert (found - wanted).total() == 0
        assert (wanted - found).total() == len(gone)
        assert trial.progress().unsettled == 0
        missing = ground.rows["message"] - trial.rows()["message"]
        assert missing.total() <= len(gone)


@pytest.mark.parametrize("at", [THIRD_FETCH, THIRD_MOVE], ids=["reading", "settling"])
def test_mail_and_marks_that_come_in_the_middle_are_no_answers_to_our_questions(
    ground: Ground, meanwhile: Callable[[Point, Callable[[], object]], None], at: Point
) -> None:
    def busy(user: MailUser) -> None:
        for number in range(3):
            user.deliver(dsn(f"late{number}@example.com", original=f"<late.{number}@sender.example>"))
        user.deliver(ORDINARY)
        with user.connected("INBOX") as client:
            client.add_flags(client.search(["UID", "30:*"]), b"\\Flagged")

    with ground.trial() as trial:
        meanwhile(at, lambda: busy(trial.user))
        assert not trial.run().failures
        ground.proxy.forget()
        assert not trial.run().failures
        assert trial.progress().recorded == ground.count + 4
        assert trial.progress().unsettled == 0
        assert ground.rows["message"] - trial.rows()["message"] == Counter()
        found, wanted = digests(trial.user.stored()), digests(ground.folders)
        assert wanted - found == Counter()
        assert Counter(folder for folder, _ in (found - wanted).elements()) == {"Processed": 3, "INBOX": 1}


def digests(folders: Folders) -> Counter[tuple[str, bytes]]:
    """Folder and digest of each message, whatever its flags."""
    return Counter((folder, digest) for folder, mails in folders.items() for digest, _ in mails.elements())
