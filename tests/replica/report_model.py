"""What a generated report is, how a person reads one of its cells, and its arithmetic.

Written apart from `crawler.forms`, from the description of the statutory forms alone: the reader
is judged by this module and shares no line with it.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

NUMBER = re.compile(r"[+\-−]?\d+(?:,\d{3})*(?:\.\d+)?")
UNIT = re.compile(r"亿元|万元|元|件|条|项|次|个|宗")
NOTE = re.compile(r"\(.*\)")
DASHES = frozenset({"-", "--", "—", "——", "–", "/"})


@dataclass(frozen=True)
class Published:
    """One cell as printed, and what a person reading the page would write down.

    `state` is number, zero, blank, dash, text or unread (no person could tell); `value` only for
    number and zero, the digits as printed whatever the unit.
    """

    raw: str
    state: str
    value: Decimal | None = None


@dataclass(frozen=True)
class LocalRow:
    """A row the form does not know, printed below the row `after` of `table`."""

    table: str
    after: str
    label: str
    raws: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """One annual report, ready to be printed in any markup.

    `sections` are heading (empty before the first) and paragraphs; `tables` names the statutory
    table below each section that has one ("art20", "applications", "review_litigation",
    "statistics"). `cells` maps "applications.granted.total" to what is printed there, in the
    form's order; it is empty for old reports. `wrong` holds every relation that fails, as (rule,
    label of its column, row or block); `labels` the printed wording of every label, a line break
    standing for a node boundary; `shape` seeds what the form leaves open (widths, header rows).
    """

    organ: str
    year: int
    layout: str
    title: str
    body_title: str
    sections: tuple[tuple[str, tuple[str, ...]], ...]
    tables: Mapping[int, str]
    cells: Mapping[str, Published]
    labels: Mapping[str, str]
    defects: frozenset[str] = frozenset()
    wrong: tuple[tuple[str, str], ...] = ()
    local_rows: tuple[LocalRow, ...] = ()
    statistics: tuple[tuple[str, str, str], ...] = ()
    shape: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Keys of the seven value columns of the applications table."""
        return tuple(statutory()["applications"]["columns"])

    @property
    def application_rows(self) -> tuple[str, ...]:
        """Row keys of the applications table, in order, as this report prints them."""
        paths = (path.split(".") for path in self.cells)
        return tuple(dict.fromkeys(row for table, row, *_ in paths if table == "applications"))


@dataclass(frozen=True)
class Relation:
    """The cells of `plus` sum to those of `minus`. `key` is the column, row or block it is for."""

    rule: str
    key: str
    plus: tuple[str, ...]
    minus: tuple[str, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        return self.plus + self.minus


@dataclass(frozen=True)
class Form:
    """The paths of one layout in order, and its items."""

    items: Mapping[str, Mapping[str, Any]]
    rows: tuple[str, ...]
    paths: tuple[str, ...] = field(repr=False)


@cache
def statutory() -> dict[str, Any]:
    """The labels of both layouts, from statutory.toml."""
    return tomllib.loads((HERE / "statutory.toml").read_text("utf-8"))


@cache
def form(layout: str, one_other_row: bool = False) -> Form:
    """The form of "2019" or "2021"; with one 其他处理 row always for 2019, on request for 2021."""
    items: dict[str, Any] = statutory()[layout]
    single = one_other_row or layout == "2019"
    dropped = {"other_overdue_correction", "other_overdue_fee", "other_misc"}
    unused = dropped if single else {"other_total"}
    rows = tuple(row for row in statutory()["applications"]["rows"] if row not in unused)
    return Form(items, rows, tuple(_paths(items, rows)))


def _paths(items: Mapping[str, Any], rows: tuple[str, ...]) -> Iterator[str]:
    for key, item in items.items():
        for row in item["rows"]:
            yield from (f"art20.{key}.{row}.{column}" for column in item["columns"])
    for row in rows:
        yield from (f"applications.{row}.{c}" for c in statutory()["applications"]["columns"])
    review = statutory()["review_litigation"]
    for block in review["blocks"]:
        yield from (f"review_litigation.{block}.{column}" for column in review["columns"])


def published(raw: str) -> Published:
    """Read one cell as a person does.

    >>> published("5446.75万元").value
    Decimal('5446.75')
    >>> published("\\u3000").state, published("/").state, published("无").state
    ('blank', 'dash', 'text')
    """
    text = "".join(unicodedata.normalize("NFKC", raw).split())
    if not text:
        return Published(raw, "blank")
    if text in DASHES:
        return Published(raw, "dash")
    number = UNIT.sub("", NOTE.sub("", text))
    if not NUMBER.fullmatch(number):
        return Published(raw, "text")
    value = Decimal(number.replace(",", "").replace("−", "-"))
    return Published(raw, "number" if value else "zero", value)


def relations(rows: tuple[str, ...]) -> tuple[Relation, ...]:
    """A1 to A3 and R1 to R3 over an applications table of these rows, in the order of the form."""
    columns = tuple(statutory()["applications"]["columns"])
    outside = {"new_received", "carried_in", "result_total", "carried_out"}

    def down(column: str, *keys: str) -> tuple[str, ...]:
        return tuple(f"applications.{row}.{column}" for row in keys)

    def across(table: str, row: str, keys: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{table}.{row}.{column}" for column in keys)

    results = [row for row in rows if row not in outside]
    first = [Relation("A1", c, down(c, *results), down(c, "result_total")) for c in columns]
    second = [
        Relation(
            "A2", c, down(c, "new_received", "carried_in"), down(c, "result_total", "carried_out")
        )
        for c in columns
    ]
    third = [
        Relation("A3", row, across("applications", row, columns[:-1]), down("total", row))
        for row in rows
    ]
    review = statutory()["review_litigation"]
    outcomes = tuple(review["columns"])[:-1]
    last = [
        Relation(
            f"R{number}",
            block,
            across("review_litigation", block, outcomes),
            across("review_litigation", block, ("total",)),
        )
        for number, block in enumerate(review["blocks"], 1)
    ]
    return (*first, *second, *third, *last)


def verdict(relation: Relation, cells: Mapping[str, Published]) -> str:
    """What can be said of a relation: pass, fail, holds_if_blank_is_zero or not_assessable."""
    states = {cells[path].state for path in relation.paths}
    if states == {"blank"} or states & {"dash", "text", "unread"}:
        return "not_assessable"
    zero = Decimal(0)
    left = sum((cells[path].value or zero for path in relation.plus), zero)
    right = sum((cells[path].value or zero for path in relation.minus), zero)
    if left != right:
        return "fail"
    return "holds_if_blank_is_zero" if "blank" in states else "pass"


def checks(report: Report) -> tuple[tuple[str, str, str], ...]:
    """Rule, key and verdict of every relation of a report of the 2019 or 2021 layout, in order."""
    return tuple(
        (relation.rule, relation.key, verdict(relation, report.cells))
        for relation in relations(report.application_rows)
    )


def failing(rows: tuple[str, ...], cells: Mapping[str, Published]) -> tuple[Relation, ...]:
    """The relations that do not hold."""
    return tuple(r for r in relations(rows) if verdict(r, cells) == "fail")
