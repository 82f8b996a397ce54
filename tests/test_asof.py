"""As of a moment: what was known, and what had been published; the proof in small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.asof import AsOf
from storage.cli.shared import as_of
from storage.errors import BadQuestion
from storage.queries.organs import find_organ
from storage.queries.report import report
from tests.asof.proof import prove
from tests.asof.world import CELL
from tests.databases import NOW, ON_SQLITE, TIANSHAN, Crawl, reading


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
