"""The faulty portals, a few of each failure; and a judge that can be trusted to find fault."""

from __future__ import annotations

import gzip
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from storage.settings import Settings
from tests.crawling import ROOT
from tests.faults.judge import DISALLOWED, OWN, check_warcs, judge
from tests.faults.modes import MODES, TUNNEL_MODES, Kept
from tests.faults.run import Crawled, crawl
from tests.faults.server import Entry
from tests.faults.site import Answer, Site
from tests.replay_proof import Wanted, sample


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Crawled:
    """Every mode, twice."""
    return crawl(tmp_path_factory.mktemp("faults"), Site(each=2))


def test_the_archive_holds_exactly_what_was_served(crawled: Crawled) -> None:
    verdict = crawled.verdict()
    assert not verdict.misses, "\n".join(verdict.misses)
    assert set(verdict.lines) == {*MODES, *TUNNEL_MODES, OWN, DISALLOWED}
    assert all(line.attempts >= 2 for line in verdict.lines.values())


def test_no_portal_fails_so_often_in_a_row_that_it_must_be_left_alone(crawled: Crawled) -> None:
    letters = {"ok": ".", "redirect": "", "blocked": "b"}  # f: any other failure
    for host in {entry.host for entry in crawled.log}:
        outcomes = [entry.answer.outcome for entry in crawled.log if entry.host == host]
        told = "".join(letters.get(outcome, "f") for outcome in outcomes)
        assert "f" in told
        assert not re.search("[fb]{5}|b{3}", told), told


def test_the_judge_finds_every_kind_of_fault(crawled: Crawled, tmp_path: Path) -> None:
    """Claims about what was served that are wrong, and rows that are gone."""
    shutil.copytree(crawled.settings.home, tmp_path / "home")
    log = list(crawled.log)
    plain = iter([n for n, entry in enumerate(log) if _mode(entry) == "plain"])
    lost, unheard, doubled = (log[next(plain)] for _ in range(3))
    wrong = {
        "is ok (": _claim(log, next(plain), outcome="blocked"),
        "has another head": _claim(log, next(plain), head=b"HTTP/1.1 200 Ok\r\n\r\n"),
        "has another body": _claim(log, next(plain), body=b"other"),
        "has a capture, a status": _claim(log, next(plain), kept="nothing"),
        "is flagged '', not 'length'": _claim(log, next(plain), kept="length"),
    }
    log.remove(unheard)
    log.append(doubled)
    hidden = crawled.site.disallowed()[0]
    with closing(sqlite3.connect(tmp_path / "home" / "archive.sqlite")) as connection:
        of_lost = "SELECT id FROM attempts WHERE url = ?"
        connection.execute(f"DELETE FROM captures WHERE attempt_id = ({of_lost})", [lost.url])
        connection.execute("DELETE FROM attempts WHERE url = ?", [hidden])
        connection.commit()
    settings = Settings(tmp_path / "home", database_url=None)
    misses = "\n".join(judge(settings, crawled.site, log).misses)
    for what, url in wrong.items():
        assert f"{url} {what}" in misses
    assert f"{lost.url} has no capture" in misses
    assert "no row points to" in misses
    assert f"of {unheard.url} was never heard of" in misses
    assert f"{doubled.url} has no row" in misses
    assert f"{hidden} has no row robots_refused" in misses


def _mode(entry: Entry) -> str:
    return entry.answer.mode if isinstance(entry.answer, Answer) else ""


def _claim(
    log: list[Entry],
    number: int,
    outcome: str = "ok",
    kept: Kept = "whole",
    head: bytes = b"",
    body: bytes = b"",
) -> str:
    """Say of a plain answer what is not so; its address."""
    entry = log[number]
    assert isinstance(entry.answer, Answer)
    act = replace(
        entry.answer.act, head=head or entry.answer.act.head, body=body or entry.answer.act.body
    )
    log[number] = replace(entry, answer=replace(entry.answer, act=act, outcome=outcome, kept=kept))
    return entry.url


def test_a_changed_byte_of_a_record_is_found(crawled: Crawled, tmp_path: Path) -> None:
    (path,) = crawled.settings.warc_directory.iterdir()
    records = gzip.decompress(path.read_bytes())
    copy = tmp_path / "copy.warc"
    copy.write_bytes(records)
    assert check_warcs([copy]) == []
    copy.write_bytes(records.replace("编造".encode(), "编写".encode(), 1))
    assert "digest failed" in "\n".join(check_warcs([copy]))


def test_the_document_tells_what_the_modes_do() -> None:
    rows = [
        (mode.name, mode.does, _words(mode.outcomes, mode.refused), mode.kept)
        for mode in MODES.values()
    ]
    rows += [(mode.name, mode.does, mode.outcome, "nothing") for mode in TUNNEL_MODES.values()]
    told = [" | ".join(row) for row in rows]
    text = (ROOT / "docs" / "faults.md").read_text("utf-8")
    assert re.findall(r"^\| (\w+ \| (?!---|what).*) \|$", text, re.MULTILINE) == told


def _words(outcomes: tuple[str, ...], refused: str) -> str:
    counted = [f"{word} × {outcomes.count(word)}" for word in dict.fromkeys(outcomes)]
    words = ", ".join(word.removesuffix(" × 1") for word in counted)
    return f"{words}; {refused}" if refused else words


def test_a_proof_asks_for_every_revisit_and_for_no_fewer_than_it_says() -> None:
    found = [
        Wanted(f"http://a.example/{n}", "20260101000000", (n,), n % 5 == 0, ()) for n in range(500)
    ]
    asked = sample(found, samples=200)
    assert {one for one in found if one.revisit} <= set(asked)
    assert len(asked) == len(set(asked)) == 200
