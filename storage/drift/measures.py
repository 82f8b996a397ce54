"""What runs counted of each portal's pages (table `measures`), and how its templates have looked.

A row holds the counts of one portal and template: `skins`, frames that are alike taken together,
and `known`, the frames that count as this template's from this run on. docs/drift.md has both.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from storage.rows import add
from storage.schema import measures, runs

Counts = Mapping[str, Any]

# Paths that a sketch holds at most (crawler/cms/skeleton.py).
PATHS = 48


@cache
def rules() -> dict[str, Any]:
    """The thresholds, names and sentences of drift.toml."""
    return tomllib.loads((Path(__file__).parent / "drift.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Row:
    """The counts of one run; `drifted` are the measures that this run said to have drifted."""

    run_id: int
    portal: str
    template: str
    counts: Counts
    drifted: frozenset[str] = frozenset()

    @property
    def skins(self) -> list[dict[str, Any]]:
        return list(self.counts.get("skins", ()))

    @property
    def good(self) -> bool:
        """Whether its pages were read as before; a new frame alone is no fault."""
        return self.drifted <= {"template"}

    def total(self, what: str) -> int:
        return sum(skin.get(what, 0) for skin in self.skins)


def keep_measures(
    connection: sa.Connection, run_id: int, counted: Iterable[tuple[str, str, Counts]]
) -> None:
    """Add the rows of a run that has ended: (portal, template, counts) as the spider has them.

    Once a run: a run that could not be closed comes here again.
    """
    if rows_of(connection, run_id):
        return
    for portal, template, counts in counted:
        kept = dict(counts)
        if "skins" in counts:
            skins = _merged(counts["skins"])
            past = history(connection, portal, template, run_id)
            kept = {"skins": skins, "known": _familiar(skins, past)}
        row = {"run_id": run_id, "portal": portal, "template": template, "counts": kept}
        add(connection, measures, row)


def rows_of(connection: sa.Connection, run_id: int) -> list[Row]:
    """What a run counted."""
    m = measures.c
    query = sa.select(m.portal, m.template, m.counts).where(m.run_id == run_id).order_by(m.id)
    return [Row(run_id, *row) for row in connection.execute(query)]


def history(connection: sa.Connection, portal: str, template: str, before: int) -> list[Row]:
    """The rows of a template of the runs before `before`, newest first.

    As far back as it takes to find so many good ones as are looked at: a fault that nobody mends
    must not become what is usual. Where a person held that the history begins anew, no further.
    """
    m, limit = measures.c, rules()["history"]["runs"]
    query = (
        sa.select(m.run_id, m.counts, runs.c.stats)
        .join(runs, runs.c.id == m.run_id)
        .where(m.portal == portal, m.template == template)
        .order_by(m.run_id.desc())
        .limit(limit)
    )
    for each in rules().get("anew", ()):
        if (each["portal"], each["template"]) == (portal, template):
            query = query.where(runs.c.started_at >= each["since"])
    sign = f"drift/{portal} {template} "
    found: list[Row] = []
    good = 0
    while good < limit:
        more = connection.execute(query.where(m.run_id < before)).all()
        for row in more:
            signs = (key for key in row.stats or () if key.startswith(sign))
            drifted = frozenset(key.removeprefix(sign) for key in signs)
            found.append(Row(row.run_id, portal, template, row.counts, drifted))
            good += found[-1].good
        if len(more) < limit:
            break
        before = more[-1].run_id
    return found


def alike(one: str, other: str) -> bool:
    """Whether two sketches are of one template's frame."""
    mine, yours = _paths(one), _paths(other)
    # Each is the smallest of a page's paths: so are the smallest of both together.
    both = sorted(mine | yours)[:PATHS]
    shared = sum(path in mine and path in yours for path in both)
    return bool(shared >= rules()["template"]["alike"] * len(both))


def _paths(sketch: str) -> set[str]:
    return {sketch[start : start + 8] for start in range(0, len(sketch), 8)}


def _merged(skins: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Frames that are alike taken together, under the one that most pages wear."""
    found: list[tuple[dict[str, Any], Counter[str]]] = []
    for skin in sorted(skins, key=lambda one: (-one["pages"], one["sketch"])):
        counts = Counter({k: v for k, v in skin.items() if k not in ("sketch", "capture")})
        head = {"sketch": skin["sketch"], "capture": skin["capture"]}
        for known, sums in found:
            if alike(known["sketch"], skin["sketch"]):
                sums.update(counts)
                break
        else:
            found.append((head, counts))
    return [{**head, **counts} for head, counts in found]


def _familiar(skins: list[dict[str, Any]], past: Sequence[Row]) -> list[dict[str, Any]]:
    """The frames known from this run on; marks the skins that were not before as `new`.

    A frame on most pages that no earlier run had is said to be new in some runs, which `said`
    counts; any other is taken as it comes.
    """
    limits = rules()
    known = [dict(each) for each in past[0].counts["known"]] if past else []
    new = []
    for skin in skins:
        entry = next((each for each in known if alike(each["sketch"], skin["sketch"])), None)
        if entry is None:
            entry = {"sketch": skin["sketch"], "said": 0}
        else:
            known.remove(entry)
        known.insert(0, entry)
        if entry["said"] is not None and entry["said"] < limits["history"]["said"]:
            new.append((skin, entry))
        else:
            entry["said"] = None
    pages = sum(skin["pages"] for skin in skins)
    worn = sum(skin["pages"] for skin, _ in new)
    enough = sum(row.total("pages") for row in past) >= limits["history"]["pages"]
    least = max(limits["test"]["pages"], limits["template"]["share"] * pages)
    redesigned = enough and worn >= least
    for skin, _ in new if redesigned else ():
        skin["new"] = True
    for entry in known:
        if any(entry is each for _, each in new):
            entry["said"] = entry["said"] + 1 if redesigned else None
    return known[: limits["template"]["kept"]]
