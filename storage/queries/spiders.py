"""Which spiders have fed the archive, which portals does each crawl, and on what terms?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from storage.capture.runs import Terms
from storage.schema import runs, starts, terms


@dataclass(frozen=True, slots=True)
class Spider:
    """A spider with the contact of its newest start, and each portal's newest terms by key."""

    name: str
    contact: str
    portals: Mapping[str, Terms]


def spiders(connection: sa.Connection) -> list[Spider]:
    """The spiders, by name."""
    t = terms.c
    query = (
        sa.select(runs.c.spider, starts.c.contact, t.portal)
        .add_columns(t.delay_s, t.opens, t.closes, t.timezone, t.budget)
        .select_from(terms)
        .join(starts, starts.c.id == t.start_id)
        .join(runs, runs.c.id == starts.c.run_id)
        .order_by(runs.c.spider, starts.c.id, t.portal)
    )
    contacts: dict[str, str] = {}
    promised: dict[str, dict[str, Terms]] = {}
    for spider, contact, portal, *values in connection.execute(query):
        contacts[spider] = contact
        promised.setdefault(spider, {})[portal] = Terms(*values)
    return [Spider(name, contacts[name], portals) for name, portals in promised.items()]
