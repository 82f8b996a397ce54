"""`archive doctor`: is everything as it must be for the archive to run unattended, and what to do?

One small check a concern, each of which names what it saw and the cure. Checks know nothing of each
other; one that fails says so and stops no other. docs/doctor.md lists them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from subprocess import SubprocessError

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from storage.care.personal import masked
from storage.database import open_for_reading
from storage.doctor import machine, running, standing
from storage.doctor.model import Check, Level, Note, Patient
from storage.errors import DatabaseError, StorageError
from storage.settings import Settings

__all__ = ["Examination", "Level", "Note", "Patient", "examine"]

# In the order in which a person reads them. Those of the second row need the database.
_OF_THE_MACHINE: Mapping[str, Check] = {
    "configuration": machine.configuration,
    "permissions": machine.permissions,
    "time zones": machine.time_zones,
    "schedule": machine.schedule,
    "extras": machine.extras,
    "portals": machine.portals,
    "manifest": standing.manifest,
}
_OF_THE_ARCHIVE: Mapping[str, Check] = {
    "database": standing.integrity,
    "files": standing.files,
    "disk": standing.disk,
    "clock": standing.clock,
    "starts": running.starting,
    "runs": running.ending,
}


@dataclass(frozen=True, slots=True)
class Examination:
    """What every check says, in their order."""

    notes: list[Note]

    @property
    def exit_code(self) -> int:
        """0: well; 1: something wants attention; 2: the archive cannot run."""
        levels = {note.level for note in self.notes}
        return 2 if "cannot_run" in levels else 1 if "attention" in levels else 0


def examine(settings: Settings, environ: Mapping[str, str], now: datetime) -> Examination:
    """Every check; of the archive only where there is one that opens. Never raises for what ails
    the archive.
    """
    patient = Patient(settings, environ, now)
    notes = [
        note
        for name, check in _OF_THE_MACHINE.items()
        for note in _tried(name, check, patient, None)
    ]
    notes += _of_the_archive(patient)
    return Examination([_covered(note) for note in notes])


def _of_the_archive(patient: Patient) -> Iterator[Note]:
    try:
        engine = open_for_reading(patient.settings)
    except DatabaseError as error:
        thing, _, cure = str(error).partition(": ")
        yield Note("database", "cannot_run", thing, cure)
        return
    except StorageError as error:
        yield Note("database", "cannot_run", str(error), "see docs/database.md")
        return
    if engine is None:
        cure = "`scrapy crawl urumqi_districts` fills it; if it was here before, see GONGKAI_HOME"
        yield Note("database", "attention", "there is no archive here yet", cure)
        return
    try:
        with engine.connect() as connection:
            for name, check in _OF_THE_ARCHIVE.items():
                yield from _tried(name, check, patient, connection)
    finally:
        engine.dispose()


def _tried(
    name: str, check: Check, patient: Patient, connection: sa.Connection | None
) -> Iterator[Note]:
    """What a check says; that it could not be made is something to say, too."""
    try:
        yield from (Note(name, *said) for said in check(patient, connection))
    except (StorageError, OSError, SubprocessError, SQLAlchemyError, ValueError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        yield Note(name, "attention", f"could not be looked at: {first}", "see to that first")


def _covered(note: Note) -> Note:
    return note._replace(says=masked(note.says))
