"""What leaves as tables: their columns, and what every column means, in Chinese and English."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is that of a Frictionless Table Schema: string, integer, number, boolean."""

    name: str
    type: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Table:
    """`key` names the columns by which a row is found again."""

    name: str
    zh: str
    en: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The names of its columns, in their order."""
        return [column.name for column in self.columns]


@dataclass(frozen=True, slots=True)
class Word:
    """A word that stands in the tables: a state, a layout, a rule."""

    kind: str
    name: str
    zh: str
    en: str


@cache
def tables() -> dict[str, Table]:
    """Name → table, in the order in which they are told."""
    data = _data()
    columns = {name: Column(name, **said) for name, said in data["columns"].items()}
    return {
        each["name"]: Table(
            each["name"],
            each["zh"],
            each["en"],
            tuple(each["key"]),
            tuple(columns[name] for name in each["columns"]),
        )
        for each in data["tables"]
    }


@cache
def words() -> tuple[Word, ...]:
    """States, layouts and rules."""
    data = _data()
    return tuple(
        Word(kind, name, said["zh"], said["en"])
        for kind in ("states", "layouts", "rules")
        for name, said in data[kind].items()
    )


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text("utf-8"))
