"""A provider of access tokens on loopback, with Google's and Microsoft's endpoints, and the one that Dovecot asks."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TENANT: Final = "contoso.example"


class Provider:
    """Answers token requests from `answers`, in order; without any it gives good tokens."""

    def __init__(self, certificate: Path | None = None, key: Path | None = None) -> None:
        self.requests: list[dict[str, str]] = []
        """The forms of all token requests."""
        self.answers: list[tuple[int, str]] = []
        self.users: dict[str, str] = {}
        """Whose tokens are valid at the mail server."""
        self.user = "nobody@example.com"
        self.rotates = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[Provider]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join(5)

    def refuse(self, error: str, description: str = "", status: int = 400) -> None:
        """Answer the next request for a token with a refusal."""
        self.answers.append((status, json.dumps({"error": error, "error_description": description})))

    def grant(self, form: dict[str, str]) -> tuple[int, str]:
        self.requests.append(form)
        if self.answers:
            return self.answers.pop(0)
        token = f"Sesame-access-{len(self.requests)}"
        self.users[token] = self.user
        answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        if self.rotates:
            answer["refresh_token"] = f"Sesame-refresh-{len(self.requests)}"
        return 200, json.dumps(answer)

    def describe(self, path: str) -> tuple[int, str]:
        asked = urlsplit(path)
        if asked.path == f"/{TENANT}/v2.0/.well-known/openid-configuration":
            ends = {"authorization_endpoint": f"{self.url}/{TENANT}/authorize"}
            ends |= {"token_endpoint": f"{self.url}/{TENANT}/token", "issuer": f"{self.url}/{TENANT}"}
            return 200, json.dumps(ends)
        if asked.path == "/tokeninfo":
            user = self.users.get(parse_qs(asked.query).get("access_token", [""])[0])
            return (200, json.dumps({"email": user})) if user else (401, json.dumps({"error": "invalid_token"}))
        return 404, "{}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._answer(*provider.grant({name: values[0] for name, values in parse_qs(body).items()}))

            def do_GET(self) -> None:
                self._answer(*provider.describe(self.path))

            def _answer(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
