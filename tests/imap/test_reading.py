"""Reading a folder on a real server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import ConfigError, UnavailableError
from bounceproc.ports import Checkpoint
from bounceproc.sources.imap import Disposal, ImapSource

if TYPE_CHECKING:
    from bounceproc.ports import MessageBatch
    from bounceproc.rawmessage import RawMessage
    from tests.servers.dovecot import MailUser

pytestmark = pytest.mark.server


def message(number: int, octets: int = 0) -> bytes:
    return b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * octets)


def read(source: ImapSource) -> list[MessageBatch]:
    with source:
        return list(source.batches())


def all_messages(batches: list[MessageBatch]) -> list[RawMessage]:
    return [raw for batch in batches for raw in batch.messages]


def test_every_message_comes_once_in_order_and_as_it_is(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 8))
    raws = all_messages(read(ImapSource(mail_user.mailbox())))
    assert [raw.data for raw in raws] == [message(n) for n in range(1, 8)]
    assert all(raw.error is None for raw in raws)


def test_a_reference_names_folder_uidvalidity_and_uid(mail_user: MailUser) -> None:
    mail_user.deliver(message(1))
    (raw,) = all_messages(read(ImapSource(mail_user.mailbox())))
    assert raw.ref == f"INBOX;UIDVALIDITY={mail_user.uidvalidity()}/;UID=1"


def test_the_internal_date_is_the_moment_of_receipt_in_utc(mail_user: MailUser) -> None:
    delivered = datetime(2026, 11, 20, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    mail_user.deliver(message(1), internaldate=delivered)
    (raw,) = all_messages(read(ImapSource(mail_user.mailbox())))
    assert raw.received_at == delivered
    assert raw.received_at.tzinfo is UTC


def test_an_empty_folder_gives_no_batch(mail_user: MailUser) -> None:
    assert read(ImapSource(mail_user.mailbox())) == []


def test_batches_are_bounded_by_their_number_of_messages(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 26))
    batches = read(ImapSource(mail_user.mailbox(batch_size=10)))
    assert [len(batch.messages) for batch in batches] == [10, 10, 5]
    assert [batch.checkpoint.uid for batch in batches if batch.checkpoint] == [10, 20, 25]
    assert {batch.total for batch in batches} == {25}


def test_batches_are_bounded_by_their_octets_and_a_larger_message_goes_alone(mail_user: MailUser) -> None:
    mail_user.prefill(message(n, octets) for n, octets in enumerate((400, 400, 400, 5000, 400, 400), 1))
    batches = read(ImapSource(mail_user.mailbox(), max_batch_bytes=1000))
    assert [len(batch.messages) for batch in batches] == [2, 1, 1, 2]
    assert [batch.checkpoint.uid for batch in batches if batch.checkpoint] == [2, 3, 4, 6]


def test_of_a_message_over_the_limit_only_the_head_is_read(mail_user: MailUser) -> None:
    large = message(2, 3 * 1024 * 1024)
    mail_user.prefill([message(1), large, message(3)])
    raws = all_messages(read(ImapSource(mail_user.mailbox(max_message_mb=2))))
    assert [raw.data for raw in raws] == [message(1), large[: 1024 * 1024], message(3)]
    assert [raw.error for raw in raws] == [None, None, None]


@pytest.mark.parametrize("dry_run", [False, True])
def test_reading_leaves_no_trace(mail_user: MailUser, dry_run: bool) -> None:
    mail_user.prefill(message(n) for n in range(1, 4))
    before = mail_user.messages()
    read(ImapSource(mail_user.mailbox(on_report=Disposal.parse("move:Processed")), dry_run=dry_run))
    assert mail_user.messages() == before
    assert all(flags == frozenset() for _, flags, _ in before)
    assert mail_user.folders() == ["INBOX"]


def test_a_checkpoint_is_where_the_next_run_begins(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 6))
    (first,) = read(ImapSource(mail_user.mailbox()))
    assert first.checkpoint == Checkpoint("INBOX", mail_user.uidvalidity(), 5)
    # Nothing new: `UID n:*` alone would give the last message again.
    assert read(ImapSource(mail_user.mailbox(), first.checkpoint)) == []
    mail_user.deliver(message(6))
    (second,) = read(ImapSource(mail_user.mailbox(), first.checkpoint))
    assert [raw.data for raw in second.messages] == [message(6)]
    assert second.total == 1


def test_another_uidvalidity_starts_from_the_beginning(mail_user: MailUser) -> None:
    mail_user.deliver(message(1), "Bounces")
    mail_user.deliver(message(2), "Bounces")
    mailbox = mail_user.mailbox(folder="Bounces")
    (before,) = read(ImapSource(mailbox))
    with mail_user.connected() as client:
        client.delete_folder("Bounces")
    mail_user.deliver(message(3), "Bounces")
    (after,) = read(ImapSource(mailbox, before.checkpoint))
    assert [raw.data for raw in after.messages] == [message(3)]
    assert before.checkpoint is not None
    assert after.checkpoint is not None
    assert after.checkpoint.uidvalidity != before.checkpoint.uidvalidity


def test_a_checkpoint_of_another_folder_says_nothing(mail_user: MailUser) -> None:
    mail_user.prefill([message(1)])
    other = Checkpoint("Elsewhere", mail_user.uidvalidity(), 7)
    assert len(read(ImapSource(mail_user.mailbox(), other))) == 1


def test_a_message_that_vanishes_between_search_and_fetch_is_left_out(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 7))
    with ImapSource(mail_user.mailbox(batch_size=2)) as source:
        batches = source.batches()
        next(batches)
        mail_user.expunge([3, 5, 6])
        rest = list(batches)
    assert [raw.data for raw in all_messages(rest)] == [message(4)]


def test_a_message_that_vanishes_between_listing_and_fetching_is_left_out(mail_user: MailUser) -> None:
    mail_user.prefill(message(n, 400) for n in range(1, 9))
    with ImapSource(mail_user.mailbox(), max_batch_bytes=1000) as source:
        batches = source.batches()
        first = next(batches)
        mail_user.expunge([3, 5, 6])
        rest = list(batches)
    assert [raw.data for raw in all_messages([first, *rest])] == [message(n, 400) for n in (1, 2, 4, 7, 8)]


def test_a_run_ends_with_what_lay_there_when_it_began(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 5))
    with ImapSource(mail_user.mailbox(batch_size=2)) as source:
        batches = source.batches()
        next(batches)
        mail_user.deliver(message(5))
        assert len(list(batches)) == 1
        assert [raw.data for raw in all_messages(list(source.batches()))] == [message(5)]


def test_a_batch_that_was_not_accepted_comes_again(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 5))
    with ImapSource(mail_user.mailbox(batch_size=2)) as source:
        batches = source.batches()
        next(batches)
        next(batches)  # asking for the second says that the first is recorded
        batches = source.batches()
        assert [raw.data for raw in next(batches).messages] == [message(3), message(4)]


@pytest.mark.parametrize(
    "folder", ["Bounces 2026", 'the "returns"', "Rückläufer", "a&b", "100%", "back\\slash", "返送/十一月", "a;b"]
)
def test_folder_names_are_what_people_call_them(mail_user: MailUser, folder: str) -> None:
    mail_user.deliver(message(1), folder)
    (batch,) = read(ImapSource(mail_user.mailbox(folder=folder)))
    assert batch.checkpoint == Checkpoint(folder, mail_user.uidvalidity(folder), 1)


def test_a_missing_folder_is_named_together_with_those_that_exist(mail_user: MailUser) -> None:
    mail_user.create("Bounces", "Archive")
    with pytest.raises(ConfigError, match="mailbox 'returns' has no folder 'Bounced'") as failed:
        read(ImapSource(mail_user.mailbox(folder="Bounced")))
    assert failed.value.advice == 'Did you mean "Bounces"? There are: Archive, Bounces, INBOX.'


def test_a_folder_without_the_servers_prefix_is_recognised_in_the_advice(dotted_user: MailUser) -> None:
    dotted_user.create("INBOX.Bounces")
    with pytest.raises(ConfigError) as failed:
        read(ImapSource(dotted_user.mailbox(folder="bounces")))
    assert failed.value.advice.startswith('Did you mean "INBOX.Bounces"? There are: INBOX, INBOX.Bounces')


def test_a_folder_made_anew_during_the_run_ends_it(mail_user: MailUser) -> None:
    for number in (1, 2, 3, 4):
        mail_user.deliver(message(number), "Bounces")
    source = ImapSource(mail_user.mailbox(folder="Bounces", batch_size=2, on_report=Disposal.parse("seen")))
    with source:
        batches = source.batches()
        next(batches)
        with mail_user.connected() as client:
            client.delete_folder("Bounces")
        mail_user.deliver(message(5), "Bounces")
        source._selected = None  # as after settling
        with pytest.raises(UnavailableError, match="was made anew"):
            next(batches)


def test_two_thousand_messages_are_read_in_four_batches(mail_user: MailUser) -> None:
    mail_user.prefill(message(n, 1000) for n in range(1, 2001))
    batches = read(ImapSource(mail_user.mailbox()))
    assert [len(batch.messages) for batch in batches] == [500] * 4
    assert [raw.data for raw in all_messages(batches)] == [message(n, 1000) for n in range(1, 2001)]
    reached = [batch.checkpoint.uid for batch in batches if batch.checkpoint]
    assert all(one < other for one, other in pairwise(reached))


def test_a_session_that_the_server_ends_is_an_unavailable_service(mail_user: MailUser) -> None:
    mail_user.prefill(message(n) for n in range(1, 5))
    with ImapSource(mail_user.mailbox(batch_size=2)) as source:
        batches = source.batches()
        next(batches)
        mail_user.kick()
        with pytest.raises(UnavailableError, match="ended the conversation") as failed:
            next(batches)
    assert failed.value.retry
