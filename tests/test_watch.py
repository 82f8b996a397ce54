"""What people see of alerts: the message, the feed, the figures, the commands. Synthetic."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch
from xml.etree import ElementTree

import apprise
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from storage.alarms import judge
from storage.alerts.feed import feed, write_feed
from storage.alerts.metrics import exposition, write_metrics
from storage.alerts.notify import Message, _addresses, deliver, message, tell
from storage.alerts.record import Alarm, alarm, kinds, open_alerts, sound, story, undelivered
from storage.alerts.watch import FEED, watch
from storage.database import open_for_reading, transact
from storage.errors import DirectoryError
from storage.explorer.app import make_app
from storage.settings import Settings
from tests.crawling import Operator
from tests.databases import NOW, Crawl, reading
from tests.estate import Estate, world
from tests.scripted import Answer, page, scripted
from tests.thirty import FAULTS, clean_runs, tried

ATOM = "{http://www.w3.org/2005/Atom}"


class Hook(BaseHTTPRequestHandler):
    """A webhook that keeps what it is sent, and takes it or not."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.sent.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), Hook)
    server.sent, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def address(server: Any) -> str:
    return f"json://user:hunter2@127.0.0.1:{server.server_address[1]}/"


def full(number: int = 1) -> Alarm:
    facts = {"limit": "1 GB"}
    return alarm("disk_low", f"disk {number}", facts)


def sounded(engine: sa.Engine, *alarms: Alarm, at: datetime = NOW) -> None:
    judged = [("disk_low", None)]
    transact(engine, lambda c: sound(c, alarms, run_id=None, at=at, looked_at=judged))


def events(engine: sa.Engine) -> list[str]:
    return [step["event"] for step in transact(engine, lambda c: story(c, 1))]


def test_a_run_is_told_in_one_message_and_only_once(
    engine: sa.Engine, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GONGKAI_NOTIFY", address(hook))
    sounded(engine, full(1), full(2))
    tell(engine, run_id=None, at=NOW)
    tell(engine, run_id=None, at=NOW)
    (said,) = hook.sent
    assert said["title"] == "gongkai: 2 alerts, 0 over"
    assert said["message"].count("Less than 1 GB") == 2
    assert "磁盘" in said["message"]
    assert said["message"].count(kinds()["disk_low"].act.en) == 1
    later = NOW + timedelta(days=1)
    sounded(engine, full(2), at=later)
    tell(engine, run_id=None, at=later)
    assert hook.sent[1]["title"] == "gongkai: 0 alerts, 1 over"
    assert events(engine) == ["opened", "delivered", "closed", "delivered"]


def test_what_was_not_taken_is_kept_and_tried_again(
    engine: sa.Engine, hook: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GONGKAI_NOTIFY", address(hook))
    hook.status = 500
    sounded(engine, full())
    for day in range(3):
        tell(engine, run_id=None, at=NOW + timedelta(days=day))
    assert events(engine) == ["opened", "undelivered"]
    (_, step) = transact(engine, lambda c: story(c, 1))
    assert step["note"] == "json://… did not take the message"
    hook.status = 200
    tell(engine, run_id=None, at=NOW + timedelta(days=30))
    assert events(engine) == ["opened", "undelivered", "delivered"]
    assert "hunter2" not in caplog.text


def test_an_address_that_hangs_holds_up_no_other(
    hook: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("storage.alerts.notify._PATIENCE_S", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        silent = f"json://hunter2@127.0.0.1:{deaf.getsockname()[1]}/"
        assert deliver([silent, address(hook)], Message("t", "b")) is None
    assert len(hook.sent) == 1
    assert "alerts went to other addresses only: json://… no answer in time" in caplog.text
    assert "hunter2" not in caplog.text


def test_what_portals_wrote_is_no_markup_and_no_line_of_its_own(engine: sa.Engine) -> None:
    hostile = "<img src=x>\n[9] New: forged\x1b[31m\u202e" + "长" * 900
    facts = {"where": hostile, "organ": hostile}
    sounded(engine, alarm("organ_unknown_new", hostile, facts))
    (event,) = transact(engine, lambda c: undelivered(c, NOW - timedelta(days=1)))
    body = message([event]).body
    assert body.count("\n[") == 1  # the second language's
    assert not set(body) & {"\x1b", "\u202e"}
    assert len(body) < 1500
    mails: list[Any] = []

    class Mail(apprise.plugins.base.NotifyBase):  # type: ignore[no-untyped-call]
        """Takes HTML, as mail does."""

        notify_format = apprise.NotifyFormat.HTML

        def send(self, body: str, *_: Any, **__: Any) -> bool:
            mails.append(body)
            return True

    sender = apprise.Apprise()
    sender.add(Mail())  # type: ignore[no-untyped-call]
    with patch("storage.alerts.notify._sender", lambda _: sender):
        assert deliver(["mailto://x"], message([event])) is None
    assert "<img" not in mails[0]
    assert "&lt;img" in mails[0]


def test_several_who_get_one_mail_are_one_address() -> None:
    several = "mailto://h?to=a@x.org,b@x.org,json://h/ ntfy://t, tgram://b"
    assert _addresses({"GONGKAI_NOTIFY": several}) == [
        "mailto://h?to=a@x.org,b@x.org", "json://h/", "ntfy://t", "tgram://b",
    ]  # fmt: skip


def test_no_address_and_no_known_one_harm_nobody(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounded(engine, full())
    monkeypatch.delenv("GONGKAI_NOTIFY", raising=False)
    tell(engine, run_id=None, at=NOW)
    assert events(engine) == ["opened"]
    monkeypatch.setenv("GONGKAI_NOTIFY", "nosuch://secret@x, gibberish")
    tell(engine, run_id=None, at=NOW)
    note = transact(engine, lambda c: story(c, 1))[-1]["note"]
    assert note == (
        "nosuch://… is no address that apprise knows; an address is no address that apprise knows"
    )


def test_a_rehearsal_tells_nobody_elsewhere(
    engine: sa.Engine, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a message to this machine go through the replica."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    sounded(engine, full())
    monkeypatch.setenv("GONGKAI_NOTIFY", "json://198.51.100.1/")
    tell(engine, run_id=None, at=NOW)
    assert events(engine) == ["opened"]
    monkeypatch.setenv("GONGKAI_NOTIFY", f"json://198.51.100.1/ {address(hook)}")
    tell(engine, run_id=None, at=NOW)
    assert len(hook.sent) == 1
    assert events(engine) == ["opened", "delivered"]


def test_without_apprise_it_says_which_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    failure = deliver(["json://127.0.0.1:9/"], message([]))
    assert failure == "json://… needs the extra `notify`: pip install -e '.[notify]'"


def test_the_feed_is_atom_with_names_that_stay(engine: sa.Engine) -> None:
    sounded(engine, full())
    first = transact(engine, feed)
    sounded(engine, at=NOW + timedelta(days=1))
    root = ElementTree.fromstring(transact(engine, feed))
    assert root.tag == f"{ATOM}feed"
    assert root.findtext(f"{ATOM}updated") == (NOW + timedelta(days=1)).isoformat()
    assert root.findtext(f"{ATOM}author/{ATOM}name") == "gongkai"
    names = [each.findtext(f"{ATOM}id") for each in root.iter(f"{ATOM}entry")]
    assert len(names) == len(set(names)) == 2
    (was,) = [e.findtext(f"{ATOM}id") for e in ElementTree.fromstring(first).iter(f"{ATOM}entry")]
    assert was == names[1]
    for entry in root.iter(f"{ATOM}entry"):
        assert all(entry.findtext(f"{ATOM}{name}") for name in ("id", "title", "updated"))
        assert "磁盘" in str(entry.findtext(f"{ATOM}content"))


def test_the_feed_is_xml_whatever_a_portal_wrote_and_leaves_no_half_file(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "]]>\x0b\ufffe\uffff &amp; <b>"
    facts = {"where": hostile, "organ": hostile}
    found = alarm("organ_unknown_new", hostile, facts, last_good=hostile)
    sounded(engine, replace(found, message=hostile))
    with engine.connect() as connection:
        write_feed(connection, tmp_path / FEED)
        content = ElementTree.parse(tmp_path / FEED).findtext(f".//{ATOM}content")
        assert str(content).startswith("]]>\ufffd\ufffd\ufffd &amp; <b>\n")
        monkeypatch.setattr(Path, "replace", Mock(side_effect=OSError(28, "No space left")))
        with pytest.raises(DirectoryError, match="No space left"):
            write_feed(connection, tmp_path / FEED)
    assert [path.name for path in tmp_path.iterdir() if FEED in path.name] == [FEED]


def test_the_figures_are_prometheus_and_whole(
    engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"page", reading("1", "2", "3", "4"))
    sounded(engine, full())
    # The run began when this test did; the ledger is asked later.
    at = datetime(2040, 1, 1, tzinfo=UTC)
    text = transact(engine, lambda c: exposition(c, settings, at)).decode()
    for line in (
        'gongkai_alerts{kind="disk_low",portal="",severity="critical",state="open"} 1.0',
        'gongkai_run_requests{outcome="ok",portal="tianshan"} 1.0',
        'gongkai_run_state{spider="urumqi_districts",state="complete"} 1.0',
        'gongkai_rows{table="captures"} 1.0',
        "gongkai_judged_timestamp_seconds 2.2089888e+09",
        'gongkai_due{portal="tianshan"} ',
        'gongkai_ledger_cells{portal="tianshan",state="unproven"}',
    ):
        assert line in text, line
    target = tmp_path / "gongkai.prom"
    monkeypatch.setenv("GONGKAI_METRICS", str(target))
    assert transact(engine, lambda c: write_metrics(c, settings, NOW)) is None
    assert 'gongkai_rows{table="reports"} 1.0' in target.read_text()
    assert [path.name for path in tmp_path.glob("gongkai.prom*")] == ["gongkai.prom"]


def test_the_explorer_shows_feed_and_figures(engine: sa.Engine, settings: Settings) -> None:
    sounded(engine, full())
    reader = open_for_reading(settings)
    assert reader is not None
    with TestClient(make_app(reader, settings)) as browser:
        shown = browser.get("/alerts.atom")
        assert shown.headers["content-type"].startswith("application/atom+xml")
        assert ElementTree.fromstring(shown.content).tag == f"{ATOM}feed"
        assert "gongkai_alerts{" in browser.get("/metrics").text
    reader.dispose()


def test_a_watch_leaves_alerts_feed_and_figures(engine: sa.Engine, settings: Settings) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"page", reading("1", "2", "3", "4"))
    assert watch(settings, engine, run_id=crawl.run_id, at=NOW) == []
    assert (settings.home / FEED).read_bytes().startswith(b"<?xml")
    assert "gongkai_rows" in (settings.home / "metrics.prom").read_text()
    assert transact(engine, lambda c: judge(c, settings, NOW)).alarms == ()


# --- the commands -------------------------------------------------------------------------------


def test_what_a_crawl_met_is_listed_told_acknowledged_and_closed(tmp_path: Path) -> None:
    wall = Answer(b"<script>document.cookie='__jsl_clearance=1'</script>", 412)
    with scripted(lambda _host, _target: wall) as host:
        operator = Operator(tmp_path, host.url)
        operator.crawl("urumqi_districts", portals="shuimogou")
    (alert,) = operator.ask("alerts")
    assert (alert["kind"], alert["portal"], alert["state"]) == ("blocked", "shuimogou", "open")
    number = str(alert["id"])
    assert alert["host"] == "www.xjsmgq.gov.cn"
    assert "拦截" in operator.archive("alerts").stdout
    assert operator.archive("acknowledge", number, "--by", "A. Clerk").returncode == 0
    assert operator.ask("alert", number)["state"] == "acknowledged"
    assert operator.archive("close", number, "--by", "A. Clerk", "--note", "asked").returncode == 0
    assert operator.ask("alerts") == []
    assert operator.archive("alerts").stdout == "Nothing is wrong.\n"
    # It is still so: whoever looks again sees it again.
    assert operator.archive("alerts", "--check").returncode == 0
    (again,) = operator.ask("alerts", "--kind", "blocked", "--portal", "shuimogou")
    assert (again["id"], again["state"], again["seen"]) == (alert["id"], "open", 2)
    steps = [step["event"] for step in operator.ask("alert", number)["story"]]
    assert steps == ["opened", "acknowledged", "closed", "reopened"]
    assert operator.archive("verify").returncode == 0
    wrong = operator.archive("alert", "99")
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "archive: there is no alert 99: `archive alerts --all` lists them\n",
    )
    assert operator.archive("alerts", "--kind", "nonsense").returncode == 2
    assert operator.archive("close", number, "--by", " ").returncode == 2


def test_a_judgement_that_fails_never_loses_the_run(tmp_path: Path) -> None:
    """The feed cannot be written: the run has ended all the same, and says so."""
    (tmp_path / FEED).mkdir()
    home = page(("/nb/nb/2024.htm", "水磨沟区2024年政府信息公开工作年度报告"))
    with scripted(lambda _h, target: home if target == "/" else Answer(b"", 404)) as host:
        operator = Operator(tmp_path, host.url)
        done = operator.crawl("urumqi_districts", portals="shuimogou")
    assert done.returncode == 1
    assert "run 1 not finished: " in done.stderr
    assert str(tmp_path / FEED) in done.stderr
    # What could be written was.
    assert (tmp_path / "metrics.prom").is_file()
    assert (tmp_path / "runs" / "1.txt").is_file()
    (run,) = operator.ask("runs")
    assert run["ended_at"] is not None
    assert operator.archive("verify").returncode == 0


def test_without_an_archive_there_is_nothing_to_say(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    assert operator.ask("alerts") == []
    assert operator.archive("alerts", "--check").returncode == 0
    assert not (tmp_path / "archive.sqlite").exists()


# --- a small form of python -m tests.thirty -----------------------------------------------------

SMALL = ("a wall (412) before every page", "a report is taken away", "published figures change")


@pytest.mark.parametrize("name", SMALL)
def test_a_planted_fault_is_told_once_closed_and_told_again(
    name: str, tmp_path: Path, sqlite_template: Path
) -> None:
    (fault,) = [each for each in FAULTS if each.name == name]
    outcome = tried(fault, tmp_path / "estate", sqlite_template)
    assert outcome.right, outcome


def test_clean_runs_are_silent(tmp_path: Path, sqlite_template: Path) -> None:
    assert clean_runs(tmp_path, sqlite_template, 10) == 0


def test_a_wall_says_nothing_about_what_is_missing_behind_it(
    tmp_path: Path, sqlite_template: Path
) -> None:
    """A report that was taken away is not back because nobody could look."""
    estate = Estate.make(tmp_path / "estate", sqlite_template, world())
    estate.nights(3)
    portal = estate.portals[0]
    portal.page(next(iter(portal.organs)), 2024).outcome = "client_error"
    estate.night()
    portal.answers = lambda _purpose, _url: "blocked"
    estate.nights(3)
    found = {alert["kind"]: alert["state"] for alert in transact(estate.engine, open_alerts)}
    assert found == {"blocked": "open", "report_removed": "open"}
    estate.engine.dispose()


def test_nights_without_any_start_are_noticed_by_whoever_looks(
    tmp_path: Path, sqlite_template: Path
) -> None:
    estate = Estate.make(tmp_path / "estate", sqlite_template, world())
    estate.nights(3)
    estate.rest(1)
    assert estate.check() == []
    estate.rest(5)
    (opened,) = estate.check()
    assert (opened.alert["kind"], opened.alert["state"]) == ("run_missed", "open")
    assert estate.check() == []
    assert [event.event for event in estate.night()] == ["closed"]
    estate.engine.dispose()


def test_every_class_has_a_planted_fault() -> None:
    assert {fault.kind for fault in FAULTS} == set(kinds())
    assert len(FAULTS) >= 30
