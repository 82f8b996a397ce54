"""Are the reports there, in time, and as they were? From the ledger, the versions and the organs.

What was owed before the archive knew the portal is history: the ledger has it, nobody is alarmed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from storage.alarms.ground import NEWS, Ground
from storage.alerts.record import Alarm, Facts, alarm, cause_of
from storage.ledger.cells import HELD, Cell
from storage.queries.history import changed_cells
from storage.schema import aliases, lifetimes, observations, organs, reports, versions

KINDS = (
    "report_missing",
    "organ_silent",
    "report_late",
    "backdated",
    "report_removed",
    "unproven",
    "moved",
    "report_changed_figures",
    "organ_unknown_new",
)
# An organ that reported so often, and then owes so many in a row, is likely gone or renamed.
_REPORTED, _OWED = 3, 3
_SHOWN = 40
# A run that ends at midnight looked before the day was over; the next one knows.
_GRACE = timedelta(days=3)
# States that say nothing about the report itself.
_UNSURE = frozenset({"blocked", "portal_down", "unproven"})


def judge(ground: Ground) -> Iterator[Alarm]:
    """What is wrong with the reports of each portal."""
    cells = ground.cells
    named = _named(ground)
    for _, years in groupby(cells, key=lambda cell: (cell["division_code"], cell["organ"])):
        yield from _of_organ(ground, list(years), named)
    by_portal: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_portal[cell["portal"]].append(cell)
    for portal, those in by_portal.items():
        yield from _of_portal(ground, portal, those)
    yield from _changed(ground)
    yield from _unknown(ground)


def unsure(ground: Ground) -> frozenset[str]:
    """The causes of which the ledger cannot say at present whether they are over."""
    return frozenset(
        cause_of(kind, cell["portal"], _subject(cell))
        for cell in ground.cells
        if cell["state"] in _UNSURE
        for kind in ("report_missing", "report_removed")
    )


def _of_organ(ground: Ground, cells: list[Cell], named: Collection[str]) -> Iterator[Alarm]:
    """By year, oldest first. What an organ owes for the third year in a row is told once.

    That an organ owed something before its first report, nobody knew unless a file `named` it.
    """
    reported, owed, silent = 0, 0, []
    for cell in cells:
        owed = owed + 1 if cell["state"] == "absent" and cell["deadline"] else 0
        reported += cell["state"] in HELD
        if owed >= _OWED and reported >= _REPORTED:
            silent.append(cell)
            continue
        silent = []
        known = reported or cell["kind"] == "government" or cell["organ"] in named
        if cell["state"] == "absent" and known and _is_watched(ground, cell):
            yield _about("report_missing", cell)
        if cell["late_days"] and _is_watched(ground, cell) and _is_news(ground, cell):
            in_time = (cell["published"] or "9")[:10] <= (cell["deadline"] or "")
            yield _about("backdated" if in_time else "report_late", cell)
        if cell["state"] == "removed" and _went(ground, cell):
            yield _about("report_removed", cell, last_good=_last_sight(cell))
    if silent and any(_is_watched(ground, cell) for cell in silent):
        yield _silent(silent[0], reported, silent[0]["year"] - _OWED, [c["year"] for c in silent])


def _named(ground: Ground) -> frozenset[str]:
    """The organs that the registry's files name."""
    query = sa.select(organs.c.name).where(organs.c.id.in_(sa.select(lifetimes.c.organ_id)))
    return frozenset(ground.connection.execute(query).scalars())


def _silent(cell: Cell, count: int, last: int, years: list[int]) -> Alarm:
    facts = {"organ": cell["organ"], "count": str(count), "last": str(last)}
    return alarm(
        "organ_silent", cell["organ"], facts, portal=cell["portal"], after={"missing": years}
    )


def _of_portal(ground: Ground, portal: str, cells: list[Cell]) -> Iterator[Alarm]:
    where = ground.names[portal]
    doubtful = [c for c in cells if c["state"] == "unproven" and _is_overdue(ground, c)]
    if doubtful:
        facts: Facts = {"where": where, "count": str(len(doubtful))}
        after = {"reports": [f"{c['organ']} {c['year']}: {c['note']}" for c in doubtful[:_SHOWN]]}
        yield alarm("unproven", portal, facts, portal=portal, after=after)
    moved = [c for c in cells if c["state"] == "moved" and _is_news(ground, c)]
    if moved:
        facts = {"where": where, "count": str(len(moved))}
        after = {"reports": [f"{c['organ']} {c['year']}: {c['note']}" for c in moved[:_SHOWN]]}
        yield alarm("moved", portal, facts, portal=portal, after=after)


def _about(kind: str, cell: Cell, last_good: str | None = None) -> Alarm:
    facts = {
        "organ": cell["organ"],
        "year": str(cell["year"]),
        "deadline": cell["deadline"] or "-",
        "published": (cell["published"] or cell["since"] or "-")[:10],
    }
    return alarm(kind, _subject(cell), facts, portal=cell["portal"], last_good=last_good)


def _subject(cell: Cell) -> str:
    return f"{cell['organ']} {cell['year']}"


def _is_watched(ground: Ground, cell: Cell) -> bool:
    """Whether it became due after the archive began to know the portal."""
    began = ground.began[cell["portal"]].date()
    return cell["deadline"] is not None and date.fromisoformat(cell["deadline"]) >= began


def _is_overdue(ground: Ground, cell: Cell) -> bool:
    """Whether a run had time to find out."""
    deadline = cell["deadline"]
    return (
        deadline is not None
        and _is_watched(ground, cell)
        and date.fromisoformat(deadline) + _GRACE < ground.at.date()
    )


def _is_news(ground: Ground, cell: Cell) -> bool:
    since = cell["since"]
    return since is not None and ground.is_news(cell["portal"], datetime.fromisoformat(since))


def _went(ground: Ground, cell: Cell) -> bool:
    """Whether it was there once, and went since the archive knows the portal."""
    since, seen = cell["since"], _last_sight(cell)
    return (
        seen is not None
        and since is not None
        and datetime.fromisoformat(since) > ground.began[cell["portal"]]
    )


def _last_sight(cell: Cell) -> str | None:
    sights = [proof["at"] for proof in cell["proof"] if proof["kind"].endswith("_sight")]
    return max(sights, default=None)


def _changed(ground: Ground) -> Iterator[Alarm]:
    """Reports that say other figures at an address than they said there before."""
    for (portal, organ, year, _, name), row in _twice_seen(ground).items():
        new, old, since = row
        if not ground.is_news(portal, since):
            continue
        changes = changed_cells(ground.connection, old, new)
        if not changes:
            continue
        paths = [change["path"] for change in changes]
        shown = ", ".join(paths[:3]) + (f" … ({len(paths)})" if len(paths) > 3 else "")
        subject = " ".join(each for each in (organ, str(year), name) if each)
        yield alarm(
            "report_changed_figures",
            subject,
            {"organ": organ, "year": str(year), "cells": shown},
            portal=portal,
            before={c["path"]: c["before"] and c["before"]["raw"] for c in changes[:_SHOWN]},
            after={c["path"]: c["after"] and c["after"]["raw"] for c in changes[:_SHOWN]},
            last_good=f"version {old}",
        )


_Key = tuple[str, str, int, str, str]


def _twice_seen(ground: Ground) -> Mapping[_Key, tuple[int, int, datetime]]:
    """What was seen in two versions at one address → the newest, the one before, and since when.

    An address shows one after the other; two addresses may show two versions for ever.
    """
    o, v = observations.c, versions.c
    last = sa.func.max(o.seen_at).label("last")
    several = (
        sa.select(o.alias_id)
        .group_by(o.alias_id)
        .having(sa.func.count(o.version_id.distinct()) > 1, sa.func.max(o.seen_at) > _news(ground))
    )
    query: sa.Select[Any] = (
        sa.select(organs.c.portal, organs.c.name.label("organ"), reports.c.year)
        .add_columns(v.part, v.name, o.alias_id, v.id, last)
        .select_from(
            observations.join(versions).join(reports, v.report_id == reports.c.id).join(organs)
        )
        .where(o.alias_id.in_(several))
        .group_by(
            *(organs.c.portal, organs.c.name, reports.c.year, v.part, v.name, o.alias_id, v.id)
        )
        .order_by(o.alias_id, v.part, v.name, last.desc(), v.id.desc())
    )
    found: dict[_Key, tuple[int, int, datetime]] = {}
    rows = ground.connection.execute(query).all()
    # An address that is an archive shows many files at once.
    for (alias, _, _), group in groupby(rows, key=lambda row: (row.alias_id, row.part, row.name)):
        sights = list(group)
        if len(sights) == 1:
            continue
        newest, before = sights[:2]
        since = sa.select(sa.func.min(o.seen_at)).where(
            o.alias_id == alias, o.version_id == newest.id, o.seen_at > before.last
        )
        at = ground.connection.execute(since).scalar() or newest.last
        key = (newest.portal, newest.organ, newest.year, newest.part, newest.name)
        if key not in found or at > found[key][2]:
            found[key] = (newest.id, before.id, at)
    return found


def _unknown(ground: Ground) -> Iterator[Alarm]:
    """Organs whose first report came after the archive began, and that no file of ours names."""
    query: sa.Select[Any] = (
        sa.select(organs.c.id, organs.c.portal, organs.c.name)
        .add_columns(sa.func.min(aliases.c.first_seen).label("first_seen"))
        .select_from(aliases.join(reports).join(organs))
        .where(organs.c.kind != "government", organs.c.portal.in_(ground.portals))
        .where(organs.c.id.not_in(sa.select(lifetimes.c.organ_id)))
        .group_by(organs.c.id, organs.c.portal, organs.c.name)
        .having(sa.func.min(aliases.c.first_seen) > _news(ground))
        .order_by(organs.c.id)
    )
    for row in ground.connection.execute(query).all():
        if ground.is_news(row.portal, row.first_seen):
            facts = {"where": ground.names[row.portal], "organ": row.name}
            yield alarm("organ_unknown_new", row.name, facts, portal=row.portal)


def _news(ground: Ground) -> datetime:
    return ground.at - NEWS
