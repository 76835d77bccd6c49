"""Values of one text: what they mean, and that they print back as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.config.values import Action, Disposal, Endpoint, Matcher, Secret, WrongValueError, is_loopback
from bounceproc.errors import ConfigError


@pytest.mark.parametrize("text", ["leave", "seen", "delete", "move:Processed", "move:Bounces/2026: done"])
def test_a_disposal_prints_back_as_it_was_written(text: str) -> None:
    assert str(Disposal.parse(text)) == text


def test_a_move_knows_its_folder_and_nothing_else_has_one() -> None:
    assert Disposal.parse("move: A b ") == Disposal(Action.MOVE, "A b")
    assert Disposal.parse("leave").folder is None


@pytest.mark.parametrize("text", ["", "keep", "Leave", "move", "move:", "move: ", "leave:x", "seen:", "move:a\x00b"])
def test_anything_else_is_no_disposal(text: str) -> None:
    with pytest.raises(WrongValueError, match="move:FOLDER"):
        Disposal.parse(text)


@pytest.mark.parametrize("text", ["127.0.0.1:8025", "[::1]:8025", "mail.example.com:1", "unix:/run/b.sock"])
def test_an_endpoint_prints_back_as_it_was_written(text: str) -> None:
    assert str(Endpoint.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        ":8025",
        "8025",
        "host",
        "host:",
        "host:0",
        "host:65536",
        "host:+1",
        "host:٣",
        "a b:1",
        "::1:1",
        "[]:1",
        "unix:",
    ],
)
def test_anything_else_is_nowhere_to_listen(text: str) -> None:
    with pytest.raises(WrongValueError, match="unix:PATH"):
        Endpoint.parse(text)


@given(st.text(max_size=40))
def test_what_is_an_endpoint_stays_the_same_when_it_is_written_and_read_again(text: str) -> None:
    try:
        endpoint = Endpoint.parse(text)
    except WrongValueError:
        return
    assert Endpoint.parse(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("127.0.0.1:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:x", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
    ],
)
def test_an_endpoint_knows_whether_others_can_reach_it(text: str, local: bool) -> None:
    assert Endpoint.parse(text).is_local is local


@pytest.mark.parametrize("host", ["localhost.example.com", "0.0.0.0", "127.0.0.1.nip.example", "10.0.0.1", "", "::"])
def test_nothing_but_this_machine_is_this_machine(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("kind", Matcher.KINDS)
def test_a_stream_is_known_by_one_sign(kind: str) -> None:
    assert Matcher.parse({kind: " X-Stream: news "}) == Matcher(kind, "X-Stream: news")


@pytest.mark.parametrize(
    "table", [None, [], {}, {"list_id": 3}, {"list_id": "a\nb"}, {"header": "X Y: z"}, {"header": ": z"}, {1: "x"}]
)
def test_anything_else_is_no_sign_of_a_stream(table: object) -> None:
    with pytest.raises(WrongValueError):
        Matcher.parse(table)


def test_a_secret_shows_where_it_lies_and_never_what_it_is() -> None:
    secret = Secret("mailbox a: password", "s3cret")

    assert "s3cret" not in f"{secret!r} {secret!s} {secret}"
    assert secret.read() == "s3cret"


def test_an_empty_secret_is_an_error_that_says_where() -> None:
    with pytest.raises(ConfigError, match="mailbox a: password: is empty"):
        Secret("mailbox a: password", "").read()


def test_a_secret_file_that_is_missing_says_which_and_what_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"password_file: .*/none cannot be read: No such file or directory\. Relative paths"
    ):
        Secret("password", file=tmp_path / "none").read()


def test_a_device_that_never_ends_is_no_secret() -> None:
    with pytest.raises(ConfigError, match="longer than 65536 octets"):
        Secret("password", file=Path("/dev/zero")).read()
