"""What the archive itself gives reason to say after a run, or without one.

Each module judges one side of it from the rows, so that a judgement can be made again at any time
and by anybody: a run that died before it was judged is judged by the next. What is new because the
archive is new is no alarm: a portal is judged by its own past, from the first run on that saw it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from storage.alarms import answers, channels, layout, operation, reports
from storage.alarms.ground import Ground
from storage.alerts.record import Alarm, kinds
from storage.schema import portals
from storage.settings import Settings

__all__ = ["Judgement", "judge"]

_OF_PORTALS = (answers, channels, layout, reports)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong, the classes and portals that were looked at, and the causes that could not be
    judged: as `sound` takes them.
    """

    alarms: tuple[Alarm, ...]
    looked_at: frozenset[tuple[str, str | None]]
    held: frozenset[str]


def judge(connection: sa.Connection, settings: Settings, at: datetime) -> Judgement:
    """Judge the archive as it is. Runs that are at work are judged when they have ended."""
    keys = tuple(connection.execute(sa.select(portals.c.key).order_by(portals.c.key)).scalars())
    ground = Ground(connection, settings, at, keys)
    found = [each for module in _OF_PORTALS for each in module.judge(ground)]
    looked_at = {(kind, key) for module in _OF_PORTALS for kind in module.KINDS for key in keys}
    looked_at -= {(kind, each.portal) for each in found for kind in kinds()[each.kind].holds}
    masked = {(kind, each.portal) for each in found for kind in kinds()[each.kind].masks}
    found = [each for each in found if (each.kind, each.portal) not in masked]
    found += operation.judge(ground)
    found += operation.left_out(ground, found)
    looked_at |= {(kind, None) for kind in operation.KINDS}
    # What has another cause now is said by that one; whether it is over, nobody can tell.
    return Judgement(tuple(found), frozenset(looked_at - masked), reports.unsure(ground))
