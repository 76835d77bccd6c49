"""HTTP to token endpoints: bounded in time, without redirects, with the server's clock read on the way."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests

TIMEOUT: Final = (10.0, 20.0)
"""Seconds for the connection, and without a single octet of the answer."""

# At their debug levels these write headers and bodies of token requests.
for _name in ("msal", "google.auth", "google.oauth2", "google.auth.transport"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

NetworkError: Final[type[OSError]] = requests.exceptions.RequestException


class Session(requests.Session):
    """A session of `requests` that both providers' libraries can use."""

    def __init__(self) -> None:
        super().__init__()
        self.skew: timedelta | None = None
        """How far the server's clock was ahead of ours in its last answer."""

    def request(self, method: str, url: str, **settings: Any) -> Any:  # type: ignore[override]  # by name alone
        """Ask once. A redirect would carry our secrets to another place."""
        answer = super().request(method, url, **{**settings, "timeout": TIMEOUT, "allow_redirects": False})
        try:
            self.skew = parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)
        except (KeyError, ValueError, TypeError):
            self.skew = None
        return answer
