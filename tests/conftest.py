"""The servers that any test may ask for; none is started before one does."""

from __future__ import annotations

pytest_plugins = ["tests.servers.postgres", "tests.servers.dovecot"]
