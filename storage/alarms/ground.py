"""What a judgement stands on: the archive at a moment, and since when it knows each portal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from storage.alerts.record import Texts
from storage.ledger.cells import Cell, ledger
from storage.schema import listing_reads, listings, portals, runs
from storage.settings import Settings

# How far back a happening is news; what is older was judged by the runs before.
NEWS = timedelta(days=30)
# Verdicts of looks that saw nothing.
UNSEEN = frozenset({"blocked", "down", "not_asked"})


@dataclass(frozen=True)
class Ground:
    """The archive as it is judged at `at`; of portals only these, by key."""

    connection: sa.Connection
    settings: Settings
    at: datetime
    portals: tuple[str, ...]

    @cached_property
    def names(self) -> Mapping[str, Texts]:
        """What people call a portal."""
        p = portals.c
        query = sa.select(p.key, p.name_en, p.name_zh).where(p.key.in_(self.portals))
        return {row.key: Texts(row.name_en, row.name_zh) for row in self.connection.execute(query)}

    @cached_property
    def began(self) -> Mapping[str, datetime]:
        """Portal → the end of the first run that saw all the listings it knew.

        Till then everything is new, because the archive is. Missing where there was no such run.
        """
        found = {key: self._first_view(key) for key in self.portals}
        return {key: at for key, at in found.items() if at is not None}

    @cached_property
    def cells(self) -> list[Cell]:
        """The ledger of the portals that the archive knows, at this moment."""
        return [
            cell for cell in ledger(self.connection, at=self.at) if cell["portal"] in self.began
        ]

    def is_news(self, portal: str, at: datetime) -> bool:
        """Whether what was first seen then is new: to us and not only to the archive."""
        return portal in self.began and self.began[portal] < at and self.at - NEWS <= at

    def _first_view(self, portal: str) -> datetime | None:
        r = listing_reads.c
        reads: sa.Select[Any] = (
            sa.select(r.run_id, r.verdict, r.read_at)
            .join(listings)
            .where(listings.c.portal == portal)
            .order_by(r.run_id, r.id)
        )
        rows = self.connection.execute(reads, execution_options={"yield_per": 500})
        for run_id, looks in groupby(rows, key=lambda row: row.run_id):
            seen = [(row.verdict, row.read_at) for row in looks]
            verdicts = {verdict for verdict, _ in seen}
            if "complete" in verdicts and not verdicts & UNSEEN:
                rows.close()
                ended = sa.select(runs.c.ended_at).where(runs.c.id == run_id)
                last: datetime = max(at for _, at in seen)
                return self.connection.execute(ended).scalar() or last
        return None
