"""Servers that can do less, and mail that is larger than any report: a cut loses nothing there either."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.crash.ground import Ground, filled
from tests.crash.rows import differences
from tests.servers.dovecot import start_dovecot
from tests.servers.proxy import Cut, Plan, Point, Proxy, Way
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.crash.ground import Folders, Trial

pytestmark = pytest.mark.server

ABILITIES = {
    "no MOVE": "IMAP4rev1 UIDPLUS NAMESPACE LITERAL+",
    "no UIDPLUS": "IMAP4rev1 MOVE NAMESPACE",
    "neither": "IMAP4rev1",
}
POINTS = {
    "no MOVE": [
        Point(Way.UP, -8, b"UID COPY", nth=3),
        Point(Way.UP, 12, b"UID COPY", nth=3),
        Point(Way.DOWN, 0, b"[COPYUID", nth=3),
        Point(Way.UP, -9, b"UID STORE", nth=3),
        Point(Way.UP, 12, b"UID STORE", nth=3),
        Point(Way.UP, -11, b"UID EXPUNGE", nth=3),
        Point(Way.UP, 12, b"UID EXPUNGE", nth=3),
        Point(Way.DOWN, 0, b"EXPUNGE", nth=3),
    ],
    "no UIDPLUS": [
        Point(Way.UP, -8, b"UID MOVE", nth=3),
        Point(Way.UP, 12, b"UID MOVE", nth=3),
        Point(Way.DOWN, 0, b"EXPUNGE", nth=3),
    ],
    "neither": [
        Point(Way.UP, -9, b"UID STORE", nth=3),
        Point(Way.UP, 12, b"UID STORE", nth=3),
    ],
}


@contextmanager
def able(abilities: str, folder: Path) -> Iterator[Ground]:
    with start_dovecot(capability=abilities) as server, Proxy(server.port) as proxy:
        ground = Ground(proxy, filled(server, 40), folder, batch_size=10)
        ground.learn()
        yield ground


def held(folders: Folders) -> dict[str, set[bytes]]:
    """By folder, which messages lie there, however often."""
    return {folder: {digest for digest, _ in mails} for folder, mails in folders.items()}


def test_without_move_a_cut_may_copy_twice_and_loses_nothing(tmp_path: Path) -> None:
    with able(ABILITIES["no MOVE"], tmp_path) as ground:
        for at in POINTS["no MOVE"]:
            with ground.disturbed(Cut(at)) as (trial, errors):
                assert len(errors) == 1, at
                assert differences(trial.rows(), ground.rows) == []
                folders = trial.user.stored()
                assert held(folders) == held(ground.folders), at
                assert folders["INBOX"] == ground.folders["INBOX"], at
                # A copy whose answer was lost is made again: that is what MOVE (RFC 6851) was invented for.
                assert ground.folders["Processed"] - folders["Processed"] == Counter(), at


def test_without_uidplus_a_move_is_still_one_step(tmp_path: Path) -> None:
    with able(ABILITIES["no UIDPLUS"], tmp_path) as ground:
        for at in POINTS["no UIDPLUS"]:
            with ground.disturbed(Cut(at)) as (trial, errors):
                assert len(errors) == 1, at
                assert ground.strays(trial) == [], at


def test_with_neither_nothing_leaves_the_folder(tmp_path: Path) -> None:
    with able(ABILITIES["neither"], tmp_path) as ground:
        for at in POINTS["neither"]:
            with ground.disturbed(Cut(at)) as (trial, errors):
                assert len(errors) == 1, at
                assert differences(trial.rows(), ground.rows) == []
                assert trial.user.stored()["INBOX"] == ground.folders["INBOX"], at
                assert ground.folders["INBOX"].total() == ground.count


HUGE = dsn("huge@example.com", original="<huge@sender.example>") + (b"x" * 76 + b"\n") * 700_000
LARGE = dsn("large@example.com", original="<large@sender.example>") + (b"y" * 76 + b"\n") * 100_000


def total(trial: Trial) -> int:
    return sum(mails.total() for mails in trial.user.stored().values())


def test_a_message_of_any_size_is_read_and_survives_a_cut_in_its_middle(ground: Ground) -> None:
    with ground.trial() as trial:
        trial.user.prefill([LARGE, HUGE])
        before = total(trial)
        for octets in (1_000, 3_000_000):
            ground.proxy.forget(Plan((Cut(Point(Way.DOWN, octets, b"BODY[] {780")),)))
            assert len(trial.run().failures) == 1
        ground.proxy.forget()
        assert not trial.run().failures
        assert trial.run().summaries[0].messages == 0
        assert total(trial) == before == ground.count + 2
        assert ground.rows["message"] - trial.rows()["message"] == Counter()
        for address in ("huge@example.com", "large@example.com"):
            trial.house.run("check", address, code=1)
        # Of the larger one, 1 MB is enough.
        assert ground.proxy.passed(Way.DOWN) < len(LARGE) * 1.1 + 1_200_000
