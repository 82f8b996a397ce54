"""What an export is made of: the archive as of one moment, asked once, a report at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

import sqlalchemy as sa

from storage.asof import AsOf
from storage.exports.rows import Row, owed, rows_of
from storage.ledger.cells import ledger
from storage.queries.taking import Taken, taken
from storage.schema import organs
from storage.settings import Settings


class Version(TypedDict):
    """Which archive this is: its newest seal; None where it was never sealed."""

    manifest: str | None
    sha256: str | None
    sealed_at: str | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted of the archive; None: all of it. `division` is a code or its beginning."""

    division: str | None = None
    organ_id: int | None = None
    organ: str | None = None
    year: int | None = None
    portal: str | None = None
    as_of: AsOf | None = None

    def told(self) -> dict[str, str | int | None]:
        """As it stands in the account of the export."""
        return {
            "division": self.division,
            "organ": self.organ,
            "year": self.year,
            "portal": self.portal,
            "as_of": None if self.as_of is None else self.as_of.at.isoformat(),
            "basis": None if self.as_of is None else self.as_of.basis,
        }


@dataclass(slots=True)
class Source:
    """The archive, what is wanted of it, and what was taken.

    `at` is the moment up to which it is told; `rows` counts what left, `left_out` what did not.
    """

    connection: sa.Connection
    settings: Settings
    wanted: Selection
    version: Version
    at: datetime
    rows: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def reports(self) -> Iterator[Taken]:
        """Every report that is wanted."""
        w = self.wanted
        for one in taken(
            self.connection,
            division=w.division,
            organ_id=w.organ_id,
            year=w.year,
            portal=w.portal,
            as_of=w.as_of,
        ):
            self.rows["reports"] += 1
            yield one

    def tables(self) -> Iterator[tuple[str, Row]]:
        """Every row of every table with the table's name; the ledger comes last."""
        for one in self.reports():
            for name, row in rows_of(one):
                self.rows[name] += name != "reports"
                yield name, row
        for row in self.ledger():
            yield "ledger", row

    def ledger(self) -> Iterator[Row]:
        """What should exist, as known then: a division at a time, or all of it would be held."""
        w = self.wanted
        for code in self._divisions():
            told = ledger(
                self.connection, at=self.at, division=code, year=w.year, organ_id=w.organ_id
            )
            for cell in told:
                if w.portal in (None, cell["portal"]):
                    self.rows["ledger"] += 1
                    yield owed(cell)

    def _divisions(self) -> list[str]:
        o, w = organs.c, self.wanted
        query = sa.select(o.division_code).distinct().order_by(o.division_code)
        if w.division is not None:
            query = query.where(o.division_code.startswith(w.division, autoescape=True))
        if w.organ_id is not None:
            query = query.where(o.id == w.organ_id)
        return list(self.connection.execute(query).scalars())
