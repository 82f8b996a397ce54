"""Facts: what is read goes in and comes out exactly; the same content is never a second version."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from storage.readings.facts import (
    MESSAGES,
    CellRecord,
    FindingRecord,
    FormRecord,
    GridRecord,
    IndicatorRecord,
    ReadingRecord,
    content,
    find_reading,
    load_reading,
    store_reading,
)
from storage.readings.observing import sight
from storage.readings.packing import STATES
from storage.schema import aliases, forms, observations, readings, reports, versions
from storage.settings import Settings
from tests.databases import FORM, NOW, Crawl, exchange, key, reading

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
keys = st.text("abcdefgh_.19", min_size=1, max_size=8)
numbers = st.one_of(
    st.integers(-(10**18), 10**18).map(Decimal),
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-1e6, max_value=1e6),
    st.decimals("-1e9", "1e9", allow_nan=False, allow_infinity=False),
)
places = st.none() | st.tuples(st.integers(-1, 3), st.integers(0, 40), st.integers(0, 9))
findings = st.builds(
    FindingRecord, keys, st.just("finding"), words, words, st.lists(keys, max_size=3).map(tuple)
)
confidences = st.none() | st.floats(0, 1)
grid_cells = st.tuples(words, *[st.integers(0, 9)] * 4).map(list)
grid_rows = st.none() | st.lists(st.lists(grid_cells, max_size=2), max_size=2)
edges = st.lists(st.floats(0, 1000), max_size=3).map(tuple)
grids = st.builds(
    GridRecord,
    st.integers(0, 9),
    st.none() | st.integers(1, 9),
    st.none() | words,
    edges,
    edges,
    st.booleans(),
    grid_rows,
)
indicators = st.builds(
    IndicatorRecord,
    st.none() | keys,
    *[words] * 4,
    st.sampled_from(sorted(STATES)),
    st.none() | numbers,
    places,
)


@st.composite
def any_cells(draw: st.DrawFn) -> tuple[CellRecord, ...]:
    """Cells with distinct names; raw texts are often the plain writing of the value."""
    names = draw(st.lists(st.tuples(keys, keys, keys), min_size=1, max_size=40, unique=True))
    cells = []
    for name in names:
        value = draw(st.none() | numbers)
        raw = draw(words | st.just("" if value is None else format(value, "f")))
        state, unit = draw(st.sampled_from(sorted(STATES))), draw(st.none() | words)
        sure = draw(confidences)
        cells.append(CellRecord(*name, raw, state, value, unit, draw(places), sure))
    return tuple(cells)


@st.composite
def any_reading(draw: st.DrawFn) -> ReadingRecord:
    cells = draw(st.just(()) | any_cells())
    rules = draw(st.lists(keys, max_size=6)) if cells else []
    checks = tuple((rule, draw(st.lists(keys, max_size=3).map(tuple))) for rule in rules)
    verdicts = []
    for rule, paths in checks:
        verdict = draw(st.sampled_from(sorted(MESSAGES)))
        message = (draw(words), draw(words)) if verdict == "fail" else MESSAGES[verdict]
        verdicts.append(FindingRecord(rule, verdict, *message, paths))
    names = tuple((cell.table, cell.row, cell.column) for cell in cells)
    return ReadingRecord(
        parser="test/1",
        layout=draw(st.sampled_from(["2019", "2021", "old", "unknown"])),
        body_title=draw(st.none() | words),
        form=FormRecord(draw(keys), names, checks) if cells else None,
        cells=cells,
        verdicts=tuple(verdicts),
        findings=tuple(draw(st.lists(findings, max_size=3))),
        sections=tuple(draw(st.lists(st.tuples(words, words), max_size=3))),
        indicators=tuple(draw(st.lists(indicators, max_size=2))),
        grids=tuple(draw(st.lists(grids, max_size=2, unique_by=lambda grid: grid.ordinal))),
        signature=tuple(draw(st.lists(st.integers(0, 2**32), max_size=2))),
        engine=draw(st.none() | keys),
    )


@pytest.fixture
def version(engine: sa.Engine, settings: Settings) -> int:
    with Crawl(engine, settings.warc_directory) as crawl:
        return crawl.page(b"page", None).id


@given(read=any_reading())
@examples(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_reading_comes_out_as_it_went_in(
    engine: sa.Engine, version: int, read: ReadingRecord
) -> None:
    with engine.connect() as connection:
        reading_id = store_reading(connection, version, read, NOW)
        assert in_order(load_reading(connection, reading_id)) == in_order(read)
        assert content(load_reading(connection, reading_id)) == content(in_order(read))
        assert find_reading(connection, version, "test/1") == reading_id
        if read.cells:
            assert as_sql_sees(connection, reading_id) == [
                (c.table, c.row, c.column, c.raw, c.state, c.unit) for c in read.cells
            ]
        connection.rollback()


def in_order(read: ReadingRecord) -> ReadingRecord:
    return replace(read, grids=tuple(sorted(read.grids, key=lambda grid: grid.ordinal)))


def as_sql_sees(connection: sa.Connection, reading_id: int) -> list[tuple[object, ...]]:
    query = (
        "SELECT table_key, row_key, column_key, raw, state, unit FROM cells "
        f"WHERE reading_id = {reading_id} ORDER BY position"
    )
    return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_a_decimal_keeps_the_digits_it_was_given(engine: sa.Engine, version: int) -> None:
    with engine.begin() as connection:
        read = reading("1", "5446.750万元", "0", "4")
        back = load_reading(connection, store_reading(connection, version, read, NOW))
        query = "SELECT value FROM cells WHERE unit = '万元'"
        assert float(connection.exec_driver_sql(query).scalar_one()) == 5446.75
    assert str(back.cells[1].value) == "5446.750"


def test_a_nul_that_postgresql_cannot_hold_becomes_a_replacement(
    engine: sa.Engine, version: int
) -> None:
    dirty = reading("1", "2", "3", "4")
    dirty = replace(
        dirty,
        cells=(replace(dirty.cells[0], raw="1\0"), *dirty.cells[1:]),
        sections=(("a\0", "b"),),
    )
    with engine.begin() as connection:
        back = load_reading(connection, store_reading(connection, version, dirty, NOW))
        assert back.sections == (("a\ufffd", "b"),)
        assert back.cells[0].raw == "1\ufffd"
        assert as_sql_sees(connection, 1)[0][3] == "1\ufffd"


def test_a_reading_that_does_not_stand_as_its_form_says_is_refused(
    engine: sa.Engine, version: int
) -> None:
    read = reading("1", "2", "3", "4")
    shuffled = replace(read, cells=read.cells[::-1])
    short = replace(read, verdicts=read.verdicts[:1])
    formless = replace(read, form=None)
    with engine.begin() as connection:
        for wrong in (shuffled, short, formless):
            with pytest.raises(ValueError, match="form's order"):
                store_reading(connection, version, wrong, NOW)
        nan = replace(read, cells=(replace(read.cells[0], value=Decimal("NaN")), *read.cells[1:]))
        with pytest.raises(ValueError, match="NaN"):
            store_reading(connection, version, nan, NOW)


def test_a_version_is_read_once_by_a_parser(engine: sa.Engine, version: int) -> None:
    with engine.begin() as connection:
        store_reading(connection, version, reading("1", "2", "3", "4"), NOW)
        store_reading(connection, version, reading("1", "2", "3", "4", parser="test/2"), NOW)
        assert find_reading(connection, version, "test/2") == 2
        assert find_reading(connection, version, "test/3") is None
    with engine.begin() as connection, pytest.raises(sa.exc.IntegrityError):
        store_reading(connection, version, reading("1", "2", "3", "4"), NOW)


def test_a_form_of_the_same_name_with_another_shape_is_another_form(
    engine: sa.Engine, version: int
) -> None:
    smaller = replace(FORM, cells=FORM.cells[1:], checks=FORM.checks[:1])
    old = reading("1", "2", "3", "4")
    new = replace(
        old, parser="test/2", form=smaller, cells=old.cells[1:], verdicts=old.verdicts[:1]
    )
    with engine.begin() as connection:
        first = store_reading(connection, version, old, NOW)
        second = store_reading(connection, version, new, NOW)
        assert connection.execute(sa.select(sa.func.count()).select_from(forms)).scalar() == 2
        assert len(load_reading(connection, first).cells) == 4
        assert len(load_reading(connection, second).cells) == 3


def count(engine: sa.Engine, table: sa.Table) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_a_second_crawl_adds_observations_and_no_versions(
    engine: sa.Engine, settings: Settings
) -> None:
    refs = []
    for month in range(2):
        start = NOW + timedelta(days=30 * month)
        with Crawl(engine, settings.warc_directory, start=start) as crawl:
            refs.append(crawl.page(b"page", reading("1", "2", "3", "4")))
            refs.append(crawl.attachment(b"file"))
    assert [ref.new for ref in refs] == [True, True, False, False]
    assert refs[0].id == refs[2].id
    assert count(engine, versions) == 2
    assert count(engine, readings) == 1
    assert count(engine, observations) == 4


def test_an_edited_page_is_a_new_version_of_the_same_report(
    engine: sa.Engine, settings: Settings
) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        first = crawl.page(b"page", None)
        second = crawl.page(b"page, edited", None)
    assert (second.new, second.report_id) == (True, first.report_id)
    assert second.id != first.id
    assert count(engine, reports) == 1


def test_a_report_on_two_addresses_is_one_report_with_two_aliases(
    engine: sa.Engine, settings: Settings
) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"page", None, url="http://old.example/1.htm")
        moved = crawl.page(b"page", None, url="http://new.example/1.htm")
        again = crawl.page(b"page", None, url="http://new.example/1.htm")
    assert not moved.new
    assert again.id == moved.id
    with engine.connect() as connection:
        rows = connection.execute(sa.select(aliases).order_by(aliases.c.id)).all()
    assert [row.url for row in rows] == ["http://old.example/1.htm", "http://new.example/1.htm"]
    assert rows[1].last_seen > rows[1].first_seen


def test_observing_the_same_capture_twice_changes_nothing(
    engine: sa.Engine, settings: Settings
) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        ref = crawl.capture(exchange())
        seen = crawl._observation(ref, b"x", key(), "http://a/", "t", None)
        first, second = crawl._keep(seen, None), crawl._keep(seen, None)
    assert (first.new, second.new) == (True, False)
    assert count(engine, observations) == 1


def test_an_older_capture_brought_in_later_moves_only_the_first_sight(
    engine: sa.Engine, settings: Settings
) -> None:
    early = NOW - timedelta(days=400)
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"page", None)
    with Crawl(engine, settings.warc_directory, start=early) as crawl:
        crawl.page(b"page", None, title="an older title")
    with engine.connect() as connection:
        version = connection.execute(sa.select(versions)).one()
        alias = connection.execute(sa.select(aliases)).one()
    assert version.first_seen < early + timedelta(days=1)
    assert version.last_seen >= NOW
    assert alias.title != "an older title"


def test_a_report_that_could_not_be_captured_is_known_all_the_same(
    engine: sa.Engine, settings: Settings
) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        report_id = crawl.unreachable(key(year=2018), "http://www.xjtsq.gov.cn/gone.htm")
        with engine.begin() as connection:
            assert sight(connection, key(year=2018), "http://a/", "t", NOW, "dns") == report_id
    with engine.connect() as connection:
        rows = connection.execute(sa.select(aliases).order_by(aliases.c.id)).all()
    assert [row.last_outcome for row in rows] == ["timeout", "dns"]
    assert count(engine, versions) == 0
