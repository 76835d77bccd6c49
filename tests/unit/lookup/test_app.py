"""What goes wrong inside is told as every other problem is, and once."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.lookup.http.app import Application

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class Broken:
    """Both questions, with a mistake of ours in each."""

    async def one(self, _scope: object, text: str) -> bytes:
        raise KeyError(text)

    async def many(self, _scope: object, _receive: object) -> bytes:
        raise RuntimeError("secret words")


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/addresses/a@example.com"), ("POST", "/v1/check")])
def test_a_mistake_of_ours_is_a_problem_without_its_words(
    method: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    async def others(*_given: object) -> None:
        raise AssertionError("these two are not asked elsewhere")

    app = Application(Broken(), others)  # type: ignore[arg-type]  # both are small ones
    asyncio.run(app({"type": "http", "method": method, "path": path}, None, send))  # type: ignore[arg-type]

    start, body = said
    assert start["status"] == 500
    assert dict(start["headers"])[b"content-type"] == b"application/problem+json"
    told = json.loads(body["body"])
    assert (told["status"], told["title"]) == (500, "Internal Server Error")
    assert b"secret" not in body["body"]
    assert "could not be answered" in caplog.text
