"""When did which organ report, what is known of its life, and who may have followed whom?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, TypedDict

import sqlalchemy as sa

from storage.care.leaving import leaves
from storage.schema import is_government, lifetimes, organs, portals, reports

# How alike two names without their division must be for one organ to be proposed as the heir of
# the other: 教育局 and 教育和体育局 are (0.67), 教育局 and 民政局 are not (0.33).
_ALIKE = 0.5


class OrganLife(TypedDict):
    """An organ: its dates, as far as a file of the registry gives them, and its reports.

    `follows`: whose work it took over by those files; `candidates`: who may go on with its work, by
    names and years alone. A person has to confirm that: nothing rests on it.
    """

    division_code: str
    organ: str
    kind: str
    portal: str
    begins: str | None
    ends: str | None
    becomes: list[str]
    follows: list[str]
    evidence: str | None
    first_report: int | None
    last_report: int | None
    candidates: list[str]


@leaves
def organ_lives(connection: sa.Connection, *, division: str | None = None) -> list[OrganLife]:
    """Every organ, by division, government first."""
    o = organs.c
    r = reports.c
    query = (
        sa.select(o.id, o.division_code, o.name, o.kind, o.portal)
        .add_columns(sa.func.min(r.year).label("first"), sa.func.max(r.year).label("last"))
        .select_from(organs)
        .join(portals)
        .outerjoin(reports, sa.and_(r.organ_id == o.id, r.kind == "annual"))
        .group_by(o.id, o.division_code, o.name, o.kind, o.portal, portals.c.government)
        .order_by(o.division_code, is_government.desc(), o.name)
    )
    if division is not None:
        query = query.where(o.division_code == division)
    rows = connection.execute(query).all()
    lives = _lives(connection)
    follows = defaultdict(list)
    for row in rows:
        for name in lives[row.id].becomes if row.id in lives else ():
            follows[row.division_code, name].append(row.name)
    return [
        _organ(row, lives.get(row.id), follows[row.division_code, row.name], rows) for row in rows
    ]


def _lives(connection: sa.Connection) -> Mapping[int, sa.Row[Any]]:
    query = sa.select(lifetimes).order_by(lifetimes.c.id)
    return {row.organ_id: row for row in connection.execute(query)}


def _organ(
    row: sa.Row[Any], life: sa.Row[Any] | None, follows: list[str], rows: Sequence[sa.Row[Any]]
) -> OrganLife:
    return OrganLife(
        division_code=row.division_code,
        organ=row.name,
        kind=row.kind,
        portal=row.portal,
        begins=life.begins if life else None,
        ends=life.ends if life else None,
        becomes=list(life.becomes) if life else [],
        follows=follows,
        evidence=life.evidence if life else None,
        first_report=row.first,
        last_report=row.last,
        candidates=[] if life and life.ends else list(_candidates(row, rows)),
    )


def _candidates(row: sa.Row[Any], rows: Sequence[sa.Row[Any]]) -> Iterator[str]:
    """Organs of the division whose reports begin where this one's end, and with a like name."""
    if row.last is None or row.kind == "government":
        return
    for other in rows:
        begins_there = other.first in (row.last, row.last + 1) and other.last > row.last
        if other.division_code == row.division_code and other.id != row.id and begins_there:
            names = short_name(row.name), short_name(other.name)
            if SequenceMatcher(None, *names).ratio() >= _ALIKE:
                yield other.name


def short_name(organ: str) -> str:
    """The name of an organ without its division.

    >>> short_name("天山区教育局"), short_name("乌鲁木齐市天山区人民政府"), short_name("区局")
    ('教育局', '人民政府', '区局')
    """
    return re.sub(r"^(?:.{2,7}?市)?(?:.{1,7}?[区县])?(?=.{2})", "", organ) or organ
