"""The statutory forms as data: one TOML file a form, read into frozen objects."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

_HERE = Path(__file__).parent
_T = TypeVar("_T")


class FormError(ValueError):
    """Raised when a form file lacks a key, has one too many or names something unknown."""


@dataclass(frozen=True)
class Column:
    """`under` is the group head above it; `unit` the unit the form prescribes."""

    key: str
    label: str
    variants: tuple[str, ...] = ()
    under: str | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Row:
    """`ordinal`: the number before the label is part of the name (3.其他). `under`: the head above
    it, in a table whose rows stand beside each other.
    """

    key: str
    label: str
    variants: tuple[str, ...] = ()
    ordinal: bool = False
    under: str | None = None


@dataclass(frozen=True)
class Merged:
    """A row some reports print in place of several."""

    key: str
    label: str
    replaces: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """`title` is what Chinese messages call it. `across`: the rows stand beside each other as
    blocks of columns, over one line of values.
    """

    key: str
    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    across: bool = False
    corner: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    merged: Merged | None = None

    @cached_property
    def row_keys(self) -> tuple[str, ...]:
        return tuple(row.key for row in self.rows)

    @cached_property
    def column_keys(self) -> tuple[str, ...]:
        return tuple(column.key for column in self.columns)

    @cached_property
    def width(self) -> int:
        """Value cells in one line of the table."""
        return len(self.columns) * (len(self.rows) if self.across else 1)

    def row(self, key: str) -> Row:
        return self.rows[self.row_keys.index(key)]


@dataclass(frozen=True)
class Relation:
    """The sum of some cells equals that of others, in `each` column or row (`only` in one)."""

    rule: str
    table: str
    each: Literal["column", "row"]
    sum: tuple[str, ...]
    equals: tuple[str, ...]
    only: str | None = None


@dataclass(frozen=True, eq=False)
class Form:
    """One layout. `size` is its number of cells."""

    name: Literal["2019", "2021"]
    notice: str
    marks: tuple[str, ...]
    tables: tuple[Table, ...]
    relations: tuple[Relation, ...]

    @property
    def size(self) -> int:
        return sum(len(table.rows) * len(table.columns) for table in self.tables)

    def table(self, key: str) -> Table:
        return next(table for table in self.tables if table.key == key)

    @cached_property
    def merged(self) -> Form | None:
        """This form as printed by reports that merge rows; None where the form has no such row."""
        if not any(table.merged for table in self.tables):
            return None
        merges = {table.key: table.merged for table in self.tables if table.merged}
        relations = (
            _merge_relation(relation, merges[relation.table])
            if relation.table in merges
            else relation
            for relation in self.relations
        )
        return replace(
            self, tables=tuple(map(_merge_table, self.tables)), relations=tuple(relations)
        )


@dataclass(frozen=True)
class Common:
    """What all forms share; see common.toml."""

    units: tuple[str, ...]
    dashes: frozenset[str]
    line_labels: tuple[str, ...]
    title_subject: tuple[str, ...]
    title_kind: tuple[str, ...]
    title_never: tuple[str, ...]
    dateline: tuple[str, ...]
    index_labels: frozenset[str]
    old_headings: tuple[str, ...]
    parts: tuple[frozenset[str], ...]
    traditional: str
    simplified: str
    least_confidence: float


@cache
def forms() -> dict[str, Form]:
    """Every form of this folder by name: one file each, nothing to register."""
    found = [load(path) for path in sorted(_HERE.glob("[0-9]*.toml"))]
    return {form.name: form for form in found}


@cache
def common() -> Common:
    path = _HERE / "common.toml"
    data = _parse(path)
    given = _tuples(data)
    for key in ("dashes", "index_labels"):
        given[key] = frozenset(given.get(key, ()))
    given["parts"] = tuple(map(frozenset, given.get("parts", ())))
    words = _make(Common, given, path, "")
    if len(words.traditional) != len(words.simplified):
        raise FormError(f"{path.name}: traditional and simplified must be of one length")
    return words


@cache
def composed(name: str, parts: tuple[str, ...]) -> Form:
    """The form `name` with its tables, and what is said of them, taken part by part (see `parts`
    in common.toml) from the forms named: for reports that mix the layouts.
    """
    tables: list[Table] = []
    relations: list[Relation] = []
    for keys, part in zip(common().parts, parts, strict=True):
        form = forms()[part]
        tables += [table for table in form.tables if table.key in keys]
        relations += [relation for relation in form.relations if relation.table in keys]
    return replace(forms()[name], tables=tuple(tables), relations=tuple(relations))


def load(path: Path) -> Form:
    """Read one form file.

    Raises:
        FormError: names the file and the key that is wrong.
    """
    data = _parse(path)
    tables = tuple(
        _table(item, path, f"tables[{i}]") for i, item in enumerate(_list(data, "tables", path))
    )
    relations = tuple(
        _make(Relation, _tuples(item), path, f"relations[{i}]")
        for i, item in enumerate(_list(data, "relations", path))
    )
    rest = _tuples(data) | {"tables": tables, "relations": relations}
    form = _make(Form, rest, path, "")
    _check(form, path)
    return form


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise FormError(f"{path.name}: {error}") from error


def _list(data: dict[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    value = data.get(key)
    if not isinstance(value, list) or not value:
        raise FormError(f"{path.name}: {key} must be a list of tables")
    return value


def _table(item: dict[str, Any], path: Path, where: str) -> Table:
    given = _tuples(item)
    for key, kind in (("rows", Row), ("columns", Column)):
        given[key] = tuple(
            _make(kind, _tuples(entry), path, f"{where}.{key}[{i}]")
            for i, entry in enumerate(item.get(key, ()))
        )
        if not given[key]:
            raise FormError(f"{path.name}: {where}.{key} is missing or empty")
    if "merged" in given:
        given["merged"] = _make(Merged, _tuples(item["merged"]), path, f"{where}.merged")
    return _make(Table, given, path, where)


def _tuples(item: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}


def _make(kind: type[_T], given: dict[str, Any], path: Path, where: str) -> _T:
    try:
        return kind(**given)
    except TypeError as error:
        detail = str(error).partition("() ")[2] or str(error)
        raise FormError(f"{path.name}: {where or 'top level'}: {detail}") from error


def _check(form: Form, path: Path) -> None:
    """Relations must speak of cells the form has."""
    for relation in form.relations:
        tables = [table for table in form.tables if table.key == relation.table]
        if not tables:
            raise FormError(f"{path.name}: {relation.rule}: unknown table {relation.table!r}")
        if relation.each not in ("column", "row"):
            raise FormError(f"{path.name}: {relation.rule}: each must be 'column' or 'row'")
        rows, columns = tables[0].row_keys, tables[0].column_keys
        terms, lines = (rows, columns) if relation.each == "column" else (columns, rows)
        wrong = [key for key in (*relation.sum, *relation.equals) if key not in terms]
        wrong += [relation.only] if relation.only and relation.only not in lines else []
        if wrong:
            raise FormError(f"{path.name}: {relation.rule}: unknown key {wrong[0]!r}")


def _merge_table(table: Table) -> Table:
    merged = table.merged
    if merged is None:
        return table
    keep = tuple(_merge(table.rows, merged))
    groups = tuple(group for group in table.groups if group != merged.label)
    return replace(table, rows=keep, groups=groups, merged=None)


def _merge(rows: tuple[Row, ...], merged: Merged) -> Iterator[Row]:
    for row in rows:
        if row.key == merged.replaces[0]:
            yield Row(merged.key, merged.label)
        if row.key not in merged.replaces:
            yield row


def _merge_relation(relation: Relation, merged: Merged | None) -> Relation:
    if merged is None or not set(merged.replaces) & set(relation.sum):
        return relation
    keep = tuple(key for key in relation.sum if key not in merged.replaces)
    return replace(relation, sum=(*keep, merged.key))
