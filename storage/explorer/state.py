"""Which state of the archive a page was made from, so that a reload of it costs nothing.

The newest ids of the tables would not tell: an address's last look, a version's last sight and the
end of a run are written over rows that are there already. Both databases can tell exactly and in
microseconds whether anything was committed, so they are asked.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from threading import Lock
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from storage.asof import ZONE
from storage.database import sqlite_file
from storage.errors import DatabaseUnavailable

T = TypeVar("T")

# What a process keeps of answers that cost more than a query: the ledger of some divisions.
MOST_KEPT = 32


class Watch:
    """Tells one state of the archive from another; of one process, closed with it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._connection: Any = None
        self._file: tuple[int, int] | None = None
        # SQLite counts for each connection anew, and another process may show other words.
        self._process = secrets.token_hex(4)

    def state(self) -> str:
        """Equal for equal archives, on one day: what is due changes at midnight in China."""
        day = datetime.now(UTC).astimezone(ZONE).date()
        return f"{self._process}.{day:%m%d}.{self._commits()}"

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _commits(self) -> str:
        if self._engine.dialect.name == "sqlite":
            return self._sqlite()
        with self._engine.connect() as connection:
            # Two snapshots that are equal see the same rows.
            asked = sa.text("SELECT CAST(pg_current_snapshot() AS text)")
            return str(connection.execute(asked).scalar_one())

    def _sqlite(self) -> str:
        # Of one connection that stays open and never writes: it counts what the others commit.
        with self._lock:
            file = sqlite_file(self._engine)
            if file != self._file:
                self.close()
            try:
                if self._connection is None:
                    self._connection, self._file = self._engine.raw_connection(), file
                cursor = self._connection.cursor()
                told = cursor.execute("PRAGMA data_version").fetchone()[0]
                cursor.close()
            except (sqlite3.Error, DBAPIError) as error:
                raise DatabaseUnavailable("the database does not answer") from error
            return f"{file}.{told}"


class Kept:
    """The last answers to costly questions, each of one state of the archive."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._lock = Lock()
        self._answers: OrderedDict[Hashable, object] = OrderedDict()

    def get(self, question: Hashable, make: Callable[[], T]) -> T:
        """The answer, made if need be. `question` names the state of the archive and all that was
        asked; what changes an answer and stands not in it must not be kept here.
        """
        with self._lock:
            if question in self._answers:
                self._answers.move_to_end(question)
                return cast(T, self._answers[question])
        answer = make()
        with self._lock:
            self._answers[question] = answer
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
        return answer
