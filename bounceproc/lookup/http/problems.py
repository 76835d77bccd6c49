"""What goes wrong, as RFC 9457 has it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any


class ProblemError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        super().__init__(detail)

    def body(self) -> bytes:
        """The problem details."""
        told: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        return json.dumps(told).encode()
