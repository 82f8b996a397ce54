"""The machinery of the decade, and a few weeks of it; all of it is `python -m tests.decade`."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from crawler.cms import cms_by_key, parse_page
from tests.decade.events import Event, History, Report, history, moment
from tests.decade.stage import Scene, night_of
from tests.decade.truth import Truth

FIRST, LAST = date(2016, 1, 1), date(2025, 12, 31)


def test_a_seed_makes_one_history() -> None:
    assert history("midong", 7, FIRST, LAST) == history("midong", 7, FIRST, LAST)
    assert history("midong", 7, FIRST, LAST) != history("midong", 8, FIRST, LAST)


def test_a_decade_has_everything_that_is_promised() -> None:
    histories = [
        history(key, 1, FIRST, LAST)
        for key in ("tianshan", "dabancheng", "xinshi", "midong", "shayibake")
    ]
    events = [event for each in histories for event in each.events]
    assert {event.kind for event in events} == {
        *("publish", "edit", "remove", "restore", "move", "notice"),
        *("migrate", "wall", "down", "redesign", "end"),
    }
    reports = [report for each in histories for report in each.reports.values()]
    late = [
        (each.appears - moment(each.deadline)).days
        for each in reports
        if each.appears and each.deadline and each.appears > moment(FIRST)
    ]
    assert max(late) > 200
    assert any(_is_backdated(report) for report in reports)
    assert any(report.appears is None for report in reports)


def _is_backdated(report: Report) -> bool:
    if report.deadline is None or report.shown is None or report.appears is None:
        return False
    return report.shown <= report.deadline < report.appears.date()


@pytest.mark.parametrize(
    ("key", "how", "rows"),
    [
        ("tianshan", "", True),
        ("tianshan", "tiles", True),
        ("tianshan", "script", False),
        ("xinshi", "tiles", True),
        ("xinshi", "script", False),
    ],
)
def test_one_redesign_can_be_read_and_the_other_by_nobody(key: str, how: str, rows: bool) -> None:
    scene = Scene((history(key, 1, FIRST, LAST),), moment(FIRST))
    stage = scene.stages[key]
    stage.markup = how
    (portal,) = stage.world.portals
    (channel,) = (each for each in portal.channels if each.key == "annual")
    answer = stage.answer(portal.hosts[0], channel.path, 0)
    assert answer is not None
    page = parse_page(f"http://{portal.hosts[0]}{channel.path}", answer.body.decode())
    listing = cms_by_key()[portal.sites["now"]["cms"]].listing(page)
    assert bool(listing and listing.entries) is rows


class Play:
    """One report, told by hand."""

    def __init__(self) -> None:
        whole = history("xinshi", 1, FIRST, LAST)
        (organ,) = (each for each in whole.organs if each.key == "jiaoyu")
        self.deadline = date(2021, 1, 31)
        self.report = Report(
            "xinshi/jiaoyu/2020", organ, 2020, self.deadline, night_of(date(2021, 3, 1)), None
        )
        self.truth = Truth(
            History("xinshi", whole.organs, {self.report.key: self.report}, ()), moment(FIRST)
        )

    def happens(self, day: date, kind: str) -> None:
        event = Event(moment(day, 10), "xinshi", kind, self.report.key)  # type: ignore[arg-type]
        self.truth.tell(event)

    def looked(self, day: date) -> None:
        self.truth.looked(self.report.key, night_of(day))

    def states(self, as_of: date, now: date) -> set[str]:
        name = self.report.organ.name
        return self.truth.states(name, 2020, night_of(as_of), night_of(now))


def test_what_is_not_there_is_due_only_when_its_day_is_over() -> None:
    play = Play()
    assert play.states(play.deadline, play.deadline) == {"not_due"}
    after = play.deadline + timedelta(1)
    assert play.states(after, after) == {"absent"}
    # A proof from before the deadline proves nothing after it.
    assert play.states(play.deadline, after) == set()


def test_what_was_seen_and_is_gone_was_removed_and_what_nobody_saw_was_never_there() -> None:
    play = Play()
    play.happens(date(2021, 3, 1), "publish")
    assert play.states(date(2021, 3, 2), date(2021, 3, 2)) == {"absent"}
    play.looked(date(2021, 3, 3))
    play.happens(date(2021, 5, 1), "remove")
    assert play.states(date(2021, 4, 1), date(2021, 6, 1)) != {"removed"}
    assert play.states(date(2021, 6, 1), date(2021, 6, 1)) == {"removed"}


def test_a_wall_hides_what_is_due() -> None:
    play = Play()
    wall = Event(moment(date(2021, 2, 2), 1), "xinshi", "wall", "", "412")
    play.truth.tell(wall)
    assert play.states(date(2021, 2, 2), date(2021, 2, 2)) == {"blocked"}
    assert play.states(date(2021, 2, 1), date(2021, 2, 2)) == {"absent"}


def test_a_season_is_found_whole(tmp_path: Path) -> None:
    """Deadlines, late reports and what else a season has, in a process of its own."""
    words = ["--portals", "xinshi", "--first", "2021-01-20", "--years", "0.06", "--every", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.decade", *words, "--home", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    judged = re.search(r"cells judged +([\d,]+)", done.stdout)
    assert judged
    assert int(judged[1].replace(",", "")) > 1000
