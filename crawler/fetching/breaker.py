"""When to leave a portal alone: it does not want us, or it is in trouble."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from storage.schedule.manners import BLOCKED, TROUBLE, TROUBLES, UNTOLD, WALLS


@dataclass(slots=True)
class _Streak:
    """Addresses without a good answer since the last good one; a retry is no further proof."""

    bad: set[str] = field(default_factory=set)
    walled: set[str] = field(default_factory=set)


class Breaker:
    """A circuit a portal. Once open it stays so: a guest comes back another night."""

    def __init__(self) -> None:
        self._streaks: defaultdict[str, _Streak] = defaultdict(_Streak)
        self._open: dict[str, str] = {}
        self.walled: set[str] = set()  # portals that are left alone because of walls

    def note(self, portal: str, url: str, outcome: str) -> None:
        """Hear how a request ended, in the word of its attempt."""
        if outcome in UNTOLD or portal in self._open:
            return
        if outcome != BLOCKED and outcome not in TROUBLE:
            self._streaks.pop(portal, None)
            return
        streak = self._streaks[portal]
        streak.bad.add(url)
        if outcome == BLOCKED:
            streak.walled.add(url)
        else:
            streak.walled.clear()
        if len(streak.walled) >= WALLS:
            self._open[portal] = f"{WALLS} answers in a row were a wall"
            self.walled.add(portal)
        elif len(streak.bad) >= TROUBLES:
            self._open[portal] = f"{TROUBLES} requests in a row failed"

    def is_open(self, portal: str) -> str | None:
        """Why the portal is left alone; None when it may be asked."""
        return self._open.get(portal)
