"""Nothing personal and nothing withdrawn leaves: every question and every command is walked."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from typer.main import get_command

from storage import cli, doctor, queries
from storage.alerts.record import alarm, sound
from storage.asking import questions
from storage.care.leaving import MARK
from storage.care.personal import find, masked
from storage.care.withdrawals import Thing, restore, withdraw
from storage.cli.shared import app
from storage.database import ROOT
from storage.errors import WithdrawalRefused, Withdrawn
from storage.evidence.seal import seal
from storage.evidence.verify import verify
from storage.exports.taking import formats
from storage.queries.coverage import coverage
from storage.queries.history import history
from storage.queries.organs import find_organ
from storage.queries.report import report
from storage.readings.assessments import keep_assessment
from storage.readings.corrections import Entry, correct_cell
from storage.readings.facts import FindingRecord, GridRecord, IndicatorRecord
from storage.runpage import write_page
from storage.schema import metadata
from storage.settings import Settings
from tests.databases import NOW, ON_SQLITE, TIANSHAN, Crawl, cells, key, reading
from tests.opening import everything_in
from tests.personal.__main__ import HELD_OUT, judge
from tests.personal.planted import identity_number

# Nobody's: made for this test.
MOBILES = [f"1390000{number:04}" for number in range(1000, 1040)]
BUREAU = "天山区教育局"
PAGE = "http://www.xjtsq.gov.cn/info/3168/1.htm"
FILE = "http://www.xjtsq.gov.cn/files/report.docx"
SECRET = "市民来信摘编"
FIGURE = "8123456"

# Public functions of storage.queries whose answers do not leave as they are.
INSIDE = {
    "storage.queries.organs.find_organ": "an organ that was named is looked up",
    "storage.queries.diff.find_place": "a place that was named is looked up",
    "storage.queries.organs.organ_at": "an organ that was named is looked up",
    "storage.queries.report.cells_of": "a part of other questions' answers",
    "storage.queries.report.findings_of": "a part of other questions' answers",
    "storage.queries.report.indicator_of": "a part of other questions' answers",
    "storage.queries.report.kept_table": "a part of other questions' answers",
    "storage.queries.report.holds_reports": "yes or no",
    "storage.queries.report.report_row": "a row for other questions",
    "storage.queries.report.number": "a number",
    "storage.queries.report.place_of": "numbers of tables, rows and columns",
    "storage.queries.history.differences": "two counts",
    "storage.queries.organs.in_division": "a condition",
    "storage.queries.lives.short_name": "a name given to it",
    "storage.queries.sources.places": "files and digests",
    "storage.queries.spiders.spiders": "what a crontab is made of",
    "storage.queries.run_report.newest_run": "a number",
    "storage.queries.visits.past": "what the crawler goes by",
    "storage.queries.captures.lines_of": "an HTTP head taken apart",
    "storage.queries.bytes.body_of": "an HTTP body unpacked",
    "storage.queries.bytes.look_into": "what is looked at to tell whether it may leave",
    "storage.queries.withdrawals.acts": "names what may be restored; covers what persons wrote",
}
# What a question may not ask: with these, what was withdrawn comes back.
BARE = {"reports", "versions", "aliases", "withdrawals"}
BARE_BUT = {
    ("withdrawals.py", "withdrawals"): "the audit itself",
    ("withdrawals.py", "reports"): "the audit names what is hidden",
    ("withdrawals.py", "versions"): "the audit names what is hidden",
    ("lives.py", "reports"): "years alone",
    ("report.py", "reports"): "whether the archive is empty",
    ("run_report.py", "versions"): "a report is not new because its past is withdrawn",
}

# Every command of `archive` with what it needs; one that is missing here fails the walk.
COMMANDS: dict[str, list[list[str]]] = {
    "coverage": [[]],
    "report": [[TIANSHAN, "2019"]],
    "history": [[TIANSHAN, "2019"]],
    "search": [["请致电"], [SECRET], ["张某"], ["13900001005"]],
    "diff": [[f"{TIANSHAN}/2019@1", f"{TIANSHAN}/2019@2"], [f"{TIANSHAN}/2019", f"{BUREAU}/2020"]],
    "findings": [[]],
    "changes": [["--since", "2019-01-01"]],
    "runs": [[]],
    "run": [[], ["1", "--lang", "zh"]],
    "corrections": [[], ["--as-of", "2030-01-01"]],
    "withdrawals": [[]],
    "personal": [[]],
    "audit politeness": [[]],
    "verify": [["--quick"]],
    "doctor": [[]],
    "ledger": [[], ["--organ", TIANSHAN, "--year", "2019"]],
    "organs": [[]],
    "alerts": [[]],
    "alert": [["1"]],
    "schedule": [[]],
    "impact": [["--host", "www.xjtsq.gov.cn"]],
    # Those that have no command of their own.
    "ask": [
        [],
        ["series", "--cell", "applications.granted.total"],
        ["sums", "--cell", "applications.granted.total", "--by", "kind"],
        ["sums", "--cell", "art20.item1.regulations.made"],
        ["provenance", "--organ", BUREAU, "--year", "2020", "--cell", "applications.granted.total"],
        ["outliers", "--division", "650102", "--cell", "art20.item1.regulations.made"],
        ["checks", "--by", "organ"],
        ["carry_over"],
        ["copies", "--division", "650102"],
        ["missing"],
        ["divisions"],
        ["changes", "--since", "2026-01-01", "--until", "2026-12-31"],
        ["citation", "--organ", BUREAU, "--year", "2020"],
    ],
    "cite": [
        [TIANSHAN, "2019"],
        [TIANSHAN, "2019", "--bibtex", "--cell", "art20.item1.regulations.made"],
    ],
}
# They change the archive and say what the person who called them gave.
CHANGING = {"correct", "withdraw", "restore", "seal", "acknowledge", "close", "reopen"}
# What it writes is opened and searched in tests of its own.
EXPORTING = {"export"}
CHANGING = {"correct", "withdraw", "restore", "seal", "reindex", "acknowledge", "close", "reopen"}
# They show what the questions above say, or nothing of a report.
OTHER = {"crontab", "metadata", "serve"}


def planted() -> dict[str, str]:
    """Where → number, one for every field of derived text."""
    return dict(
        zip(
            (
                *("title", "address", "file", "body", "heading", "section", "raw", "finding"),
                *("finding_zh", "label", "line", "grid", "across", "reason", "alert"),
            ),
            MOBILES,
            strict=False,
        )
    )


def fill(engine: sa.Engine, settings: Settings) -> None:
    """A report with a mobile number in every field that text from outside gets into."""
    at = planted()
    odd = FindingRecord("year", "finding", f"call {at['finding']}", f"电话{at['finding_zh']}", ())
    plain = reading("1", "5446.75万元", "0", FIGURE, findings=(odd,))
    read = replace(
        plain,
        body_title=f"{SECRET} {at['body']}",
        cells=(
            replace(cells("1", "2", "0", "3")[0], raw=at["raw"], value=Decimal(at["raw"])),
            *plain.cells[1:],
        ),
        sections=((f"联系 {at['heading']}", f"请致电{at['section']}。"),),
        indicators=(
            IndicatorRecord(
                None, "一", f"电话{at['label']}", "件", at["line"], "number",
                Decimal(at["line"]), None,
            ),
        ),
        grids=(GridRecord(0, 1, None, (), (), False, [[[f"张某{at['grid']}", 0, 0, 1, 1]]]),),
    )  # fmt: skip
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"2019", plain, report=key(year=2019), url=PAGE, title=f"{SECRET}旧")
        crawl.page(b"2019 edited", read, url=PAGE, title=f"{SECRET}{at['title']}")
        crawl.attachment(b"docx", f"{at['file']}.docx")
        crawl.page(b"x", reading("1", "1", "1", "1"), report=key(BUREAU, 2020, "department"),
                   url=f"http://h/%E5%BC%A0{at['address']}.htm")  # fmt: skip
    with engine.begin() as connection:
        across = FindingRecord("S1", "finding", f"{SECRET} {at['across']}", "同", ())
        keep_assessment(connection, 1, "test/1", [2], [across], NOW)
        of = Entry("me", f"来电{at['reason']}", "page", NOW)
        told = alarm(
            "report_changed_figures",
            f"{TIANSHAN} 2019",
            {"organ": TIANSHAN, "year": "2019", "cells": FIGURE},
            portal="tianshan",
            before=[f"{SECRET} {FIGURE}"],
            after=[at["alert"]],
        )
        sound(connection, [told], run_id=1, at=NOW, looked_at=())
        correct_cell(connection, 1, "applications.granted.total", "9", of)
    seal(settings, NOW)


@pytest.fixture
def archive(engine: sa.Engine, settings: Settings) -> sa.Engine:
    fill(engine, settings)
    return engine


@pytest.fixture
def ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    # A process of its own, which knows nothing of the archive.
    monkeypatch.delitem(doctor._OF_THE_MACHINE, "portals")

    def asked(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["archive", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), "".join(capsys.readouterr())

    return asked


def names_of_commands() -> set[str]:
    told = set()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        under = getattr(command, "commands", None)
        told |= {name} if under is None else {f"{name} {one}" for one in under}
    return told


def everything(ask: Callable[..., tuple[int, str]]) -> str:
    """What every command says, as text and as JSON."""
    told = []
    for name, ways in COMMANDS.items():
        for words in ways:
            told += [ask(*name.split(), *words)[1], ask(*name.split(), *words, "--json")[1]]
    told.append(ask("report", "--all", "--json")[1])
    return "\n".join(told)


def test_both_hold_on_a_seed_nobody_looked_at() -> None:
    score = judge(HELD_OUT + 7)
    assert score.recall >= 0.99
    assert score.precision >= 0.99


@pytest.mark.parametrize(
    "text",
    [
        "13900001000",
        "联系人：张某 139 0000 1000",
        "+86-139-0000-1000",
        "１３９００００１０００",
        "0991-4531234/13900001000",
        "13900001000、13900001001",
        "13900001000,13900001001",
        "139\u202f0000\u202f1000",
        "139\u200b00\u2060001\u200e000",
        "𝟏𝟑𝟗𝟎𝟎𝟎𝟎𝟏𝟎𝟎𝟎",
        "1-3-9-0-0-0-0-1-0-0-0",
        "139 - 0000 - 1000",
        "电话：1 3 9 0 0 0 0 1 0 0 0",
        "手机\n13900\r\n001000",
        "联系电话：013900001000",
        "http://h/list?lxphone=13900001000&page=2",
        "张某_13900001000_申请表.pdf",
    ],
)
def test_a_covered_number_cannot_be_had_back(text: str) -> None:
    left = masked(text)
    assert len(left) == len(text)
    assert find(left) == []
    assert "0000" not in left.translate(str.maketrans("０", "0"))
    assert masked(left) == left


@pytest.mark.parametrize(
    "text",
    [
        "乌政办〔2023〕12号",
        "电话：0991-4531234",
        "支出13900001000元",
        "流水号：13900001000",
        "http://www.xjtsq.gov.cn/content/13900001000.html",
        "统一社会信用代码 916501007452345679",
        "2026-03-06T06:38:00.123456+00:00",
        "1 390 000 1000 12 0 0",
        "1 3 9 0 0 0 0 1 0 0 0",
        "6222\n0212\n3456\n7894",
        "二〇一九年、二〇二〇年、二〇二一年和二〇二二年",
        "sha256:" + "1390000100" * 6 + "abcd",
    ],
)
def test_what_is_nobodys_stays(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize("numerals", ["〇一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖", "⓪①②③④⑤⑥⑦⑧⑨"])
def test_a_number_in_chinese_numerals_is_covered(numerals: str) -> None:
    told = "".join(numerals[int(digit)] for digit in MOBILES[0])
    assert (
        masked(f"手机{told}，二〇二一年一月三十一日") == f"手机{'*' * 11}，二〇二一年一月三十一日"
    )


@pytest.mark.parametrize("label", ["证件编号：", "身份证编号 ", "身份证ID="])
def test_a_label_of_an_identity_number_is_none_of_a_document(label: str) -> None:
    assert [each.kind for each in find(label + identity_number(Random(3)))] == ["identity_number"]


@pytest.mark.parametrize(
    "row", ["13900001000 ", "1 3 9 ", "13", "6222 0212 ", "http://h/13900001000/"]
)
def test_a_long_text_of_digits_takes_no_long_time(row: str) -> None:
    text = row * (60_000 // len(row))
    began = time.process_time()
    assert len(masked(text)) == len(text)
    assert time.process_time() - began < 4


def test_one_wrong_digit_makes_it_nobodys() -> None:
    number = identity_number(Random(3))
    other = number[:-1] + ("0" if number[-1] != "0" else "1")
    assert [each.kind for each in find(f"身份证号{number}")] == ["identity_number"]
    assert find(f"身份证号{other}") == []


def test_every_command_is_in_the_walk() -> None:
    assert names_of_commands() >= {*COMMANDS} | CHANGING | OTHER | EXPORTING
    assert names_of_commands() - {*COMMANDS} - CHANGING - OTHER - EXPORTING == set()


def test_every_question_that_can_be_asked_is_in_the_walk() -> None:
    walked = {words[0] for words in COMMANDS["ask"] if words}
    assert {each.name for each in questions()} - walked - {*COMMANDS} == set()


def test_every_question_passes_the_door() -> None:
    for module in pkgutil.iter_modules(queries.__path__, f"{queries.__name__}."):
        for name, value in inspect.getmembers(importlib.import_module(module.name)):
            if not inspect.isfunction(value) or value.__module__ != module.name:
                continue
            full = f"{module.name}.{name}"
            if not name.startswith("_") and full not in INSIDE:
                assert hasattr(value, MARK), f"{full}: mark it with @leaves"


def test_no_question_asks_a_table_from_which_things_are_withdrawn() -> None:
    for path in sorted((ROOT / "storage" / "queries").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "storage.schema":
                asked = {each.name for each in node.names} & BARE
                asked = {name for name in asked if (path.name, name) not in BARE_BUT}
                assert not asked, f"{path.name}: ask shown_{'/'.join(asked)} instead"


def test_no_number_leaves_by_any_command(
    archive: sa.Engine, ask: Callable[..., tuple[int, str]]
) -> None:
    told = everything(ask)
    for place, number in planted().items():
        assert number not in told, place
    assert "***********" in told
    assert json.loads(ask("report", TIANSHAN, "2019", "--json")[1])["masked"] == {
        "mobile_number": 11
    }


def test_the_stored_rows_stay_as_they_are(archive: sa.Engine) -> None:
    with archive.connect() as connection:
        rows = str([connection.execute(sa.select(t)).all() for t in metadata.sorted_tables])
    assert all(number in rows for number in planted().values())


def test_personal_says_where_and_never_which(
    archive: sa.Engine, ask: Callable[..., tuple[int, str]]
) -> None:
    places = {row["place"] for row in json.loads(ask("personal", "--json")[1])}
    assert places >= {
        *("title", "address", "title in the text", "heading of section 1", "section 1"),
        *("cell art20.item1.regulations.made", "indicator 1", "table 0, row 0, column 0"),
        *("finding year", "finding S1", "name of the file"),
    }


def test_no_number_leaves_in_any_export(
    archive: sa.Engine, ask: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    for form in formats():
        assert ask("export", form, str(tmp_path / form))[0] == 0
        told = everything_in(tmp_path / form)
        for place, number in planted().items():
            assert number not in told, (form, place)
        assert form == "wacz" or "***********" in told, form


def test_a_withdrawn_report_is_in_no_export(
    archive: sa.Engine, ask: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    for hidden in (False, True):
        if hidden:
            hide(archive, Thing(report_id=1))
        for form in formats():
            folder = tmp_path / form
            assert ask("export", form, str(folder))[0] == 0
            told = everything_in(folder)
            shown = [each in told for each in (PAGE, SECRET, FIGURE)]
            # Each of its captures has a number in it: as bytes nothing of it leaves at all.
            assert any(shown) == (form != "wacz" and not hidden), (form, hidden)


def hide(engine: sa.Engine, thing: Thing, act: Callable[..., None] = withdraw) -> None:
    with engine.begin() as connection:
        act(connection, thing, "me", "法院决定", datetime(2026, 4, 1, tzinfo=UTC))


def test_a_withdrawn_report_is_nowhere_and_comes_back_whole(
    archive: sa.Engine, ask: Callable[..., tuple[int, str]]
) -> None:
    before = everything(ask)
    assert all(each in before for each in (SECRET, PAGE, FIGURE))
    hide(archive, Thing(report_id=1))
    told = everything(ask)
    for secret in (SECRET, PAGE, FIGURE):
        assert secret not in told, secret
    assert "withdrawn on 2026-04-01: 法院决定" in told
    hide(archive, Thing(report_id=1), restore)
    assert everything(ask).replace("\n", "").count(SECRET) == before.replace("\n", "").count(SECRET)


def test_who_asks_for_it_reads_when_and_why(archive: sa.Engine) -> None:
    hide(archive, Thing(report_id=1))
    with archive.connect() as connection:
        organ = find_organ(connection, TIANSHAN)
        for question in (report, history):
            with pytest.raises(Withdrawn, match="withdrawn on 2026-04-01: 法院决定"):
                question(connection, organ, 2019)
        (field,) = coverage(connection, organ_id=organ.id, year=2019)
    assert field["state"] == "withdrawn"
    assert (field["title"], field["urls"]) == (None, [])


def test_what_is_said_of_another_report_on_its_ground_is_not_said(
    archive: sa.Engine, ask: Callable[..., tuple[int, str]]
) -> None:
    told = f"the report for 2019 leaves {FIGURE}"
    with archive.begin() as connection:
        (other,) = connection.execute(sa.text("SELECT id FROM reports WHERE year = 2020")).one()
        carried = FindingRecord("X1", "fail", told, told, ())
        keep_assessment(connection, other, "test/1", [2, 3], [carried], NOW)
    assert told in ask("findings", "--json")[1]
    hide(archive, Thing(report_id=1))
    for question in (["findings"], ["report", "--all"], ["report", BUREAU, "2020"]):
        assert told not in ask(*question, "--json")[1], question


def test_sql_views_show_nothing_of_it(archive: sa.Engine) -> None:
    hide(archive, Thing(report_id=1))
    with archive.connect() as connection:
        for view in ("report_cells", "current_versions", "shown_aliases", "shown_versions"):
            hers = sa.text(f"SELECT count(*) FROM {view} WHERE report_id = 1")
            assert connection.execute(hers).scalar() == 0, view
        raws = sa.text("SELECT count(*) FROM cells WHERE reading_id <= 2")
        assert connection.execute(raws).scalar() == 0


def test_of_a_withdrawn_version_the_one_before_stands(archive: sa.Engine) -> None:
    hide(archive, Thing(version_id=2))
    with archive.connect() as connection:
        organ = find_organ(connection, TIANSHAN)
        assert report(connection, organ, 2019)["title"] == f"{SECRET}旧"
        told = history(connection, organ, 2019)
    (stone,) = [each for each in told if each["withdrawn"]]
    assert (stone["id"], stone["title"], stone["captures"]) == (2, "", [])


def test_a_withdrawn_address_takes_every_version_seen_there(archive: sa.Engine) -> None:
    hide(archive, Thing(url=PAGE))
    with archive.connect() as connection:
        (field,) = coverage(connection, division="650102", year=2019)
        assert field["state"] == "attachment_only"
        assert PAGE not in str(report(connection, find_organ(connection, TIANSHAN), 2019))


@pytest.mark.parametrize("again", [withdraw, restore])
def test_what_is_so_already_is_refused(archive: sa.Engine, again: Callable[..., None]) -> None:
    if again is withdraw:
        hide(archive, Thing(report_id=1))
    with archive.begin() as connection, pytest.raises(WithdrawalRefused):
        again(connection, Thing(report_id=1), "me", "twice", NOW)


def test_the_commands_withdraw_seal_list_and_restore(
    archive: sa.Engine, settings: Settings, ask: Callable[..., tuple[int, str]]
) -> None:
    which = (TIANSHAN, "2019")
    assert ask("withdraw", *which, "--by", "me")[0] == 2
    assert ask("withdraw", *which, "--by", "me", "--reason", "court")[0] == 0
    assert ask("report", *which)[0] == 2
    assert ask("restore", *which, "--by", "me", "--reason", "lifted")[0] == 0
    assert ask("report", *which)[0] == 0
    assert ask("withdraw", "--url", PAGE, "--by", "me", "--reason", "court")[0] == 0
    acts = json.loads(ask("withdrawals", "--json")[1])
    assert [(each["action"], each["in_force"]) for each in acts] == [
        ("withdrawn", False),
        ("restored", False),
        ("withdrawn", True),
    ]
    verdict = verify(settings)
    assert verdict is not None
    assert verdict.sound


def test_the_bytes_are_for_who_keeps_the_archive(engine: sa.Engine, settings: Settings) -> None:
    assert settings.warc_directory.stat().st_mode & 0o077 == 0


@ON_SQLITE
def test_a_new_sqlite_archive_too(dialect: str, tmp_path: Path) -> None:
    from storage.database import open_for_writing

    settings = Settings(home=tmp_path / "new", database_url=None)
    open_for_writing(settings).dispose()
    assert settings.sqlite_path is not None
    assert settings.sqlite_path.stat().st_mode & 0o077 == 0


def test_pages_of_runs_that_lie_there_are_made_anew(
    archive: sa.Engine, settings: Settings, ask: Callable[..., tuple[int, str]]
) -> None:
    with archive.connect() as connection:
        write_page(connection, settings.home, 1)
    page = settings.home / "runs" / "1.html"
    before = page.read_text("utf-8")
    assert FIGURE in before
    for words in ((TIANSHAN, "2019"), ("--url", PAGE)):
        assert ask("withdraw", *words, "--by", "me", "--reason", "court")[0] == 0
        after = page.read_text("utf-8")
        assert PAGE not in after
        assert FIGURE not in after
        assert ask("restore", *words, "--by", "me", "--reason", "lifted")[0] == 0
        assert page.read_text("utf-8") == before
