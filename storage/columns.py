"""What the views and their columns mean, for people who bring their own tools (columns.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from storage.schema import metadata

# Of the tables, only what is made for asking: the others hold what was withdrawn, uncovered.
_ASKED = frozenset({"standing", "organs", "portals", "forms", "form_cells"})


@cache
def columns() -> Mapping[str, Mapping[str, str]]:
    """View → column → what it means; `about` says what one row is."""
    return tomllib.loads(Path(__file__).with_name("columns.toml").read_text("utf-8"))


def datasette() -> dict[str, Any]:
    """Metadata for Datasette, for a file named archive.sqlite; the tables of the restricted tier
    are hidden from its lists, which keeps nobody from asking them.
    """
    named = {
        name: {
            "description": told["about"],
            "columns": {column: said for column, said in told.items() if column != "about"},
        }
        for name, told in columns().items()
    }
    hidden = {
        name: {"hidden": True} for name in sorted(metadata.tables) if name not in {*named, *_ASKED}
    }
    return {
        "title": "gongkai",
        "description": "Annual disclosure reports (政府信息公开工作年度报告) of local governments.",
        "databases": {"archive": {"tables": named | hidden}},
    }
