"""Senders ask before they send: a real server answers in three tongues, and goes on whatever strangers do to it."""

from __future__ import annotations

import grp
import hashlib
import http.client
import json
import os
import resource
import signal
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House
from tests.stories.serving import DEADLINE, is_alive, netstring, read_netstring, serving, until
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.stories.serving import Served


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serve")
    with ExitStack() as held:
        head = "[lookup]\nextension = true\n"
        if request.param == "postgresql":
            url = held.enter_context(request.getfixturevalue("postgres").new_database())
            (folder / "pepper").write_text("5a" * 32)
            head += f'[database]\nurl = "{url}"\n[privacy]\npepper_file = "pepper"\n'
        house = House(folder)
        house.configuration.write_text(head)
        if request.param == "postgresql":
            house.run("db", "upgrade")
        yield held.enter_context(_filled(house, head))


def _filled(house: House, head: str) -> AbstractContextManager[Served]:
    lines = []
    for role in ("read", "write"):
        done = house.run("serve", "--new-token", role, f"the-{role}er")
        lines.append(done.stderr.strip().rpartition(": ")[2])
        (house.folder / f"{role}.token").write_text(done.stdout.strip())
    (house.folder / "tokens").write_text("\n".join(lines))
    (house.folder / "tokens").chmod(0o600)
    house.run("ingest", "-", stdin=dsn("gone@example.com"))
    house.run("suppress", "add", "angry@example.com", "--reason", "complaint")
    house.run("suppress", "add", "listed@example.com", "--reason", "bounce")
    house.run("suppress", "add", "reader@example.com", "--reason", "unsubscribe", "--scope", "stream:news")
    house.run("suppress", "add", "@dead.example", "@bücher.example")
    extra = (
        'tokens_file = "tokens"\nsnapshot_file = "index"\n[serve.streams]\n"bob" = "news"\n"@list.example" = "news"\n'
    )
    return serving(house.folder, extra, head)


def _token(served: Served, role: str) -> str:
    return (served.house.folder / f"{role}.token").read_text()


def test_the_socketmap_answers_as_postfix_reads_it(served: Served) -> None:
    assert served.map(b"suppressed fine@example.com") == b"NOTFOUND "
    assert served.map(b"suppressed gone@example.com").startswith(b"OK REJECT 5.1.1 ")
    assert served.map(b"suppressed angry@example.com").startswith(b"OK REJECT 5.7.1 ")
    assert served.map(b"suppressed listed@example.com").startswith(b"OK REJECT 5.7.1 ")  # of no class that is known
    assert b"complain" not in served.map(b"suppressed angry@example.com")
    assert served.map(b"suppressed GONE+tag@Example.com").startswith(b"OK REJECT 5.1.1 ")
    assert served.map(b"suppressed anybody@dead.example").startswith(b"OK REJECT 5.7.1 ")
    assert served.map("suppressed a@bücher.example".encode()).startswith(b"OK REJECT")
    assert served.map(b"suppressed a@xn--bcher-kva.example").startswith(b"OK REJECT")


def test_the_maps_name_names_the_stream(served: Served) -> None:
    assert served.map(b"suppressed reader@example.com").startswith(b"OK REJECT")
    assert served.map(b"suppressed:news reader@example.com").startswith(b"OK REJECT")
    assert served.map(b"suppressed:invoices reader@example.com") == b"NOTFOUND "
    assert served.map(b"aliases reader@example.com").startswith(b"PERM ")


def test_questions_that_come_at_once_are_answered_in_their_order(served: Served) -> None:
    asked = [b"gone@example.com" if number % 7 == 0 else b"x%d@example.com" % number for number in range(700)]
    with served.connect(served.socketmap) as client:
        data = b"".join(netstring(b"suppressed " + address) for address in asked)
        for start in range(0, len(data), 333):
            client.sendall(data[start : start + 333])
        answers = b""
        while answers.count(b",") < 700 + 200:  # a refusal has two of its own
            answers += client.recv(65536)
    found = [part for part in answers.replace(b", since", b"").replace(b", ref", b"").split(b",") if part]
    assert [b"REJECT" in part for part in found] == [number % 7 == 0 for number in range(700)]


def test_the_policy_service_answers_and_knows_the_stream(served: Served) -> None:
    assert served.ask_policy(recipient="fine@example.com") == b"action=DUNNO\n\n"
    assert served.ask_policy(recipient="") == b"action=DUNNO\n\n"
    assert served.ask_policy(recipient="gone@example.com").startswith(b"action=REJECT 5.1.1 ")
    news = {"recipient": "reader@example.com", "sender": "x@list.example"}
    assert served.ask_policy(**news).startswith(b"action=REJECT 5.7.1 ")
    assert served.ask_policy(recipient="reader@example.com", sasl_username="bob").startswith(b"action=REJECT")


def test_http_answers_one_and_many_in_the_order_asked(served: Served) -> None:
    token = _token(served, "read")
    status, answer, _ = served.request("GET", "/v1/addresses/gone%40example.com", token=token)
    assert status == 200
    assert answer["suppressed"] is True
    assert set(answer) == {"address", "suppressed", "scope", "reason", "category", "since", "until", "ref"}

    digest = hashlib.sha256(b"gone@example.com").hexdigest()
    asked = ["fine@example.com", "gone@example.com", "no address", digest, "GONE@EXAMPLE.COM"]
    status, answer, _ = served.request("POST", "/v1/check", {"addresses": asked}, token=token)
    assert status == 200
    assert [one["address"] for one in answer["results"]] == asked
    assert [one["suppressed"] for one in answer["results"]] == [False, True, None, True, True]

    status, answer, _ = served.request("GET", "/v1/addresses/reader@example.com?stream=invoices", token=token)
    assert answer["suppressed"] is False


def test_a_complaint_is_lifted_by_a_program_only_with_a_stated_consent(served: Served) -> None:
    write = _token(served, "write")
    path = "/v1/suppressions/furious@example.com"
    assert served.request("PUT", path, {"reason": "complaint"}, token=write)[1]["changed"] is True
    status, problem, _ = served.request("DELETE", f"{path}?reason=mistake", token=write)
    assert (status, "only the recipient can take that back" in str(problem)) == (409, True)
    assert served.request("DELETE", f"{path}?reason=mistake&consent=", token=write)[0] == 422
    assert served.request("DELETE", f"{path}?reason=mistake&consent=her%20mail", token=write)[1]["lifted"] == 1


def test_a_program_says_for_whom_and_why_and_its_token_is_named_in_any_case(served: Served) -> None:
    write, path = _token(served, "write"), "/v1/suppressions/noted@example.com"
    asked = {"reason": "moved away", "note": "told us at the desk", "actor": "ticket 4711"}
    assert served.request("PUT", path, asked, token=write)[1]["changed"] is True
    assert served.request("PUT", path, asked, token=write)[1]["changed"] is False

    entries = {row["address"]: row for row in served.house.json("suppress", "list", "--format", "json")}
    told = entries["noted@example.com"]
    assert (told["reason"], told["note"]) == ("manual", "moved away; told us at the desk")
    assert told["actor"] == "ticket 4711 (api:the-writeer)"
    for wrong in ("", " ", "x\n", 7, "x" * 201, "anna@example.com"):
        assert served.request("PUT", path, {"reason": "x", "actor": wrong}, token=write)[0] == 422
    for wrong in ("", 7, "x" * 1001):
        assert served.request("PUT", path, {"reason": "x", "note": wrong}, token=write)[0] == 422
    assert served.request("DELETE", f"{path}?reason=back&actor=%0A", token=write)[0] == 422
    assert served.request("DELETE", f"{path}?reason=back&actor=Anna", token=write)[1]["lifted"] == 1
    lines = served.request("GET", "/v1/changes", token=write)[1]["results"]
    assert [one["action"] for one in lines if one["address"] == "noted@example.com"] == ["add", "remove"]


def test_what_is_over_already_is_not_called_suppressed(served: Served) -> None:
    path = "/v1/suppressions/over@example.com"
    asked = {"reason": "manual", "until": "2020-01-01T00:00:00Z"}
    assert served.request("PUT", path, asked, token=_token(served, "write"))[1]["suppressed"] is False
    assert served.map(b"suppressed over@example.com") == b"NOTFOUND "


@pytest.mark.parametrize(
    "data", [b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_told_so_as_a_problem(served: Served, data: bytes) -> None:
    with served.connect(served.http) as client:
        client.sendall(data)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.getheader("content-type")) == (400, "application/problem+json")
        assert json.loads(answer.read())["status"] == 400
        assert client.recv(1) == b""


def test_a_head_is_answered_as_its_get_without_the_body(served: Served) -> None:
    assert served.request("HEAD", "/v1/addresses/gone@example.com")[0] == 401
    status, answer, headers = served.request("HEAD", "/v1/addresses/no-address", token=_token(served, "read"))
    assert (status, answer if isinstance(answer, str) else "") == (400, "")
    assert headers["content-type"] == "application/problem+json"


def test_a_change_anywhere_is_answered_soon_and_writes_are_idempotent(served: Served) -> None:
    write = _token(served, "write")
    path = "/v1/suppressions/by-hand@example.com"
    assert served.map(b"suppressed by-hand@example.com") == b"NOTFOUND "
    assert served.request("PUT", path, {"reason": "asked us"}, token=write)[1]["changed"] is True
    assert served.request("PUT", path, {"reason": "asked us"}, token=write)[1]["changed"] is False
    until(lambda: served.map(b"suppressed by-hand@example.com").startswith(b"OK REJECT"))
    assert served.request("DELETE", f"{path}?reason=mistake", token=write)[1]["lifted"] == 1
    assert served.request("DELETE", f"{path}?reason=mistake", token=write)[1]["lifted"] == 0
    until(lambda: served.map(b"suppressed by-hand@example.com") == b"NOTFOUND ")
    served.house.run("suppress", "add", "cli@example.com")
    until(lambda: served.map(b"suppressed cli@example.com").startswith(b"OK REJECT"))


def test_lists_are_read_by_cursor(served: Served) -> None:
    token = _token(served, "read")
    seen, cursor = [], None
    while True:
        path = "/v1/suppressions?limit=2" + (f"&cursor={cursor}" if cursor else "")
        _, answer, _ = served.request("GET", path, token=token)
        seen += [one["address"] for one in answer["results"]]
        cursor = answer["cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert {"gone@example.com", "@dead.example"} <= set(seen)
    _, first, _ = served.request("GET", "/v1/changes?limit=1", token=token)
    _, second, _ = served.request("GET", f"/v1/changes?limit=1&since={first['cursor']}", token=token)
    assert int(second["results"][0]["version"]) == int(first["results"][0]["version"]) + 1


def test_a_place_that_the_feed_never_reached_is_told_to_who_asks_behind_it(served: Served) -> None:
    token = _token(served, "read")
    cursor = "0"
    while (page := served.request("GET", f"/v1/changes?since={cursor}", token=token)[1])["results"]:
        cursor = page["cursor"]
    assert (page["results"], page["cursor"]) == ([], cursor)
    status, told, _ = served.request("GET", f"/v1/changes?since={int(cursor) + 1000}", token=token)
    assert status == 409
    assert f"whose newest is {cursor}: take the whole list again" in told["detail"]


def test_who_has_no_token_or_the_wrong_one_is_refused(served: Served) -> None:
    read = _token(served, "read")
    for token in (None, "wrong", read[:-1], read + "x"):
        for path in ("/v1/addresses/a@example.com", "/v1/suppressions", "/v1/changes"):
            status, answer, headers = served.request("GET", path, token=token)
            assert (status, answer["status"]) == (401, 401)
            assert headers["content-type"] == "application/problem+json"
            assert headers["www-authenticate"] == "Bearer"
    assert served.request("PUT", "/v1/suppressions/a@example.com", {"reason": "x"}, token=read)[0] == 403
    assert served.request("DELETE", "/v1/suppressions/a@example.com?reason=x", token=read)[0] == 403


def test_an_operator_needs_no_token_on_loopback(served: Served) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert served.request("GET", path)[0] == 200
    assert "bounceproc_staleness_seconds" in served.request("GET", "/metrics")[1]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/addresses/", None, 400),
        ("GET", "/v1/addresses/../../etc/passwd", None, 400),
        ("GET", "/v1/addresses/a%00b@example.com", None, 400),
        ("GET", "/v1/addresses/a%0Ab@example.com", None, 400),
        ("GET", "/v1/addresses/%ff%fe@example.com", None, 400),
        ("GET", f"/v1/addresses/a@{'x' * 5000}.example", None, 400),
        ("GET", "/v1/suppressions?cursor=-1", None, 400),
        ("GET", "/v1/suppressions?limit=100000", None, 400),
        ("GET", "/v1/suppressions?limit=1&limit=2", None, 400),
        ("GET", "/v1/changes?since=x", None, 400),
        ("GET", "/nothing", None, 404),
        ("GET", "/healthz/", None, 404),
        ("POST", "/v1/check/", b"{}", 404),
        ("POST", "/v1/suppressions", b"{}", 405),
        ("POST", "/v1/check", b"", 400),
        ("POST", "/v1/check", b"\xff", 400),
        ("POST", "/v1/check", b"[" * 200_000, 400),
        ("POST", "/v1/check", b"[]", 422),
        ("POST", "/v1/check", b'{"addresses":"a"}', 422),
        ("POST", "/v1/check", b'{"addresses":[1]}', 422),
        ("POST", "/v1/check", json.dumps({"addresses": ["a@b.c"] * 10_001}).encode(), 422),
        ("POST", "/v1/check", b" " * (5 << 20), 413),
        ("POST", "/v1/sent", b"{}", 501),
        ("PUT", "/v1/suppressions/a@example.com", b"{}", 422),
        ("PUT", "/v1/suppressions/a@example.com", b'{"reason":"x","scope":"y"}', 422),
        ("PUT", "/v1/suppressions/a@example.com", b'{"reason":"x","until":"y"}', 422),
        ("DELETE", "/v1/suppressions/a@example.com", None, 422),
    ],
)
def test_a_bad_request_has_a_clear_refusal(
    served: Served, method: str, path: str, body: bytes | None, status: int
) -> None:
    got, answer, headers = served.request(method, path, raw=body, token=_token(served, "write"))

    assert got == status
    assert headers["content-type"] == "application/problem+json"
    assert answer["status"] == status
    assert answer["detail"]
    assert served.map(b"suppressed fine@example.com") == b"NOTFOUND "


@pytest.mark.parametrize(
    "data",
    [
        b"99999:",
        b"100000:",
        b"10001:",
        b"x",
        b"-1:a,",
        b"00:,",
        b"5:hello!",
        b"\0\0\0\0\0\0",
        b"7",
        b"12:suppress",
        b":,",
    ],
)
def test_no_netstring_ends_its_own_connection_alone(served: Served, data: bytes) -> None:
    with served.connect(served.socketmap) as other, served.connect(served.socketmap) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(4096)
        assert answer == b"" or b"PERM" in answer
        other.sendall(netstring(b"suppressed gone@example.com"))
        assert read_netstring(other).startswith(b"OK REJECT")


@pytest.mark.parametrize(
    "key",
    [
        b"a\0b@example.com",
        b"a\nb@example.com",
        b"x" * 5000 + b"@example.com",
        b"\xff\xfe@example.com",
        b"",
        b"@",
        b"a b",
    ],
)
def test_what_is_no_address_is_not_found(served: Served, key: bytes) -> None:
    assert served.map(b"suppressed " + key) == b"NOTFOUND "


@pytest.mark.parametrize("data", [b"\n\n", b"hello\n\n", b"request=other\n\n", b"x=" + b"y" * 100_000])
def test_a_policy_request_that_is_none_has_no_answer(served: Served, data: bytes) -> None:
    with served.connect(served.policy) as client:
        client.sendall(data)
        with suppress(ConnectionResetError):
            assert client.recv(4096) == b""
    assert served.ask_policy(recipient="fine@example.com") == b"action=DUNNO\n\n"


def test_half_requests_are_put_out_and_others_go_on(served: Served) -> None:
    with (
        served.connect(served.socketmap) as half,
        served.connect(served.http) as half_http,
        served.connect(served.policy) as half_policy,
    ):
        half.sendall(b"30:suppr")
        half_http.sendall(b"GET /v1/addresses/a HTTP/1.1\r\nHost:")
        half_policy.sendall(b"request=smtpd")
        assert served.map(b"suppressed fine@example.com") == b"NOTFOUND "
        for client in (half, half_http, half_policy):
            with suppress(ConnectionResetError):
                assert client.recv(10) == b""


def test_a_head_without_end_is_put_out(served: Served) -> None:
    with served.connect(served.http) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        many = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 1000) for number in range(20_000))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            client.sendall(many)
    assert served.request("GET", "/healthz")[0] == 200


def test_ten_thousand_idle_connections_leave_room_for_others_and_memory_flat(served: Served) -> None:
    """Those that were silent longest have to go; half of the clients fell silent in the middle of a request."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = 10_500 if hard == resource.RLIM_INFINITY else min(hard, 10_500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    count = min(10_000, allowed - 500)
    before = served.memory()
    idle: list[socket.socket] = []
    try:
        for number in range(count):
            idle.append(served.connect((served.socketmap, served.policy, served.http)[number % 3]))
            if number % 2:
                with suppress(ConnectionError):  # it was put out meanwhile
                    idle[-1].sendall((b"30:suppr", b"request=smtpd", b"GET /v1")[number % 3])
            if number % 1000 == 0:
                assert served.map(b"suppressed gone@example.com").startswith(b"OK REJECT")
        assert served.map(b"suppressed fine@example.com") == b"NOTFOUND "
        assert served.request("GET", "/healthz")[0] == 200
        assert served.ask_policy(recipient="fine@example.com") == b"action=DUNNO\n\n"
        assert served.memory() - before < 200 << 20
    finally:
        for client in idle:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_client_that_takes_no_answers_holds_up_nobody_and_fills_no_memory(served: Served) -> None:
    before = served.memory()
    asked = netstring(b"suppressed nobody@example.com") * 2000
    with served.connect(served.socketmap) as deaf:
        deaf.setblocking(False)
        sent = 0
        with suppress(BlockingIOError, ConnectionError):
            while sent < 64 << 20:
                sent += deaf.send(asked)
        assert sent < 64 << 20  # it is not read without end
        assert served.map(b"suppressed gone@example.com").startswith(b"OK REJECT")
    assert served.memory() - before < 32 << 20


def test_bodies_without_end_fill_no_memory(served: Served) -> None:
    before = served.memory()
    with served.connect(served.http) as client:
        client.sendall(
            b"POST /v1/check HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            b"Authorization: Bearer " + _token(served, "read").encode() + b"\r\n\r\n"
        )
        piece = b"10000\r\n" + b"[" * 65536 + b"\r\n"
        with suppress(ConnectionError):
            for _ in range(2000):
                client.sendall(piece)
    assert served.memory() - before < 64 << 20
    assert served.map(b"suppressed fine@example.com") == b"NOTFOUND "


def test_without_tokens_reads_are_open_writes_are_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        assert served.request("GET", "/v1/addresses/a@example.com")[0] == 200
        assert served.request("PUT", "/v1/suppressions/a@example.com", {"reason": "x"})[0] == 403


def test_a_stranger_cannot_fill_the_log(tmp_path: Path) -> None:
    upgrade = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"
    with serving(tmp_path) as served:
        for asked in (
            upgrade % b"websocket",
            upgrade % b"h2c",
            b"no http\r\n\r\n",
            b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            with served.connect(served.http) as client:
                client.sendall(asked)
                assert client.recv(4096).startswith(b"HTTP/1.1 ")
        with served.connect(served.socketmap) as client:
            client.sendall(b"no netstring")
            assert b"PERM" in client.recv(4096)
        served.process.send_signal(signal.SIGTERM)
        _, said = served.process.communicate(timeout=DEADLINE)
    assert said.decode().splitlines()[:-1] == []


def test_an_open_place_without_tokens_ends_with_78(tmp_path: Path) -> None:
    house = House(tmp_path)
    (tmp_path / "bounceproc.toml").write_text('[serve]\nhttp = "0.0.0.0:1"\n')
    assert house.run("serve", code=78).returncode == 78


@pytest.mark.parametrize(("mode", "answer"), [("open", b"NOTFOUND "), ("closed", b"TEMP ")])
def test_a_database_that_is_gone_is_answered_as_declared(tmp_path: Path, mode: str, answer: bytes) -> None:
    House(tmp_path).run("suppress", "add", "gone@example.com")
    with serving(tmp_path, f'on_error = "{mode}"\nmax_staleness = 1.0\n') as served:
        assert served.map(b"suppressed gone@example.com").startswith(b"OK REJECT")
        served.house.database.write_bytes(b"no database" * 10_000)
        for side in ("-wal", "-shm"):
            served.house.database.with_name(served.house.database.name + side).unlink(missing_ok=True)
        until(lambda: served.map(b"suppressed gone@example.com").startswith(answer))
        until(lambda: served.request("GET", "/readyz")[0] == 503)
        status, told, _ = served.request("GET", "/v1/addresses/gone@example.com")
        many, listed, _ = served.request("POST", "/v1/check", {"addresses": ["gone@example.com"]})
        assert (status, many) == ((200, 200) if mode == "open" else (503, 503))
        if mode == "open":
            assert (told["suppressed"], told["known"]) == (False, False)
            assert listed["results"] == [told]
        else:
            assert told["status"] == listed["status"] == 503


def test_several_workers_answer_from_one_snapshot(tmp_path: Path) -> None:
    House(tmp_path).run("suppress", "add", "gone@example.com")
    with serving(tmp_path, "workers = 2\n") as served:
        for _ in range(20):
            assert served.map(b"suppressed gone@example.com").startswith(b"OK REJECT")
            assert served.request("GET", "/v1/addresses/gone@example.com")[1]["suppressed"] is True


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    House(tmp_path).run("suppress", "add", "gone@example.com")
    with serving(tmp_path, "workers = 2\n") as served:
        workers = served.children()
        assert len(workers) == 2
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        until(lambda: len(served.children() - workers) == 2)
        assert served.map(b"suppressed gone@example.com").startswith(b"OK REJECT")
        last = served.children()
    assert not any(is_alive(worker) for worker in last)


def test_a_database_that_was_put_back_is_not_answered_from_the_snapshot_of_a_later_one(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.run("suppress", "add", "lifted@example.com")
    backup = house.database.read_bytes()
    house.run("suppress", "remove", "lifted@example.com")
    with serving(tmp_path, 'snapshot_file = "index"\n') as served:
        assert served.map(b"suppressed lifted@example.com") == b"NOTFOUND "
    house.database.write_bytes(backup)
    for side in ("-wal", "-shm"):
        house.database.with_name(house.database.name + side).unlink(missing_ok=True)
    house.run("suppress", "add", "other@example.com")  # the feed is as long as it was
    with serving(tmp_path, 'snapshot_file = "index"\n') as served:
        assert served.map(b"suppressed lifted@example.com").startswith(b"OK REJECT")
        assert served.map(b"suppressed other@example.com").startswith(b"OK REJECT")


@pytest.mark.parametrize(("setting", "mode"), [("", 0o660), ('socket_mode = "0666"\n', 0o666)])
def test_a_unix_socket_is_for_its_owner_and_group_unless_told_otherwise(
    tmp_path: Path, setting: str, mode: int
) -> None:
    place = tmp_path / "map"
    group = grp.getgrgid(os.getgid()).gr_name
    with (
        serving(tmp_path, f'{setting}socket_owner = ":{group}"\n', socketmap=f"unix:{place}"),
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.settimeout(30)
        client.connect(str(place))
        client.sendall(netstring(b"suppressed fine@example.com"))
        assert read_netstring(client) == b"NOTFOUND "
        assert place.stat().st_mode & 0o777 == mode
