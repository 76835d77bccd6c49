"""What servers say that no server of ours says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import AccessError, BounceprocError, ConfigError, UnavailableError
from bounceproc.ports import Checkpoint, Outcome, Settlement
from bounceproc.sources.files import FileSource
from bounceproc.sources.imap import Disposal, ImapSource, Security
from bounceproc.sources.imap import connection as connection_module
from bounceproc.sources.imap import folders as folders_module
from tests.unit.sources.imap.conftest import AT_ONCE, STUMBLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bounceproc.ports import Source
    from bounceproc.rawmessage import RawMessage
    from tests.unit.sources.imap.conftest import ScriptedServer

HANG_UP = "hang up"


def read(server: ScriptedServer, checkpoint: Checkpoint | None = None) -> list[RawMessage]:
    with ImapSource(server.mailbox(), checkpoint) as source:
        return [raw for batch in source.batches() for raw in batch.messages]


def failure(server: ScriptedServer, kind: type[BounceprocError]) -> BounceprocError:
    with pytest.raises(kind) as failed:
        read(server)
    assert "Sesame" not in str(failed.value)
    return failed.value


def settle(server: ScriptedServer, *uids: int, on_report: str = "seen") -> None:
    with ImapSource(server.mailbox(on_report=Disposal.parse(on_report))) as source:
        source.settle([Settlement(f"INBOX;UIDVALIDITY=7/;UID={uid}", Outcome.REPORT) for uid in uids])


def test_both_are_sources(server: ScriptedServer) -> None:
    sources: tuple[Source, ...] = (ImapSource(server.mailbox()), FileSource([]))
    assert [source.name for source in sources] == ["returns", "files"]


# ---- reading ---------------------------------------------------------------------------------------------------------


def test_a_conversation_as_it_should_be(server: ScriptedServer) -> None:
    raws = read(server)
    assert [raw.data for raw in raws] == [b"one\r\n", b"two\r\n", b"thr\r\n"]
    assert [raw.ref for raw in raws] == [f"INBOX;UIDVALIDITY=7/;UID={uid}" for uid in (1, 2, 3)]
    assert server.commands[-1] == "LOGOUT"


def test_one_that_is_begun_early_is_opened_once_and_tells_when_only_the_folder_is_missing(
    server: ScriptedServer,
) -> None:
    source = ImapSource(server.mailbox())
    said: list[list[str]] = []
    source.begin(lambda: said.append([command.partition(" ")[0] for command in server.commands]))
    with source:
        assert source.messages == 3
        assert sum(len(batch.messages) for batch in source.batches()) == 3
    assert len(said) == 1
    assert {"LOGIN", "AUTHENTICATE"} & {*said[0]}
    assert "SELECT" not in said[0]
    assert sum(command.startswith("SELECT") for command in server.commands) == 1


def test_dates_are_utc_and_an_impossible_one_is_none(server: ScriptedServer) -> None:
    assert [raw.received_at for raw in read(server)] == [
        datetime(2026, 11, 24, 1, tzinfo=UTC),
        datetime(2026, 11, 4, 3, tzinfo=UTC),
        None,
    ]


def test_one_message_that_the_server_stumbles_over_does_not_take_the_others_along(server: ScriptedServer) -> None:
    server.say(STUMBLES)
    server.say(
        {
            "UID FETCH 1:3 (BODY.PEEK[])": ["* 1 FETCH (UID 1 BODY[] {{5}}\r\none\r\n)", "{tag} NO corrupt message"],
            "UID FETCH 1 ": ["* 1 FETCH (UID 1 BODY[] {{5}}\r\none\r\n)", "{tag} OK done"],
            "UID FETCH 2 ": ["{tag} NO corrupt message"],
            "UID FETCH 3 ": ["* 3 FETCH (UID 3 BODY[] {{5}}\r\nthr\r\n)", "{tag} OK done"],
        }
    )
    one, two, three = read(server)
    assert (one.data, two.data, three.data) == (b"one\r\n", b"", b"thr\r\n")
    assert two.error is not None
    assert "corrupt message" in two.error
    assert one.error is three.error is None


def test_a_conversation_that_ends_while_messages_are_tried_one_by_one(server: ScriptedServer) -> None:
    server.say(STUMBLES)
    server.say({"UID FETCH 1:3 (BODY.PEEK[])": ["{tag} NO corrupt message"], "UID FETCH 1 ": [HANG_UP]})
    assert "ended the conversation" in failure(server, UnavailableError).what


def test_an_empty_message_is_a_message(server: ScriptedServer) -> None:
    server.say({AT_ONCE: ["* 1 FETCH (UID 1 BODY[]<0> {{0}}\r\n)", "{tag} OK done"]})
    server.say({"UID FETCH 2:3 (RFC822.SIZE INTERNALDATE)": ["{tag} OK done"]})
    (raw,) = read(server)
    assert (raw.data, raw.error) == (b"", None)


def test_an_empty_message_is_a_message_where_sizes_were_asked_for(server: ScriptedServer) -> None:
    server.say(STUMBLES)
    server.say({"UID FETCH 1:3 (BODY.PEEK[])": ["* 1 FETCH (UID 1 BODY[] {{0}}\r\n)", "{tag} OK done"]})
    (raw,) = read(server)
    assert (raw.data, raw.error) == (b"", None)


def test_what_is_longer_is_asked_for_by_its_size_and_the_order_stays(server: ScriptedServer) -> None:
    longer = "x" * 16_384
    server.say(
        {
            AT_ONCE: [
                '* 1 FETCH (UID 1 INTERNALDATE "24-Nov-2026 02:00:00 +0100" BODY[]<0> {{5}}\r\none\r\n)',
                f'* 2 FETCH (UID 2 INTERNALDATE "24-Nov-2026 02:00:00 +0100" BODY[]<0> {{{{16384}}}}\r\n{longer})',
                '* 3 FETCH (UID 3 INTERNALDATE "24-Nov-2026 02:00:00 +0100" BODY[]<0> {{5}}\r\nthr\r\n)',
                "{tag} OK done",
            ],
            "UID FETCH 2 (RFC822.SIZE INTERNALDATE)": [
                '* 2 FETCH (UID 2 RFC822.SIZE 16386 INTERNALDATE "24-Nov-2026 02:00:00 +0100")',
                "{tag} OK done",
            ],
            "UID FETCH 2 (BODY.PEEK[])": [
                f"* 2 FETCH (UID 2 BODY[] {{{{16386}}}}\r\n{longer}\r\n)",
                "{tag} OK done",
            ],
        }
    )
    raws = read(server)
    assert [raw.ref[-1] for raw in raws] == ["1", "2", "3"]
    assert [len(raw.data) for raw in raws] == [5, 16_386, 5]
    assert len({raw.received_at for raw in raws}) == 1


def test_a_server_that_gives_whole_messages_for_their_beginnings_is_understood(server: ScriptedServer) -> None:
    server.say({AT_ONCE: [line.replace("<0>", "") for line in server.answers[AT_ONCE]]})
    assert [raw.data for raw in read(server)] == [b"one\r\n", b"two\r\n", b"thr\r\n"]


def test_size_and_date_may_be_missing(server: ScriptedServer) -> None:
    server.say(STUMBLES)
    server.say({"UID FETCH 1:3 (RFC822.SIZE INTERNALDATE)": ["* 1 FETCH (UID 1 FLAGS ())", "{tag} OK done"]})
    server.say({"UID FETCH 1 ": ["* 1 FETCH (UID 1 BODY[] {{5}}\r\none\r\n)", "{tag} OK done"]})
    (raw,) = read(server)
    assert (raw.data, raw.received_at) == (b"one\r\n", None)


@pytest.mark.parametrize(("still_there", "expected"), [("1 2 3", 3), ("1 3", 2)])
def test_a_message_without_content_is_parked_unless_it_is_gone(
    server: ScriptedServer, still_there: str, expected: int
) -> None:
    server.say(STUMBLES)
    server.say(
        {
            "UID FETCH 1:3 (BODY.PEEK[])": [
                "* 1 FETCH (UID 1 BODY[] {{5}}\r\none\r\n)",
                "* 2 FETCH (UID 2 BODY[] NIL)",
                "* 3 FETCH (UID 3 BODY[] {{5}}\r\nthr\r\n)",
                "{tag} OK done",
            ],
            "UID SEARCH UID 2": [f"* SEARCH {still_there}", "{tag} OK done"],
        }
    )
    raws = read(server)
    assert len(raws) == expected
    assert [raw.ref[-1] for raw in raws if raw.error] == (["2"] if expected == 3 else [])


def test_uids_that_were_not_asked_for_are_not_taken(server: ScriptedServer) -> None:
    # `UID 4:*` means 3:4 where 3 is the last: the server gives what the range says, backwards.
    server.say({"SELECT": [line.replace("UIDNEXT 4", "UIDNEXT 9") for line in server.answers["SELECT"]]})
    server.say({"UID SEARCH": ["* SEARCH 3", "{tag} OK done"]})
    assert read(server, Checkpoint("INBOX", 7, 3)) == []


def test_a_server_without_uidvalidity_is_read_from_the_beginning_each_time(server: ScriptedServer) -> None:
    server.say({"SELECT": [line for line in server.answers["SELECT"] if "UIDVALIDITY" not in line]})
    assert len(read(server, Checkpoint("INBOX", 0, 2))) == 3


def test_a_server_without_uidnext_is_searched_to_the_end(server: ScriptedServer) -> None:
    server.say({"SELECT": [line for line in server.answers["SELECT"] if "UIDNEXT" not in line]})
    assert len(read(server)) == 3
    assert "UID SEARCH UID 1:4294967295" in server.commands


def test_a_large_folder_is_searched_in_windows(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders_module, "MAX_FOUND", 2)
    server.say(
        {
            "UID SEARCH UID 1:2": ["* SEARCH 1 2", "{tag} OK done"],
            "UID SEARCH UID 3:3": ["* SEARCH 3", "{tag} OK done"],
        }
    )
    assert len(read(server)) == 3


# ---- the connection --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["CAPABILITY", "AUTHENTICATE PLAIN", "SELECT", "UID SEARCH", "UID FETCH 1:3 ("])
@pytest.mark.parametrize("answer", [[HANG_UP], ["* BYE shutting down", HANG_UP]])
def test_a_conversation_that_ends_is_an_unavailable_service(
    server: ScriptedServer, moment: str, answer: list[str]
) -> None:
    server.answers = {key: value for key, value in server.answers.items() if not key.startswith(moment)}
    server.say({moment: answer})
    error = failure(server, UnavailableError)
    assert "ended the conversation" in error.what
    assert error.retry


def test_a_message_cut_off_in_the_middle_is_an_unavailable_service(server: ScriptedServer) -> None:
    server.say({AT_ONCE: ["* 1 FETCH (UID 1 BODY[]<0> {{500}}\r\none", HANG_UP]})
    assert "ended the conversation" in failure(server, UnavailableError).what
    server.say(STUMBLES)
    server.say({"UID FETCH 1:3 (BODY.PEEK[])": ["* 1 FETCH (UID 1 BODY[] {{500}}\r\none", HANG_UP]})
    assert "ended the conversation" in failure(server, UnavailableError).what


def test_an_interrupted_answer_is_hung_up_on(server: ScriptedServer) -> None:
    with pytest.raises(KeyboardInterrupt), ImapSource(server.mailbox()):
        raise KeyboardInterrupt
    assert "LOGOUT" not in server.commands


def test_a_server_that_is_gone_at_the_end_is_no_error(server: ScriptedServer) -> None:
    server.say({"LOGOUT": [HANG_UP]})
    assert len(read(server)) == 3


def test_a_server_that_falls_silent_is_an_unavailable_service(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT", 0.2)
    monkeypatch.setattr(connection_module, "GOODBYE_TIMEOUT", 0.2)
    server.say({"SELECT": ["* 3 EXISTS"]})
    assert "does not answer in time" in failure(server, UnavailableError).what


@pytest.mark.parametrize("greeting", ["* BYE too many connections", "220 mail.example.com ESMTP", "HTTP/1.1 400 Bad"])
def test_a_greeting_that_is_none_is_an_unavailable_service(server: ScriptedServer, greeting: str) -> None:
    server.greeting = greeting
    error = failure(server, UnavailableError)
    assert greeting[2:] in error.what


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("NO [AUTHENTICATIONFAILED] wrong password", AccessError),
        ("NO invalid credentials for Sesame", AccessError),
        ("NO [UNAVAILABLE] the directory is down", UnavailableError),
        ("NO [LIMIT] too many connections", UnavailableError),
    ],
)
def test_a_refused_login_says_whether_waiting_helps(
    server: ScriptedServer, answer: str, kind: type[BounceprocError]
) -> None:
    server.say({"AUTHENTICATE PLAIN": [f"{{tag}} {answer}"]})
    error = failure(server, kind)
    assert answer.removeprefix("NO ").replace("Sesame", "***") in error.what


def test_a_servers_words_are_bounded_and_printable(server: ScriptedServer) -> None:
    server.say({"AUTHENTICATE PLAIN": ["{tag} NO \x1b[31m" + "x" * 5000]})
    error = failure(server, AccessError)
    assert "\x1b" not in error.what
    assert len(error.what) < 400


def test_login_serves_where_plain_is_not_offered(server: ScriptedServer) -> None:
    server.say({"CAPABILITY": ["* CAPABILITY IMAP4rev1", "{tag} OK done"]})
    assert len(read(server)) == 3
    assert [command for command in server.commands if command.startswith("LOGIN")] == ['LOGIN bounces "Sesame"']


def test_a_refused_login_command_is_access_refused(server: ScriptedServer) -> None:
    server.say({"CAPABILITY": ["* CAPABILITY IMAP4rev1", "{tag} OK done"], "LOGIN": ["{tag} NO wrong"]})
    assert failure(server, AccessError).what.endswith(": wrong")


@pytest.mark.parametrize("changes", [{"user": "two words"}, {"password": "Löwe"}])
def test_what_login_cannot_carry_is_not_sent(server: ScriptedServer, changes: dict[str, str]) -> None:
    server.say({"CAPABILITY": ["* CAPABILITY IMAP4rev1", "{tag} OK done"]})
    with pytest.raises(ConfigError, match="ASCII"), ImapSource(server.mailbox(**changes)):
        pass
    assert not [command for command in server.commands if command.startswith("LOGIN")]


def test_a_server_that_takes_no_password_unprotected_gets_none(server: ScriptedServer) -> None:
    server.say({"CAPABILITY": ["* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED", "{tag} OK done"]})
    error = failure(server, ConfigError)
    assert 'Set security to "tls" or "starttls"' in error.advice
    assert server.commands == ["CAPABILITY"]


def test_where_starttls_is_not_offered_no_password_is_sent(server: ScriptedServer) -> None:
    with (
        pytest.raises(ConfigError, match="offers no STARTTLS"),
        ImapSource(server.mailbox(security=Security.STARTTLS)),
    ):
        pass
    assert server.commands == ["CAPABILITY"]


def test_a_greeting_that_claims_to_know_us_does_not_get_round_starttls(server: ScriptedServer) -> None:
    server.greeting = "* PREAUTH welcome"
    server.say({"CAPABILITY": ["* CAPABILITY IMAP4rev1 STARTTLS", "{tag} OK done"]})
    with pytest.raises(UnavailableError), ImapSource(server.mailbox(security=Security.STARTTLS)):
        pass
    assert set(server.commands) == {"CAPABILITY"}


# ---- settling --------------------------------------------------------------------------------------------------------


def test_a_refused_command_is_tried_once_more_with_what_is_left(server: ScriptedServer) -> None:
    server.say(
        {
            "UID STORE 1:3": ["{tag} NO some of the messages are gone"],
            "UID SEARCH": ["* SEARCH 1 3", "{tag} OK done"],
            "UID STORE 1,3": ["{tag} OK done"],
        }
    )
    settle(server, 1, 2, 3)
    assert [command for command in server.commands if command.startswith("UID STORE")] == [
        "UID STORE 1:3 +FLAGS.SILENT (\\Seen)",
        "UID STORE 1,3 +FLAGS.SILENT (\\Seen)",
    ]


def test_a_refused_command_is_not_tried_again_when_nothing_is_left(server: ScriptedServer) -> None:
    server.say({"UID STORE": ["{tag} NO all gone"], "UID SEARCH": ["* SEARCH", "{tag} OK done"]})
    settle(server, 1, 2, 3)
    assert len([command for command in server.commands if command.startswith("UID STORE")]) == 1


@pytest.mark.parametrize("moment", ["UID MOVE", "LIST", "CREATE", "SUBSCRIBE"])
def test_a_conversation_that_ends_while_settling_leaves_the_rest_due(server: ScriptedServer, moment: str) -> None:
    server.say({"LIST": ["{tag} OK done"], "CREATE": ["{tag} OK done"], "SUBSCRIBE": ["{tag} OK done"]})
    server.say({"UID MOVE": ["{tag} OK done"]} | {moment: [HANG_UP]})
    with pytest.raises(UnavailableError, match="ended the conversation"):
        settle(server, 1, on_report="move:Processed")


def test_mail_that_came_elsewhere_can_be_moved_to_the_inbox(server: ScriptedServer) -> None:
    server.say({"LIST": ['* LIST () "/" INBOX', "{tag} OK done"], "UID MOVE": ["{tag} OK done"]})
    with ImapSource(server.mailbox(folder="Junk", on_report=Disposal.parse("move:inbox"))) as source:
        source.settle([Settlement("Junk;UIDVALIDITY=7/;UID=1", Outcome.REPORT)])
    assert 'UID MOVE 1 "inbox"' in server.commands


@pytest.mark.parametrize(
    ("answer", "kind"), [("NO [OVERQUOTA] full", UnavailableError), ("NO [NOPERM] not yours", AccessError)]
)
def test_a_move_that_is_refused_for_good_is_told(
    server: ScriptedServer, answer: str, kind: type[BounceprocError]
) -> None:
    server.say(
        {
            "LIST": ['* LIST () "/" Processed', "{tag} OK done"],
            "UID MOVE": [f"{{tag}} {answer}"],
        }
    )
    with pytest.raises(kind, match=answer[-4:]):
        settle(server, 1, 2, 3, on_report="move:Processed")


def test_a_folder_that_may_only_be_read_is_access_refused(server: ScriptedServer) -> None:
    server.say({"SELECT": [line.replace("READ-WRITE", "READ-ONLY") for line in server.answers["SELECT"]]})
    with pytest.raises(AccessError, match="but not change it") as failed:
        settle(server, 1)
    assert "leave" in failed.value.advice


def test_a_target_folder_that_cannot_be_made_is_told(server: ScriptedServer) -> None:
    server.say({"LIST": ['* LIST (\\Noselect) "/" ""', "{tag} OK done"], "CREATE": ["{tag} NO [CANNOT] never"]})
    with pytest.raises(UnavailableError, match="never"):
        settle(server, 1, on_report="move:Processed")


def test_a_target_folder_that_another_program_makes_first_serves(server: ScriptedServer) -> None:
    class Made(list[str]):
        """Nothing there when asked the first times, then the folder."""

        asked = 0

        def __iter__(self) -> Iterator[str]:
            Made.asked += 1
            yield from ['* LIST () "/" Processed', "{tag} OK done"] if Made.asked > 3 else ["{tag} OK done"]

    server.say({"LIST": Made(), "CREATE": ["{tag} NO [ALREADYEXISTS] too late"], "SUBSCRIBE": ["{tag} NO why"]})
    server.say({"UID MOVE": ["{tag} OK done"]})
    settle(server, 1, on_report="move:Processed")
    assert server.commands[-2:] == ['UID MOVE 1 "Processed"', "LOGOUT"]


def test_nothing_due_asks_nothing(server: ScriptedServer) -> None:
    settle(server, 1, 2, on_report="leave")
    assert not [command for command in server.commands if command.startswith(("SELECT", "UID"))]


def test_outside_its_block_a_source_has_no_connection(server: ScriptedServer) -> None:
    with pytest.raises(RuntimeError, match="context manager"):
        next(ImapSource(server.mailbox()).batches())
