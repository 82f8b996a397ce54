"""The questions of `archive ask`: what a figure is, what a sum left out, where a chain breaks."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
import sqlalchemy as sa

from crawler.forms.likeness import similar
from crawler.forms.relations import relations
from storage import cli
from storage.asking import find_question, put, questions
from storage.asof import AsOf
from storage.capture.warc import read_record
from storage.care.withdrawals import Thing, withdraw
from storage.database import ROOT
from storage.errors import BadQuestion, NotInArchive, Withdrawn
from storage.queries import copies as copies_of
from storage.queries.carry_over import CarriedSide, Chain, Link, carry_over
from storage.queries.checks import Check, checks
from storage.queries.copies import Copies, Copy, copies
from storage.queries.missing import MISSING, missing
from storage.queries.organs import find_organ
from storage.queries.outliers import Outlier, outliers
from storage.queries.provenance import (
    Provenance,
    ProvenCapture,
    ProvenCell,
    ProvenReading,
    ProvenVersion,
    Record,
    provenance,
)
from storage.queries.report import report
from storage.queries.series import Point, series
from storage.queries.sums import Sum, UnitSum, sums
from storage.readings.corrections import Entry, correct_cell
from storage.readings.facts import (
    CellRecord,
    FindingRecord,
    FormRecord,
    ReadingRecord,
)
from storage.settings import Settings
from tests.databases import NOW, TIANSHAN, Crawl, exchange, key, reading

RECEIVED = "applications.new_received.total"
AMOUNT = "art20.item9.procurement.amount"
BUREAU = "天山区教育局"

# Two layouts: the cell of the applications stands at another position, one cell is of 2019 only.
OLD = FormRecord(
    key="2019",
    cells=(
        ("art20.item9", "procurement", "amount"),
        ("applications", "carried_in", "total"),
        ("applications", "new_received", "total"),
        ("applications", "carried_out", "total"),
    ),
    checks=(("A2", (RECEIVED,)), ("A3", (RECEIVED,)), ("A3", (RECEIVED,))),
)
NEW = FormRecord(key="2021", cells=(OLD.cells[3], OLD.cells[2], OLD.cells[1]), checks=OLD.checks)


def cell(name: tuple[str, str, str], raw: str) -> CellRecord:
    states = {"": "blank", "-": "dash", "见附件": "text", "?": "unread", "0": "zero"}
    state = states.get(raw, "number")
    unit = "万元" if raw.endswith("万元") else None
    value = Decimal(raw.strip().removesuffix("万元")) if state in ("number", "zero") else None
    return CellRecord(*name, "" if raw == "?" else raw, state, value, unit, (0, 1, 1))


def read(form: FormRecord, *raws: str, verdicts: str = "ppp", **more: object) -> ReadingRecord:
    """A reading of OLD or NEW with these raw texts."""
    words = {"p": "pass", "f": "fail", "n": "not_assessable", "b": "holds_if_blank_is_zero"}
    made = ReadingRecord(
        parser="test/1",
        layout=form.key,
        body_title=None,
        form=form,
        cells=tuple(cell(name, raw) for name, raw in zip(form.cells, raws, strict=True)),
        verdicts=tuple(
            FindingRecord(rule, words[letter], "1 ≠ 2" if letter == "f" else "", "", names)
            for (rule, names), letter in zip(form.checks, verdicts, strict=True)
        ),
        findings=(),
        sections=(),
    )
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.fixture
def crawl(engine: sa.Engine, settings: Settings) -> Iterator[Crawl]:
    with Crawl(engine, settings.warc_directory) as crawl:
        yield crawl


def publish(
    crawl: Crawl, read: ReadingRecord | None, year: int, organ: str = TIANSHAN, at: str = ""
) -> int:
    """A page of a report; its id."""
    kind = "government" if organ == TIANSHAN else "department"
    body = f"{organ} {year} {read}".encode()
    url = f"http://www.xjtsq.gov.cn/info/{organ}/{year}{at}.htm"
    seen = crawl.page(body, read, report=key(organ, year, kind), url=url, title=f"{organ}{year}")
    return seen.report_id


def the_sum(connection: sa.Connection, cell: str = RECEIVED, **more: object) -> Sum:
    (one,) = sums(connection, cell=cell, by="year", **more)  # type: ignore[arg-type]
    return one


# --- one cell over the years ---------------------------------------------------------------------


def test_a_series_says_what_was_published_and_where_the_form_breaks(crawl: Crawl) -> None:
    publish(crawl, replace(read(OLD, "", "", "1", ""), layout="old", form=None, cells=(),
                           verdicts=()), 2018)  # fmt: skip
    publish(crawl, read(OLD, "5446.75万元", "1", " 12 ", "2"), 2019)
    publish(crawl, read(OLD, "3", "1", "-", "2"), 2020)
    publish(crawl, read(NEW, "2", "0", "1"), 2021)
    with crawl.engine.connect() as connection:
        points = series(connection, cell=RECEIVED)
        amounts = series(connection, cell=AMOUNT)
    told = [(p["year"], p["layout"], p["state"], p["raw"], p["value"], p["breaks"]) for p in points]
    assert told == [
        (2018, "old", "no_figures", "", None, False),
        (2019, "2019", "number", " 12 ", 12, False),
        (2020, "2019", "dash", "-", None, False),
        (2021, "2021", "zero", "0", 0, True),
    ]
    assert [(p["state"], p["value"], p["unit"]) for p in amounts] == [
        ("no_figures", None, None),
        ("number", 5446.75, "万元"),
        ("number", 3, None),
        ("no_cell", None, None),
    ]


def test_every_cell_is_what_the_report_says(crawl: Crawl) -> None:
    """The cell taken out of the row by SQL against the row unpacked."""
    random = Random(7)
    raws = ["0", "12", " 7 ", "", "-", "见附件", "?", "123456789012345", "3.50", "-4", "1.10万元"]
    for year in range(2019, 2026):
        form = OLD if year < 2022 else NEW
        publish(crawl, read(form, *(random.choice(raws) for _ in form.cells)), year)
    with crawl.engine.connect() as connection:
        organ = find_organ(connection, TIANSHAN)
        for path in sorted({".".join(name) for name in OLD.cells}):
            for point in series(connection, cell=path, organ_id=organ.id):
                stands = {
                    f"{one['table']}.{one['row']}.{one['column']}": one
                    for one in report(connection, organ, point["year"])["cells"]
                }.get(path)
                if stands is None:
                    assert point["state"] == "no_cell"
                else:
                    for name in ("raw", "state", "value"):
                        assert point[name] == stands[name], (path, point)


def test_a_correction_stands_beside_and_only_from_its_day_on(crawl: Crawl) -> None:
    report_id = publish(crawl, read(OLD, "1", "1", "12", "2"), 2019)
    made = NOW + timedelta(days=30)
    with crawl.engine.begin() as connection:
        correct_cell(connection, report_id, RECEIVED, "21", Entry("me", "typo", "page", made))
    with crawl.engine.connect() as connection:
        (point,) = series(connection, cell=RECEIVED)
        (before,) = series(connection, cell=RECEIVED, as_of=AsOf(made - timedelta(days=1)))
        one = the_sum(connection)
    assert (point["value"], point["corrected_value"]) == (12, 21)
    assert (before["value"], before["corrected_value"]) == (12, None)
    assert (one["value"], one["corrected_value"], one["corrected"]) == (12, 21, 1)


# --- sums ----------------------------------------------------------------------------------------


def test_a_sum_says_what_it_left_out(crawl: Crawl) -> None:
    for number, raw in enumerate(["5", "7", "0", "", "-", "见附件", "?", "", "2.5万元"]):
        publish(crawl, read(OLD, raw, "1", "1", "1"), 2019, f"天山区第{number}局")
    publish(crawl, read(NEW, "1", "1", "1"), 2019, "新表局")
    publish(crawl, None, 2019, "未读局")
    hidden = publish(crawl, read(OLD, "1000", "1", "1", "1"), 2019, "撤下局")
    with crawl.engine.begin() as connection:
        withdraw(connection, Thing(report_id=hidden), "me", "court", NOW)
        one = the_sum(connection, AMOUNT)
    assert one["value"] == 12
    assert one["units"] == [{"unit": "万元", "value": 2.5, "numbers": 1}]
    left = {name: one[name] for name in ("blanks", "dashes", "texts", "unread", "no_cell",
            "no_figures", "withdrawn", "personal")}  # fmt: skip
    assert left == {"blanks": 2, "dashes": 1, "texts": 1, "unread": 1, "no_cell": 1,
                    "no_figures": 1, "withdrawn": 1, "personal": 0}  # fmt: skip
    counted = one["numbers"] + one["zeros"] + sum(left.values()) + 1
    assert counted == one["reports"] == 12


def test_nothing_to_add_is_no_zero(crawl: Crawl) -> None:
    publish(crawl, read(OLD, "", "", "", ""), 2019)
    with crawl.engine.connect() as connection:
        assert the_sum(connection)["value"] is None


def test_sums_are_of_one_year_and_by_what_was_asked(crawl: Crawl) -> None:
    publish(crawl, read(OLD, "1", "1", "5", "1"), 2019)
    publish(crawl, read(OLD, "1", "1", "7", "1"), 2019, BUREAU)
    publish(crawl, read(NEW, "1", "11", "1"), 2021, BUREAU)
    with crawl.engine.connect() as connection:
        by_kind = sums(connection, cell=RECEIVED, by="kind")
        by_division = sums(connection, cell=RECEIVED)
        none = sums(connection, cell=RECEIVED, division="6502")
        with pytest.raises(BadQuestion, match="division, kind, year"):
            sums(connection, cell=RECEIVED, by="organ")  # type: ignore[arg-type]
    assert [(s["year"], s["kind"], s["value"]) for s in by_kind] == [
        (2019, "department", 7),
        (2019, "government", 5),
        (2021, "department", 11),
    ]
    assert [(s["year"], s["division_code"], s["value"]) for s in by_division] == [
        (2019, "650102", 12),
        (2021, "650102", 11),
    ]
    assert none == []


def test_no_person_is_found_out_by_a_sum(crawl: Crawl) -> None:
    publish(crawl, read(OLD, "1", "1", "13900001000", "1"), 2019)
    publish(crawl, read(OLD, "1", "1", "23456789012", "1"), 2019, BUREAU)
    with crawl.engine.connect() as connection:
        one = the_sum(connection)
        points = series(connection, cell=RECEIVED)
    assert (one["value"], one["personal"], one["numbers"]) == (23456789012, 1, 1)
    assert "13900001000" not in json.dumps([one, points])


# --- what is missing -----------------------------------------------------------------------------


def test_missing_is_what_somebody_should_look_into(crawl: Crawl) -> None:
    publish(crawl, reading("1", "1", "1", "1"), 2019)
    at = datetime(2026, 6, 1, tzinfo=UTC)
    with crawl.engine.connect() as connection:
        found = missing(connection, at=at, division="6501")
        late = missing(connection, at=at, state="captured_late")
        with pytest.raises(BadQuestion, match="absent, removed"):
            missing(connection, at=at, state="captured")
    assert {each["state"] for each in found} <= {"unproven", "absent", "captured_late"}
    assert 2019 not in {each["year"] for each in found if each["state"] == "unproven"}
    assert all(each["state"] == "captured_late" for each in late)


# --- checks --------------------------------------------------------------------------------------


def test_checks_count_verdicts_and_the_reports_they_fail_in(crawl: Crawl) -> None:
    odd = FindingRecord("unread", "finding", "two cells", "两格", ())
    publish(crawl, read(OLD, "1", "1", "1", "1", verdicts="pff"), 2019)
    publish(crawl, read(OLD, "1", "1", "1", "1", verdicts="pnb", findings=(odd,)), 2019, BUREAU)
    publish(crawl, read(NEW, "1", "1", "1", verdicts="fpp"), 2021, BUREAU)
    with crawl.engine.connect() as connection:
        told = {each["rule"]: each for each in checks(connection)}
        by_organ = checks(connection, by="organ", rule="A3", year=2019)
        with pytest.raises(BadQuestion, match="A2"):
            checks(connection, rule="A9")
    assert (told["A2"]["fail"], told["A2"]["passed"], told["A2"]["reports"]) == (1, 2, 1)
    assert (told["A3"]["fail"], told["A3"]["passed"], told["A3"]["reports"]) == (2, 2, 1)
    assert (told["A3"]["not_assessable"], told["A3"]["holds_if_blank_is_zero"]) == (1, 1)
    assert (told["unread"]["finding"], told["unread"]["passed"]) == (1, None)
    assert [(each["organ"], each["fail"]) for each in by_organ] == [(TIANSHAN, 2), (BUREAU, 0)]


# --- carry-over ----------------------------------------------------------------------------------


def test_a_chain_names_the_difference_the_gap_and_the_blank(crawl: Crawl) -> None:
    # carried_in, carried_out: 2019 → 3, 2020 3 → 4, 2021 6 → blank, 2022 1 → 2, no 2023, 2024.
    for year, into, out in ((2019, "1", "3"), (2020, "3", "4")):
        publish(crawl, read(OLD, "1", into, "1", out), year)
    for year, into, out in ((2021, "6", ""), (2022, "1", "2"), (2024, "9", "9")):
        publish(crawl, read(NEW, out, "1", into), year)
    with crawl.engine.connect() as connection:
        (chain,) = carry_over(connection)
        again = carry_over(connection, limit=1, after=("650102", TIANSHAN))
        with pytest.raises(BadQuestion, match="total"):
            carry_over(connection, column="totals")
    links = [
        (link["carried_out"]["year"], link["verdict"], link["difference"])
        for link in chain["links"]
    ]
    assert links == [
        (2019, "agrees", 0),
        (2020, "differs", 2),
        (2021, "not_assessable", None),
        (2022, "not_assessable", None),
        (2023, "not_assessable", None),
    ]
    assert chain["missing_years"] == [2023]
    assert chain["links"][3]["carried_in"]["state"] == "missing"
    assert chain["links"][1]["carried_in"]["layout"] == "2021"
    assert again == []


def test_a_correction_does_not_mend_a_chain_but_says_so(crawl: Crawl) -> None:
    report_id = publish(crawl, read(OLD, "1", "1", "1", "3"), 2019)
    publish(crawl, read(OLD, "1", "5", "1", "3"), 2020)
    with crawl.engine.begin() as connection:
        entry = Entry("me", "typo", "page", NOW)
        correct_cell(connection, report_id, "applications.carried_out.total", "5", entry)
        (chain,) = carry_over(connection)
    (link,) = chain["links"]
    assert (link["verdict"], link["difference"], link["corrected_difference"]) == ("differs", 2, 0)


# --- outliers ------------------------------------------------------------------------------------


def test_a_jump_is_found_and_what_hardly_differs_is_not(crawl: Crawl) -> None:
    for year, jump, calm in zip(
        range(2019, 2025), (30, 31, 900, 29, 30, 32), (70, 71, 70, 72, 70, 60), strict=True
    ):
        publish(crawl, read(OLD, "1", "1", str(jump), "1"), year)
        publish(crawl, read(OLD, "1", "1", str(calm), "1"), year, BUREAU)
    with crawl.engine.connect() as connection:
        (one,) = outliers(connection, cell=RECEIVED, division="650102")
        assert outliers(connection, cell=RECEIVED, year=2021) == []
        with pytest.raises(BadQuestion, match="name an organ"):
            outliers(connection, cell=RECEIVED)
    assert (one["organ"], one["year"], one["value"], one["against"]) == (
        TIANSHAN, 2021, 900, "own_years",
    )  # fmt: skip
    assert (one["points"], one["median"]) == (6, 30.5)
    assert "900" in one["reason"]
    assert "中位数" in one["reason_zh"]


def test_peers_are_compared_where_there_are_enough_of_one_kind(crawl: Crawl) -> None:
    for number in range(8):
        figure = "4000" if number == 3 else str(10 + number)
        publish(crawl, read(OLD, "1", "1", figure, "1"), 2019, f"天山区第{number}局")
    publish(crawl, read(OLD, "1", "1", "4000", "1"), 2019)
    with crawl.engine.connect() as connection:
        found = outliers(connection, cell=RECEIVED, year=2019)
    assert [(each["organ"], each["against"]) for each in found] == [("天山区第3局", "peers")]


# --- copies --------------------------------------------------------------------------------------


def test_copies_are_found_as_the_check_finds_them(crawl: Crawl) -> None:
    random = Random(3)
    own = [random.randrange(1 << 16) for _ in range(128)]
    near = [*own[:110], *(random.randrange(1 << 16) for _ in range(18))]
    half = [*own[:60], *(random.randrange(1 << 16) for _ in range(68))]
    for number, signature in enumerate((own, near, half, own)):
        publish(
            crawl,
            read(OLD, "1", "1", "1", "1", signature=tuple(signature)),
            2019 + (number == 3),
            f"天山区第{number}局",
        )
    with crawl.engine.connect() as connection:
        found = copies(connection, division="650102")
        in_year = copies(connection, year=2019)
        organ = find_organ(connection, "天山区第3局")
        of_one = copies(connection, organ_id=organ.id, limit=1)
        with pytest.raises(BadQuestion, match="name an organ"):
            copies(connection)
    pairs = [(p["share"], p["one"]["organ"], p["other"]["organ"]) for p in found]
    assert pairs[0] == (1.0, "天山区第0局", "天山区第3局")
    assert {pair[0] for pair in pairs[1:]} == {round(similar(own, near), 3)}
    assert len(pairs) == 3
    assert [(p["one"]["year"], p["other"]["year"]) for p in in_year] == [(2019, 2019)]
    assert of_one[0]["share"] == 1


def test_bands_miss_no_pair_that_comparing_all_would_find() -> None:
    random = Random(11)
    signatures = []
    for _ in range(60):
        base = [random.randrange(1 << 16) for _ in range(128)]
        for kept in (128, 120, 108, 97, 80):
            changed = {*random.sample(range(128), 128 - kept)}
            signatures.append(
                tuple(random.randrange(1 << 16) if i in changed else n for i, n in enumerate(base))
            )
    fast = {(a, b) for _, a, b in copies_of._alike(signatures, {*signatures}) if a != b}
    slow = {
        (a, b)
        for i, a in enumerate(signatures)
        for b in signatures[i + 1 :]
        if similar(a, b) >= copies_of.SAME
    }
    assert fast == slow
    assert len(slow) > 100


def test_the_measure_is_that_of_the_check() -> None:
    assert relations().likeness.same_by_signature == copies_of.SAME
    one, other = (1, 2, 3, 4), (1, 9, 3, 4)
    assert copies_of._share(one, other) == similar(one, other) == 0.75


# --- where a figure comes from -------------------------------------------------------------------


def test_a_figure_leads_to_its_bytes_also_by_a_revisit(crawl: Crawl, settings: Settings) -> None:
    body = b"<html>the same again</html>"
    read_once = read(OLD, "1", "1", "12", "2")
    url = "http://www.xjtsq.gov.cn/info/3168/1.htm"
    crawl.page(body, read_once, report=key(year=2019), url=url)
    crawl.page(body, read_once, report=key(year=2019), url=url)
    with crawl.engine.connect() as connection:
        organ = find_organ(connection, TIANSHAN)
        chain = provenance(connection, organ, 2019, RECEIVED)
    assert (chain["cell"]["raw"], chain["cell"]["value"]) == ("12", 12)
    assert (chain["reading"]["parser"], chain["reading"]["layout"]) == ("test/1", "2019")
    first, second = chain["captures"]
    assert (first["revisit_of"], second["revisit_of"]) == (None, first["id"])
    assert second["bytes_in"] == first["record"] != second["record"]
    for each in (first, second):
        held = each["bytes_in"]
        path = next(settings.warc_directory.glob(f"{held['warc_file']}*"))
        headers, _, payload = read_record(path, held["offset"])
        assert payload == body
        assert headers["WARC-Record-ID"] == held["record_id"]
        assert headers["WARC-Payload-Digest"] == each["payload_digest"]


def test_a_chain_of_revisits_is_followed_to_its_end(crawl: Crawl) -> None:
    body, url = b"<html>thrice</html>", "http://www.xjtsq.gov.cn/info/3168/1.htm"
    refs = [crawl.capture(exchange(body, url)) for _ in range(2)]
    crawl.page(body, read(OLD, "1", "1", "12", "2"), report=key(year=2019), url=url)
    with crawl.engine.begin() as connection:
        # Other archives may hold a revisit of a revisit.
        connection.execute(
            sa.text("UPDATE captures SET revisit_of = :b WHERE revisit_of = :a AND id > :b"),
            {"a": refs[0].id, "b": refs[1].id},
        )
        chain = provenance(connection, find_organ(connection, TIANSHAN), 2019, RECEIVED)
    (sight,) = chain["captures"]
    assert (sight["revisit_of"], sight["bytes_in"]["capture_id"]) == (refs[1].id, refs[0].id)


def test_what_cannot_be_led_back_says_why(crawl: Crawl) -> None:
    publish(crawl, read(NEW, "1", "1", "1"), 2021)
    publish(crawl, read(OLD, "1", "1", "1", "1"), 2020, BUREAU)
    hidden = publish(crawl, read(NEW, "1", "1", "1"), 2022)
    publish(crawl, None, 2023)
    with crawl.engine.begin() as connection:
        organ = find_organ(connection, TIANSHAN)
        withdraw(connection, Thing(report_id=hidden), "me", "court", NOW)
        with pytest.raises(BadQuestion, match="layout 2021"):
            provenance(connection, organ, 2021, AMOUNT)
        with pytest.raises(BadQuestion, match="did you mean applications"):
            provenance(connection, organ, 2021, "applications.new_recieved.total")
        with pytest.raises(Withdrawn, match="court"):
            provenance(connection, organ, 2022, RECEIVED)
        with pytest.raises(NotInArchive, match="nothing was read"):
            provenance(connection, organ, 2023, RECEIVED)
        with pytest.raises(NotInArchive, match="it has 2021, 2023"):
            provenance(connection, organ, 2024, RECEIVED)


# --- archive ask ---------------------------------------------------------------------------------


def test_every_question_is_asked_in_both_languages() -> None:
    for each in questions():
        assert each.en.endswith((".", "?")), each.name
        assert each.zh.endswith("？"), f"{each.name}: say it in Chinese in storage/questions.toml"
    names = [each.name for each in questions()]
    assert names[:2] == ["coverage", "ledger"]
    wanted = {"series", "sums", "missing", "checks", "carry_over", "outliers", "copies"}
    assert wanted | {"provenance"} <= {*names}


def test_the_page_of_the_questions_is_true() -> None:
    text = (ROOT / "docs" / "questions.md").read_text("utf-8")
    for each in questions():
        assert f"| `{each.name}` | {each.en} | {each.zh} |" in text, each.name
    shapes = (
        *(Point, Sum, UnitSum, Check, Chain, Link, CarriedSide, Outlier, Copies, Copy),
        *(Provenance, ProvenCell, ProvenReading, ProvenVersion, ProvenCapture, Record),
    )
    for shape in shapes:
        assert "{" + ", ".join(shape.__annotations__) + "}" in text, shape
    for state in MISSING:
        assert f"`{state}`" in text


def test_the_limits_of_outliers_are_those_of_the_page() -> None:
    text = (ROOT / "docs" / "questions.md").read_text("utf-8")
    limits = tomllib.loads((ROOT / "storage/queries/outliers.toml").read_text("utf-8"))["limits"]
    assert (limits["own_years"], limits["peers"], limits["factor"]) == (5, 8, 2)
    assert "(five at least)" in text
    assert "(eight at least)" in text
    assert f"more than {limits['score']} such deviations" in text
    assert f"at least {limits['least']} from the median" in text


def test_a_question_says_what_it_takes(crawl: Crawl) -> None:
    publish(crawl, read(OLD, "1", "1", "12", "2"), 2019)
    asked = find_question("series")
    assert (asked.needs, "organ" in asked.may) == (("cell",), True)
    with crawl.engine.connect() as connection:
        with pytest.raises(BadQuestion, match="series needs --cell"):
            put(connection, asked, {})
        with pytest.raises(BadQuestion, match="takes no --rule; it takes --cell"):
            put(connection, asked, {"cell": RECEIVED, "rule": "A1"})
        with pytest.raises(NotInArchive, match="天山区"):
            put(connection, asked, {"cell": RECEIVED, "organ": "天山"})
        (point,) = put(connection, asked, {"cell": RECEIVED, "organ": TIANSHAN})
        early = AsOf(NOW - timedelta(days=1))
        assert put(connection, asked, {"cell": RECEIVED}, early) == []
    assert point["value"] == 12
    with pytest.raises(BadQuestion, match="did you mean series"):
        find_question("serie")


def test_the_command_answers_in_words_and_in_json(
    crawl: Crawl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(crawl, read(OLD, "1", "1", "12", "2"), 2019)

    def ask(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["archive", "ask", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    listed = ask()[1]
    assert all(each.zh in listed and each.en in listed for each in questions())
    assert {each["name"] for each in json.loads(ask("--json")[1])} >= {"series", "provenance"}
    code, said, _ = ask("series", "--cell", RECEIVED, "--json")
    assert (code, [point["value"] for point in json.loads(said)]) == (0, [12])
    chain = ask("provenance", "--cell", RECEIVED, "--organ", TIANSHAN, "--year", "2019")[1]
    assert "warcio extract --payload" in chain
    assert "sha256:" in chain
    for words in (["series"], ["serie"], ["series", "--cell", "applications.granted"]):
        code, said, error = ask(*words)
        assert (code, said, error.count("\n")) == (2, "", 1), words
