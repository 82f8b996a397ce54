"""What an operator gets wrong is answered in one line that names the thing and the cure."""

from __future__ import annotations

import random
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.database import make_engine
from tests.crawling import BIN, ROOT, Operator
from tests.replica import Replica, World
from tests.scripted import Answer, page, scripted

NOBODY = "http://127.0.0.1:9"


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Not started, and one line on stderr that holds these words."""
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_an_unknown_portal_key_names_the_known_ones(tmp_path: Path) -> None:
    done = Operator(tmp_path, NOBODY).crawl("urumqi_districts", portals="tianshan,tianshang")
    refused(done, "'tianshang'", "tianshan", "midong")


def test_an_unknown_argument_is_not_taken_for_all_portals(tmp_path: Path) -> None:
    refused(Operator(tmp_path, NOBODY).crawl("urumqi_districts", portal="tianshan"), "'portal'")


def test_a_proxy_without_a_scheme_is_refused(tmp_path: Path) -> None:
    refused(Operator(tmp_path, "127.0.0.1:9").crawl("urumqi_districts"), "http://127.0.0.1:9")


def test_an_unknown_spider_names_the_known_ones(tmp_path: Path) -> None:
    refused(Operator(tmp_path, NOBODY).crawl("urumchi"), "urumqi_districts", "urumqi_city")


def test_a_replica_that_is_not_running_is_named_with_its_command(tmp_path: Path) -> None:
    done = Operator(tmp_path, NOBODY).crawl("urumqi_districts")
    refused(done, NOBODY, "python -m tests.replica")


def test_a_live_crawl_without_contact_does_not_start(tmp_path: Path) -> None:
    done = Operator(tmp_path, contact="", pace="").crawl("urumqi_districts")
    refused(done, "GONGKAI_CONTACT")
    assert not list(tmp_path.iterdir())


def test_a_pace_without_a_replica_does_not_start(tmp_path: Path) -> None:
    refused(Operator(tmp_path, pace="0.05").crawl("urumqi_districts"), "GONGKAI_PACE", "HTTP_PROXY")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text + "broken =\n", ("tianshan.toml", "not TOML")),
        (lambda text: text + 'colour = "red"\n', ("tianshan.toml", "colour")),
        (lambda text: text.replace('"vsb"', '"vbs"'), ("tianshan.toml", "cms", "vsb")),
        (lambda text: text.replace('"650102"', '"990102"'), ("tianshan.toml", "division_code")),
    ],
)
def test_a_wrong_portal_file_stops_every_command_that_needs_it(
    tmp_path: Path, change: Callable[[str], str], words: tuple[str, ...]
) -> None:
    checkout = tmp_path / "checkout"
    for part in ("crawler", "storage", "migrations"):
        shutil.copytree(ROOT / part, checkout / part)
    shutil.copy(ROOT / "scrapy.cfg", checkout)
    file = checkout / "crawler" / "portals" / "urumqi" / "tianshan.toml"
    file.write_text(change(file.read_text("utf-8")), "utf-8")
    operator = Operator(tmp_path / "home", NOBODY)
    for command in (["crawl", "urumqi_districts"], ["portals"]):
        done = subprocess.run(
            [BIN / "scrapy", *command],
            cwd=checkout,
            env=operator.environment() | {"PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        refused(done, *words)


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    # Root may write anywhere, but nobody can make a folder below a file.
    (tmp_path / "file").write_text("in the way")
    with Replica(World.base()) as replica:
        done = Operator(tmp_path / "file" / "home", replica.url).crawl("urumqi_districts")
    refused(done, str(tmp_path / "file" / "home"), "GONGKAI_HOME")


def test_a_database_of_a_newer_schema_is_left_alone(tmp_path: Path, database_url: str) -> None:
    engine = make_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with Replica(World.base()) as replica:
        operator = Operator(tmp_path, replica.url, database_url)
        refused(operator.crawl("urumqi_districts"), "9999", "checkout")
    refused(operator.archive("coverage"), "9999", "checkout")


def test_a_database_nobody_serves_is_named_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://keeper:secret@127.0.0.1:9/gongkai"
    with Replica(World.base()) as replica:
        done = Operator(tmp_path, replica.url, url).crawl("urumqi_districts")
    refused(done, "127.0.0.1:9")
    assert "secret" not in done.stderr


def test_an_archive_that_is_not_there_answers_with_a_sentence(tmp_path: Path) -> None:
    operator = Operator(tmp_path / "nothing", pace="")
    for question in ("coverage", "findings", "runs"):
        done = operator.archive(question)
        assert done.returncode == 0
        assert len(done.stdout.strip().splitlines()) == 1
        assert "empty" in done.stdout
    assert not (tmp_path / "nothing").exists()


def test_a_full_disk_stops_the_crawl_and_says_so(tmp_path: Path, database_url: str) -> None:
    def answer(host: str, target: str) -> Answer:
        if target == "/robots.txt":
            return Answer(b"", 404)
        if target.startswith("/channel"):
            noise = random.Random(target).randbytes(200_000)  # does not compress away
            return Answer(noise, headers={"Content-Type": "text/html"})
        return page(*((f"/channel{number}", "政府信息公开年报") for number in range(40)))

    with scripted(answer) as host:
        operator = Operator(tmp_path, host.url, database_url)
        done = subprocess.run(
            [BIN / "scrapy", "crawl", "urumqi_districts", "-a", "portals=shuimogou"],
            cwd=ROOT,
            env=operator.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
        )
    assert done.returncode == 3
    assert "room" in done.stderr or "space" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert len(host.asked) < 40
