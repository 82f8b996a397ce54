"""What the commands share that change an archive without a crawl: it waits for no crawl, nor a
crawl for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import sqlalchemy as sa

from crawler.cms import cms_by_key
from crawler.fetching.lock import PortalLocks
from crawler.portals import Registry, load
from storage.database import open_for_writing
from storage.locks import DatabaseLocks
from storage.settings import Settings


class Held(NamedTuple):
    """An archive that nobody else writes to."""

    engine: sa.Engine
    settings: Settings
    registry: Registry


@contextmanager
def held_archive() -> Iterator[Held]:
    """The archive with the locks of all its portals. Raises GongkaiError, StorageError."""
    registry, settings = load(cms_by_key()), Settings()
    engine = open_for_writing(settings)
    with PortalLocks(settings.home / "locks", registry.portals):
        locks = DatabaseLocks(engine, registry.portals)
        try:
            yield Held(engine, settings, registry)
        finally:
            locks.release()
            engine.dispose()
