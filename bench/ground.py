"""What benchmarks share: a place for an archive on either database, and sides that take turns."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from storage.settings import Settings
from tests.databases import postgresql_server


@contextmanager
def empty_home(*, postgresql: bool) -> Iterator[Settings]:
    """Where an archive may be made, on SQLite or on a server of its own; gone at the end."""
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        url = stack.enter_context(postgresql_server())("postgres") if postgresql else None
        yield Settings(Path(home), url)


def race(sides: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """The median seconds of each side. They take turns, so that a noisy machine disturbs all."""
    times = [[_seconds(side) for side in sides] for _ in range(rounds)]
    return [median(side) for side in zip(*times, strict=True)]


def _seconds(side: Callable[[], object]) -> float:
    began = time.perf_counter()
    side()
    return time.perf_counter() - began
