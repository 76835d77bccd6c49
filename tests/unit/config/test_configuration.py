"""Config: where values come from, what is refused and how that is said, and what is never shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import FrozenInstanceError, asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bounceproc.config import Action, Auth, Config, Disposal, Endpoint, Matcher, Mode, OnError, Security
from bounceproc.config.configuration import hidden_url
from bounceproc.config.sections import MAX_MESSAGES, POLICY
from bounceproc.errors import ConfigError
from bounceproc.policy.history import KEPT_PER_GROUP
from bounceproc.policy.settings import Policy, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

MAILBOX = """\
[[mailbox]]
name = "returns"
host = "imap.example.com"
user = "bounces@example.com"
password_file = "secrets/returns"
"""

FULL = """\
[database]
url = "postgresql+psycopg://bounceproc:hunter2@db.example.com/bounces"

[privacy]
pepper_file = "keys/pepper"
hash_only = true
[retention]
raw = 7
events = 0
[[mailbox]]
name = "returns"
host = "imap.example.com"
port = 1993
security = "tls"
user = "bounces@example.com"
password_file = "secrets/returns"
auth = "password"
folder = "INBOX"
batch_size = 100
on_report = "move:Done/2026"
on_auto_reply = "seen"
on_unrecognised = "leave"
on_malformed = "move:Malformed"
[[mailbox]]
name = "fbl"
host = "localhost"
security = "none"
user = "fbl"
auth = "xoauth2-microsoft"
oauth_client_id = "app"
oauth_tenant = "contoso.example"
oauth_client_secret = "hunter6"

[identity]
domains = ["Example.COM", "bücher.example"]
token_secret = "hunter3"
trusted_authserv = ["mx.example.com"]
extension_delimiter = "+-"
nameservers = ["127.0.0.1", "[::1]:5353"]
dkim = false
[[feedback_loop]]
name = "Local"
senders = ["FBL@Loop.example", ".loops.example", "bücher.example"]
signed_by = ["loops.example"]
[[stream]]
name = "news"
match = { list_id = "news.example.com" }
[[stream]]
name = "receipts"
match = { header = "X-Stream: receipts" }
[policy]
mode = "observe"
mailbox-full = { messages = 5 }
[policy.domain]
addresses = 2
[serve]
http = "[::1]:8025"
socketmap = "unix:run/socketmap"
policy = "off"
on_error = "closed"
tokens_file = "/run/secrets/tokens"
[lookup]
extension = true
"""


@pytest.fixture(autouse=True)
def _no_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that runs the tests may have a configuration of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "site"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc"


def load(folder: Path, text: str | None = None, environ: Mapping[str, str] | None = None, **overrides: Any) -> Config:
    path = None
    if text is not None:
        path = folder / "bounceproc.toml"
        path.write_text(text, encoding="utf-8")
    return Config.load(path, overrides, environ or {}, cwd=folder.parent)


def problems(folder: Path, text: str, environ: Mapping[str, str] | None = None, **overrides: Any) -> list[str]:
    """What is said of a file, without the folder it lies in."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, environ, **overrides)
    assert caught.value.exit_code == 78
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_the_place_for_lmtp_is_a_port_of_this_machine_or_a_path_beside_the_configuration(folder: Path) -> None:
    assert load(folder, "").lmtp.listen == Endpoint("127.0.0.1", 2424)
    assert load(folder, '[lmtp]\nlisten = "unix:run/lmtp"').lmtp.listen == Endpoint(path=folder / "run/lmtp")


def test_the_limits_of_lmtp_have_bounds_of_their_own(folder: Path) -> None:
    found = load(folder, "").lmtp
    assert (found.max_connections, found.max_message_mb, found.max_memory_mb) == (100, 50, 96)
    assert (found.timeout, found.stop_timeout) == (300, 30)
    text = "[lmtp]\nmax_connections = 0\nmax_message_mb = 51\nmax_memory_mb = 63\ntimeout = 0\nstop_timeout = 121\n"
    assert len(problems(folder, text)) == 5


def test_every_key_of_the_documentation_is_read_as_a_typed_value(folder: Path) -> None:
    config = load(folder, FULL)
    returns, fbl = config.mailbox

    assert config.database_url() == "postgresql+psycopg://bounceproc:hunter2@db.example.com/bounces"
    assert (config.privacy.pepper_file, config.privacy.hash_only) == (folder / "keys/pepper", True)
    assert (config.retention.raw, config.retention.events) == (7, 0)
    assert (returns.name, returns.host, returns.port) == ("returns", "imap.example.com", 1993)
    assert (returns.security, returns.auth, returns.user) == (Security.TLS, Auth.PASSWORD, "bounces@example.com")
    assert (returns.folder, returns.batch_size) == ("INBOX", 100)
    assert returns.on_report == Disposal(Action.MOVE, "Done/2026")
    assert (returns.on_auto_reply, returns.on_unrecognised) == (Disposal(Action.SEEN), Disposal(Action.LEAVE))
    assert (fbl.security, fbl.port, fbl.auth, fbl.secret) == (Security.NONE, 143, Auth.XOAUTH2_MICROSOFT, None)
    assert config.identity.domains == ("example.com", "xn--bcher-kva.example")
    assert config.identity.secret is not None
    assert config.identity.secret.read({}) == "hunter3"
    assert config.identity.trusted_authserv == ("mx.example.com",)
    assert config.identity.extension_delimiter == "+-"
    assert config.identity.nameservers == (Endpoint("127.0.0.1", 53), Endpoint("::1", 5353))
    assert config.identity.dkim is False
    (loop,) = config.feedback_loop
    assert (loop.name, loop.signed_by) == ("Local", ("loops.example",))
    assert loop.senders == ("fbl@loop.example", ".loops.example", "xn--bcher-kva.example")
    assert [stream.match for stream in config.stream] == [
        Matcher("list_id", "news.example.com"),
        Matcher("header", "X-Stream: receipts"),
    ]
    assert config.policy.mode is Mode.OBSERVE
    assert (config.policy.mailbox_full.messages, config.policy.mailbox_full.span_days) == (5, 14)
    assert (config.policy.domain.addresses, config.policy.domain.messages) == (2, 6)
    assert config.serve.http == Endpoint("::1", 8025)
    assert config.serve.socketmap == Endpoint(path=folder / "run/socketmap")
    assert config.serve.policy is None
    assert config.serve.on_error is OnError.CLOSED
    assert config.serve.tokens_file == Path("/run/secrets/tokens")
    assert config.lookup.extension is True
    assert config.source == folder / "bounceproc.toml"
    assert config.warnings == ()


def test_the_defaults_of_a_mailbox_are_those_of_the_documentation(folder: Path) -> None:
    (mailbox,) = load(folder, MAILBOX).mailbox

    assert (mailbox.port, mailbox.security, mailbox.folder, mailbox.batch_size) == (993, Security.TLS, "INBOX", 500)
    assert [
        str(d) for d in (mailbox.on_report, mailbox.on_auto_reply, mailbox.on_unrecognised, mailbox.on_malformed)
    ] == ["move:Processed", "leave", "leave", "move:Malformed"]


@pytest.mark.parametrize(("security", "port"), [("tls", 993), ("starttls", 143), ("none", 143)])
def test_the_port_follows_from_the_security(folder: Path, security: str, port: int) -> None:
    text = MAILBOX.replace("imap.example.com", "127.0.0.1") + f'security = "{security}"\n'

    assert load(folder, text).mailbox[0].port == port


def test_the_default_thresholds_are_those_of_the_policy_room(folder: Path) -> None:
    rows, policy = load(folder).policy, Policy()
    expected = {
        "complaint": policy.complaint,
        "unsubscribe": policy.unsubscribe,
        "hard": policy.hard,
        **policy.soft,
        "unknown-address": policy.unknown_address,
        "domain": policy.domain,
    }

    def of(row: str) -> dict[str, Any]:
        return dict(getattr(rows, row.replace("-", "_")))

    def days(row: str, threshold: Threshold) -> dict[str, Any]:
        numbers: dict[str, Any] = {
            "messages": threshold.messages,
            "days": threshold.days,
            "span_days": threshold.span.days,
            "within_days": threshold.within.days if threshold.within else 0,
            "expires_days": threshold.expires.days if threshold.expires else 0,
            "suppress": threshold.suppress,
            "second_look_days": threshold.second_look.days if threshold.second_look else 0,
            "scope": threshold.scope,
            "addresses": threshold.addresses,
        }
        return {name: number for name, number in numbers.items() if name in of(row)}

    thresholds = {row: of(row) for row in POLICY if row != "incident"}
    assert thresholds == {row: days(row, threshold) for row, threshold in expected.items()}
    assert of("incident") == asdict(policy.incident)
    assert {row: "scope" in of(row) for row in ("complaint", "unsubscribe")} == {"complaint": True, "unsubscribe": True}
    assert ("second_look_days" in of("hard"), "addresses" in of("domain")) == (True, True)


def test_no_threshold_can_ask_for_more_than_a_history_keeps() -> None:
    assert MAX_MESSAGES <= KEPT_PER_GROUP


def test_a_configuration_never_changes(folder: Path) -> None:
    config = load(folder, MAILBOX)

    with pytest.raises(FrozenInstanceError):
        config.source = None  # type: ignore[misc]  # what is tried here
    with pytest.raises(ValidationError, match="frozen"):
        config.mailbox[0].port = 1


# ---- where it is found -----------------------------------------------------------------------------------------------


def test_with_no_file_at_all_the_defaults_serve_and_lie_in_the_current_folder(tmp_path: Path) -> None:
    config = Config.load(environ={}, cwd=tmp_path)

    assert config.source is None
    assert config.mailbox == ()
    assert config.database_url() == f"sqlite:///{tmp_path}/bounceproc.db"
    assert config.privacy.pepper_file == tmp_path / "bounceproc.pepper"


def test_a_named_file_comes_before_the_environment_and_that_before_the_folders(tmp_path: Path) -> None:
    places = [tmp_path / "named.toml", tmp_path / "env.toml", tmp_path / "bounceproc.toml"]
    places += [tmp_path / "user/bounceproc/bounceproc.toml", tmp_path / "site/bounceproc/bounceproc.toml"]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
    named: Path | None = Path("named.toml")
    environ = {"BOUNCEPROC_CONFIG": "env.toml"}
    found = []

    for place in places:
        found.append(Config.load(named, environ=environ, cwd=tmp_path).source)
        place.unlink()
        named, environ = (None, environ) if named else (None, {"BOUNCEPROC_CONFIG": ""})

    assert found == places


@pytest.mark.parametrize("named", ["missing.toml", "."])
def test_a_named_file_that_cannot_be_read_is_an_error_and_no_reason_for_defaults(tmp_path: Path, named: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(Path(named), environ={}, cwd=tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(environ={"BOUNCEPROC_CONFIG": named}, cwd=tmp_path)


def test_a_file_that_may_not_be_seen_is_an_error_and_no_reason_for_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_path: Path, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", forbidden)

    with pytest.raises(ConfigError, match="Permission denied"):
        Config.load(environ={}, cwd=tmp_path)


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(folder: Path) -> None:
    text = "[retention]\nraw = 1\nevents = 1\n[lookup]\nextension = true\n"
    environ = {"BOUNCEPROC_RETENTION__RAW": "2", "BOUNCEPROC_RETENTION__EVENTS": "2"}

    config = load(folder, text, environ, retention={"raw": 3, "events": None})

    assert (config.retention.raw, config.retention.events, config.lookup.extension) == (3, 2, True)


def test_relative_paths_begin_at_the_file_those_of_the_command_line_where_it_was_typed(folder: Path) -> None:
    text = '[database]\nurl = "sqlite:///data/b.db?timeout=3"\n' + MAILBOX

    config = load(folder, text)
    typed = load(folder, text, database={"url": "sqlite:///b.db"})

    assert config.database_url() == f"sqlite:///{folder}/data/b.db?timeout=3"
    assert config.privacy.pepper_file == folder / "data/bounceproc.pepper", "the pepper lies beside the database"
    assert config.mailbox[0].password_file == folder / "secrets/returns"
    assert typed.database_url() == f"sqlite:///{folder.parent}/b.db"


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:////var/lib/b.db", "postgresql+psycopg:///b"]
)
def test_an_address_without_a_relative_path_stays_as_it_is(folder: Path, url: str) -> None:
    assert load(folder, f'[database]\nurl = "{url}"\n').database_url() == url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_what_others_call_a_postgresql_database_gets_the_driver_that_we_have(folder: Path, scheme: str) -> None:
    config = load(folder, None, {"BOUNCEPROC_DATABASE__URL": f"{scheme}://u@db.example.com/b"})

    assert config.database_url() == "postgresql+psycopg://u@db.example.com/b"


def test_a_file_of_a_windows_editor_is_read(folder: Path) -> None:
    (folder / "w.toml").write_bytes(b"\xef\xbb\xbf[retention]\r\nraw = 1\r\nevnts = 2\r\n")

    with pytest.raises(ConfigError) as caught:
        Config.load(folder / "w.toml", environ={})

    assert caught.value.problems[0].startswith(f"{folder}/w.toml:3: retention.evnts: ")


def test_a_file_too_long_to_be_a_configuration_is_not_read(folder: Path) -> None:
    with pytest.raises(ConfigError, match="longer than 1048576 octets"):
        load(folder, "#" * 1_048_577)


# ---- the environment -------------------------------------------------------------------------------------------------


def test_every_type_of_value_can_come_from_the_environment(folder: Path) -> None:
    config = load(
        folder,
        None,
        {
            "BOUNCEPROC_PRIVACY__HASH_ONLY": "True",
            "BOUNCEPROC_POLICY__MAILBOX_FULL__WITHIN_DAYS": "90",
            "BOUNCEPROC_POLICY__MODE": "observe",
            "BOUNCEPROC_IDENTITY__DOMAINS": "example.com, example.org",
            "BOUNCEPROC_IDENTITY__TRUSTED_AUTHSERV": '["mx.example.com"]',
            "BOUNCEPROC_IDENTITY__NAMESERVERS": "127.0.0.1:5353, ::1",
            "BOUNCEPROC_IDENTITY__DKIM": "false",
            "BOUNCEPROC_SERVE__HTTP": "unix:http.sock",
            "BOUNCEPROC_SERVE__TOKENS_FILE": "",
        },
    )

    assert config.privacy.hash_only is True
    assert config.policy.mailbox_full.within_days == 90
    assert config.policy.mode is Mode.OBSERVE
    assert config.identity.domains == ("example.com", "example.org")
    assert config.identity.trusted_authserv == ("mx.example.com",)
    assert config.identity.nameservers == (Endpoint("127.0.0.1", 5353), Endpoint("::1", 53))
    assert config.identity.dkim is False
    assert config.serve.http == Endpoint(path=folder.parent / "http.sock")
    assert config.serve.secret is None, "an empty variable is not set"


def test_unknown_variables_only_warn(folder: Path) -> None:
    config = load(
        folder,
        None,
        {"BOUNCEPROC_DATABASE__URI": "x", "BOUNCEPROC_MAILBOX__HOST": "x", "BOUNCEPROC_WHAT": "x", "PATH": "x"},
    )

    assert config.warnings == (
        "BOUNCEPROC_DATABASE__URI means nothing to this version; did you mean BOUNCEPROC_DATABASE__URL?",
        "BOUNCEPROC_MAILBOX__HOST means nothing: [[mailbox]] tables stand in the file alone",
        "BOUNCEPROC_WHAT means nothing to this version",
    )


def test_the_variable_that_runs_the_sources_is_known(folder: Path) -> None:
    assert load(folder, None, {"BOUNCEPROC_PURE": "1"}).warnings == ()


def test_a_wrong_variable_is_named_as_the_place(folder: Path) -> None:
    environ = {"RETENTION__RAW": "soon", "LOOKUP__EXTENSION": "maybe", "IDENTITY__DOMAINS": '["example.com"'}

    found = problems(folder, "", {f"BOUNCEPROC_{name}": value for name, value in environ.items()})

    assert found == [
        "BOUNCEPROC_RETENTION__RAW: retention.raw: is a whole number, not text. Write it without quotes and without a point.",
        """BOUNCEPROC_IDENTITY__DOMAINS: identity.domains: is a list, not text. Write ["one", "two"].""",
        "BOUNCEPROC_LOOKUP__EXTENSION: lookup.extension: is true or false, not text. Write true or false, without quotes.",
    ]


# ---- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "secret"), [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), (" a b\n\n", " a b\n")]
)
def test_a_secret_file_loses_one_line_end_and_nothing_else(folder: Path, content: str, secret: str) -> None:
    (folder / "secrets").mkdir()
    (folder / "secrets/returns").write_bytes(content.encode())
    (mailbox,) = load(folder, MAILBOX).mailbox

    assert mailbox.secret is not None
    assert mailbox.secret.read() == secret


def test_a_secret_is_read_only_when_somebody_asks(folder: Path) -> None:
    config = load(folder, MAILBOX)

    assert 'password_file = "' in config.to_toml()
    assert config.mailbox[0].secret is not None
    with pytest.raises(
        ConfigError, match=r"mailbox returns: password_file: .*secrets/returns cannot be read: No such file"
    ):
        config.mailbox[0].secret.read()


def test_a_password_can_come_from_a_variable(folder: Path) -> None:
    (mailbox,) = load(folder, MAILBOX.replace("password_file", "password_env").replace("secrets/returns", "PW")).mailbox

    assert mailbox.secret is not None
    assert mailbox.secret.read({"PW": "s3cret"}) == "s3cret"
    with pytest.raises(ConfigError, match="PW is not set, or empty"):
        mailbox.secret.read({})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: Is a directory"),
        (b"", "empty"),
        (b"\n", "empty"),
        (b"\xff", "not UTF-8"),
        (b"x" * 70_000, "longer"),
    ],
)
def test_verifying_names_every_secret_that_cannot_be_read(folder: Path, content: bytes | None, why: str) -> None:
    (folder / "secrets").mkdir()
    for name in ("returns", "token"):
        if content is None:
            (folder / "secrets" / name).mkdir()
        else:
            (folder / "secrets" / name).write_bytes(content)
    config = load(folder, MAILBOX + '[identity]\ntoken_secret_file = "secrets/token"\n')

    with pytest.raises(ConfigError) as caught:
        config.verify_secrets({})

    first, second = caught.value.problems
    assert why in first
    assert first.startswith("mailbox returns: password")
    assert why in second
    assert second.startswith("identity.token_secret")


def test_verifying_warns_of_secrets_that_everybody_can_read(folder: Path) -> None:
    (folder / "returns").write_text("s3cret")
    (folder / "bounceproc.pepper").write_text("pepper")
    config = load(folder, MAILBOX.replace("secrets/", "") + '[identity]\ntoken_secret = "t0ken"\n')
    for path in folder.iterdir():
        path.chmod(0o644)

    found = config.verify_secrets({})

    assert [warning.partition(":")[0] for warning in found] == [
        "mailbox returns",
        "privacy.pepper_file",
        "identity.token_secret stands in the configuration itself",
    ]
    assert all("chmod o-rwx" in warning for warning in found)
    for path in folder.iterdir():
        path.chmod(0o640)
    assert config.verify_secrets({}) == ()


def test_the_address_of_the_database_can_lie_in_a_file(folder: Path) -> None:
    (folder / "url").write_text("sqlite:///x.db\n")
    config = load(folder, '[database]\nurl_file = "url"\n')

    assert config.database_url() == f"sqlite:///{folder}/x.db"
    (folder / "url").write_text("mysql://u:hunter2@db.example.com/b")
    with pytest.raises(ConfigError) as caught:
        config.verify_secrets({})
    assert "is no database that can serve" in caught.value.problems[0]
    assert "hunter2" not in caught.value.problems[0]


def test_a_secret_of_a_higher_layer_replaces_its_twin_below(folder: Path) -> None:
    config = load(folder, '[identity]\ntoken_secret_file = "token"\n', {"BOUNCEPROC_IDENTITY__TOKEN_SECRET": "s3cret"})

    assert config.identity.token_secret_file is None
    assert config.identity.secret is not None
    assert config.identity.secret.read() == "s3cret"


def test_postgresql_needs_a_pepper_that_is_there(folder: Path) -> None:
    config = load(folder, None, {"BOUNCEPROC_DATABASE__URL": "postgresql+psycopg:///b"})

    with pytest.raises(ConfigError) as caught:
        config.verify_secrets({})

    assert "bounceproc.pepper is not there" in caught.value.problems[0]


def test_listening_for_others_without_tokens_does_not_verify(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder, '[serve]\nhttp = "0.0.0.0:8025"\n').verify_secrets({})

    assert caught.value.problems[0].startswith("serve.http: 0.0.0.0:8025 is open to others")


def test_no_text_of_a_configuration_shows_a_secret(folder: Path) -> None:
    text = FULL.replace('password_file = "secrets/returns"', 'password = "hunter4"') + 'tokens = "hunter5"\n'
    text = text.replace('tokens_file = "/run/secrets/tokens"\n', "").replace(
        '[lookup]\nextension = true\ntokens = "hunter5"\n', ""
    )
    config = load(folder, text + 'tokens = "hunter5"\n')
    secrets = [config.mailbox[0].secret, config.mailbox[1].client_secret, config.identity.secret, config.serve.secret]

    shown = [repr(config), str(config), config.to_toml(), json.dumps(config.redacted()), repr(secrets), str(secrets)]

    assert all(secret is not None and secret.read().startswith("hunter") for secret in secrets)
    assert not [each for each in shown if "hunter" in each]
    assert config.redacted()["database"]["url"] == "postgresql+psycopg://bounceproc:***@db.example.com/bounces"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg://u:***@h/d"),
        ("postgresql+psycopg://u:p@x/y?z@h/d", "postgresql+psycopg://u:***@h/d"),
        ("postgresql+psycopg://u:p:q@h/d", "postgresql+psycopg://u:***@h/d"),
        ("postgresql+psycopg://u@h/d?password=p&x=1", "postgresql+psycopg://u@h/d?password=***&x=1"),
        ("postgresql+psycopg:///d?sslpassword=p", "postgresql+psycopg:///d?sslpassword=***"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
    ],
)
def test_the_password_of_a_database_is_hidden_wherever_it_stands(url: str, shown: str) -> None:
    assert hidden_url(url) == shown


def test_a_wrong_secret_is_not_repeated_in_what_is_said(folder: Path) -> None:
    found = problems(
        folder,
        MAILBOX
        + 'password = 4711\n[database]\nurl = "mysql://u:hunter2@db.example.com/b"\n[identity]\ntoken_secret = 4712\n',
    )

    assert len(found) == 4
    assert not [problem for problem in found if "hunter2" in problem or "471" in problem]


# ---- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", MAILBOX, FULL])
def test_the_shown_toml_is_toml_with_the_values_in_force(folder: Path, text: str) -> None:
    config = load(folder, text)

    assert tomllib.loads(config.to_toml()) == {name: table for name, table in config.redacted().items() if table != []}


def test_the_shown_values_without_secrets_are_a_configuration_again(folder: Path) -> None:
    shown = load(folder, MAILBOX).to_toml()

    assert load(folder, shown).to_toml() == shown


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_named_at_once_each_with_its_line(folder: Path) -> None:
    text = """\
[database]
url = 5
[retention]
raw = -1
[[mailbox]]
name = "a"
host = "imap.example.com"
user = "u"
pasword_file = "x"
[[mailbox]]
name = "a"
host = "imap.example.com:143"
security = "none"
port = "993"
password = "p"
password_env = "P"
[polcy]
mode = "observe"
"""

    assert problems(folder, text) == [
        "bounceproc.toml:2: database.url: is text, not a whole number. Put it in quotes.",
        "bounceproc.toml:4: retention.raw: -1 is too small. Write 0 or more.",
        'bounceproc.toml:5: mailbox[0]: has no password. Write password_file = "PATH", password_env = "VARIABLE" or password = "...".',
        "bounceproc.toml:9: mailbox[0].pasword_file: is no key that this version knows. Did you mean `password_file`?",
        "bounceproc.toml:10: mailbox[1].user: is missing. Write user = ...",
        "bounceproc.toml:11: mailbox[1].name: 'a' is the name of another mailbox. Choose another name.",
        """bounceproc.toml:12: mailbox[1].host: 'imap.example.com:143' has the port in it. Write host = "imap.example.com" and port = 143.""",
        "bounceproc.toml:14: mailbox[1].port: is a whole number, not text. Write it without quotes and without a point.",
        "bounceproc.toml:16: mailbox[1].password_env: password and password_env are the same secret, given more than once. Keep one of them.",
        "bounceproc.toml:17: polcy: is no table that this version knows. Did you mean `[policy]`?",
    ]


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ('auth = "xoauth2-google"', ["has no way to get tokens from Google. Write oauth_service_account_file"]),
        (
            'auth = "xoauth2-google"\noauth_refresh_token_file = "r"',
            ["has no oauth_client_id. Write oauth_client_id", "has no oauth_client_secret. Write"],
        ),
        (
            'auth = "xoauth2-google"\noauth_service_account_file = "a"\noauth_refresh_token_env = "R"\noauth_client_id = "app"\noauth_client_secret_file = "s"',
            ["has a service account and a refresh token. Keep one of them."],
        ),
        (
            'auth = "xoauth2-microsoft"',
            [
                "has no oauth_client_id. Write oauth_client_id",
                "has no way to get tokens from Microsoft. Write oauth_client_secret_file",
                "has no oauth_tenant. Write oauth_tenant",
            ],
        ),
        (
            'auth = "xoauth2-microsoft"\noauth_client_id = "a"\noauth_refresh_token_file = "r"\noauth_authority = "http://x"',
            ["is no https address of a host. Write it as in"],
        ),
        ('password = "p"\nclient_key_file = "k"', ["has a client_key_file and no client_cert_file. Write"]),
        (
            'password = "p"\noauth_client_secret = "s"\noauth_client_secret_env = "S"',
            ["oauth_client_secret and oauth_client_secret_env are the same secret, given more than once"],
        ),
    ],
)
def test_what_a_way_in_needs_is_named_with_where_to_get_it(folder: Path, keys: str, wanted: list[str]) -> None:
    found = problems(folder, f'[[mailbox]]\nname = "a"\nhost = "imap.example.com"\nuser = "u"\n{keys}\n')

    assert len(found) == len(wanted)
    assert all(start in problem for start, problem in zip(wanted, found, strict=True)), found


def test_paths_of_keys_and_tokens_begin_at_the_configurations_folder_and_are_verified(folder: Path) -> None:
    keys = 'auth = "xoauth2-google"\noauth_service_account_file = "secrets/account.json"\n'
    config = load(folder, f'[[mailbox]]\nname = "a"\nhost = "imap.example.com"\nuser = "u"\n{keys}')

    assert config.mailbox[0].oauth_service_account_file == folder / "secrets/account.json"
    with pytest.raises(ConfigError) as caught:
        config.verify_secrets({})
    assert "mailbox a: oauth_service_account_file" in caught.value.problems[0]


def test_a_key_in_the_wrong_table_is_told_where_it_belongs(folder: Path) -> None:
    (found,) = problems(folder, "[retention]\nhash_only = true\n")

    assert found.endswith("It belongs into [privacy].")


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("[database]\nurl = x\n", "2:7"),
        ("[database\n", "1:10"),
        ("a = [1,", "1:1"),
        ("[a]\n[a]\n", "2:3"),
        ("a = 1\na = 2\n", "2:6"),
    ],
)
def test_what_is_no_toml_is_said_with_line_and_column(folder: Path, text: str, position: str) -> None:
    (found,) = problems(folder, text)

    assert found.startswith(f"bounceproc.toml:{position}: this is no TOML: ")


def test_what_is_no_utf8_is_said_with_its_line(folder: Path) -> None:
    (folder / "l1.toml").write_bytes('[[mailbox]]\nname = "Rückläufer"\n'.encode("latin-1"))

    with pytest.raises(ConfigError) as caught:
        Config.load(folder / "l1.toml", environ={})

    assert caught.value.problems == (f"{folder}/l1.toml:2: these octets are not UTF-8. Save the file as UTF-8.",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[mailbox]\nname = 'a'\n", "bounceproc.toml:1: mailbox: is a list of tables, not a table. Write [[mailbox]]"),
        (
            "[[database]]\nurl = 'x'\n",
            "bounceproc.toml:1: database: is a table, not a list. Write [database] with single",
        ),
        ("mailbox = 3\n", "bounceproc.toml:1: mailbox: is a list of tables, not a whole number."),
        ("policy = 3\n", "bounceproc.toml:1: policy: is a table, not a whole number."),
        ("mailbox = [3]\n", "bounceproc.toml:1: mailbox[0]: is a table, not a whole number."),
        ("database.url = ''\n", "bounceproc.toml:1: database.url: is no database that can serve."),
        ("database.url = 'sqlite://b.db'\n", "bounceproc.toml:1: database.url: has a host name"),
        ("[privacy]\npepper_file = ''\n", "bounceproc.toml:2: privacy.pepper_file: is empty."),
        ("[privacy]\npepper_file = 3\n", "bounceproc.toml:2: privacy.pepper_file: is text, not a whole number."),
        ("[privacy]\nhash_only = 1\n", "bounceproc.toml:2: privacy.hash_only: is true or false, not a whole number."),
        ("[retention]\nraw = 1.0\n", "bounceproc.toml:2: retention.raw: is a whole number, not a number with a point."),
        ("[retention]\nraw = true\n", "bounceproc.toml:2: retention.raw: is a whole number, not true or false."),
        ("[retention]\nraw = 2026-11-23\n", "bounceproc.toml:2: retention.raw: is a whole number, not a date or time."),
        ("[retention]\nraw = 99999999999999999999999\n", "bounceproc.toml:2: retention.raw: "),
        ("[identity]\ndomains = 'example.com'\n", 'identity.domains: is a list, not text. Write ["one", "two"].'),
        (
            "[identity]\ndomains = [\n'example.com',\n'a b']\n",
            "bounceproc.toml:2: identity.domains[1]: 'a b' is no domain",
        ),
        (
            "[identity]\nextension_delimiter = 'a'\n",
            "identity.extension_delimiter: 'a' cannot begin an address extension.",
        ),
        (
            "[policy]\nmode = 'off'\n",
            "bounceproc.toml:2: policy.mode: 'off' is not known. Write 'enforce' or 'observe'.",
        ),
        ("[policy]\nmode = 3\n", "bounceproc.toml:2: policy.mode: is text, not a whole number."),
        (
            "[policy.spam-block]\nmessages = 3\n",
            "bounceproc.toml:1: policy.spam-block: is no table that this version knows.",
        ),
        ("[policy.mailbox_full]\nmessages = 9\n", "Did you mean `mailbox-full`?"),
        ("[policy.hard]\naddresses = 2\n", "bounceproc.toml:2: policy.hard.addresses: is no key"),
        ("[lmtp]\nlisten = 'off'\n", "bounceproc.toml:2: lmtp.listen: is a place to listen. Write 127.0.0.1:2424"),
        ("[lmtp]\nsocket_mode = '0999'\n", "bounceproc.toml:2: lmtp.socket_mode:"),
        ("[serve]\nhttp = '8025'\n", "bounceproc.toml:2: serve.http: '8025' is nowhere to listen."),
        ("[serve]\nhttp = '::1:8025'\n", "bounceproc.toml:2: serve.http: '::1:8025' is nowhere to listen."),
        ("[serve]\nhttp = 'localhost:0'\n", "bounceproc.toml:2: serve.http: 'localhost:0' is nowhere to listen."),
        ("[serve]\nhttp = 8025\n", "bounceproc.toml:2: serve.http: is text."),
        (
            "[serve]\non_error = 'fail'\n",
            "bounceproc.toml:2: serve.on_error: 'fail' is not known. Write 'open' or 'closed'.",
        ),
        (
            "[[feedback_loop]]\nname = 'a'\nsenders = ['no sender']\n",
            "bounceproc.toml:3: feedback_loop[0].senders[0]: 'no sender' is no sender.",
        ),
        (
            "[[feedback_loop]]\nname = 'a'\nsenders = []\n",
            "bounceproc.toml:3: feedback_loop[0].senders: is empty.",
        ),
        ("[[feedback_loop]]\nname = 'a'\n", "bounceproc.toml:1: feedback_loop[0].senders: is missing."),
        (
            "[identity]\nnameservers = ['dns.example.com']\n",
            "bounceproc.toml:2: identity.nameservers[0]: 'dns.example.com' is no address of a name server.",
        ),
        ("[[stream]]\nname = 'a b'\nmatch.list_id = 'x'\n", "bounceproc.toml:2: stream[0].name: 'a b' is no name."),
        ("[[stream]]\nname = 'a'\nmatch = {}\n", "bounceproc.toml:3: stream[0].match: has 0 signs."),
        ("[[stream]]\nname = 'a'\nmatch = 'x'\n", "bounceproc.toml:3: stream[0].match: is a table."),
        (
            "[[stream]]\nname = 'a'\nmatch.from = 'x'\n",
            "bounceproc.toml:3: stream[0].match: 'from' is no sign of a stream.",
        ),
        (
            "[[stream]]\nname = 'a'\nmatch.list_id = ''\n",
            "bounceproc.toml:3: stream[0].match: list_id is text, not empty",
        ),
        (
            "[[stream]]\nname = 'a'\nmatch.header = 'x'\n",
            "bounceproc.toml:3: stream[0].match: header has no field name",
        ),
        (
            "[[stream]]\nname='a'\nmatch={list_id='x',header='X: y'}\n",
            "bounceproc.toml:3: stream[0].match: has 2 signs. Write exactly one",
        ),
        (
            "[[stream]]\nname='a'\nmatch.list_id='x'\n[[stream]]\nname='a'\nmatch.list_id='y'\n",
            "bounceproc.toml:5: stream[1].name: 'a' is the name of another stream.",
        ),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(folder: Path, text: str, said: str) -> None:
    (found,) = problems(folder, text)

    assert said in found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("batch_size = 0", "batch_size: 0 is too small. Write 1 or more."),
        ("batch_size = 501", "batch_size: 501 is too large. Write 500 or less."),
        ("max_message_mb = 0", "max_message_mb: 0 is too small. Write 1 or more."),
        ("max_message_mb = 51", "max_message_mb: 51 is too large. Write 50 or less."),
        ("port = 0", "port: 0 is too small."),
        ("port = 65536", "port: 65536 is too large."),
        ('security = "ssl"', "security: 'ssl' is not known. Write 'tls', 'starttls' or 'none'."),
        ('security = "none"', "security: 'none' would send the password to imap.example.com for everybody to read."),
        ('auth = "kerberos"', "auth: 'kerberos' is not known."),
        ('folder = ""', "folder: is empty."),
        ('ca_file = ""', "ca_file: is empty."),
        ('folder = "a\\r\\nb"', "folder: has control characters."),
        (
            'on_report = "keep"',
            "on_report: 'keep' does not say what to do with a message. Write leave, seen, move:FOLDER",
        ),
        ('on_report = "move:"', "on_report: 'move:' does not say"),
        ('on_report = "delete:x"', "on_report: 'delete:x' does not say"),
        ('on_report = "move:a\\nb"', "on_report: 'move:a\\nb' does not say"),
        ('on_report = "move:inbox"', "on_report: moves messages to 'INBOX', where they are read from."),
        ("on_report = true", "on_report: is text."),
        ('on_unrecognised = "delete"', "on_unrecognised: 'delete' would destroy mail that nobody has read"),
        ('on_malformed = "delete"', "on_malformed: 'delete' would destroy mail that nobody has read"),
    ],
)
def test_what_cannot_be_in_a_mailbox_is_refused(folder: Path, line: str, said: str) -> None:
    (found,) = problems(folder, MAILBOX.replace('folder = "INBOX"\n', "") + line + "\n")

    assert found.startswith("bounceproc.toml:6: mailbox[0].")
    assert said in found


@pytest.mark.parametrize(
    "host", ["imap.example.com/inbox", "imap example", "user@imap.example.com", "imaps://imap.example.com"]
)
def test_what_is_no_host_name_is_refused(folder: Path, host: str) -> None:
    (found,) = problems(folder, MAILBOX.replace("imap.example.com", host))

    assert "is no host name. Write the server's name, as in imap.example.com." in found


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "files", "lmtp"])
def test_a_name_that_cannot_stand_in_a_scope_or_is_taken_is_refused(folder: Path, name: str) -> None:
    (found,) = problems(folder, MAILBOX.replace('"returns"', f'"{name}"'))

    assert found.startswith("bounceproc.toml:2: mailbox[0].name: ")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST."])
def test_no_encryption_is_fine_towards_this_machine(folder: Path, host: str) -> None:
    text = MAILBOX.replace("imap.example.com", host) + 'security = "none"\n'

    assert load(folder, text).mailbox[0].security is Security.NONE


@pytest.mark.parametrize(
    "host", ["127.0.0.1.example.com", "localhost.example.com", "192.0.2.1", "0.0.0.0", "2130706433"]
)
def test_a_host_that_only_looks_like_this_machine_needs_encryption(folder: Path, host: str) -> None:
    (found,) = problems(folder, MAILBOX.replace("imap.example.com", host) + 'security = "none"\n')

    assert "for everybody to read" in found


def test_no_encryption_towards_others_has_to_be_insisted_on(folder: Path) -> None:
    text = MAILBOX + 'security = "none"\nallow_plaintext = true\n'

    assert load(folder, text).mailbox[0].security is Security.NONE


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ("messages = 0", "messages: 0 is too small."),
        ("messages = 33", "messages: 33 is too large."),
        ("days = 0", "days: 0 is too small."),
        ("days = 5", "days: 4 messages cannot come on 5 days. Set days to 4 or less, or messages to 5."),
        ("span_days = -1", "span_days: -1 is too small."),
        ("within_days = 13", "within_days: a window of 13 days is shorter than span_days (14)."),
        ("span_days = 0\nwithin_days = 3", "within_days: a window of 3 days is shorter than days (4)."),
        ("expires_days = -1", "expires_days: -1 is too small."),
        ("expires_days = 36501", "expires_days: 36501 is too large."),
    ],
)
def test_a_threshold_that_can_never_be_met_is_refused(folder: Path, numbers: str, said: str) -> None:
    (found,) = problems(folder, f"[policy.mailbox-full]\n{numbers}\n")

    assert f"policy.mailbox-full.{said}" in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[policy.hard]\nsecond_look_days = -1\n", "2: policy.hard.second_look_days: -1 is too small."),
        (
            "[policy.hard]\nmessages = 2\nsecond_look_days = 7\n",
            (
                "3: policy.hard.second_look_days: a second look at the first message, after which it is permanent, does not go "
                "with messages = 2. Set messages to 1, or second_look_days to 0."
            ),
        ),
        (
            "[policy.bad-domain]\nexpires_days = 30\nsecond_look_days = 7\n",
            "3: policy.bad-domain.second_look_days: a second look",
        ),
        ("[policy.bad-domain]\ndays = 2\n", "2: policy.bad-domain.days: 1 messages cannot come on 2 days."),
        (
            "[policy.complaint]\nscope = 'news'\n",
            "2: policy.complaint.scope: 'news' is not known. Write '*' or 'stream'.",
        ),
        ("[policy.hard]\nscope = 'stream'\n", "2: policy.hard.scope: is no key that this version knows."),
        ("[policy.moved]\nmessages = 2\n", "1: policy.moved: is no table that this version knows."),
        ("[policy.spam-block]\n", "what is no fault of the recipient condemns no address."),
        (
            "[policy]\ntrust = { signed = 'believes' }\n",
            "2: policy.trust.signed: 'believes' is not known. Write 'acts', ",
        ),
        (
            "[policy.trust]\nmatched = 'counts'\nreported = 'acts'\n",
            "3: policy.trust.reported: 'acts' is more than matched may do, which is to be believed more.",
        ),
        ("[policy.trust]\nmessages = 1\n", "2: policy.trust.messages: 1 is too small. Write 2 or more."),
        ("[policy.trust]\ndays = 3\n", "2: policy.trust.days: 2 messages cannot come on 3 days."),
        ("[policy.trust]\nguessed = 'acts'\n", "2: policy.trust.guessed: is no key that this version knows."),
        ("[policy.review]\nagain = 0\n", "2: policy.review.again: 0 is too small."),
        ("[policy.complaint]\nsuppress = 'no'\n", "2: policy.complaint.suppress: is true or false, not text."),
    ],
)
def test_a_policy_that_cannot_be_is_refused_with_its_line(folder: Path, text: str, said: str) -> None:
    (found,) = problems(folder, text)

    assert said in found
    assert found.startswith("bounceproc.toml:")


def test_every_wrong_place_of_a_policy_is_named_and_nothing_of_it_is_taken(folder: Path) -> None:
    text = "[policy.hard]\nmessages = -1\n[policy.mailbox-full]\nwithin_days = 3\n[policy.nobody]\n"

    assert [found.split(":")[1] for found in problems(folder, text)] == ["2", "4", "5"]


def test_a_row_of_one_category_has_variables_of_its_own(folder: Path) -> None:
    config = load(
        folder, "", {"BOUNCEPROC_POLICY__BAD_DOMAIN__MESSAGES": "2", "BOUNCEPROC_POLICY__TRUST__SIGNED": "counts"}
    )

    assert config.policy.bad_domain is not None
    assert config.policy.bad_domain.messages == 2
    assert config.policy.trust.signed == "counts"
    assert config.warnings == ()


def test_a_domain_cannot_need_more_addresses_than_messages(folder: Path) -> None:
    (found,) = problems(folder, "[policy]\ndomain = { addresses = 7 }\n")

    assert found.startswith("bounceproc.toml:2: policy.domain.addresses: 6 messages cannot be about 7 addresses.")


def test_a_window_of_zero_days_looks_back_for_ever(folder: Path) -> None:
    assert load(folder, "[policy.mailbox-full]\nwithin_days = 0\n").policy.mailbox_full.within_days == 0


def test_a_mailbox_given_by_the_command_line_replaces_those_of_the_file(folder: Path) -> None:
    box = {"name": "demo", "host": "127.0.0.1", "port": 4711, "security": "none", "user": "u", "password": "p"}

    config = load(folder, MAILBOX, None, mailbox=[box])
    found = problems(folder, MAILBOX, None, mailbox=[box | {"port": 0}])

    assert [mailbox.name for mailbox in config.mailbox] == ["demo"]
    assert found == ["command line: mailbox[0].port: 0 is too small. Write 1 or more."]


# ---- any file --------------------------------------------------------------------------------------------------------

_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_tables = st.sampled_from(
    [
        "database",
        "privacy",
        "retention",
        "mailbox",
        "identity",
        "stream",
        "feedback_loop",
        "policy",
        "serve",
        "lookup",
        "other",
    ]
)
_keys = st.sampled_from(
    ["url", "name", "host", "password", "pepper_file", "raw", "match", "domains", "http", "hard", "x"]
)


@given(st.dictionaries(_tables, _values | st.dictionaries(_keys, _values) | st.lists(st.dictionaries(_keys, _values))))
def test_any_values_are_a_configuration_or_an_error_with_problems(values: dict[str, Any]) -> None:
    try:
        config = Config.load(overrides=values, environ={}, cwd=Path("/nonexistent"))
    except ConfigError as error:
        said = error.problems
    else:
        said = (config.to_toml().partition("\n")[0],)
    assert said
    assert not [line for line in said if "\n" in line]


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "environ", os.environ)
    monkeypatch.setenv("BOUNCEPROC_RETENTION__RAW", "3")
    monkeypatch.chdir(tmp_path)

    assert Config.load().retention.raw == 3


def test_rule_files_begin_at_the_configuration_and_keep_their_order(folder: Path) -> None:
    config = load(folder, '[classify]\nrule_files = ["own/b.toml", "/etc/a.toml"]\n')

    assert config.classify.rule_files == (folder / "own/b.toml", Path("/etc/a.toml"))


def test_asking_for_the_file_in_force_loads_no_pydantic() -> None:
    program = "import sys; from bounceproc.config.finding import find; assert 'pydantic' not in sys.modules"

    subprocess.run([sys.executable, "-c", program], check=True)


def test_several_folders_stand_in_place_of_one(folder: Path) -> None:
    (mailbox,) = load(folder, MAILBOX + 'folders = ["INBOX", "Junk", "INBOX"]\n').mailbox

    assert (mailbox.all_folders, mailbox.folder) == (("INBOX", "Junk"), "INBOX")
    assert load(folder, MAILBOX).mailbox[0].all_folders == ("INBOX",)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (
            'folder = "Junk"\nfolders = ["INBOX", "Junk"]\n',
            "mailbox[0].folders: stands beside folder. Keep one of them.",
        ),
        ('folders = ["INBOX", "Processed"]\n', "moves messages to 'Processed', where they are read from"),
        ("folders = []\n", "mailbox[0].folders: "),
        ('folders = "INBOX"\n', 'is a list, not text. Write ["one", "two"].'),
        ('folders = ["a\\nb"]\n', "has control characters"),
    ],
)
def test_folders_that_cannot_be_are_named(folder: Path, lines: str, found: str) -> None:
    assert any(found in problem for problem in problems(folder, MAILBOX + lines))


def test_how_mailboxes_are_watched_and_what_is_logged_has_defaults_and_bounds(folder: Path) -> None:
    config = load(folder, MAILBOX)
    assert (config.poll.interval, config.poll.recheck, config.poll.attempts) == (60, 600, 3)
    assert (config.log.format, config.log.level) == ("text", "info")
    assert load(folder, MAILBOX, {"BOUNCEPROC_LOG__FORMAT": "json"}).log.format == "json"

    assert len(problems(folder, '[poll]\nrecheck = 1740\ninterval = 0\n[log]\nformat = "xml"\nlevel = "loud"\n')) == 4


def test_every_secret_is_known_to_whoever_has_to_hide_it(folder: Path) -> None:
    (folder / "url").write_text("postgresql://user:p%40ss@db.example.com/x?sslpassword=key-pass")
    text = (
        '[database]\nurl_file = "url"\n[serve]\ntokens = "tok"\n'
        + MAILBOX.replace("password_file", "#")
        + "password = 'pw'\n"
    )

    assert {"p@ss", "p%40ss", "key-pass", "tok", "pw"} <= set(load(folder, text).secret_texts())
