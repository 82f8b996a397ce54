"""What a check gets and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from storage.settings import Settings

# `well` says what was seen; `cannot_run`: nothing works before it is cured.
Level: TypeAlias = Literal["well", "attention", "cannot_run"]
Said: TypeAlias = tuple[Level, str, str]


class Note(NamedTuple):
    """What one check saw, and what to do about it (empty where all is well)."""

    check: str
    level: Level
    says: str
    cure: str


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined, and when."""

    settings: Settings
    environ: Mapping[str, str]
    now: datetime


Check: TypeAlias = Callable[[Patient, sa.Connection | None], Iterator[Said]]


def asked(connection: sa.Connection | None) -> sa.Connection:
    """The connection of a check that is only made where there is one."""
    assert connection is not None
    return connection
