"""Cron starts that meet one another, a run that hangs, or nothing to do: real processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crawler.commands.exits import Exit, exit_of
from crawler.fetching.lock import explained
from storage.capture.runs import AtWork
from tests.crawling import Operator
from tests.scripted import GONE, Answer, scripted
from tests.starts import PORTAL, SPIDER, WANTED, hanging, missed, overlapping, stage

NOW = datetime(2026, 2, 10, 16, 10, tzinfo=UTC)


def test_of_two_starts_that_overlap_one_runs(tmp_path: Path, database_url: str) -> None:
    found = overlapping(tmp_path, database_url)
    assert (found.codes, found.states) == WANTED["two starts that overlap"], found.said
    assert len(found.said[1].strip().splitlines()) == 1
    assert "is being crawled by run 1 since" in found.said[1]
    assert found.sound


def test_a_run_that_hangs_ends_itself_and_the_next_start_goes_on(tmp_path: Path) -> None:
    found = hanging(tmp_path)
    wanted = WANTED["a start during a run that hangs, and the next"]
    assert (found.codes, found.states) == wanted, found.said
    assert "Timeout" in found.said[0]
    assert "storage/capture/captures.py" in found.said[0] or "inside.py" in found.said[0]
    assert "is being crawled by run 1 since" in found.said[1]
    # What the run had kept was not asked for again.
    assert found.asked[2] < found.asked[0] + 2
    assert found.sound


def test_five_missed_nights_are_one_run_and_a_second_start_has_nothing_to_do(
    tmp_path: Path,
) -> None:
    found = missed(tmp_path)
    wanted = WANTED["a start after five missed nights, and one more"]
    assert (found.codes, found.states) == wanted, found.said
    assert found.said == ("", "", "")
    assert found.asked[1] > 0
    assert found.asked[2] == 0


def test_an_unknown_scope_is_refused(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        done = on.operator.crawl(SPIDER, scope="some")
    assert done.returncode == Exit.CONFIGURATION
    assert done.stderr == "ConfigurationError: no scope 'some': choose among all, due\n"


@pytest.mark.parametrize(
    ("state", "faulty", "code"),
    [
        ("complete", False, 0),
        ("complete", True, 1),
        ("not ended", False, 1),
        ("incomplete", False, 3),
        ("stopped", False, 3),
        ("blocked", False, 4),
        ("blocked", True, 1),
        ("drift", False, 5),
    ],
)
def test_each_state_has_its_code(state: str, faulty: bool, code: int) -> None:
    assert exit_of(state, faulty=faulty) == code


def test_who_finds_a_portal_busy_is_told_who_holds_it_and_until_when() -> None:
    patience = timedelta(hours=1, minutes=30)
    began = NOW - timedelta(hours=1)
    busy = explained("midong", AtWork(7, began, NOW - timedelta(minutes=1)), NOW, patience)
    assert "run 7 since 2026-02-10 15:10 UTC" in str(busy)
    assert "last asked for something at 2026-02-10 16:09 UTC" in str(busy)
    silent = explained("midong", AtWork(7, began, None), NOW, patience)
    assert "if it hangs it ends itself by 2026-02-10 16:40 UTC" in str(silent)
    assert "another command" in str(explained("midong", None, NOW, patience))


def test_a_portal_behind_a_wall_has_a_code_of_its_own(tmp_path: Path) -> None:
    wall = Answer(b"<html><script>document.cookie='__jsl_clearance=1'</script></html>", 412)
    with scripted(lambda host, target: GONE if target == "/robots.txt" else wall) as host:
        operator = Operator(tmp_path, host.url)
        done = operator.crawl(SPIDER, portals="shuimogou")
        assert done.returncode == Exit.BLOCKED, done.stderr
        (run,) = operator.ask("runs")
    assert run["state"] == "blocked"
    assert run["stats"]["blocked/shuimogou"] == 1


def test_the_archive_says_what_is_due_and_prints_its_crontab(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        assert on.operator.ask("schedule") == []
        assert on.run() == (0, "")
        (found,) = on.operator.ask("schedule")
        unknown = on.operator.archive("schedule", "--portal", "nowhere")
        lines = on.operator.archive("crontab").stdout.splitlines()
    assert (found["portal"], found["since"], found["tree"]) == (PORTAL, None, None)
    assert found["next"] is not None
    assert unknown.returncode == 2
    assert "no portal 'nowhere' was crawled: choose among shuimogou" in unknown.stderr
    assert "MAILTO=tests@localhost" in lines
    assert sum(f"crawl {SPIDER} -a scope=due" in line for line in lines) == 1
    assert [line[:11] for line in lines if "verify --quick" in line] == ["30 10 * * 0"]
