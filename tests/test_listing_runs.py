"""Looks at listings, from the wire to the archive, on both databases."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from storage.capture.listings import Standing, reads_of, watched
from storage.database import make_engine
from storage.schema import attempts
from tests.crawling import Operator
from tests.scripted import GONE, Answer, page, scripted

LISTING = "/info/iList.jsp?cat_id=1"
KIND = {"Content-Type": "text/html; charset=utf-8"}
WALL = Answer("<title>访问验证</title><p>请完成下方滑块验证后继续访问</p>".encode(), 521, KIND)


def title(year: int) -> str:
    return f"水磨沟区{year}年政府信息公开工作年度报告"


def listing(years: list[int], total: int, number: int) -> Answer:
    rows = "".join(
        f'<li class="am-list-item-dated"><a href="/nb/nb/{year}.htm">{title(year)}</a>'
        f"<span>{year + 1}-01-20</span></li>"
        for year in years
    )
    other = f'<a href="{LISTING}&amp;cur_page={3 - number}">{3 - number}</a>'
    html = f"<html><head><title>年报</title></head><body>{rows}{other}共有{total}条</body></html>"
    return Answer(html.encode(), headers=KIND)


def report(year: int) -> Answer:
    html = f'<h1 id="title">{title(year)}</h1><div id="text"><p>总体情况</p></div>'
    return Answer(html.encode(), headers=KIND)


def answers(total: int = 5, home: Answer | None = None) -> dict[str, Answer]:
    return {
        "/": home or page((LISTING, "政府信息公开年报")),
        LISTING: listing([2024, 2023, 2022], total, 1),
        f"{LISTING}&cur_page=2": listing([2021, 2020], total, 2),
        **{f"/nb/nb/{year}.htm": report(year) for year in range(2020, 2025)},
    }


def crawl(operator: Operator, told: dict[str, Answer]) -> tuple[str, list[str]]:
    """The run's word on stderr, and what was asked for."""
    with scripted(lambda _host, target: told.get(target, GONE)) as host:
        operator = Operator(operator.home, host.url, operator.database_url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
        return done.stderr, host.targets()


def known(operator: Operator) -> Standing:
    engine = make_engine(operator.database_url, writing=False)
    with engine.connect() as connection:
        (standing,) = watched(connection, "shuimogou")
    engine.dispose()
    return standing


def test_a_look_is_kept_with_its_proof_and_a_wall_leaves_its_row(
    tmp_path: Path, database_url: str
) -> None:
    operator = Operator(tmp_path, database_url=database_url)
    stderr, asked = crawl(operator, answers())
    assert stderr == ""
    assert asked.count(LISTING) == 2  # once more at the end
    standing = known(operator)
    assert standing.whole is not None
    assert (standing.whole.verdict, standing.whole.declared_total) == ("complete", 5)
    assert sorted(entry.title for entry in standing.entries.values()) == sorted(
        title(year) for year in range(2020, 2025)
    )
    engine = make_engine(database_url, writing=False)
    with engine.connect() as connection:
        purposes = list(connection.execute(sa.select(attempts.c.purpose)).scalars())
    engine.dispose()
    assert (purposes.count("page"), purposes.count("again")) == (1, 1)
    assert len(standing.whole.captures) == 3

    stderr, _ = crawl(operator, answers(home=WALL))
    assert "entry blocked" in stderr
    standing = known(operator)
    assert standing.last is not None
    assert (standing.last.verdict, standing.last.rule) == ("blocked", "listing.lost")
    assert len(standing.entries) == 5

    stderr, _ = crawl(operator, answers(total=9))
    assert "5 rows were read and it says it has 9" in stderr
    assert LISTING in stderr
    engine = make_engine(database_url, writing=False)
    with engine.connect() as connection:
        assert [read.verdict for read in reads_of(connection, 3)] == ["incomplete"]
    engine.dispose()
