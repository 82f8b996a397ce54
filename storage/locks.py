"""One crawl of a portal at a time, also where several machines share a PostgreSQL.

On one machine a file's lock does it (crawler.fetching.lock); it says nothing about another machine.
An advisory lock belongs to a connection: a process that was killed keeps none.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import sqlalchemy as sa

from storage.errors import PortalBusy

# "gong" in ASCII: apart from the advisory locks of others in the same database.
_CLASS = 0x676F6E67


class DatabaseLocks:
    """Locks on the portals `keys`, held until `release`; on SQLite there is nothing to hold.

    Raises PortalBusy.
    """

    def __init__(self, engine: sa.Engine, keys: Iterable[str]) -> None:
        self._connection: sa.Connection | None = None
        if engine.dialect.name != "postgresql":
            return
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        for key in keys:
            number = crc32(key.encode()) - (1 << 31)  # PostgreSQL's integers have a sign
            taken = sa.select(sa.func.pg_try_advisory_lock(_CLASS, number))
            if not self._connection.execute(taken).scalar_one():
                self.release()
                raise PortalBusy(
                    f"{key} is being crawled from another machine: wait for its end "
                    "(`archive runs` shows it), or crawl other portals with -a portals=KEY",
                    key,
                )

    def release(self) -> None:
        if self._connection is not None:
            # Not back to the pool, where the connection would keep its locks.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
