"""The impact page: figures of a night that is known to the second."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage import cli
from storage.errors import NotInArchive
from storage.queries.impact import Impact, impact
from storage.settings import Settings
from tests.test_politeness import EVENING, Night

HOST = "www.xjtsq.gov.cn"


@pytest.fixture
def night(engine: sa.Engine, settings: Settings) -> Night:
    night = Night(engine, settings.warc_directory)
    night.start()
    night.ask("/robots.txt", purpose="robots")
    night.ask("/a", body=b"x" * 100)
    night.ask("/b", after=300, outcome="server_error", status=503, head="Retry-After: 60\r\n")
    return night


def told(night: Night, settings: Settings) -> Impact:
    night.end("complete")
    with night.engine.connect() as connection:
        (found,) = impact(connection, settings.warc_directory, host=HOST)
    return found


def test_a_clean_night_in_figures(night: Night, settings: Settings) -> None:
    night.ask("/c", after=61)
    night.ask("/d", outcome="budget_spent", status=None)
    found = told(night, settings)
    assert (found["requests"], found["errors"], found["nights"]) == (4, 1, 1)
    assert (found["by_purpose"], found["robots_asked"]) == ({"page": 3, "robots": 1}, 1)
    assert found["by_hour"] == {"22": 4}
    assert (found["busiest_day"], found["busiest_day_requests"]) == ("2026-01-05", 4)
    assert (found["longest_visit_requests"], found["longest_visit_s"]) == (2, 3.0)
    assert (found["shortest_gap_s"], found["most_at_once"]) == (3.0, 1)
    assert (found["waits_asked"], found["waits_honoured"]) == (1, 1)
    assert found["withheld"] == {"budget_spent": 1}
    assert found["promised"]["budget"] == 5000
    assert found["broken"] == {"gaps": 0, "hours": 0, "budgets": 0}
    assert found["first"].startswith((EVENING + timedelta(seconds=3)).isoformat()[:19])


def test_what_was_not_kept_is_told(night: Night, settings: Settings) -> None:
    night.ask("/c", after=1, took=5)
    night.ask("/d", after=2)
    night.ask("/e", after=12 * 3600)
    found = told(night, settings)
    assert found["broken"] == {"gaps": 2, "hours": 1, "budgets": 0}
    assert (found["waits_asked"], found["waits_honoured"]) == (1, 0)
    assert (found["shortest_gap_s"], found["most_at_once"]) == (1.0, 2)
    assert found["nights"] == 1


def test_a_day_over_the_budget(engine: sa.Engine, settings: Settings) -> None:
    from dataclasses import replace

    night = Night(engine, settings.warc_directory)
    night.terms = replace(night.terms, budget=1)
    night.start()
    night.ask("/a")
    night.ask("/b")
    assert told(night, settings)["broken"]["budgets"] == 1


def test_a_host_that_was_never_asked(night: Night, settings: Settings) -> None:
    night.end("complete")
    with night.engine.connect() as connection, pytest.raises(NotInArchive, match="archive impact"):
        impact(connection, settings.warc_directory, host="example.org")


def test_the_page_is_for_the_operator_and_loads_nothing(
    night: Night,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    night.end("complete")

    def ask(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["archive", "impact", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        return capsys.readouterr().out

    page = tmp_path / "impact.html"
    assert ask("--host", HOST, "--html", str(page)) == ""
    text = page.read_text("utf-8")
    for said in ("me@example.org", "User-agent: gongkai", "请求总数", "Requests", "3.0 (3)"):
        assert said in text, said
    assert "src=" not in text
    assert "http" not in text
    assert json.loads(ask("--json"))[0]["host"] == HOST
    assert "单日最多请求数" in ask()
