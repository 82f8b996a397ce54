"""What is said of views and columns is said of those there are."""

from __future__ import annotations

import sqlalchemy as sa

from storage.columns import columns, datasette
from storage.schema import metadata


def test_every_column_of_every_view_is_explained_and_no_other(engine: sa.Engine) -> None:
    inspector = sa.inspect(engine)
    there = {
        name: {column["name"] for column in inspector.get_columns(name)}
        for name in (*inspector.get_view_names(), "standing")
    }
    assert {name: set(told) - {"about"} for name, told in columns().items()} == there


def test_datasette_is_told_of_every_table_and_hides_the_restricted_ones() -> None:
    tables = datasette()["databases"]["archive"]["tables"]
    assert tables["versions"] == tables["captures"] == {"hidden": True}
    assert tables["report_cells"]["columns"]["raw"] == "The text as published"
    assert {name for name, told in tables.items() if told.get("hidden")} < set(metadata.tables)
