"""Which reports that should exist are not there, came late, went away, or cannot be told?"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from storage.care.leaving import leaves
from storage.errors import BadQuestion
from storage.ledger.cells import Cell, State, ledger

# The states of the ledger that somebody should look into, the plainest first. A withdrawn report
# is none of them: it is there, and shown to nobody.
MISSING: tuple[State, ...] = (
    "absent",
    "removed",
    "captured_late",
    "blocked",
    "portal_down",
    "unproven",
)


@leaves
def missing(
    connection: sa.Connection,
    *,
    at: datetime,
    division: str | None = None,
    year: int | None = None,
    organ_id: int | None = None,
    state: str | None = None,
) -> list[Cell]:
    """Cells of the ledger with their proof, by division, government first, then by year; with
    `state` only these. Raises BadQuestion for a state that is none of MISSING.
    """
    if state is not None and state not in MISSING:
        raise BadQuestion(f"no state {state} of missing reports: {', '.join(MISSING)}")
    asked = [state] if state else MISSING
    # The ledger takes a whole code; a beginning is chosen here.
    cells = ledger(connection, at=at, year=year, organ_id=organ_id)
    return [
        cell
        for cell in cells
        if cell["state"] in asked and cell["division_code"].startswith(division or "")
    ]
