"""What was read in the versions of reports: readings as records, kept, confirmed, loaded.

Every function takes a connection: the caller owns the transaction, so that a report's sighting,
observation and reading are kept together or not at all (`storage.database.transact`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, cast

import sqlalchemy as sa

from storage.readings import standing
from storage.readings.packing import (
    STATES,
    CellRecord,
    Packed,
    Place,
    pack,
    pack_verdicts,
    unpack,
    unpack_verdicts,
)
from storage.rows import find_or_add
from storage.schema import (
    confirmations,
    figures,
    findings,
    form_cells,
    form_checks,
    forms,
    grids,
    indicators,
    readings,
    sections,
    storable,
)

__all__ = [
    "CellRecord",
    "FindingRecord",
    "FormRecord",
    "GridRecord",
    "IndicatorRecord",
    "ReadOtherwise",
    "ReadingRecord",
    "content",
    "find_reading",
    "keep_reading",
    "load_reading",
    "newest_reading",
    "read_by",
    "record_digest",
    "store_reading",
]


# What a relation that did not fail says when asked: its own words are not kept, a crawl of correct
# reports would store forty of them a reading.
MESSAGES = {
    "pass": ("holds", "成立"),
    "fail": ("does not hold", "不成立"),
    "holds_if_blank_is_zero": ("holds only if blank means 0", "仅在空白视为 0 时成立"),
    "not_assessable": ("cannot be assessed", "无法判断"),
}


# Who made or confirmed which reading of a version when; the last of them is in force.
ACTS = sa.union_all(
    sa.select(
        *(readings.c.version_id, readings.c.id.label("reading_id"), readings.c.parser),
        readings.c.created_at.label("at"),
    ),
    sa.select(
        *(readings.c.version_id, readings.c.id, confirmations.c.parser),
        confirmations.c.confirmed_at,
    ).join(readings, readings.c.id == confirmations.c.reading_id),
).subquery()
_LAST_ACT = (
    sa.select(ACTS.c.reading_id, ACTS.c.parser, ACTS.c.at)
    .where(ACTS.c.version_id == sa.bindparam("version_id"))
    .order_by(ACTS.c.at.desc(), ACTS.c.reading_id.desc())
    .limit(1)
)
_BY_PARSER = sa.select(readings.c.id).where(
    readings.c.version_id == sa.bindparam("version_id"),
    readings.c.parser == sa.bindparam("parser"),
)


# The form is looked up on the way in: one round trip less a reading.
_ADD_READING = (
    readings.insert()
    .values(
        form_id=sa.select(forms.c.id)
        .where(forms.c.digest == sa.bindparam("form_digest"))
        .scalar_subquery()
    )
    .returning(readings.c.id, readings.c.form_id)
)


@dataclass(frozen=True, slots=True)
class FormRecord:
    """The shape of a form: its cells as (table, row, column) and its relations as (rule, cells).

    Kept by content: the same key with another shape is another form.
    """

    key: str
    cells: tuple[tuple[str, str, str], ...]
    checks: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """A statement about the report in English and Chinese; `cells` are paths."""

    rule: str
    verdict: str
    message: str
    message_zh: str | None
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GridRecord:
    """A table of the source; `rows` as in the table `grids`, None where it was claimed."""

    ordinal: int
    page: int | None
    sheet: str | None
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    claimed: bool
    rows: Sequence[Sequence[Sequence[str | int]]] | None


class IndicatorRecord(NamedTuple):
    """A line of the statistics of 2014, as the reader's Indicator has it."""

    key: str | None
    block: str
    label: str
    unit: str
    raw: str
    state: str
    value: Decimal | None
    place: Place | None


@dataclass(frozen=True, slots=True)
class ReadingRecord:
    """A version read by one parser.

    `cells` are aligned with `form.cells` and `verdicts` with `form.checks`; both are empty without
    a form. `findings` is everything else worth saying, `sections` the prose as (heading, text).
    `grids` are those with a place on a page and those nobody claimed; `signature` is the prose's.
    """

    parser: str
    layout: str
    body_title: str | None
    form: FormRecord | None
    cells: tuple[CellRecord, ...]
    verdicts: tuple[FindingRecord, ...]
    findings: tuple[FindingRecord, ...]
    sections: tuple[tuple[str, str], ...]
    indicators: tuple[IndicatorRecord, ...] = ()
    grids: tuple[GridRecord, ...] = ()
    signature: tuple[int, ...] = ()
    engine: str | None = None


class ReadOtherwise(ValueError):
    """Raised where a parser reads a version otherwise than it did before."""


def find_reading(
    conn: sa.Connection, version_id: int, parser: str, cured: Collection[str] = ()
) -> int | None:
    """The reading in force of a version, if this parser made or confirmed it last.

    `parser` also stands for itself with an engine (`parser+engine`). `cured`: rules of findings
    that would not be found today; a reading that has one does not count.
    """
    last = conn.execute(_LAST_ACT, {"version_id": version_id}).one_or_none()
    if last is None or last.parser.partition("+")[0] != parser:
        return None
    f = findings.c
    lacked = sa.select(f.position).where(f.reading_id == last.reading_id, f.rule.in_(cured))
    if cured and conn.execute(lacked.limit(1)).first() is not None:
        return None
    return int(last.reading_id)


def read_by(parser: str, cured: Collection[str] = ()) -> sa.Select[Any]:
    """The versions of which `find_reading` would say that they are read, as a query."""
    last = (
        sa.select(ACTS.c.version_id, sa.func.max(ACTS.c.at).label("at"))
        .group_by(ACTS.c.version_id)
        .subquery()
    )
    acts = ACTS.alias()
    same = (acts.c.version_id == last.c.version_id) & (acts.c.at == last.c.at)
    by_parser = sa.or_(acts.c.parser == parser, acts.c.parser.startswith(f"{parser}+"))
    lacked = sa.select(findings.c.reading_id).where(findings.c.rule.in_(cured))
    return (
        sa.select(acts.c.version_id)
        .join(last, same)
        .where(by_parser, acts.c.reading_id.not_in(lacked))
    )


def newest_reading(conn: sa.Connection, version_id: int) -> ReadingRecord | None:
    """The reading of a version that is in force."""
    last = conn.execute(_LAST_ACT, {"version_id": version_id}).one_or_none()
    return None if last is None else load_reading(conn, last.reading_id)


def keep_reading(
    conn: sa.Connection, version_id: int, reading: ReadingRecord, at: datetime
) -> bool:
    """Keep what a parser reads in a version; whether another reading is in force by that.

    Where it says what the reading in force says, or this parser's own of another day, that one is
    confirmed: nothing is kept twice. Raises ReadOtherwise where one parser reads two things.
    """
    last = conn.execute(_LAST_ACT, {"version_id": version_id}).one_or_none()
    if last is not None:
        # A clock that was set back does not keep an older reading in force.
        at = max(at, last.at + timedelta(microseconds=1))
    if last is not None and _says(conn, last.reading_id, reading):
        if last.parser != reading.parser:
            _confirm(conn, last.reading_id, reading.parser, at)
        return False
    named = {"version_id": version_id, "parser": reading.parser}
    mine = conn.execute(_BY_PARSER, named).scalar()
    if mine is None:
        store_reading(conn, version_id, reading, at)
    elif _says(conn, mine, reading):
        _confirm(conn, mine, reading.parser, at)
        standing.refresh_version(conn, version_id)
    else:
        raise ReadOtherwise(f"{reading.parser} read version {version_id} otherwise before")
    return True


def _says(conn: sa.Connection, reading_id: int, reading: ReadingRecord) -> bool:
    return content(load_reading(conn, reading_id)) == content(reading)


def _confirm(conn: sa.Connection, reading_id: int, parser: str, at: datetime) -> None:
    told = {"reading_id": reading_id, "parser": parser, "confirmed_at": at}
    conn.execute(confirmations.insert(), told)


def content(reading: ReadingRecord) -> bytes:
    """All that a reading says, as bytes that are equal for equal readings, stored or not yet.

    Not who read it; and of a relation that does not fail only how it fares (`MESSAGES`).
    """
    verdicts = [
        each
        if each.verdict == "fail"
        else replace(each, message=each.verdict, message_zh=each.verdict)
        for each in reading.verdicts
    ]
    plain = asdict(replace(reading, parser="", verdicts=tuple(verdicts)))
    text = json.dumps(plain, ensure_ascii=False, default=_exactly, sort_keys=True)
    return text.replace("\\u0000", "\ufffd").encode("utf-8", "surrogatepass")


def _exactly(value: object) -> str:
    assert isinstance(value, Decimal)
    return format(value, "f")


def store_reading(
    conn: sa.Connection, version_id: int, reading: ReadingRecord, at: datetime
) -> int:
    """Keep a reading; its id. There must be none yet by this parser (`find_reading`).

    Raises ValueError when cells or verdicts do not stand as the form says.
    """
    _check_alignment(reading)
    packed = pack(reading.cells)
    row = {
        "version_id": version_id,
        "parser": reading.parser,
        "form_digest": _form_digest(reading.form) if reading.form else None,
        "layout": reading.layout,
        "body_title": reading.body_title,
        "verdicts": pack_verdicts(verdict.verdict for verdict in reading.verdicts),
        "unread": packed["states"].count(STATES["unread"]),
        "record_digest": record_digest(reading),
        "engine": reading.engine,
        "signature": list(reading.signature) or None,
        "created_at": at,
    }
    reading_id, form_id = conn.execute(_ADD_READING, row).one()
    if reading.form and form_id is None:
        _give_form(conn, reading_id, reading.form)
    if reading.cells:
        conn.execute(figures.insert(), {"reading_id": reading_id, **packed})
    _store_findings(conn, reading_id, reading)
    _store_lines(conn, indicators, reading_id, map(_indicator_row, reading.indicators))
    _store_lines(conn, grids, reading_id, map(_grid_row, reading.grids))
    prose = ({"heading": heading, "text": text} for heading, text in reading.sections)
    _store_lines(conn, sections, reading_id, prose)
    standing.refresh_version(conn, version_id)
    return int(reading_id)


def record_digest(reading: ReadingRecord) -> str | None:
    """`sha256:<hex>` of the figures as published: the third layer of version; None without any.

    Two pages that differ in prose, order of files or furniture alone have equal ones.
    """
    if not reading.cells:
        return None
    lines = [reading.layout]
    lines += [f"{c.path}\t{c.state}\t{storable(c.raw)}\t{c.unit or ''}" for c in reading.cells]
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def load_reading(
    conn: sa.Connection, reading_id: int, shapes: dict[int, FormRecord] | None = None
) -> ReadingRecord:
    """A reading as it was stored; only relations that did not fail have a standard message.

    `shapes` keeps the forms between calls, for whoever reads many.
    """
    row = conn.execute(
        sa.select(readings, figures).outerjoin(figures).where(readings.c.id == reading_id)
    ).one()
    form = None if row.form_id is None else _load_form(conn, row.form_id, shapes)
    said = conn.execute(
        sa.select(findings).where(findings.c.reading_id == reading_id).order_by("position")
    ).all()
    failed = {each.check_position: _finding(each) for each in said}
    prose = sa.select(sections.c.heading, sections.c.text).where(
        sections.c.reading_id == reading_id
    )
    return ReadingRecord(
        parser=row.parser,
        layout=row.layout,
        body_title=row.body_title,
        form=form,
        cells=tuple(unpack(form.cells, cast(Packed, row._mapping))) if form else (),
        verdicts=_verdicts(form, row.verdicts, failed) if form else (),
        findings=tuple(_finding(each) for each in said if each.check_position is None),
        sections=tuple((s.heading, s.text) for s in conn.execute(prose.order_by("position"))),
        indicators=tuple(map(_indicator, _lines_of(conn, indicators, reading_id))),
        grids=tuple(map(_grid, _lines_of(conn, grids, reading_id))),
        signature=tuple(row.signature or ()),
        engine=row.engine,
    )


def _lines_of(
    conn: sa.Connection, table: sa.Table, reading_id: int
) -> Sequence[sa.Row[tuple[Any, ...]]]:
    number = table.c["ordinal" if table is grids else "position"]
    query = sa.select(table).where(table.c.reading_id == reading_id).order_by(number)
    return conn.execute(query).all()


def _check_alignment(reading: ReadingRecord) -> None:
    names = reading.form.cells if reading.form else ()
    rules = reading.form.checks if reading.form else ()
    if list(names) != [(cell.table, cell.row, cell.column) for cell in reading.cells]:
        raise ValueError("the cells of a reading must be those of its form, in the form's order")
    if [rule for rule, _ in rules] != [verdict.rule for verdict in reading.verdicts]:
        raise ValueError("a reading has one verdict a relation, in the form's order")


def _store_findings(conn: sa.Connection, reading_id: int, reading: ReadingRecord) -> None:
    """Only what failed or wants saying: how the other relations fared stands in `verdicts`."""
    said: list[tuple[int | None, FindingRecord]] = [
        (i, verdict) for i, verdict in enumerate(reading.verdicts) if verdict.verdict == "fail"
    ]
    said += [(None, finding) for finding in reading.findings]
    if said:
        conn.execute(
            findings.insert(),
            [
                {
                    **asdict(finding),
                    "reading_id": reading_id,
                    "position": position,
                    "check_position": check,
                }
                for position, (check, finding) in enumerate(said)
            ],
        )


def _store_lines(
    conn: sa.Connection, table: sa.Table, reading_id: int, rows: Iterable[Mapping[str, Any]]
) -> None:
    """The rows of a reading in their order; those of `grids` bring their own number."""
    lines = [{"reading_id": reading_id, **row} for row in rows]
    if "position" in table.c:
        lines = [{**line, "position": i} for i, line in enumerate(lines)]
    if lines:
        conn.execute(table.insert(), lines)


def _indicator_row(indicator: IndicatorRecord) -> dict[str, Any]:
    value = None if indicator.value is None else format(indicator.value, "f")
    return {**indicator._asdict(), "value": value}


def _grid_row(grid: GridRecord) -> dict[str, Any]:
    return {**asdict(grid), "xs": list(grid.xs) or None, "ys": list(grid.ys) or None}


def _indicator(row: sa.Row[Any]) -> IndicatorRecord:
    value = None if row.value is None else Decimal(row.value)
    place = None if row.place is None else tuple(row.place)
    told = (row.key, row.block, row.label, row.unit, row.raw, row.state)
    return IndicatorRecord(*told, value, cast("Place | None", place))


def _grid(row: sa.Row[Any]) -> GridRecord:
    edges = (tuple(map(float, row.xs or ())), tuple(map(float, row.ys or ())))
    return GridRecord(row.ordinal, row.page, row.sheet, *edges, bool(row.claimed), row.rows)


def _finding(row: sa.Row[Any]) -> FindingRecord:
    return FindingRecord(row.rule, row.verdict, row.message, row.message_zh, tuple(row.cells))


def _verdicts(
    form: FormRecord, letters: str, failed: Mapping[int | None, FindingRecord]
) -> tuple[FindingRecord, ...]:
    return tuple(
        failed.get(i) or FindingRecord(rule, verdict, *MESSAGES[verdict], cells)
        for i, ((rule, cells), verdict) in enumerate(
            zip(form.checks, unpack_verdicts(letters), strict=True)
        )
    )


@lru_cache(maxsize=32)
def _form_digest(form: FormRecord) -> str:
    """Of the whole shape. Cached: a crawl stores thousands of readings of three forms."""
    shape = json.dumps([form.key, form.cells, form.checks], ensure_ascii=False)
    return "sha256:" + hashlib.sha256(shape.encode()).hexdigest()


def _give_form(conn: sa.Connection, reading_id: int, form: FormRecord) -> None:
    """The first reading of a form brings its shape along."""
    form_id, new = find_or_add(conn, forms, {"digest": _form_digest(form)}, {"key": form.key})
    conn.execute(readings.update().where(readings.c.id == reading_id).values(form_id=form_id))
    if new:
        _add_shape(conn, form_id, form)


def _add_shape(conn: sa.Connection, form_id: int, form: FormRecord) -> None:
    names = ("table_key", "row_key", "column_key")
    conn.execute(
        form_cells.insert(),
        [
            {"form_id": form_id, "position": i, **dict(zip(names, cell, strict=True))}
            for i, cell in enumerate(form.cells)
        ],
    )
    if form.checks:
        conn.execute(
            form_checks.insert(),
            [
                {"form_id": form_id, "position": i, "rule": rule, "cells": list(cells)}
                for i, (rule, cells) in enumerate(form.checks)
            ],
        )


def _load_form(
    conn: sa.Connection, form_id: int, shapes: dict[int, FormRecord] | None
) -> FormRecord:
    if shapes is not None and form_id in shapes:
        return shapes[form_id]
    key = conn.execute(sa.select(forms.c.key).where(forms.c.id == form_id)).scalar_one()
    f, k = form_cells.c, form_checks.c
    cells = sa.select(f.table_key, f.row_key, f.column_key).where(f.form_id == form_id)
    checks = sa.select(k.rule, k.cells).where(k.form_id == form_id)
    form = FormRecord(
        key=key,
        cells=tuple(tuple(row) for row in conn.execute(cells.order_by(f.position))),
        checks=tuple((r.rule, tuple(r.cells)) for r in conn.execute(checks.order_by(k.position))),
    )
    if shapes is not None:
        shapes[form_id] = form
    return form
