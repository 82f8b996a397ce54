"""One crawl of a portal at a time: two would ask its host twice as often as either means to."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from crawler.errors import BusyError


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
                    "(`archive runs` shows it), or crawl other portals with -a portals=KEY"
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
