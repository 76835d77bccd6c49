"""A log line is one line, bounded, machine-readable where asked for, and holds no secret in any form."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.service import logs
from bounceproc.service.logs import JsonFormatter, TextFormatter, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = "a\nb\x1b[31m\u202e\u2028c"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger(logs.NAME)
    before = (list(root.handlers), root.level, own.level, logging.raiseExceptions)
    yield
    root.handlers[:], root.level, own.level, logging.raiseExceptions = before
    own.setLevel(before[2])  # forgets what it remembered of its level


def written(form: str, *, level: str = "debug", secrets: tuple[str, ...] = (), **fields: Any) -> str:
    stream = io.StringIO()
    logs.set_up(form=form, level=level, secrets=secrets, stream=stream)
    tell(logging.INFO, fields.pop("message", "batch recorded"), **fields)
    return stream.getvalue()


def test_text_names_the_place_first_and_quotes_what_has_spaces() -> None:
    line = written("text", mailbox="returns", folder="INBOX", messages=5, reason="no recipient", message_id=None)

    assert line.endswith('Z info returns INBOX: batch recorded messages=5 reason="no recipient"\n')


def test_json_is_one_object_with_the_fields_as_they_are() -> None:
    line = json.loads(written("json", mailbox="returns", uid=7, seconds=0.25))

    assert line | {"time": ""} == {
        "time": "",
        "level": "info",
        "message": "batch recorded",
        "mailbox": "returns",
        "uid": 7,
        "seconds": 0.25,
    }
    assert line["time"].endswith("Z")


@pytest.mark.parametrize("form", ["text", "json"])
def test_control_characters_break_no_line_and_command_no_terminal(form: str) -> None:
    line = written(form, message=HOSTILE, message_id=HOSTILE, mailbox=HOSTILE)

    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("secret", ["hunter22", 'qu"o\\te', "sl/ash@sign", "lö we"])
def test_a_secret_is_hidden_in_each_of_its_forms(form: str, secret: str) -> None:
    from urllib.parse import quote

    error = ValueError(f"postgresql://user:{quote(secret, safe='')}@host said {secret!r}")
    line = written(form, secrets=(secret,), message=f"refused: {secret}", reason=secret, error=error)

    assert logs.HIDDEN in line
    for shape in (secret, quote(secret, safe=""), repr(secret)[1:-1], json.dumps(secret)[1:-1]):
        assert shape not in line


def test_secrets_of_before_stay_hidden_after_a_reload() -> None:
    written("text", secrets=("old-secret",))

    assert "old-secret" not in written("text", secrets=("new-secret",), reason="old-secret new-secret")


def test_a_value_is_cut_and_an_error_names_its_place() -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("x" * 10_000)
    line = written("text", error=caught.value)

    assert len(line) < 1000
    assert "exception=" in line
    assert "at=test_logs.py:" in line


def test_lines_below_the_level_are_left_out() -> None:
    assert written("text", level="warning") == ""


def test_a_full_disk_behind_standard_error_stops_nothing() -> None:
    class Full(io.StringIO):
        def write(self, text: str, /) -> int:
            raise OSError(28, "No space left on device")

    logs.set_up(stream=Full())
    tell(logging.ERROR, "lost")


def test_the_journal_gets_priorities_in_place_of_the_time() -> None:
    record = logging.LogRecord("bounceproc", logging.WARNING, "", 0, "lost", None, None)

    assert TextFormatter(journal=True).format(record) == "<4>lost"
    assert json.loads(JsonFormatter().format(record))["level"] == "warning"
