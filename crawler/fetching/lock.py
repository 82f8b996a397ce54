"""One crawl of a portal at a time: two would ask its host twice as often as either means to."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from crawler.errors import BusyError
from storage.capture.runs import AtWork

# Who has asked for nothing for so long waits for an hour it was told to wait, or hangs.
_SILENT = timedelta(minutes=10)


def explained(portal: str, work: AtWork | None, now: datetime, patience: timedelta) -> BusyError:
    """Who holds a portal, since when, and when it last did something.

    `patience`: after a silence of so long, a run ends itself.
    """
    if work is None:  # a command that changes the archive, or a run that is about to begin
        return BusyError(f"{portal} is held by another command: wait for its end", portal)
    said = f"{portal} is being crawled by run {work.run_id} since {_moment(work.since)}"
    last = max(work.asked or work.since, work.since)
    if now - last < _SILENT:
        cure = "wait for its end, or crawl other portals with -a portals=KEY"
        return BusyError(
            f"{said}, which last asked for something at {_moment(last)}: {cure}", portal
        )
    return BusyError(
        f"{said}, which has asked for nothing since {_moment(last)}: if it hangs it ends itself "
        f"by {_moment(last + patience)}, and the next start goes on with it",
        portal,
    )


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


class PortalLocks:
    """Locks on files in `folder`, one a portal, held until `release` or the end of the process.

    The kernel keeps them, so a process that was killed keeps none. Raises BusyError.
    """

    def __init__(self, folder: Path, keys: Iterable[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._handles: list[int] = []
        for key in keys:
            handle = os.open(folder / f"{key}.lock", os.O_RDWR | os.O_CREAT, 0o644)
            self._handles.append(handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.release()
                raise BusyError(
                    f"{key} is being crawled by another process: wait for its end "
                    "(`archive runs` shows it), or crawl other portals with -a portals=KEY",
                    key,
                ) from None

    def release(self) -> None:
        while self._handles:
            os.close(self._handles.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
