"""Alembic's entry: on the connection the product hands over, else on the product's own database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from storage.database import make_engine, make_folders
from storage.schema import metadata
from storage.settings import Settings


def of_the_archive(name: str | None, kind: str, _parents: object) -> bool:
    """Whether Alembic compares it: the index of words is none of storage.schema's tables."""
    return kind != "table" or not str(name).startswith("search_")


def migrate(connection: sa.Connection) -> None:
    """Run on a connection whose transaction the caller owns."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        # SQLite cannot alter a column in place; a batch copies the table.
        render_as_batch=True,
        include_name=of_the_archive,
    )
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    """`connection` is set by storage.database and by the tests."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    settings = Settings()
    make_folders(settings)
    with make_engine(settings.url).begin() as own:
        migrate(own)


main()
