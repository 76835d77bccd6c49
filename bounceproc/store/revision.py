"""The revision of the schema that this program expects."""

from __future__ import annotations

from typing import Final

HEAD: Final = "0011"
"""The newest revision in `migrations/versions`. Kept here, and tested, because asking alembic costs a quarter of a second."""
