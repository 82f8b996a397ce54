"""Do the pages of a portal look as they did? From the measures of the newest run of each kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from storage.alarms.ground import Ground
from storage.alerts.record import Alarm, Facts, Texts, alarm
from storage.drift.drifts import Drift, drifts
from storage.schema import measures, runs

KINDS = ("layout_drift", "counts_out_of_bounds")
# Of what is counted of a whole portal, not of pages of one kind.
_PORTAL = "portal"


def judge(ground: Ground) -> Iterator[Alarm]:
    """One alert a portal whose pages changed, whatever of them did; and one a count."""
    newest = _newest(ground)
    for portal in ground.portals:
        by_template = newest.get(portal, {})
        found = [
            drift
            for run in sorted(set(by_template.values()))
            for drift in drifts(ground.connection, run)
            if drift.portal == portal
            and run == by_template.get(drift.template, max(by_template.values()))
        ]
        looks = [drift for drift in found if drift.rule != "counts"]
        if looks:
            yield _layout(ground, portal, looks)
        for drift in found:
            if drift.rule == "counts":
                yield _counts(ground, drift)


def _layout(ground: Ground, portal: str, found: list[Drift]) -> Alarm:
    first = found[0]
    templates = ", ".join(dict.fromkeys(drift.template for drift in found))
    facts: Facts = {
        "where": ground.names[portal],
        "template": templates,
        "reason": Texts(first.message, first.message_zh),
    }
    good = first.last_good_run
    return alarm(
        "layout_drift",
        portal,
        facts,
        portal=portal,
        before={drift.key.removeprefix("drift/"): _plain(drift.before) for drift in found},
        after={drift.key.removeprefix("drift/"): _plain(drift.now) for drift in found},
        last_good=None if good is None else f"run {good}",
    )


def _counts(ground: Ground, drift: Drift) -> Alarm:
    facts: Facts = {
        "where": ground.names[drift.portal],
        "template": drift.template,
        "reason": Texts(drift.message, drift.message_zh),
    }
    return alarm(
        "counts_out_of_bounds",
        drift.measure,
        facts,
        portal=drift.portal,
        before=_plain(drift.before),
        after=_plain(drift.now),
    )


def _newest(ground: Ground) -> dict[str, dict[str, int]]:
    """Portal → template → the newest run that ended and measured such pages."""
    m = measures.c
    query: sa.Select[Any] = (
        sa.select(m.portal, m.template, sa.func.max(m.run_id).label("run"))
        .join(runs)
        .where(runs.c.state != "running")
        .group_by(m.portal, m.template)
    )
    newest: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in ground.connection.execute(query):
        newest[row.portal][row.template] = row.run
    return newest


def _plain(side: Any) -> dict[str, str]:
    """Figures as texts: a number that has been in a database may come back as another."""
    return {name: str(value) for name, value in side.items()}
