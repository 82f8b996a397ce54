"""Where the archive lies: two environment variables.

Read with the standard library on purpose: pydantic-settings costs 0.12 s at the start of every
`archive` command, a third of what SQLAlchemy costs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from storage.errors import SettingsError

# Both databases the archive runs on, by the scheme people write, with the driver we ask for.
_DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def _home() -> Path:
    return Path(os.environ.get("GONGKAI_HOME") or "var")


def _database_url() -> str | None:
    return os.environ.get("GONGKAI_DATABASE_URL") or None


@dataclass(frozen=True, slots=True)
class Settings:
    """`Settings()` reads the environment; arguments win over it.

    `home` (GONGKAI_HOME, default `var`) is the folder of the WARC files and of the SQLite database;
    `database_url` (GONGKAI_DATABASE_URL) names another database, e.g.
    `postgresql://user@host/gongkai`. Raises SettingsError for any other kind of database.
    """

    home: Path = field(default_factory=_home)
    database_url: str | None = field(default_factory=_database_url)

    def __post_init__(self) -> None:
        scheme = (self.database_url or "sqlite:").partition(":")[0]
        if scheme not in _DRIVERS:
            raise SettingsError(
                f"GONGKAI_DATABASE_URL begins with {scheme!r}: give postgresql://… or "
                "sqlite:///path, or unset it for SQLite in GONGKAI_HOME"
            )

    @property
    def sqlite_path(self) -> Path | None:
        """The SQLite file, or None where the database is PostgreSQL."""
        if self.database_url is None:
            return self.home / "archive.sqlite"
        scheme, _, rest = self.database_url.partition(":")
        return Path(rest.removeprefix("///")) if _DRIVERS[scheme] == "sqlite" else None

    @property
    def url(self) -> str:
        """The SQLAlchemy URL, driver included."""
        if self.sqlite_path is not None:
            return f"sqlite:///{self.sqlite_path}"
        scheme, _, rest = str(self.database_url).partition(":")
        return f"{_DRIVERS[scheme]}:{rest}"

    @property
    def warc_directory(self) -> Path:
        """Where the WARC files lie."""
        return self.home / "warc"
