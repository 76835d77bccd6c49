"""Putting messages where they belong on a real server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import ConfigError, UnavailableError
from bounceproc.ports import Outcome, Settlement
from bounceproc.sources.imap import Disposal, ImapSource, disposing
from bounceproc.sources.imap.wire import Wire
from tests.servers.dovecot import QUOTA, start_dovecot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.servers.dovecot import MailUser

pytestmark = pytest.mark.server

SEEN = frozenset({b"\\Seen"})
DELETED = frozenset({b"\\Deleted"})
NONE: frozenset[bytes] = frozenset()


def message(number: int) -> bytes:
    return b"Subject: %d\r\n\r\nbody\r\n" % number


def settlements(
    user: MailUser, uids: Iterable[int], outcome: Outcome = Outcome.REPORT, folder: str = "INBOX"
) -> list[Settlement]:
    uidvalidity = user.uidvalidity(folder)
    return [Settlement(f"{folder};UIDVALIDITY={uidvalidity}/;UID={uid}", outcome) for uid in uids]


def settle(user: MailUser, due: list[Settlement], on_report: str = "move:Processed", **changes: object) -> None:
    with ImapSource(user.mailbox(on_report=Disposal.parse(on_report), **changes)) as source:
        source.settle(due)


def subjects(user: MailUser, folder: str = "INBOX") -> list[int]:
    return sorted(int(data.split()[1]) for _, _, data in user.messages(folder))


def test_a_move_makes_the_folder_and_shows_it(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 6))
    settle(mail_user, settlements(mail_user, [1, 2, 4]))
    assert subjects(mail_user) == [3, 5]
    assert subjects(mail_user, "Processed") == [1, 2, 4]
    assert mail_user.subscribed() == ["Processed"]


def test_every_outcome_goes_its_own_way(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 9))
    due = [
        *settlements(mail_user, [1, 2], Outcome.REPORT),
        *settlements(mail_user, [3, 4], Outcome.AUTO_REPLY),
        *settlements(mail_user, [5, 6], Outcome.UNRECOGNISED),
        *settlements(mail_user, [7, 8], Outcome.MALFORMED),
    ]
    settle(
        mail_user,
        due,
        "delete",
        on_auto_reply=Disposal.parse("seen"),
        on_malformed=Disposal.parse("move:Parked/Malformed"),
    )
    assert [(uid, flags) for uid, flags, _ in mail_user.messages()] == [(3, SEEN), (4, SEEN), (5, NONE), (6, NONE)]
    assert subjects(mail_user, "Parked/Malformed") == [7, 8]


def test_a_moved_message_stays_as_unread_as_it_was(mail_user: MailUser) -> None:
    mail_user.prefill([message(1)])
    settle(mail_user, settlements(mail_user, [1]))
    assert [flags for _, flags, _ in mail_user.messages("Processed")] == [NONE]


def test_without_move_messages_are_copied_and_only_they_are_expunged(user_without_move: MailUser) -> None:
    user = user_without_move
    user.prefill(message(n) for n in range(1, 5))
    with user.connected("INBOX") as client:
        client.delete_messages([4])  # by another program, whose business it is
    settle(user, settlements(user, [1, 2]))
    assert [(uid, flags) for uid, flags, _ in user.messages()] == [(3, NONE), (4, DELETED)]
    assert subjects(user, "Processed") == [1, 2]


def test_without_move_and_uidplus_messages_stay_and_are_marked_as_read(bare_user: MailUser) -> None:
    bare_user.prefill(message(n) for n in range(1, 4))
    settle(bare_user, settlements(bare_user, [1, 2]))
    settle(bare_user, settlements(bare_user, [1, 2]))  # again, as after a crash
    assert [(uid, flags) for uid, flags, _ in bare_user.messages()] == [(1, SEEN), (2, SEEN), (3, NONE)]
    assert bare_user.folders() == ["INBOX"]  # a copy beside the original would be one more each time


def test_without_uidplus_deleted_messages_keep_the_mark(bare_user: MailUser) -> None:
    bare_user.prefill(message(n) for n in range(1, 4))
    settle(bare_user, settlements(bare_user, [1, 3]), "delete")
    assert [(uid, flags) for uid, flags, _ in bare_user.messages()] == [(1, DELETED), (2, NONE), (3, DELETED)]


def test_a_server_with_its_own_prefix_and_border_gets_folders_it_understands(dotted_user: MailUser) -> None:
    dotted_user.prefill(message(n) for n in range(1, 3))
    settle(dotted_user, settlements(dotted_user, [1]), "move:Bounces/Done")
    settle(dotted_user, settlements(dotted_user, [2]), "move:INBOX.Bounces.Done")
    assert "INBOX.Bounces.Done" in dotted_user.folders()
    assert subjects(dotted_user, "INBOX.Bounces.Done") == [1, 2]


def test_a_message_that_lies_in_its_target_already_is_not_moved_round(dotted_user: MailUser) -> None:
    dotted_user.deliver(message(1), "INBOX.Done")
    due = settlements(dotted_user, [1], folder="INBOX.Done")
    settle(dotted_user, due, "move:Done", folder="INBOX.Done")
    assert dotted_user.uids("INBOX.Done") == [1]


def test_a_server_without_namespaces_says_its_border_in_list(plain_user: MailUser) -> None:
    plain_user.prefill([message(1)])
    settle(plain_user, settlements(plain_user, [1]), "move:Bounces/Done")
    assert subjects(plain_user, "Bounces/Done") == [1]


@pytest.mark.parametrize("folder", ["Rückläufer", 'the "done"', "100%", "a*b", "INBOX/Done"])
def test_a_target_may_have_any_name(mail_user: MailUser, folder: str) -> None:
    mail_user.prefill([message(1), message(2)])
    mail_user.create("100x", "aXb")
    settle(mail_user, settlements(mail_user, [1]), f"move:{folder}")
    settle(mail_user, settlements(mail_user, [2]), f"move:{folder}")
    assert subjects(mail_user, folder) == [1, 2]


def test_what_is_gone_is_settled(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 4))
    due = settlements(mail_user, [1, 2, 3, 99])
    mail_user.expunge([2])
    settle(mail_user, due)
    settle(mail_user, due)
    settle(mail_user, due, "delete")
    settle(mail_user, due, "seen")
    assert subjects(mail_user, "Processed") == [1, 3]


@pytest.mark.parametrize("how", ["move:Processed", "delete", "seen"])
@pytest.mark.parametrize("server", ["mail_user", "user_without_move", "bare_user"])
def test_a_message_that_vanishes_in_the_open_session_does_not_keep_the_others(
    server: str, how: str, request: pytest.FixtureRequest
) -> None:
    user: MailUser = request.getfixturevalue(server)
    user.prefill(message(n) for n in range(1, 6))
    due = settlements(user, [1, 2, 3])
    with ImapSource(user.mailbox(on_report=Disposal.parse(how))) as source:
        list(source.batches())
        with user.connected("INBOX") as client:
            client.delete_messages([2])
            client.expunge()
        source.settle(due)
    kept = {uid: flags for uid, flags, _ in user.messages()}
    assert kept.get(1) != NONE
    assert kept.get(3) != NONE
    assert kept[4] == kept[5] == NONE


def test_references_of_another_uidvalidity_or_of_no_folder_are_settled(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 3))
    settle(
        mail_user,
        [
            Settlement("INBOX;UIDVALIDITY=1/;UID=1", Outcome.REPORT),
            Settlement("Nowhere;UIDVALIDITY=1/;UID=1", Outcome.REPORT),
            Settlement("/var/mail/one.eml", Outcome.REPORT),
        ],
    )
    assert subjects(mail_user) == [1, 2]


def test_what_is_due_in_the_folder_of_an_earlier_configuration_is_settled_there(mail_user: MailUser) -> None:
    mail_user.deliver(message(1), "Old")
    mail_user.prefill([message(2)])
    with ImapSource(mail_user.mailbox(on_report=Disposal.parse("move:Processed"))) as source:
        source.settle(settlements(mail_user, [1], folder="Old"))
        (batch,) = source.batches()
    assert subjects(mail_user, "Old") == []
    assert subjects(mail_user, "Processed") == [1]
    assert [raw.data for raw in batch.messages] == [message(2)]


def test_a_full_account_keeps_what_is_due_and_says_what_to_do() -> None:
    with start_dovecot(capability="IMAP4rev1 UIDPLUS NAMESPACE LITERAL+", extra=QUOTA % 12) as server:
        user = server.new_user()
        user.prefill(message(n) for n in range(1, 11))
        due = settlements(user, range(1, 6))
        with pytest.raises(UnavailableError, match="the account is full: folder 'Processed'") as failed:
            settle(user, due)
        assert "Free space there or raise its quota" in failed.value.advice
        assert subjects(user) == list(range(1, 11))
        assert subjects(user, "Processed") == []
        user.expunge(range(6, 11))
        settle(user, due)
        assert (subjects(user), subjects(user, "Processed")) == ([], [1, 2, 3, 4, 5])
        user.close()


def test_the_folder_that_is_read_is_not_taken_for_settled_when_it_is_away(mail_user: MailUser) -> None:
    mail_user.deliver(message(1), "Bounces")
    due = settlements(mail_user, [1], folder="Bounces")
    with mail_user.connected() as client:
        client.rename_folder("Bounces", "Elsewhere")
    with pytest.raises(ConfigError, match="has no folder 'Bounces'"):
        settle(mail_user, due, folder="Bounces")
    with mail_user.connected() as client:
        client.rename_folder("Elsewhere", "Bounces")
    settle(mail_user, due, folder="Bounces")
    assert subjects(mail_user, "Processed") == [1]


def test_a_dry_run_only_looks(mail_user: MailUser, caplog: pytest.LogCaptureFixture) -> None:
    mail_user.prefill([message(1)])
    with (
        caplog.at_level(logging.DEBUG, "imapclient.imaplib"),
        ImapSource(mail_user.mailbox(on_report=Disposal.parse("delete")), dry_run=True) as source,
    ):
        assert len(list(source.batches())) == 1
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith(">")]
    assert any("EXAMINE" in line for line in said)
    assert not any(word in line for line in said for word in ("SELECT ", "ENABLE "))


def test_a_dry_run_touches_nothing(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 4))
    due = settlements(mail_user, [1, 2, 3])
    with ImapSource(mail_user.mailbox(on_report=Disposal.parse("delete")), dry_run=True) as source:
        assert len(list(source.batches())) == 1
        source.settle(due)
    assert [(uid, flags) for uid, flags, _ in mail_user.messages()] == [(1, NONE), (2, NONE), (3, NONE)]
    assert mail_user.folders() == ["INBOX"]


def test_settling_between_batches_disturbs_neither(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 26))
    seen = []
    with ImapSource(mail_user.mailbox(batch_size=10, on_report=Disposal.parse("move:Processed"))) as source:
        for batch in source.batches():
            seen += [raw.data for raw in batch.messages]
            source.settle([Settlement(raw.ref, Outcome.REPORT) for raw in batch.messages])
    assert seen == [message(n) for n in range(1, 26)]
    assert subjects(mail_user) == []
    assert subjects(mail_user, "Processed") == list(range(1, 26))


def test_a_target_folder_deleted_meanwhile_is_made_again(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 3))
    with ImapSource(mail_user.mailbox(on_report=Disposal.parse("move:Processed"))) as source:
        source.settle(settlements(mail_user, [1]))
        with mail_user.connected() as client:
            client.delete_folder("Processed")
        source.settle(settlements(mail_user, [2]))
    assert subjects(mail_user, "Processed") == [2]


def test_moves_are_made_many_at_a_time(
    mail_user: MailUser, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_user.prefill(message(n) for n in range(1, 1201))
    due = settlements(mail_user, range(1, 1201))
    monkeypatch.setattr(disposing, "QUICK", 60.0)  # whatever else this machine is doing
    moves: list[str] = []
    do = Wire.do

    def noted(wire: Wire, command: str) -> None:
        moves.append(command)
        do(wire, command)

    monkeypatch.setattr(Wire, "do", noted)
    with caplog.at_level(logging.DEBUG, "imapclient.imaplib"):
        settle(mail_user, due)
    commands = [record.getMessage() for record in caplog.records if record.getMessage().startswith(">")]
    assert [command for command in moves if "UID MOVE" in command] == [
        'UID MOVE 1:500 "Processed"',
        'UID MOVE 501:1200 "Processed"',
    ]
    assert len(commands) + len(moves) < 15
    assert subjects(mail_user, "Processed") == list(range(1, 1201))


def test_no_password_is_logged(mail_user: MailUser, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        settle(mail_user, [])
    assert caplog.records
    assert mail_user.password not in caplog.text
