"""`archive ledger` and `archive organs` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.terminal.maps import LEDGER_LETTERS, LETTERS
from tests.histories import GOVERNMENT, History, figures
from tests.test_archive_cli import ask

BUREAU, HEIR = "天山区教育局", "天山区教育和体育局"


@pytest.fixture
def history(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        made = History(connection)
        made.organ("天山区民政局")
        made.run("2021-04-02")
        made.look("2021-04-02")
        for year, organ in [(2018, BUREAU), (2019, BUREAU), (2020, HEIR), (2021, HEIR)]:
            at, url = f"{year + 1}-05-10", f"http://www.xjtsq.gov.cn/info/{year}.htm"
            published = f"{year + 1}-02-20"
            made.page(at, year, organ, url=url, published=published, read=figures())


def test_every_state_has_a_letter_of_its_own() -> None:
    letters = [letter for letter, _, _ in LEDGER_LETTERS.values()]
    assert len(set(letters)) == len(letters)
    assert LEDGER_LETTERS["attachment_only"][:2] == LETTERS["attachment_only"][:2]


@pytest.mark.usefixtures("history")
def test_the_map_tells_states_apart_without_colour(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "ledger", "--at", "2022-05-11") == 0
    out = capsys.readouterr().out
    (bureau,) = [line for line in out.splitlines() if f"{BUREAU} " in line]
    assert bureau.split()[2:] == [*"XXXXXXXXXXC", "L", *"X?"]
    assert "L captured, published late (3)" in out
    assert "\x1b" not in out


@pytest.mark.usefixtures("history")
def test_one_organ_and_year_come_with_the_proof_in_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("ledger", "--organ", GOVERNMENT, "--year", "2020", "--at", "2021-05-01")
    assert ask(monkeypatch, *words) == 0
    out = capsys.readouterr().out
    assert "listing proves absence" in out
    assert "http://www.xjtsq.gov.cn/nb.htm" in out
    assert "1.warc.gz" in out
    assert ask(monkeypatch, *words, "--json") == 0
    (cell,) = json.loads(capsys.readouterr().out)
    assert (cell["state"], cell["deadline"]) == ("absent", "2021-03-31")
    assert {proof["capture_id"] for proof in cell["proof"]} == {1, 2}


@pytest.mark.usefixtures("history")
def test_only_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert ask(monkeypatch, "ledger", "--state", "captured_late", "--json") == 0
    assert {cell["organ"] for cell in json.loads(capsys.readouterr().out)} == {BUREAU, HEIR}
    assert ask(monkeypatch, "ledger", "--state", "removed") == 0
    assert capsys.readouterr().out == "No cell fits.\n"
    picture = tmp_path / "ledger.svg"
    assert ask(monkeypatch, "ledger", "--svg", str(picture)) == 0
    assert "archive ledger" in picture.read_text("utf-8").replace("&#160;", " ")


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("--state", "lost"), "--state is one of"),
        (("--at", "yesterday"), "no date such as"),
        (("--at", "2021-04-01T10:00"), "time zone"),
        (("--organ", "天山区文化局"), "did you mean"),
    ],
)
def test_a_mistake_costs_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    cure: str,
) -> None:
    assert ask(monkeypatch, "ledger", *words) == 2
    assert cure in " ".join(capsys.readouterr().err.replace("│", "").split())


@pytest.mark.usefixtures("history")
def test_an_organ_whose_reports_end_where_a_like_ones_begin_is_a_candidate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "organs", "--json") == 0
    found = {each["organ"]: each for each in json.loads(capsys.readouterr().out)}
    assert next(iter(found)) == GOVERNMENT
    assert found[BUREAU]["candidates"] == [HEIR]
    assert (found[BUREAU]["first_report"], found[BUREAU]["last_report"]) == (2018, 2019)
    assert found[HEIR]["candidates"] == found["天山区民政局"]["candidates"] == []
    assert ask(monkeypatch, "organs") == 0
    assert f"becomes {HEIR}?" in capsys.readouterr().out


def test_an_empty_archive_has_an_empty_ledger(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("ledger", "organs"):
        assert ask(monkeypatch, command, "--json") == 0
        assert json.loads(capsys.readouterr().out) == []
