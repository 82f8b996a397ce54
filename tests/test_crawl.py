"""The main job, end to end: nine portals crawled through the replica, judged by the replica's log.

One archive a database is crawled once for all the tests; then a world with five edited reports and
one replaced file.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from warcio.checker import Checker

from storage.capture.captures import payload
from storage.database import make_engine
from storage.settings import Settings
from tests.browsing import browser, needs_browser
from tests.crawling import ROOT, Operator
from tests.replica import Entry, Replica, World
from tests.replica.judge import Verdict, judge
from tests.replica.report_model import Report
from tests.walks import WALKS, by_keyboard, explored, violations

CONTACT = "tests@localhost"
SPIDERS = ("urumqi_districts", "urumqi_city")
# The relations within one report; planted by the world.
WITHIN = frozenset(("A1", "A2", "A3", "R1", "R2", "R3"))
STATES = {"old": "old", "2019": "read", "2021": "read"}


@dataclass(frozen=True)
class Crawled:
    """An archive after the first crawl, and what the replica says of it."""

    operator: Operator
    world: World
    log: tuple[Entry, ...]
    verdict: Verdict
    reports: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        url = self.operator.database_url or None
        return Settings(home=self.operator.home, database_url=url)

    def count(self, table: str) -> int:
        return int(self.query(f"SELECT count(*) FROM {table}")[0][0])

    def query(self, sql: str) -> list[Any]:
        engine = make_engine(self.settings.url, writing=False)
        try:
            with engine.connect() as connection:
                return list(connection.execute(sa.text(sql)))
        finally:
            engine.dispose()

    def crawl(self, world: World, **arguments: str) -> tuple[Entry, ...]:
        """Both spiders through a replica of `world`; every run must end complete."""
        with Replica(world, latency=0.002) as replica:
            operator = Operator(self.operator.home, replica.url, self.operator.database_url)
            for spider in SPIDERS:
                done = operator.crawl(spider, **arguments)
                assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            return tuple(replica.log)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def crawled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Crawled:
    home = tmp_path_factory.mktemp("archive")
    url = ""
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("new_postgresql")
        url = make()
    world = World.base()
    blank = Crawled(Operator(home, database_url=url), world, (), judge(world, (), CONTACT))
    log = blank.crawl(world)
    done = blank.operator.archive("report", "--all", "--json")
    assert done.returncode == 0, done.stderr
    found = {(r["organ"], r["year"]): r for r in map(json.loads, done.stdout.splitlines())}
    return Crawled(blank.operator, world, log, judge(world, log, CONTACT), found)


# --- the first crawl ------------------------------------------------------------------------------


def test_every_report_of_every_portal_is_found(crawled: Crawled) -> None:
    found = {key: portal.missing for key, portal in crawled.verdict.portals.items()}
    assert len(found) == 9
    assert not any(found.values()), found
    assert sum(portal.expected for portal in crawled.verdict.portals.values()) > 400


def test_no_rule_of_the_hosts_is_broken(crawled: Crawled) -> None:
    assert crawled.verdict.violations == ()
    assert crawled.verdict.requests > 500


def test_the_archive_holds_the_reports_of_the_world_and_no_others(crawled: Crawled) -> None:
    expected = {(e.division_code, e.organ, e.year) for e in crawled.world.expected()}
    found = {(r["division_code"], r["organ"], r["year"]) for r in crawled.reports.values()}
    assert found == expected


def test_title_source_and_date_of_every_report_are_the_worlds(crawled: Crawled) -> None:
    for expected in crawled.world.expected():
        report = crawled.reports[expected.organ, expected.year]
        assert report["title"] == expected.title
        assert report["published"] == expected.published, expected.urls
        assert (report["source"] or "") in {expected.source, ""}, expected.urls


def test_every_cell_of_every_report_is_right_or_reported_unread(crawled: Crawled) -> None:
    read = wrong = 0
    for expected in crawled.world.expected():
        report = crawled.reports[expected.organ, expected.year]
        cells = {f"{c['table']}.{c['row']}.{c['column']}": c for c in report["cells"]}
        assert set(cells) == set(expected.report.cells), expected.urls
        unread = {path for path, cell in cells.items() if cell["state"] == "unread"}
        told = {path for f in report["findings"] for path in f["cells"] if f["rule"] == "unread"}
        assert unread <= told, expected.urls
        for path in set(cells) - unread:
            truth, cell = expected.report.cells[path], cells[path]
            value = None if cell["value"] is None else Decimal(str(cell["value"]))
            read += 1
            wrong += (cell["state"], value) != (truth.state, truth.value)
    assert wrong == 0
    assert read > 50_000


def test_planted_errors_are_found_and_nothing_else_is(crawled: Crawled) -> None:
    planted = 0
    for expected in crawled.world.expected():
        findings = crawled.reports[expected.organ, expected.year]["findings"]
        within = [f for f in findings if f["rule"] in WITHIN]
        failed = sorted(f["rule"] for f in within if f["verdict"] == "fail")
        wrong = sorted(rule for rule, _ in expected.report.wrong)
        if not any(f["rule"] == "unread" for f in findings):
            assert failed == wrong, expected.urls
        planted += len(wrong)
    assert planted > 20


def test_what_one_year_hands_on_is_held_against_the_next(crawled: Crawled) -> None:
    reports = {(each.organ, each.year): each.report for each in crawled.world.expected()}
    broken = 0
    for (organ, year), report in reports.items():
        before = reports.get((organ, year - 1))
        findings = crawled.reports[organ, year]["findings"]
        if before is None or any(f["rule"] == "unread" for f in findings):
            continue
        failed = [f for f in findings if (f["rule"], f["verdict"]) == ("X1", "fail")]
        wanted = [column for column in report.columns if hands_on_another(before, report, column)]
        assert [f["cells"][0].rpartition(".")[2] for f in failed] == wanted, (organ, year)
        broken += len(wanted)
    assert broken > 5


def hands_on_another(before: Report, report: Report, column: str) -> bool:
    """Whether a year begins with another figure than the year before ended with."""
    if not (before.cells and report.cells):
        return False
    one = before.cells[f"applications.carried_out.{column}"]
    other = report.cells[f"applications.carried_in.{column}"]
    states = {one.state, other.state}
    if states == {"blank"} or not states <= {"number", "zero", "blank"}:
        return False
    return (one.value or 0) != (other.value or 0)


def test_the_seed_is_read_whole(crawled: Crawled) -> None:
    report = crawled.operator.ask("report", "乌鲁木齐市天山区人民政府", "2019")
    gold = json.loads((Path(__file__).parent / "gold" / "tianshan-2019.json").read_text("utf-8"))
    assert report["tables"] == gold["tables"]
    assert len(report["cells"]) == 198
    assert {c["state"] for c in report["cells"]} == {"number", "zero", "blank"}
    assert (report["title"], report["body_title"]) == (gold["title"], gold["body_title"])
    assert (report["organ"], report["published"]) == (gold["agency"], gold["published"])
    assert report["source"] == "天山区人民政府"
    assert [a["name"] for a in report["attachments"]] == [f"{gold['body_title']}.docx"]
    assert "http://www.xjtsq.gov.cn/info/3168/138343.htm" in report["urls"]
    assessed = [f for f in report["findings"] if f["verdict"] in {"pass", "holds_if_blank_is_zero"}]
    assert len(assessed) == gold["arithmetic"]["checks"] == 15


def test_a_report_at_several_addresses_is_one_report_with_aliases(crawled: Crawled) -> None:
    several = 0
    for expected in crawled.world.expected():
        urls = set(crawled.reports[expected.organ, expected.year]["urls"])
        hosts = {entry.host for entry in crawled.log}
        assert urls, expected
        assert all(url.split("/")[2] in hosts for url in urls)
        several += len(urls) > 1
    assert several >= 10
    # Different skins of one content are one version.
    pages = crawled.query("SELECT count(*) FROM versions WHERE part = 'page'")
    assert pages[0][0] == len(crawled.reports)


def test_every_attachment_is_kept_as_served(crawled: Crawled) -> None:
    expected = {
        (e.organ, e.year, a.name, a.sha256) for e in crawled.world.expected() for a in e.attachments
    }
    assert expected
    assert expected == {
        (*key, a["name"], a["sha256"])
        for key, r in crawled.reports.items()
        for a in r["attachments"]
    }


def test_coverage_has_a_state_for_every_organ_and_year(crawled: Crawled) -> None:
    coverage = crawled.operator.ask("coverage")
    states = {(c["organ"], c["year"]): c["state"] for c in coverage}
    for expected in crawled.world.expected():
        assert states[expected.organ, expected.year] in {STATES[expected.layout], "partly_read"}
    governments = {e.organ for e in crawled.world.expected() if e.year == 2008}
    for organ in governments:
        assert {year for name, year in states if name == organ} >= set(range(2008, 2026))


def test_the_ledger_of_one_division_is_its_part_of_the_whole(crawled: Crawled) -> None:
    whole = crawled.operator.ask("ledger")
    for division in ("650100", "650107"):
        alone = crawled.operator.ask("ledger", "--division", division)
        assert alone == [cell for cell in whole if cell["division_code"] == division]


def test_the_readme_shows_what_the_demo_finds(crawled: Crawled) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = re.search(r"(\d+) reports, (\d+) cells \((.*)\)", readme)
    assert shown is not None
    states = Counter(c["state"] for r in crawled.reports.values() for c in r["cells"])
    assert int(shown[1]) == len(crawled.reports)
    assert int(shown[2]) == states.total()
    assert shown[3] == ", ".join(f"{number} {state}" for state, number in states.most_common())


def test_the_sql_of_the_readme_answers(crawled: Crawled) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (shown,) = re.findall(r'sqlite3 \S+ "(SELECT .*)"', readme)
    rows = crawled.query(shown)
    assert ("乌鲁木齐市天山区人民政府", 2019, 6) in [tuple(row) for row in rows]


# --- the evidence ---------------------------------------------------------------------------------


def test_every_warc_file_passes_the_checker(crawled: Crawled) -> None:
    files = sorted((crawled.operator.home / "warc").iterdir())
    assert files
    assert all(file.name.endswith(".warc.gz") for file in files)
    for file in files:
        checker = Checker(_Check([str(file)]))
        checker.process_all()
        assert checker.exit_value == 0, file


def test_every_capture_leads_to_its_record_and_its_digest(crawled: Crawled) -> None:
    engine = make_engine(crawled.settings.url, writing=False)
    captures = crawled.query("SELECT id FROM captures")
    for (capture_id,) in captures:
        payload(engine, crawled.settings.warc_directory, capture_id)  # checks the digest
    engine.dispose()
    assert len(captures) == len([e for e in crawled.log if e.method != "CONNECT"])


def test_every_request_the_hosts_saw_has_one_attempt(crawled: Crawled) -> None:
    attempts = sorted(url for (url,) in crawled.query("SELECT url FROM attempts"))
    seen = sorted(f"{e.scheme}://{e.host}{e.path}" for e in crawled.log if e.method != "CONNECT")
    assert attempts == seen


# --- the second and the third crawl (in this order) -----------------------------------------------


@dataclass(frozen=True)
class CrawledAgain:
    """The second crawl of the same archive: what it met, and what was there before."""

    world: World
    log: tuple[Entry, ...]
    before: dict[str, int]


@pytest.fixture(scope="module")
def again(crawled: Crawled) -> CrawledAgain:
    before = {table: crawled.count(table) for table in ("versions", "attempts", "observations")}
    world = crawled.world.with_edits(seed=1, reports=5, attachments=1)
    return CrawledAgain(world, crawled.crawl(world), before)


def test_a_second_crawl_finds_exactly_what_was_edited(
    crawled: Crawled, again: CrawledAgain
) -> None:
    """Of all other pages and files it keeps an observation, and no version."""
    assert crawled.count("versions") == again.before["versions"] + 6
    requests = len([entry for entry in again.log if entry.method != "CONNECT"])
    assert crawled.count("attempts") == again.before["attempts"] + requests
    assert crawled.count("observations") == 2 * again.before["observations"]
    for edit in again.world.edits:
        history = crawled.operator.ask("history", edit.organ, str(edit.year))
        part = "attachment" if edit.attachment else "page"
        sides = [version for version in history if version["part"] == part]
        assert len(sides) == 2, edit
        assert sides[0]["last_seen"] < sides[1]["first_seen"]
        if not edit.attachment and not edit.path.startswith("sections"):
            assert [change["path"] for change in sides[1]["changed"]] == [edit.path]
            (change,) = sides[1]["changed"]
            sides_of_cell = [change[side]["raw"].strip() for side in ("before", "after")]
            assert sides_of_cell == [edit.before, edit.after]
        elif not edit.attachment:
            (passage,) = sides[1]["rewritten"]
            assert edit.before in passage["before"]
            assert edit.after in passage["after"]


# --- a reader, after all that -------------------------------------------------------------------


@needs_browser
@pytest.mark.usefixtures("again")
def test_a_reader_goes_from_the_map_to_the_bytes(crawled: Crawled) -> None:
    """In a real browser: of the one archive with script and by keyboard, of the other without."""
    scripted = not crawled.operator.database_url
    with explored(crawled.settings) as (origin, replay, met):
        with browser(javascript=scripted) as reader:
            for walk in WALKS:
                page = reader.page()
                walk(page, origin, met)
                page.close()
            if scripted:
                by_keyboard(reader.page(), origin, met)
        begins = (f"{origin}/", f"{replay}/", "about:", "data:")
        assert [url for url in reader.requests if not url.startswith(begins)] == []


@needs_browser
@pytest.mark.usefixtures("again")
def test_axe_finds_nothing_on_any_type_of_page(crawled: Crawled) -> None:
    """Of the one archive on a narrow screen, of the other on a wide one."""
    width = 1280 if crawled.operator.database_url else 360
    with explored(crawled.settings) as (origin, _, met), browser(width=width) as reader:
        page = reader.page()
        for name, address in met.pages():
            page.goto(origin + address)
            assert violations(page) == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@dataclass(frozen=True)
class _Check:
    """What warcio's checker wants from its command line."""

    inputs: list[str]
    verbose: bool = False
