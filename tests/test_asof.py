"""As of a moment: what was known, and what had been published; the proof in small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.asof import AsOf, Basis
from storage.cli.shared import as_of
from storage.errors import BadQuestion
from storage.queries.checks import checks
from storage.queries.findings import open_findings
from storage.queries.organs import find_organ
from storage.queries.report import report
from storage.readings.assessments import keep_assessment
from storage.readings.facts import FindingRecord
from storage.readings.observing import VersionRef
from tests.asof.proof import prove
from tests.asof.world import CELL
from tests.databases import NOW, ON_SQLITE, TIANSHAN, Crawl, key, reading


def test_every_date_of_a_small_history_answers_with_its_truth(
    engine: sa.Engine, tmp_path: Path
) -> None:
    proof = prove(engine, tmp_path, edits=1, seed=11, years=(2019,))
    assert proof.wrong == []
    assert proof.asked["report, known"] == proof.asked["report, published"] > 5


@ON_SQLITE
def test_the_proof_sees_a_wrong_answer(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.asof.proof.report", lambda c, o, y, as_of: report(c, o, y))
    monkeypatch.setattr("tests.asof.world.ORGANS", ["天山区教育局"])
    proof = prove(engine, tmp_path, edits=1, seed=11, years=(2019,))
    assert any(line.startswith("report, known") for line in proof.wrong)


def test_a_date_is_the_end_of_its_day_in_china() -> None:
    assert AsOf.parse("2024-03-01").at == datetime(2024, 3, 1, 15, 59, 59, 999999, UTC)
    assert AsOf.parse("2024-03-01T00:00:00+08:00").at == datetime(2024, 2, 29, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "basis", "word"),
    [
        ("yesterday", "known", "no date such as"),
        ("2024-02-30", "known", "no date such as"),
        ("10000-01-01", "known", "no date such as"),
        ("9999-12-31T20:00:00+00:00", "known", "no date such as"),
        ("2024-03-01T10:00", "known", "time zone"),
        ("2024-03-01", "guessed", "known, published"),
    ],
)
def test_what_is_no_moment_is_refused_with_a_cure(asked: str, basis: str, word: str) -> None:
    with pytest.raises(BadQuestion, match=word):
        AsOf.parse(asked, basis)


def test_a_basis_without_a_date_is_refused() -> None:
    assert as_of(None, "known") is None
    with pytest.raises(BadQuestion, match="--as-of"):
        as_of(None, "published")


def test_a_claimed_date_brings_the_first_sight_forward_and_no_edit_behind_a_sight(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with Crawl(engine, tmp_path / "warc") as crawl:
        crawl.page(b"one", reading("1", "2", "3", "4"), title="one", published="2020-03-06")
        crawl.set(NOW + timedelta(days=90))
        # The edit keeps the date of the first edition, which was seen after that.
        crawl.page(b"two", reading("1", "2", "3", "5"), title="two", published="2020-03-06")
    with engine.connect() as connection:
        organ = find_organ(connection, TIANSHAN)

        def total(day: str) -> tuple[str | None, str]:
            found = report(connection, organ, 2019, as_of=AsOf.parse(day, "published"))
            cells = {f"{c['table']}.{c['row']}.{c['column']}": c["raw"] for c in found["cells"]}
            return found["title"], cells[CELL]

        assert total("2020-03-06") == ("one", "4")
        assert total("2026-04-01") == ("one", "4")
        assert total("2026-07-01") == ("two", "5")
        with pytest.raises(Exception, match="none of this organ"):
            total("2020-03-05")
        with pytest.raises(Exception, match="none of this organ"):
            report(connection, organ, 2019, as_of=AsOf.parse("2020-03-06"))


def assessed(engine: sa.Engine, tmp_path: Path) -> None:
    """A report that was edited on the ninetieth day, each edition held against the year before."""
    crawl = Crawl(engine, tmp_path / "warc")

    def page(body: str, year: int) -> VersionRef:
        url = f"http://www.xjtsq.gov.cn/{year}.htm"
        read = reading("1", "2", "3", str(len(body)))
        return crawl.page(body.encode(), read, report=key(year=year), url=url, published=None)

    with crawl:
        last = page("last year", 2019)
        crawl.attachment(b"nobody reads this", report=key(year=2020))
        for day, rule in ((0, "X1"), (90, "X22")):
            crawl.set(NOW + timedelta(days=day))
            seen, at = page(rule, 2020), NOW + timedelta(days=day + 1)
            told = FindingRecord(rule, "fail", "1 ≠ 2", "1 ≠ 2", ())
            with engine.begin() as connection:
                rests_on = [reading_of(connection, each) for each in (seen, last)]
                keep_assessment(connection, seen.report_id, "test/1", rests_on, [told], at)


def reading_of(connection: sa.Connection, version: VersionRef) -> int:
    query = sa.text("SELECT id FROM readings WHERE version_id = :version")
    return int(connection.execute(query, {"version": version.id}).scalar_one())


@pytest.mark.parametrize(
    ("day", "basis", "rules"),
    [
        (0.5, "known", []),
        (0.5, "published", ["X1"]),
        (30, "known", ["X1"]),
        (30, "published", ["X1"]),
        (90.5, "known", ["X1"]),
        (90.5, "published", ["X22"]),
        (100, "known", ["X22"]),
    ],
)
def test_what_follows_from_others_is_told_of_what_stood(
    engine: sa.Engine, tmp_path: Path, day: float, basis: Basis, rules: list[str]
) -> None:
    assessed(engine, tmp_path)
    as_of = AsOf(NOW + timedelta(days=day), basis)
    with engine.connect() as connection:
        organ = find_organ(connection, TIANSHAN)
        told = report(connection, organ, 2020, as_of=as_of)["findings"]
        assert [each["rule"] for each in told if each["rule"].startswith("X")] == rules
        for year, organ_id in ((None, None), (2020, None), (None, organ.id)):
            found = open_findings(connection, year=year, organ_id=organ_id, as_of=as_of)
            assert [each["rule"] for each in found] == rules, (year, organ_id)
            counted = checks(connection, year=year, organ_id=organ_id, as_of=as_of)
            across = [(each["rule"], each["fail"]) for each in counted if each["rule"][0] == "X"]
            assert across == [(rule, 1) for rule in rules], (year, organ_id)
