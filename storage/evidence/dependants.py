"""Which reports rest on a row: what must be doubted when it cannot be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

import sqlalchemy as sa

from storage.schema import (
    aliases,
    assessments,
    captures,
    confirmations,
    corrections,
    observations,
    organs,
    readings,
    reports,
    versions,
)

_Keys: TypeAlias = Callable[[sa.ColumnElement[Any]], sa.ColumnElement[bool]]

# Organ, year and the organ's name.
_Report: TypeAlias = tuple[int, int, str]

_NAMED = 3
# A database takes so many values in a statement and not many times more.
_BATCH = 5000


def resting_on(connection: sa.Connection, table: str, after: int | None, last: int) -> str:
    """The reports that rest on rows of a table with `after` < key <= `last`, in a few words."""

    def among(key: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        return key <= last if after is None else sa.and_(key > after, key <= last)

    find = _REPORTS.get(table)
    return _named(_reports(connection, find(among))) if find else ""


def resting_on_captures(connection: sa.Connection, ids: Iterable[int]) -> str:
    """The same for some captures."""
    wanted = iter(sorted(ids))
    found: set[_Report] = set()
    while batch := list(islice(wanted, _BATCH)):
        found |= _reports(connection, _by_capture(_one_of(batch)))
    return _named(found)


def _one_of(ids: Sequence[int]) -> _Keys:
    return lambda key: key.in_(ids)


def _reports(connection: sa.Connection, ids: sa.Select[Any]) -> set[_Report]:
    query = (
        sa.select(organs.c.id, reports.c.year, organs.c.name)
        .select_from(reports.join(organs))
        .where(reports.c.id.in_(ids))
    )
    return {tuple(row) for row in connection.execute(query)}


def _named(found: set[_Report]) -> str:
    names = [f"{name} {year}" for _, year, name in sorted(found)]
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} reports more"


def _by_capture(among: _Keys) -> sa.Select[Any]:
    """Through the observations; a revisit rests on the capture that holds its payload."""
    doubtful = sa.select(captures.c.id).where(
        sa.or_(among(captures.c.id), among(captures.c.revisit_of))
    )
    return (
        sa.select(versions.c.report_id)
        .join(observations)
        .where(observations.c.capture_id.in_(doubtful))
    )


def _by_attempt(among: _Keys) -> sa.Select[Any]:
    made = sa.select(captures.c.id).where(among(captures.c.attempt_id))
    return _by_capture(lambda key: key.in_(made))


def _by_file(among: _Keys) -> sa.Select[Any]:
    inside = sa.select(captures.c.id).where(among(captures.c.warc_file_id))
    return _by_capture(lambda key: key.in_(inside))


def _by_observation(among: _Keys) -> sa.Select[Any]:
    return (
        sa.select(versions.c.report_id).join(observations).where(among(observations.c.capture_id))
    )


def _by_reading(among: _Keys) -> sa.Select[Any]:
    return sa.select(versions.c.report_id).join(readings).where(among(readings.c.id))


def _by_confirmation(among: _Keys) -> sa.Select[Any]:
    confirmed = sa.select(confirmations.c.reading_id).where(among(confirmations.c.id))
    return _by_reading(lambda key: key.in_(confirmed))


def _by_form(among: _Keys) -> sa.Select[Any]:
    return sa.select(versions.c.report_id).join(readings).where(among(readings.c.form_id))


_REPORTS: Mapping[str, Callable[[_Keys], sa.Select[Any]]] = {
    "attempts": _by_attempt,
    "captures": _by_capture,
    "warc_files": _by_file,
    "observations": _by_observation,
    "organs": lambda among: sa.select(reports.c.id).where(among(reports.c.organ_id)),
    "reports": lambda among: sa.select(reports.c.id).where(among(reports.c.id)),
    "aliases": lambda among: sa.select(aliases.c.report_id).where(among(aliases.c.id)),
    "versions": lambda among: sa.select(versions.c.report_id).where(among(versions.c.id)),
    "readings": _by_reading,
    "figures": _by_reading,
    "findings": _by_reading,
    "sections": _by_reading,
    "grids": _by_reading,
    "indicators": _by_reading,
    "confirmations": _by_confirmation,
    "assessments": lambda among: sa.select(assessments.c.report_id).where(among(assessments.c.id)),
    "assessment_findings": lambda among: sa.select(assessments.c.report_id).where(
        among(assessments.c.id)
    ),
    "corrections": lambda among: sa.select(corrections.c.report_id).where(among(corrections.c.id)),
    "forms": _by_form,
    "form_cells": _by_form,
    "form_checks": _by_form,
}
