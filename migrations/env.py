"""How alembic reaches a database: over a connection that the program hands in, or, for developers, over a URL."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal

from alembic import context

from bounceproc.store.engine import BUSY_TIMEOUT, Database
from bounceproc.store.schema import include_object
from bounceproc.store.tables import UtcTime, metadata

if TYPE_CHECKING:
    import sqlalchemy as sa

UPGRADE_LOCK: Final = 0x626F756E63650001
"""The advisory lock that lets one upgrade at a time into a PostgreSQL database."""


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write plain types into new migrations: a migration must not change when the program's own types do."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcTime) else False


def run(connection: sa.Connection) -> None:
    """Run the migrations inside the transaction of this connection."""
    if connection.dialect.name == "postgresql":
        # A migration may take long, and must not queue up everybody else behind a lock that it waits for.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(BUSY_TIMEOUT)}s'; SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
        compare_type=True,
        include_object=include_object,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_for_developers() -> None:
    """`alembic -x url=... revision --autogenerate` and the like, from a checkout."""
    given = context.get_x_argument(as_dictionary=True).get("url")
    url = str(given or os.environ.get("BOUNCEPROC_DATABASE__URL") or "sqlite:///bounceproc.db")
    database = Database(url, foreign_keys=False)
    with database.writing() as connection:
        run(connection)
    database.close()


if context.is_offline_mode():
    raise SystemExit("bounceproc migrates over a connection: there is no --sql mode")
handed_in = context.config.attributes.get("connection")
if handed_in is None:
    run_for_developers()
else:
    run(handed_in)
