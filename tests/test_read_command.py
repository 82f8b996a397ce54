"""`scrapy read FILE`: a disclosure office checks its draft without any archive."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.crawling import BIN, ROOT, Operator
from tests.replica.reports import body_html, flattened, generate, gold_report, seed_report

GOLD = Path(__file__).parent / "gold"
SEED = ROOT.parent / "shared" / "seed" / "tianshan-2019.txt"


def read(file: Path, tmp_path: Path) -> tuple[int, dict[str, Any]]:
    done = Operator(tmp_path / "home", pace="").scrapy("read", str(file), "--json")
    assert done.stderr == ""
    assert not (tmp_path / "home").exists()
    return done.returncode, json.loads(done.stdout)


def gold(slug: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((GOLD / f"{slug}.json").read_text("utf-8"))
    return data


def test_the_seed_document_cell_by_cell(tmp_path: Path) -> None:
    if not SEED.is_file():
        pytest.skip("the seed is not beside this checkout")
    _, answer = read(SEED, tmp_path)
    assert answer["form"] == "2019"
    assert answer["tables"] == gold("tianshan-2019")["tables"]
    assert len(answer["cells"]) == 198
    assert answer["body_title"] == gold("tianshan-2019")["body_title"]
    within = [f for f in answer["findings"] if f["rule"] in {"A1", "A2", "A3", "R1", "R2", "R3"}]
    assessed = [f for f in within if f["verdict"] in {"pass", "holds_if_blank_is_zero"}]
    assert len(assessed) == 15


@pytest.mark.parametrize("slug", ["hangzhou-2025", "hongze-2024"])
def test_a_gold_report_as_html(slug: str, tmp_path: Path) -> None:
    file = tmp_path / "draft.html"
    file.write_text(f"<html><body>{body_html(gold_report(slug))}</body></html>", "utf-8")
    _, answer = read(file, tmp_path)
    assert answer["tables"] == gold(slug)["tables"]
    assert answer["form"] == "2021"


def test_a_gbk_file_and_a_utf8_file_read_alike(tmp_path: Path) -> None:
    text = flattened(seed_report())
    answers = []
    for encoding in ("gb18030", "utf-8"):
        file = tmp_path / f"{encoding}.txt"
        file.write_bytes(text.encode(encoding))
        answers.append(read(file, tmp_path))
    assert len({answer.pop("file") for _, answer in answers}) == 2
    assert answers[0] == answers[1]


def test_a_draft_of_any_kind_reads_alike(tmp_path: Path) -> None:
    report = gold_report("hongze-2024")
    folder = tmp_path / "drafts"
    folder.mkdir()
    for kind in ("docx", "xlsx", "xls", "markdown"):
        render = importlib.import_module(f"tests.rendering.{kind}").render
        body = render(report)
        ending = "md" if kind == "markdown" else kind
        data = body.encode() if isinstance(body, str) else body
        (folder / f"draft.{ending}").write_bytes(data)
    with zipfile.ZipFile(folder / "all.zip", "w") as bundle:
        bundle.write(folder / "draft.docx", "draft.docx")
    done = Operator(tmp_path / "home", pace="").scrapy("read", str(folder), "--json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(answer["file"]).name for answer in answers] == [
        *("draft.docx", "draft.docx", "draft.md", "draft.xls", "draft.xlsx")
    ]
    assert all(answer["tables"] == gold("hongze-2024")["tables"] for answer in answers)
    assert done.stderr == ""


def test_stdin_is_a_file_too(tmp_path: Path) -> None:
    operator = Operator(tmp_path / "home", pace="")
    body = body_html(gold_report("hongze-2024"))
    done = operator.scrapy("read", "-", "--json", stdin=body)
    assert json.loads(done.stdout)["tables"] == gold("hongze-2024")["tables"]
    assert operator.scrapy("read", "-", stdin="").returncode == 2


def test_last_years_report_is_held_against_the_draft(tmp_path: Path) -> None:
    drafts = {}
    for year in (2022, 2023):
        drafts[year] = tmp_path / f"{year}.html"
        report = generate(7, "天山区教育局", year, "2021")
        drafts[year].write_text(body_html(report), "utf-8")
    operator = Operator(tmp_path / "home", pace="")
    right = operator.scrapy("read", str(drafts[2023]), "--last", str(drafts[2022]), "--json")
    other = operator.scrapy("read", str(drafts[2023]), "--last", str(drafts[2023]), "--json")
    failed = [
        {f["rule"] for f in json.loads(done.stdout)["findings"] if f["verdict"] == "fail"}
        for done in (right, other)
    ]
    assert "X1" not in failed[0]
    assert "X1" in failed[1]


def test_of_several_files_one_that_is_torn_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"PK")
    (tmp_path / "b.html").write_text(body_html(gold_report("hongze-2024")), "utf-8")
    files = [str(tmp_path / name) for name in ("a.docx", "b.html")]
    done = Operator(tmp_path / "home", pace="").scrapy("read", *files, "--json")
    assert done.returncode == 2
    assert "a.docx" in done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_exit_codes_tell_clean_from_findings(tmp_path: Path) -> None:
    clean = generate(7, "天山区教育局", 2023, "2021")
    wrong = generate(7, "天山区教育局", 2023, "2021", wrong=["A1"])
    codes = []
    for name, report in (("clean", clean), ("wrong", wrong)):
        file = tmp_path / f"{name}.html"
        file.write_text(body_html(report), "utf-8")
        code, answer = read(file, tmp_path)
        codes.append(code)
        failed = {f["rule"] for f in answer["findings"] if f["verdict"] == "fail"}
        assert failed == {rule for rule, _ in report.wrong}
    assert codes == [0, 1]


def test_a_person_sees_tables_checks_and_findings(tmp_path: Path) -> None:
    file = tmp_path / "draft.txt"
    file.write_text(flattened(seed_report()), "utf-8")
    done = Operator(tmp_path / "home", pace="").scrapy("read", str(file))
    assert "applications" in done.stdout
    assert "15837" in done.stdout
    assert "holds_if_blank_is_zero 11" in done.stdout


@pytest.mark.parametrize(
    ("name", "content"), [("a.docx", b"PK"), ("none", b"\0\1\2"), ("gone.txt", None)]
)
def test_what_cannot_be_opened_is_named_with_the_cure(
    name: str, content: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    done = Operator(tmp_path / "home", pace="").scrapy("read", str(file))
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert name in done.stderr


def test_a_reader_that_went_away_ends_it_quietly(tmp_path: Path) -> None:
    """As `scrapy read FILE | head` does."""
    draft = tmp_path / "draft.html"
    draft.write_text(f"<html><body>{body_html(gold_report('hongze-2024'))}</body></html>", "utf-8")
    there, here = os.pipe()
    os.close(there)
    done = subprocess.run(
        [BIN / "scrapy", "read", draft],
        stdout=here,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=Operator(tmp_path / "home", pace="").environment(),
        check=False,
    )
    os.close(here)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")
