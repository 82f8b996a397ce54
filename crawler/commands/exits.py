"""What the exit code of `scrapy crawl` says, so that cron and its reader can tell them apart."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """docs/schedule.md says what to do about each. Of several causes the worst names the code."""

    COMPLETE = 0  # nothing is missing; also where nothing was due
    INTERNAL = 1  # a fault of ours; what Python, too, makes of an exception that nobody catches
    CONFIGURATION = 2  # it could not start: a setting, a file, the database
    INCOMPLETE = 3  # something is missing, or it was stopped and the next start goes on
    BLOCKED = 4  # a portal is behind a wall
    DRIFT = 5  # a portal's pages no longer look as they did
    BUSY = 6  # another run is at work on one of the portals


_OF_STATE = {
    "complete": Exit.COMPLETE,
    "incomplete": Exit.INCOMPLETE,
    "stopped": Exit.INCOMPLETE,
    "blocked": Exit.BLOCKED,
    "drift": Exit.DRIFT,
}


def exit_of(state: str, *, faulty: bool = False) -> Exit:
    """The code of a run in this state; `faulty` where an exception of ours ended a page of it.

    A run that could not be ended in the archive has none of these states.
    """
    return Exit.INTERNAL if faulty else _OF_STATE.get(state, Exit.INTERNAL)
