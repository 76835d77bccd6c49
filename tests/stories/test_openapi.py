"""The server answers as its own OpenAPI document says, whatever is asked: schemathesis makes the requests of that document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from bounceproc.lookup.http.openapi import document
from tests.stories.house import House
from tests.stories.serving import serving

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
