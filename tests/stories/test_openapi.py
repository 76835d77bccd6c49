"""The server answers as its own OpenAPI document says, whatever is asked: schemathesis makes the requests of that document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from bounceproc.lookup.http.openapi import document
from tests.stories.house import House
from tests.stories.serving import serving
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = 40
"""Requests of each kind for each operation."""
BARRED_EXAMPLES = 8
"""The same from those who may not ask, or not write: what they ask matters little."""

_EACH: Final[dict[str, Any]] = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
}


class Server(NamedTuple):
    """Where it is, and its tokens by what they may do."""

    url: str
    tokens: dict[str, str]

    def headers(self, role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[role]}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("openapi")
    house = House(folder)
    made = {role: house.run("serve", "--new-token", role, f"{role}-tester") for role in ("write", "read")}
    (folder / "tokens").write_text("\n".join(done.stderr.strip().rpartition(": ")[2] for done in made.values()))
    (folder / "tokens").chmod(0o600)
    house.run("suppress", "add", "gone@example.com", "@dead.example", "--reason", "bounce")
    house.run("ingest", "-", stdin=dsn("bounced@example.com"))
    tokens = {"none": "of-nobody", **{role: done.stdout.strip() for role, done in made.items()}}
    with serving(folder, 'tokens_file = "tokens"\n', "[identity]\nledger = true\n") as served:
        yield Server(f"http://127.0.0.1:{served.http}", tokens)


schema = schemathesis.openapi.from_dict(document("1"))


@schema.parametrize()
@settings(max_examples=EXAMPLES, **_EACH)
def test_every_answer_is_one_of_the_document(case: Any, server: Server) -> None:
    # A schema cannot say what a whole e-mail address is, nor that a mail was not sent in the future.
    leave = [positive_data_acceptance] if case.path == "/v1/sent" or "{address}" in case.path else []
    case.call_and_validate(base_url=server.url, headers=server.headers("write"), excluded_checks=leave)


@pytest.mark.parametrize("role", ["none", "read"])
@schema.parametrize()
@settings(max_examples=BARRED_EXAMPLES, **_EACH)
def test_who_may_not_is_refused_as_the_document_says(case: Any, server: Server, role: str) -> None:
    answer = case.call_and_validate(
        base_url=server.url, headers=server.headers(role), excluded_checks=[positive_data_acceptance]
    )
    is_open = not case.path.startswith("/v1/")  # on loopback
    is_write = case.method in {"PUT", "DELETE"} or case.path == "/v1/sent"
    if answer.status_code == 405 or is_open or (role == "read" and not is_write):
        return
    assert answer.status_code == (401 if role == "none" else 403)


@pytest.mark.parametrize(
    ("method", "path", "rest", "body"),
    [
        ("GET", "/v1/addresses/{address}", "bounced@example.com", None),
        ("GET", "/v1/addresses/{address}", "nobody@example.com?stream=news", None),
        ("GET", "/v1/addresses/{address}/events", "bounced@example.com/events", None),
        ("POST", "/v1/check", "", {"addresses": ["bounced@example.com", "nobody@example.com", "nonsense"]}),
        ("GET", "/v1/suppressions", "", None),
        ("PUT", "/v1/suppressions/{address}", "new@example.com", {"reason": "x", "until": "2999-01-01T00:00:00Z"}),
        ("GET", "/v1/changes", "", None),
        ("DELETE", "/v1/suppressions/{address}", "gone@example.com?reason=mistake", None),
        ("POST", "/v1/sent", "", {"message_id": "<1@example.org>", "recipient": "new@example.com"}),
        ("GET", "/healthz", "", None),
        ("GET", "/readyz", "", None),
        ("GET", "/metrics", "", None),
        ("GET", "/openapi.json", "", None),
    ],
)
def test_what_there_is_to_tell_has_the_shape_of_the_document(
    method: str, path: str, rest: str, body: Any, server: Server
) -> None:
    target = server.url + path.partition("{")[0] + rest
    answer = requests.request(method, target, json=body, headers=server.headers("write"), timeout=30)

    assert answer.status_code == 200
    schema[path][method].validate_response(answer)
    if answer.headers["content-type"] == "application/json" and "results" in answer.json():
        described = document("1")["paths"][path][method.lower()]["responses"]["200"]["content"]["application/json"]
        told = answer.json()["results"]
        assert told
        assert {name for one in told for name in one} <= {
            *described["schema"]["properties"]["results"]["items"]["properties"]
        }
