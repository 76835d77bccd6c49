"""What is printed for each mail system works there: Postfix and Exim themselves refuse, the others run in what they are written in."""

from __future__ import annotations

import os
import re
import smtplib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import UsageError
from bounceproc.lookup.export import export
from bounceproc.lookup.snippets import NAMES, snippet
from tests.servers import require
from tests.servers.exim import session
from tests.servers.postfix import DOMAIN, postfix_to
from tests.servers.rspamd import rspamd
from tests.unit.client.server import serving
from tests.unit.lookup.test_export import NOW, List, entry

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES = [entry(f"bad@{DOMAIN}"), entry("@gone.example", reason="manual"), entry("bad@example.com")]
HARD = "5.1.1 undeliverable since 2026-11-01, ref=00ff"
SOFT = "5.7.1 not to be mailed since 2026-11-01, ref=00ff"


def parts(name: str) -> dict[str, str]:
    """The ways that a snippet offers, by the words of their rules."""
    found = re.split(r"^# ---- (.*) ----$", snippet(name), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def part(name: str, words: str) -> str:
    """The one way whose rule begins with these words."""
    (found,) = [text for rule, text in parts(name).items() if rule.startswith(words)]
    return found


def test_each_has_a_text_and_an_unknown_one_is_told() -> None:
    assert all(snippet(name) for name in NAMES)
    with pytest.raises(UsageError, match="postfix, exim"):
        snippet("sendmail-x")


# ---- Postfix -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that Postfix's daemons, who have no rights, can read."""
    import shutil
    import tempfile

    made = Path(tempfile.mkdtemp(prefix="bp-map-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.server
@pytest.mark.parametrize("way", ["a file", "the database itself"])
def test_postfix_refuses_at_rcpt(way: str, folder: Path) -> None:
    text = part("postfix", "the code") + part("postfix", way)
    if way == "a file":
        export(List(ENTRIES), "lmdb", folder / "suppressed.lmdb", now=NOW)
    else:
        export(List(ENTRIES), "sqlite", folder / "snapshot.db", now=NOW)
        lines = [line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   ")]
        (folder / "suppressed.cf").write_text("\n".join(lines).replace("/var/lib/bounceproc", str(folder)) + "\n")
    for path in folder.iterdir():
        path.chmod(0o644)
    more = text.replace("/etc/postfix", str(folder))

    with postfix_to(1, more) as server, smtplib.SMTP("127.0.0.1", server.port, timeout=30) as client:
        client.ehlo()
        client.mail("us@sender.test")
        refused = client.rcpt(f"Bad@{DOMAIN}")
        whole_domain = client.rcpt("anybody@gone.example")
        subdomain = client.rcpt("anybody@sub.gone.example")
        other = client.rcpt(f"good@{DOMAIN}")

    assert refused[0] == 550
    assert refused[1].startswith(b"5.1.1")
    assert HARD.encode()[6:] in refused[1]
    assert (whole_domain[0], whole_domain[1][:5]) == (550, b"5.7.1")
    assert other[0] == 250
    assert b"not to be mailed" not in subdomain[1]


@pytest.mark.server
def test_postfix_takes_every_line(folder: Path) -> None:
    settings = [line for text in parts("postfix").values() for line in text.splitlines() if line and line[0] != "#"]
    (folder / "main.cf").write_text(
        "compatibility_level = 3.6\n" + "\n".join(dict(line.split(" = ", 1) for line in settings))
    )
    known = subprocess.run(
        [require("postconf", "postfix"), "-d"], capture_output=True, text=True, timeout=30, check=True
    )

    for line in settings:
        name, equals, value = line.partition(" = ")
        assert equals
        assert value
        assert f"\n{name} =" in known.stdout, f"Postfix knows no {name}"


# ---- Exim --------------------------------------------------------------------------------------------------------------


@pytest.mark.server
@pytest.mark.parametrize(
    ("way", "format_", "path"),
    [
        ("a file", "lsearch", "suppressed"),
        ("a constant", "exim-cdb", "suppressed.cdb"),
        ("a snapshot", "sqlite", "snapshot.db"),
    ],
)
def test_exim_refuses_at_rcpt(way: str, format_: str, path: str, folder: Path) -> None:
    export(List(ENTRIES), format_, folder / path, now=NOW)
    acl = part("exim", way).replace("/etc/exim", str(folder)).replace("/var/lib/bounceproc", str(folder))

    said = session(
        folder, acl, ["Bad@Example.com", "anybody@gone.example", "anybody@sub.gone.example", "good@example.com"]
    )

    assert said == [f"550 {HARD}", f"550 {SOFT}", "250 Accepted", "250 Accepted"]


@pytest.mark.server
def test_exim_defers_where_the_file_is_missing(folder: Path) -> None:
    acl = part("exim", "a file").replace("/etc/exim", str(folder))

    (said,) = session(folder, acl, ["good@example.com"])

    assert said.startswith("451")


# ---- Haraka and KumoMTA ------------------------------------------------------------------------------------------------

HARAKA = """
global.DENY = 'DENY'; global.DENYSOFT = 'DENYSOFT';
const { hook_rcpt } = require(process.argv[2]);
const todo = process.argv.slice(3);
const step = () => {
    const address = todo.shift();
    if (address === undefined) process.exit(0);
    hook_rcpt((...said) => { console.log(said.join(' ') || 'next'); step(); }, {}, [{ address: () => address }]);
};
step();
"""


def haraka(folder: Path, url: str, *addresses: str) -> list[str]:
    """What the plugin says of each."""
    (folder / "plugin.js").write_text(snippet("haraka"))
    (folder / "run.js").write_text(HARAKA)
    command = [require("node", "nodejs"), str(folder / "run.js"), str(folder / "plugin.js"), *addresses]
    environ = {**os.environ, "BOUNCEPROC_URL": url}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


@pytest.mark.server
def test_haraka_asks_the_server(tmp_path: Path) -> None:
    with serving() as server:
        assert haraka(tmp_path, server.url, "good@example.com", "bad@example.com", "a/b?c#d%@example.com") == [
            "next",
            "DENY 5.1.1 undeliverable",
            "DENY 5.1.1 undeliverable",
        ]


@pytest.mark.server
def test_haraka_lets_through_when_nobody_answers(tmp_path: Path) -> None:
    with serving(raw=b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n") as server:
        assert haraka(tmp_path, server.url, "bad@example.com") == ["next"]
    with serving(silent=True) as server:
        assert haraka(tmp_path, server.url, "bad@example.com") == ["next"]
    assert haraka(tmp_path, "http://127.0.0.1:1", "bad@example.com") == ["next"]


KUMO = """
local handlers, status, body = {}, tonumber(arg[2]), arg[3]
local kumo = { serde = {}, http = {} }
function kumo.on(name, handler) handlers[name] = handler end
function kumo.memoize(ask, options) assert(options.name and options.ttl and options.capacity) return ask end
function kumo.reject(code, text) error(code .. ' ' .. text, 0) end
function kumo.serde.json_parse(text)
  local reason, since = text:match('"reason":"(%w+)"'), text:match('"since":"([^"]+)"')
  return { suppressed = text:find('true') ~= nil, reason = reason, since = since }
end
function kumo.http.build_client(options)
  assert(options.timeout == '500ms')
  return { get = function(_, url)
    print(url)
    return { send = function()
      if status == 0 then error('timeout') end
      return { status_code = function() return status end, text = function() return body end }
    end }
  end }
end
package.preload.kumo = function() return kumo end
dofile(arg[1])
local recipient = setmetatable({}, { __tostring = function() return 'a/b+c@example.com' end })
print(pcall(handlers.smtp_server_rcpt_to, recipient))
print(pcall(handlers.http_message_generated, { recipient = function() return recipient end }))
"""


@pytest.mark.server
@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        ("200", '{"suppressed":false}', "true"),
        ("200", '{"suppressed":true,"reason":"bounce"}', "false\t550 5.1.1 undeliverable"),
        (
            "200",
            '{"suppressed":true,"reason":"bounce","since":"2026-11-01T08:00:00Z"}',
            "false\t550 5.1.1 undeliverable since 2026-11-01",
        ),
        ("200", '{"suppressed":true,"reason":"complaint"}', "false\t550 5.7.1 not to be mailed"),
        ("500", "", "true"),
        ("0", "", "true"),
    ],
)
def test_kumomta_s_policy_does_in_lua_what_it_says(status: str, body: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "policy.lua").write_text(snippet("kumomta"))
    (tmp_path / "run.lua").write_text(KUMO)
    command = [require("lua5.4", "lua5.4"), str(tmp_path / "run.lua"), str(tmp_path / "policy.lua"), status, body]

    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)

    url = "http://127.0.0.1:8025/v1/addresses/a%2Fb%2Bc@example.com"
    assert done.stdout.splitlines() == [url, said, url, said]


# ---- rspamd ------------------------------------------------------------------------------------------------------------


@pytest.mark.server
def test_rspamd_rejects(folder: Path) -> None:
    export(List(ENTRIES), "rspamd", folder / "suppressed.map", now=NOW)

    with rspamd(snippet("rspamd").replace("/etc/rspamd/local.d/maps.d", str(folder))) as server:
        assert server.action("Bad@Example.com") == "reject"
        assert server.action("anybody@gone.example") == "reject"
        assert server.action("anybody@sub.gone.example") == "no action"
        assert server.action("gone.example@example.org") == "no action"
        assert server.action("good@example.com") == "no action"
