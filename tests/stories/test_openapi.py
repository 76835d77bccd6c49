"""The server answers as its own OpenAPI document says, whatever is asked: schemathesis makes the requests of that document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Where a server is, and a token that may write."""
    folder = tmp_path_factory.mktemp("openapi")
    house = House(folder)
    made = house.run("serve", "--new-token", "write", "tester")
    (folder / "tokens").write_text(made.stderr.strip().rpartition(": ")[2])
    (folder / "tokens").chmod(0o600)
    house.run("suppress", "add", "gone@example.com", "@dead.example", "--reason", "bounce")
    house.run("ingest", "-", stdin=dsn("bounced@example.com"))
    with serving(folder, 'tokens_file = "tokens"\n', "[identity]\nledger = true\n") as served:
        yield f"http://127.0.0.1:{served.http}", made.stdout.strip()


schema = schemathesis.openapi.from_dict(document("1"))


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
def test_every_answer_is_one_of_the_document(case: Any, token: tuple[str, str]) -> None:
    url, secret = token
    # A schema cannot say what a whole e-mail address is, nor that a mail was not sent in the future.
    leave = [positive_data_acceptance] if case.path == "/v1/sent" or "{address}" in case.path else []
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {secret}"}, excluded_checks=leave)


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
    method: str, path: str, rest: str, body: Any, token: tuple[str, str]
) -> None:
    url, secret = token
    target = url + path.partition("{")[0] + rest
    answer = requests.request(method, target, json=body, headers={"Authorization": f"Bearer {secret}"}, timeout=30)

    assert answer.status_code == 200
    schema[path][method].validate_response(answer)
    if answer.headers["content-type"] == "application/json" and "results" in answer.json():
        described = document("1")["paths"][path][method.lower()]["responses"]["200"]["content"]["application/json"]
        told = answer.json()["results"]
        assert told
        assert {name for one in told for name in one} <= {
            *described["schema"]["properties"]["results"]["items"]["properties"]
        }
