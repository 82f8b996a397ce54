"""What ten years came to, as a table; and the bounds it is held to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from tests.decade.simulation import SAID, Gap, Outcome, middle

# Of all requests that a full crawl each night would make.
FEWER = 0.90
IN_SEASON_HOURS, OFF_SEASON_HOURS = 24.0, 7 * 24.0
_SHOWN = 8
_LISTS = ("unknown", "doubtful", "wrong", "missing_cells", "late_wrong", "unseen", "gaps")


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table; `holds` None where nothing is demanded."""

    what: str
    value: str
    bound: str = ""
    holds: bool | None = None


def merged(outcomes: list[Outcome]) -> Outcome:
    """Of portals that were simulated apart."""
    whole = Outcome(days=max(one.days for one in outcomes))
    for one in outcomes:
        whole.runs += one.runs
        whole.requests += one.requests
        whole.nights_with_requests = max(whole.nights_with_requests, one.nights_with_requests)
        whole.cells += one.cells
        whole.late += one.late
        whole.latest = max(whole.latest, one.latest)
        whole.wrong_days += one.wrong_days
        for name in _LISTS:
            getattr(whole, name).extend(getattr(one, name))
        for key, hours in one.delays.items():
            whole.delays[key] += hours
        for day, requests in one.baseline.items():
            whole.baseline[day] = whole.baseline.get(day, 0) + requests
    return whole


def lines(found: Outcome) -> Iterator[Line]:
    """Every row of the table."""
    yield Line("days simulated", f"{found.days:,}")
    yield Line("starts", ", ".join(f"{count:,} {state}" for state, count in found.runs.items()))
    yield Line("cells judged", f"{found.cells.total():,}")
    for state, count in found.cells.most_common():
        yield Line(f"  {state}", f"{count:,}")
    yield _none("unknown cells, portals that can be read", found.unknown)
    yield Line("unknown cells, portals that cannot be read", f"{len(found.doubtful):,}")
    yield _none("wrong states", found.wrong)
    yield _none("reports seen and without a cell", found.missing_cells)
    yield from _gaps(found.gaps)
    late = found.late
    yield Line("late reports found", f"{late['found']}")
    yield Line("  dated as the world dates them", f"{late['dated']}", "all", not found.late_wrong)
    yield Line("  the latest, days after its deadline", f"{found.latest}")
    yield _none("changes never shown", found.unseen)
    yield from _requests(found)
    yield from _delays(found)


def print_table(found: Outcome) -> bool:
    """Print it, with the first of everything that should not be; whether every bound holds."""
    rows = list(lines(found))
    width = max(len(row.what) for row in rows)
    for row in rows:
        mark = {None: "", True: "holds", False: "MISSED"}[row.holds]
        print(f"{row.what:{width}}  {row.value:>14}  {row.bound:>9}  {mark}".rstrip())
    faults = {
        "wrong": found.wrong,
        "unknown": found.unknown,
        "unknown, unreadable": found.doubtful,
        "no cell": found.missing_cells,
        "not dated": found.late_wrong,
        "never shown": found.unseen,
    }
    for name, kept in faults.items():
        for text in kept[:_SHOWN]:
            print(f"{name}: {text}")
    for gap in [gap for gap in found.gaps if _missed(gap)][:_SHOWN]:
        print(f"not alarmed in time: {gap}")
    return all(row.holds is not False for row in rows)


def _none(what: str, kept: list[str]) -> Line:
    return Line(what, f"{len(kept):,}", "0", not kept)


def _missed(gap: Gap) -> bool:
    """Not alarmed on the night that met it; what no night met cannot be alarmed."""
    if gap.kind not in SAID or gap.met is None:
        return False
    return gap.alarmed is None or gap.alarmed - gap.met > timedelta(hours=12)


def _gaps(gaps: list[Gap]) -> Iterator[Line]:
    planted, missed = Counter(gap.kind for gap in gaps), Counter(g.kind for g in gaps if _missed(g))
    for kind, count in sorted(planted.items()):
        if kind in SAID:
            told = f"{count - missed[kind]} of {count}"
            yield Line(f"gaps alarmed at once: {kind}", told, "all", not missed[kind])
        else:
            yield Line(f"gaps: {kind}", f"{count}")


def _requests(found: Outcome) -> Iterator[Line]:
    yield Line("requests", f"{found.requests:,}")
    if found.baseline:
        daily = sum(found.baseline.values()) / len(found.baseline)
        full = daily * found.days
        fewer = 1 - found.requests / full
        yield Line("  of daily full crawls", f"{full:,.0f}")
        yield Line("  fewer", f"{fewer:.1%}", f"{FEWER:.0%}", fewer >= FEWER)


def _delays(found: Outcome) -> Iterator[Line]:
    by_season: dict[str, list[float]] = defaultdict(list)
    for (kind, season), hours in sorted(found.delays.items()):
        by_season[season] += hours
        told = f"{middle(hours):.0f} h / {max(hours) / 24:.0f} d"
        yield Line(f"{kind}, {season}: median / longest ({len(hours)})", told)
    for season, bound in (("season", IN_SEASON_HOURS), ("off season", OFF_SEASON_HOURS)):
        if hours := by_season[season]:
            told = f"{middle(hours):.0f} h"
            yield Line(
                f"every change, {season}: median", told, f"{bound:.0f} h", middle(hours) <= bound
            )
