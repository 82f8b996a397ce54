"""Every figure on its way out equals the database; the long proof is `python -m tests.takeaway`."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.database import consistent, open_for_reading
from storage.exports.source import Selection
from storage.exports.taking import export
from storage.settings import Settings
from tests import takeaway
from tests.databases import ON_SQLITE
from tests.stocked import stocked

FORMS = ("csv", "package", "parquet", "sqlite", "jsonl", "xlsx")


@ON_SQLITE
def test_every_way_tells_what_is_held_and_one_that_does_not_is_found(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stocked(settings, 5, ()).dispose()
    gone = takeaway.plant(settings)
    engine = open_for_reading(settings)
    assert engine is not None
    with consistent(engine).connect() as connection:
        for form in FORMS:
            export(connection, settings, form, tmp_path / form, Selection())
        held = takeaway.in_database(connection)
        ways = [
            *takeaway.in_exports(tmp_path),
            *takeaway.shown(engine, settings, held, 20),
        ]
        assert len(ways) == len(FORMS) + 3
        assert [each for way in ways for each in takeaway.compared(held, way)] == []
        assert list(takeaway.hidden(engine, settings, gone)) == []
        keys = takeaway.sample(held, 10)
        assert list(takeaway.led(connection, engine, settings, keys)) == []
    engine.dispose()
    assert {said.state for said in held.values()} >= {"number", "zero", "blank"}
    assert sum(said.corrected is not None for said in held.values()) == 4
    # Another state, another figure, a correction that nobody made: each is seen on every way.
    for change in (
        {"state": "text"},
        {"value": 7.5},
        {"corrected": "8", "corrected_value": 8.0},
    ):
        other = {**held, keys[0]: held[keys[0]]._replace(**change)}
        assert all(list(takeaway.compared(other, way)) for way in ways), change
    assert len(list(takeaway.compared({}, ways[0]))) == 1
