"""The page of a run: read in a minute, hostile titles harmless, the most important first."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from lxml import html

from crawler.commands.exits import exit_of
from storage.alerts.record import alarm, sound
from storage.capture.captures import Attempt, Ending, Recorder
from storage.capture.runs import begin_run, end_run
from storage.database import transact
from storage.drift.measures import keep_measures
from storage.errors import DirectoryError, NotInArchive
from storage.queries.run_report import RunReport, run_report
from storage.rows import add
from storage.runpage import MOST_LINES, as_html, as_text, write_owed, write_page
from storage.schema import alert_events, alerts, listing_reads, listings
from storage.settings import Settings
from storage.text.plain import plain
from tests.crawling import ROOT, Operator
from tests.databases import PORTAL, START, TERMS, Crawl, exchange, key, reading

HOST = "http://www.xjtsq.gov.cn"
HOSTILE = (
    "<script>alert(1)</script>\"'>\u202e{organ}\x1b[31m\n\n第二行 {{ 7*7 }} & 天山区2021年年报"
)


def two_runs(settings: Settings, engine: sa.Engine) -> int:
    """A first run, and a second that met a bit of everything; the number of the second."""
    with Crawl(engine, settings.warc_directory) as first:
        first.page(b"<p>1</p>", reading("1", "2万元", "3", "4"))
        first.page(b"<p>2</p>", reading("5", "6", "7", "8"), report=key(year=2020), url=url(2))
        transact(engine, lambda c: keep_measures(c, first.run_id, counted("date")))
    with Crawl(engine, settings.warc_directory) as second:
        second.page(b"<p>1b</p>", reading("1", "9万元", "3", "4"))
        second.page(b"<p>3</p>", None, report=key(year=2021), url=url(3), title=HOSTILE)
        second.page(b"<p>2</p>", None, report=key(year=2020), url=url(22))
        second.capture(exchange(b"gone", url(2), status=404), "client_error")
        wall = second.capture(exchange(b"wall", url(9)), "blocked")
        asked = second.recorder.ask(second.attempt(f"{HOST}/entry.htm"))
        second.recorder.answer(asked, Ending("timeout", 9), None)
        transact(engine, lambda c: meet(c, second.run_id, wall.id))
    stats = {"attempts": 6, "incomplete/report blocked": 1, "outcome/too_large": 2}
    end_run(engine, second.run_id, "drift", "report blocked", stats)
    return second.run_id


def url(number: int) -> str:
    return f"{HOST}/info/3168/{number}.htm"


def counted(*has: str) -> Iterator[tuple[str, str, dict[str, object]]]:
    counts = dict.fromkeys(("pages", "title", *has), 40)
    skin = {"sketch": "0ddae61d", "capture": 1, **counts}
    yield "tianshan", "vsb article", {"skins": [skin]}


def meet(connection: sa.Connection, run_id: int, capture: int) -> None:
    """A listing that was not proven, an alert that came and one that went, a date that is lost."""
    keep_measures(connection, run_id, counted())
    now = datetime.now(UTC)
    row = {"portal": "tianshan", "url": f"{HOST}/list.htm", "title": "年报", "annual": True}
    listing = add(connection, listings, row | {"trail": [], "depth": 1, "first_seen": now})
    look = {"listing_id": listing, "run_id": run_id, "read_at": now, "scope": "whole"}
    look |= {"verdict": "incomplete", "rule": "total", "reason": "says 20, shows 15"}
    look["reason_zh"] = "声明 20 条，只有 15 条"
    look |= {"pages": 1, "entries": 15, "captures": [capture]}
    add(connection, listing_reads, look)
    for event in ("closed", "opened"):
        cause = {"cause": event, "kind": "blocked", "subject": "www.xjtsq.gov.cn"}
        alert = add(connection, alerts, cause | {"portal": "tianshan", "first_seen": now})
        said = {"message": "a wall stands there", "message_zh": "被拦截"}
        row = {"alert_id": alert, "run_id": run_id, "at": now, "event": event, **said}
        add(connection, alert_events, row)


@pytest.fixture
def report(settings: Settings, engine: sa.Engine) -> RunReport:
    run_id = two_runs(settings, engine)
    return transact(engine, lambda connection: run_report(connection, run_id))


def sections(text: str) -> dict[str, list[str]]:
    """Heading → its lines."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in text.splitlines():
        if named := re.fullmatch(r"(\S.*) \(\d+\)", line):
            heading = named[1]
        elif heading and line:
            found.setdefault(heading, []).append(line.strip())
    return found


def test_the_page_says_first_how_it_went_and_what_to_do(report: RunReport) -> None:
    lines = as_text(report, "en").splitlines()
    assert lines[0] == "Run 2 of urumqi_districts: drift (exit code 5)"
    assert lines[1].startswith("A portal's pages look otherwise than they did")
    assert lines[3] == "Its reason: report blocked"
    assert lines[4].startswith("To do: Open a page of now beside one of the last good run")


def test_every_section_has_what_was_planted_most_important_first(report: RunReport) -> None:
    told = sections(as_text(report, "en"))
    organ = "乌鲁木齐市天山区人民政府"
    assert list(told) == [
        "Layout drift", "No answer", "Listings not proven complete",
        "Gone from their address", "Alerts", "Changed reports", "New reports",
        "Found at another address", "Odd", "Ledger", "Requests",
    ]  # fmt: skip
    assert told["Layout drift"] == [
        "tianshan, vsb article: 0 of 40 pages have a date, before 40 of 40 (runs: 1); "
        "last good in run 1 [captures 1 and now 1]"
    ]
    assert told["No answer"] == [
        f"tianshan: 1 addresses blocked, e.g. {url(9)} [capture 7]",
        f"tianshan: 1 addresses timeout, e.g. {HOST}/entry.htm",
    ]
    assert told["Listings not proven complete"] == [
        f"tianshan: 年报: incomplete, total says 20, shows 15 ({HOST}/list.htm) [capture 7]"
    ]
    assert told["Gone from their address"][0].startswith(f"{organ} 2020: ")
    assert [line.split()[0] for line in told["Alerts"]] == ["opened", "closed"]
    changed = told["Changed reports"]
    assert changed == [
        f"{organ} 2019 (page): art20.item9.procurement.amount 2万元 → 9万元 [capture 3]"
    ]
    assert told["Found at another address"] == [f"{organ} 2020: {url(22)}"]
    assert told["Odd"] == ["2 × too_large", "1 × report blocked"]
    assert told["Requests"][0].startswith("tianshan: 6 requests (before 2), 5 answers, ")


def test_a_hostile_title_is_text_and_one_line(report: RunReport) -> None:
    text = as_text(report, "en")
    assert not set(text) & {"\x1b", "\u202e", "\r"}
    (new,) = sections(text)["New reports"]
    assert "<script>alert(1)</script>\"'>{organ}[31m 第二行 {{ 7*7 }} & " in new
    page = html.document_fromstring(as_html(report, "en"))
    assert not page.xpath("//script | //img | //a | //iframe | //link | //@onclick | //@src")
    assert "<script>alert(1)</script>" in "".join(page.itertext())
    assert len(page.xpath("//section")) == len(sections(text))


def test_the_page_is_its_own_and_asks_nobody(report: RunReport) -> None:
    page = as_html(report, "en")
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|src=|href=", page)
    assert html.document_fromstring(page).xpath("//h1/@class") == ["drift"]


def test_the_chinese_page_says_the_same(report: RunReport) -> None:
    text = as_text(report, "zh")
    assert text.startswith("第 2 次采集 urumqi_districts：版式漂移（退出码 5）")
    english, chinese = sections(as_text(report, "en")), sections(text)
    assert [len(lines) for lines in english.values()] == [len(lines) for lines in chinese.values()]
    assert "tianshan vsb article：40 页中的 0 页 有日期" in chinese["版式漂移"][0]
    assert "声明 20 条，只有 15 条" in chinese["未能证明完整的列表"][0]
    assert html.document_fromstring(as_html(report, "zh")).get("lang") == "zh"


def test_a_complete_run_with_an_alert_asks_for_somebody(report: RunReport) -> None:
    report["state"] = "complete"
    assert "To do: See to the alerts below" in as_text(report, "en")
    assert "处理: 请处理下列告警" in as_text(report, "zh")
    report["alerts"] = [each for each in report["alerts"] if each["event"] == "closed"]
    assert "To do: Nothing to do." in as_text(report, "en")


def test_alerts_stand_worst_first_and_what_is_over_says_what_it_was(
    settings: Settings, engine: sa.Engine
) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        pass
    facts = {"where": "天山区", "organ": "某局", "host": "h", "limit": "1 GB"}
    over, first, worst = (
        alarm(kind, "x", facts) for kind in ("blocked", "organ_unknown_new", "disk_low")
    )

    def night(connection: sa.Connection) -> RunReport:
        now = datetime.now(UTC)
        sound(connection, [over], run_id=None, at=now, looked_at=())
        judged = [("blocked", None)]
        sound(connection, [first, worst], run_id=crawl.run_id, at=now, looked_at=judged)
        return run_report(connection, crawl.run_id)

    report = transact(engine, night)
    assert [(each["event"], each["kind"]) for each in report["alerts"]] == [
        ("opened", "disk_low"),
        ("opened", "organ_unknown_new"),
        ("closed", "blocked"),
    ]
    assert f"closed [1] blocked: {over.message}" in as_text(report, "en")


def test_a_page_tells_only_of_the_portals_that_the_run_asked(
    settings: Settings, engine: sa.Engine
) -> None:
    """A report of Tianshan that came late is no news of a run that asked the city."""
    with Crawl(engine, settings.warc_directory) as first:
        page = reading("1", "2", "3", "4")
        first.page(b"<p>1</p>", page, published="2021-05-06 12:00")
    city = replace(PORTAL, key="city", division_code="650100", government="乌鲁木齐市人民政府")
    other = begin_run(engine, replace(START, spider="urumqi_city"), [(city, TERMS)]).run_id
    recorder = Recorder(engine, settings.warc_directory, other, {"software": "gongkai/test"})
    asked = Attempt(other, "city", "http://www.urumqi.gov.cn/", "entry", datetime.now(UTC))
    recorder.refuse(asked, "budget_spent", "")
    end_run(engine, other, "incomplete", "budget", {})
    with engine.connect() as connection:
        told = [run_report(connection, run)["ledger"] for run in (first.run_id, other)]
    assert [bool(each["late"]) for each in told] == [True, False]
    assert set(told[1]["states"]) == {"unproven"}


def test_a_run_with_much_to_say_is_read_in_a_minute_all_the_same(report: RunReport) -> None:
    for name in ("drift", "walls", "listings", "alerts", "new", "changed", "removed", "moved"):
        report[name] *= 500
    report["odd"] = {f"reason {number}": 1 for number in range(500)}
    for lang in ("en", "zh"):
        text = as_text(report, "en" if lang == "en" else "zh")
        assert text.count("\n") <= MOST_LINES
        assert max(map(len, text.splitlines())) <= 260
        assert len(as_html(report, "en")) < 30_000
    assert "and 496 more: `archive run 2 --json`" in text or "另有" in text


def test_a_quiet_run_says_so(settings: Settings, engine: sa.Engine) -> None:
    begun = begin_run(engine, START, [(PORTAL, TERMS)])
    end_run(engine, begun.run_id, "complete", "finished", {})
    report = transact(engine, lambda connection: run_report(connection, begun.run_id))
    report["ledger"] = {"states": {}, "missing": [], "late": []}
    assert "Nothing new, changed, missing or odd." in as_text(report, "en")


def test_pages_lie_in_the_home_and_the_newest_is_latest(
    settings: Settings, engine: sa.Engine
) -> None:
    run_id = two_runs(settings, engine)
    folder = settings.home / "runs"
    with engine.connect() as connection:
        write_page(connection, settings.home, run_id)
        assert not (folder / "1.html").exists()
        write_owed(connection, settings.home, run_id)
    names = {path.name for path in folder.iterdir()}
    endings = ("html", "txt", "zh.html", "zh.txt")
    assert names == {f"{run}.{ending}" for run in (1, 2, "latest") for ending in endings}
    assert (folder / "latest.txt").read_text("utf-8") == (folder / "2.txt").read_text("utf-8")


def test_a_run_that_died_gets_its_page_from_the_next_start(
    settings: Settings, engine: sa.Engine
) -> None:
    dead = begin_run(engine, START, [(PORTAL, TERMS)]).run_id
    with engine.connect() as connection:
        write_owed(connection, settings.home, dead + 1)
    text = (settings.home / "runs" / f"{dead}.txt").read_text("utf-8")
    assert "It is at work, or it died." in text


def test_what_is_withdrawn_stands_in_no_page_any_more(
    settings: Settings, engine: sa.Engine
) -> None:
    run_id = two_runs(settings, engine)
    folder = settings.home / "runs"
    with engine.connect() as connection:
        write_page(connection, settings.home, run_id)
        write_owed(connection, settings.home, run_id)
    assert "alert(1)" in told_by(folder)
    operator = Operator(settings.home, database_url=settings.database_url or "")
    who = ("--by", "me", "--reason", "asked for")
    done = operator.archive("withdraw", "tianshan", "2021", *who)
    assert (done.returncode, done.stderr) == (0, "")
    assert "alert(1)" not in told_by(folder)
    assert operator.archive("restore", "tianshan", "2021", *who).returncode == 0
    assert "alert(1)" in told_by(folder)


def told_by(folder: Path) -> str:
    return "".join(path.read_text("utf-8") for path in folder.iterdir())


def test_a_page_that_cannot_be_written_is_said_with_the_cure(
    settings: Settings, engine: sa.Engine
) -> None:
    run_id = begin_run(engine, START, [(PORTAL, TERMS)]).run_id
    settings.home.mkdir(parents=True, exist_ok=True)
    (settings.home / "runs").write_text("a file")
    with engine.connect() as connection, pytest.raises(DirectoryError, match="make it writable"):
        write_page(connection, settings.home, run_id)


def test_the_command_prints_the_page(settings: Settings, engine: sa.Engine) -> None:
    two_runs(settings, engine)
    operator = Operator(settings.home, database_url=settings.database_url or "")
    assert operator.archive("run").stdout.startswith("Run 2 of ")
    assert operator.archive("run", "1", "--lang", "zh").stdout.startswith("第 1 次采集 ")
    assert operator.ask("run", "2")["walls"][0]["outcome"] == "blocked"
    asked = operator.archive("run", "7")
    assert (asked.returncode, asked.stderr) == (
        2,
        "archive: the archive has no run 7: the newest is 2, see `archive runs`\n",
    )
    assert operator.archive("run", "--lang", "fr").returncode == 2


def test_a_run_that_is_not_there_is_refused(engine: sa.Engine) -> None:
    with engine.connect() as connection, pytest.raises(NotInArchive, match="it holds none yet"):
        run_report(connection, 1)


def test_the_exit_codes_of_the_page_are_those_of_the_crawl() -> None:
    data = tomllib.loads((ROOT / "storage" / "runpage" / "words.toml").read_text("utf-8"))
    assert {state: about["code"] for state, about in data["state"].items()} == {
        state: exit_of(state) for state in data["state"]
    }


def test_text_of_portals_is_made_plain() -> None:
    assert plain("a\u202eb\x00c\n\td\u200b ", 240) == "abc d"
    assert plain("x" * 999, 240) == "x" * 239 + "…"
