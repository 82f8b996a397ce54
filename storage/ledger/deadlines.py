"""By when which kind of organ owes its report: storage/ledger/deadlines.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

# The year the first 条例 came into force: no organ owed a report before.
FIRST_YEAR = 2008


@dataclass(frozen=True, slots=True)
class Due:
    """The last day on which a report is in time; `law` is False where no law names one, and then
    nobody is late. `in_doubt`: up to this day lateness of such an organ is a question.
    """

    day: date
    law: bool
    in_doubt: date | None

    def ends(self, timezone: ZoneInfo) -> datetime:
        """The first moment after it, in UTC."""
        morrow = self.day + timedelta(days=1)
        return datetime(morrow.year, morrow.month, morrow.day, tzinfo=timezone).astimezone(UTC)


@cache
def due(kind: str, year: int) -> Due:
    """When the report for `year` of an organ of this kind is due; `year` from FIRST_YEAR on."""
    entry = [each for each in _entries() if each["since"] <= year][-1]
    law = kind in entry
    day = entry[kind] if law else entry["expected"][kind]
    doubt = entry.get("in_doubt", {}).get(kind)
    return Due(_in(year + 1, day), law, _in(year + 1, doubt) if doubt else None)


@cache
def _entries() -> tuple[Mapping[str, Any], ...]:
    text = Path(__file__).with_name("deadlines.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["deadlines"])


def _in(year: int, day: str) -> date:
    return date.fromisoformat(f"{year}-{day}")
