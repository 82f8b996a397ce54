"""The API under fire: `python -m tests.api_fuzz`.

Generated cases by schemathesis, made from the OpenAPI document, against the API in this process;
then a corpus of injections and paths against every parameter and every part of a path. The archive
holds withdrawn and personal things, and nothing of them may be in any answer; database and files
must be the same to the byte afterwards. Exit code 1 where it is not so. `--part 2/5`: every fifth
resource, where all takes too long.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import schemathesis
import sqlalchemy as sa
from schemathesis.config import SchemathesisConfig
from schemathesis.core.errors import IncorrectUsage
from schemathesis.engine import events, from_schema
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import Message

from storage.care.withdrawals import Thing, withdraw
from storage.database import open_for_reading
from storage.explorer.api import Access, make_api
from storage.explorer.api.declare import Endpoint
from storage.explorer.api.resources import endpoints
from storage.explorer.api.ways import BASE
from storage.schema import metadata
from storage.settings import Settings
from tests.databases import NOW, TIANSHAN, Crawl, key, reading
from tests.stocked import stocked
from tests.test_care import SECRET, fill, planted

MOST_SECONDS = 5.0
LEAST_CASES = 2000
TOKEN = "a-token-of-this-proof"
# Of what was withdrawn, and of a file that lies beside the database.
HIDDEN = "撤下之文甲乙丙丁"
BESIDE = "lies-beside-the-database"
_FILES = re.compile(rf"root:[^:]*:0:0|SQLite format 3|WARC/1\.|\[build-system\]|{BESIDE}")
_BROKEN = re.compile(r"Traceback|sqlalchemy|sqlite3?\.|psycopg|syntax error|OperationalError", re.I)


@dataclass
class Score:
    """What was asked, and what should not have been answered."""

    cases: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def fault(self, kind: str, said: str) -> None:
        self.cases[f"fault: {kind}"] += 1
        self.faults.append(f"{kind}: {said}")


# --- the archive --------------------------------------------------------------------------------


def stock(settings: Settings, reports: int = 14) -> None:
    """Reports as they are, one with numbers of persons everywhere, and withdrawn ones."""
    engine = stocked(settings, 0)
    fill(engine, settings)
    with Crawl(engine, settings.warc_directory) as crawl:
        for year in (2015, 2016):
            crawl.page(
                HIDDEN.encode(),
                reading("1", "2", "3", "4"),
                report=key(year=year),
                url=f"http://www.xjtsq.gov.cn/info/3168/hidden{year}.htm",
                title=f"{HIDDEN}{year}",
            )
    engine.dispose()
    engine = stocked(settings, reports, kinds=("docx",))
    with engine.begin() as connection:
        things = [Thing(report_id=_report(connection, 2015))]
        things.append(Thing(url="http://www.xjtsq.gov.cn/info/3168/hidden2016.htm"))
        for thing in things:
            withdraw(connection, thing, "me", "法院决定", NOW)
    engine.dispose()
    (settings.home / "secret.txt").write_text(BESIDE)


def _report(connection: sa.Connection, year: int) -> int:
    query = sa.text("SELECT id FROM reports WHERE year = :year AND organ_id = 1")
    return int(connection.execute(query, {"year": year}).scalar_one())


def digest(engine: sa.Engine, home: Path) -> str:
    """Of every row and every file."""
    told = sha256()
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            order = list(table.primary_key.columns) or list(table.columns)
            for row in connection.execute(sa.select(table).order_by(*order)):
                told.update(repr(row).encode())
    for path in sorted(home.rglob("*")):
        # SQLite's shared memory tells who reads.
        if path.is_file() and not path.name.endswith("-shm"):
            told.update(path.name.encode() + path.read_bytes())
    return told.hexdigest()


def served(engine: sa.Engine, settings: Settings, token: str | None = None) -> Starlette:
    """The API where the explorer mounts it, without a limit."""
    api = make_api(engine, settings, replay="http://127.0.0.1:9", access=Access(token, 0))
    return Starlette(routes=[Mount(BASE, api)])


# --- generated cases ----------------------------------------------------------------------------


def generated(
    app: Starlette,
    score: Score,
    examples: int,
    resources: Sequence[Endpoint],
    token: str | None = None,
) -> None:
    """Every phase of schemathesis with every check; `token`: the document asks for it."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    config = SchemathesisConfig.from_dict(
        {
            "headers": headers,
            "generation": {
                "mode": "all",
                "max-examples": examples,
                "deterministic": True,
                "database": "none",
            },
            "phases": {"stateful": {"enabled": False}},
            "checks": {
                # Withdrawn things are there and well asked for.
                "positive_data_acceptance": {
                    "expected-statuses": ["2xx", "304", "401", "404", "410"]
                }
            },
        }
    )
    path = f"{BASE}/openapi.json"
    whole = schemathesis.openapi.from_asgi(path, app, config=config, headers=headers)
    schema = whole.include(path=[each.path for each in resources])
    following = dict(_following(app, resources, headers))

    @schemathesis.hook
    def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
        """What the document's types cannot say: cursors are given, days are of the calendar, words
        are words."""
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return
        for name in ("as_of", "since", "until"):
            if re.match(r"[0-9]{4}-[0-9]{2}-(29|30|31)", str(case.query.get(name, ""))):
                case.query[name] = "2024-02-29"
        if "words" in case.query:
            case.query["words"] = "公开"
        # A cursor goes on with the question it was given for, and with no other.
        if "cursor" in case.query and "{" in case.operation.path:
            del case.query["cursor"]
        elif "cursor" in case.query:
            case.query = dict(following.get(case.operation.path, {}))

    try:
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished | events.FuzzScenarioFinished):
                _judge(event.recorder, score)
            elif isinstance(event, events.NonFatalError):
                score.fault("exception", f"{event.label}: {event.value}")
            elif isinstance(event, events.FatalError):
                raise event.exception
    finally:
        GLOBAL_HOOK_DISPATCHER.unregister(before_call)


def _following(
    app: Starlette, resources: Sequence[Endpoint], headers: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Path → the question of its second page, where it has one."""
    with TestClient(app, headers=dict(headers)) as client:
        for each in resources:
            if each.cursor:
                following = client.get(harmless(each, {"limit": "1"})).json().get("next")
                if following:
                    yield each.path, dict(parse_qsl(urlsplit(following).query))


def _judge(recorder: Any, score: Score) -> None:
    for interaction in recorder.interactions.values():
        response = interaction.response
        if response is not None:
            score.cases[f"generated {response.status_code}"] += 1
            _leaks(response.content.decode("utf-8", "replace"), interaction.request.uri, score)
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                info = check.failure_info
                score.fault(
                    check.name,
                    f"{recorder.label}: {info.failure.title}: {info.failure.message[:500]} "
                    f"{info.code_sample}",
                )


def _leaks(body: str, asked: str, score: Score) -> None:
    """Nothing withdrawn, personal, of a file or of our insides is in an answer."""
    for secret in (HIDDEN, *planted().values()):
        if secret in body:
            score.fault("leak", f"{secret} at {asked}")
    if _FILES.search(body) or _BROKEN.search(body):
        score.fault("insides", f"{asked}: {body[:200]}")


# --- our own corpus -----------------------------------------------------------------------------


def corpus() -> list[str]:
    """Strings that some program somewhere took for more than text; nothing of ours is so named."""
    ends = ("--", "-- -", "#", "/*", ";", "")
    logic = ("OR 1=1", "OR 'a'='a", "AND 1=0 UNION SELECT NULL", "OR EXISTS(SELECT 1)", "|| 'x'")
    sql = [
        f"zq{mark} {word} {end}" for mark, word, end in product(("'", '"', "')", ""), logic, ends)
    ]
    sql += [
        "'; DROP TABLE reports; --",
        "1; DELETE FROM organs",
        "'; UPDATE organs SET name='x'; --",
        "'; ATTACH DATABASE '/tmp/x.sqlite' AS x; --",
        "1' AND randomblob(900000000) --",
        "'; SELECT pg_sleep(9); --",
        "1 OR SLEEP(9)",
        "' UNION SELECT sql FROM sqlite_master --",
        "' UNION SELECT table_name FROM information_schema.tables --",
        "' UNION SELECT usename FROM pg_user --",
        "'; COPY reports TO '/tmp/x'; --",
        "'; PRAGMA query_only=OFF; --",
        "' || load_extension('x') || '",
        "' || (SELECT name FROM organs LIMIT 1) || '",
        "zq%' ESCAPE '%",
        "%", "_", "%%", "zq%", "[^z]", "zq\\", "zq\\'", "\\", "''", "'", '"', "`", "$$", "$1",
        ":year", "?1", "{0}", "{organ}", "%s", "%(year)s", "%00", "zq%00",
        "{{7*7}}", "${7*7}", "<%= 7*7 %>",
        "zq* OR *", '"zq" OR "a"*', "NEAR(a b)", "title:zq", "^zq", "-zq", "zq NOT a", "(", ")",
        "zq AND",
        "a & b", "a | !b", "a <-> b", "zq:*",
    ]  # fmt: skip
    up = ("../", "..\\", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%252f", "....//", "..;/", "..%c0%af",
          "．．／")  # fmt: skip
    aims = ("etc/passwd", "archive.sqlite", "secret.txt", "pyproject.toml", "proc/self/environ",
            "warc")  # fmt: skip
    paths = [climb * depth + aim for climb, depth, aim in product(up, (1, 3, 8), aims)]
    paths += [
        "/etc/passwd", "file:///etc/passwd", "file:archive.sqlite?mode=rw", "C:\\boot.ini",
        "\\\\host\\share", "/dev/zero", "/proc/self/fd/0", ".", "..", "./.", "~root", "CON",
        "nul.txt", "http://127.0.0.1:9/", "//127.0.0.1/", "secret.txt\u0000.json", "zq\u0000",
        "zq\r\nX-Evil: 1",
        "zq\nSet-Cookie: a=b", "\u202ezq", "\ufeffzq", "zq\u2028", "\ud7ff", "\U0001f600" * 30,
        "z" * 5000, "９" * 20, "-1", "0", "1e9", "0x10", "99999999999999999999", "NaN", "Infinity",
        "true", "null", "[]", "{}", "[object Object]", "1.5", "１", "٣", " 2019", "2019 ", "+2019",
        "<script>alert(1)</script>", "<!--#exec cmd='id'-->", "$(id)", "`id`", "|id", ";id", "&id",
        "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    ]  # fmt: skip
    return list(dict.fromkeys([*sql, *paths]))


def harmless(endpoint: Endpoint, asked: Mapping[str, str], raw: str | None = None) -> str:
    """The address of a question with a good answer, changed by `asked`; `raw`: of a path, as is."""
    good = {"division_code": "650102", "organ": TIANSHAN, "year": "2019"}
    path = endpoint.path
    for name in endpoint.in_path:
        value = asked.get(name, good.get(name, str(endpoint.every[name].example)))
        text = raw if raw is not None and name in asked else quote(value, safe="")
        path = path.replace(f"{{{name}}}", text)
    query = {n: str(p.example) for n, p in endpoint.every.items() if p.required}
    query |= {name: value for name, value in asked.items() if name not in endpoint.in_path}
    query = {name: value for name, value in query.items() if name not in endpoint.in_path}
    return f"{BASE}{path}" + (f"?{urlencode(query)}" if query else "")


async def attacked(app: Starlette, score: Score, resources: Sequence[Endpoint]) -> None:
    """Each string of the corpus as each parameter of each resource."""
    for endpoint in resources:
        for name, string in product(endpoint.every, corpus()):
            # Some of it stands in reports and is rightly found; not beside what stands in none.
            word = f"zqzq {string}" if name == "words" else string
            await _attack(app, harmless(endpoint, {name: word}), score)
            if name in endpoint.in_path:
                # As it stands: slashes of its own make other paths of it.
                raw = quote(word, safe="%/;.\\")
                await _attack(app, harmless(endpoint, {name: word}, raw), score)
    for word in corpus():
        await _attack(app, f"{BASE}/coverage?{quote(word, safe='')}=1", score)
        await _attack(app, f"{BASE}/{quote(word, safe='%/;.')}", score)


async def _attack(app: Starlette, address: str, score: Score) -> None:
    began = time.monotonic()
    status, headers, body = await get(app, address)
    score.cases[f"corpus {status}"] += 1
    if time.monotonic() - began > MOST_SECONDS:
        score.fault("slow", address)
    if status >= 500 or 300 <= status < 400:
        score.fault("status", f"{status} {address}")
    for name, value in headers:
        if name in ("x-evil", "set-cookie"):
            score.fault("header", f"{name}: {value} at {address}")
    if status == 404 and "\n" in unquote(address):
        # A path of two lines is none of the API's: who mounts it answers.
        return
    told = json.loads(body)
    if status != 200:
        _said(told, address, score)
        return
    _leaks(body, address, score)
    # No such thing is in the archive: whoever asks for it gets no row.
    if told.get("data"):
        score.fault("rows", address)


async def get(app: Starlette, address: str) -> tuple[int, list[tuple[str, str]], str]:
    """Asked as a server hands it on: no client has tidied the path up. A fault is a 500."""
    path, _, query = address.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault to be counted
        return 500, [], json.dumps({"type": repr(error)})
    headers = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
    return sent[0]["status"], headers, b"".join(each.get("body", b"") for each in sent[1:]).decode()


def _said(problem: Mapping[str, Any], address: str, score: Score) -> None:
    if not str(problem.get("type", "")).startswith("/api#"):
        score.fault("problem", f"{problem} at {address}")
    for secret in (HIDDEN, SECRET, BESIDE, *planted().values()):
        if secret in str(problem):
            score.fault("leak", f"{secret} at {address}")


# --- the proof ----------------------------------------------------------------------------------


def prove(home: Path, examples: int, resources: Sequence[Endpoint]) -> Score:
    """All of it on a new archive in `home`."""
    settings = Settings(home=home, database_url=None)
    stock(settings)
    engine = open_for_reading(settings)
    if engine is None:
        raise IncorrectUsage("no archive was made")
    score = Score()
    before = digest(engine, home)
    generated(served(engine, settings), score, examples, resources)
    generated(served(engine, settings, TOKEN), score, max(2, examples // 10), resources, TOKEN)
    asyncio.run(attacked(served(engine, settings), score, resources))
    if digest(engine, home) != before:
        score.fault("changed", "the archive is not what it was before")
    engine.dispose()
    return score


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=12, help="generated cases a resource")
    parser.add_argument("--part", default="1/1", help="every M-th resource from the N-th: N/M")
    asked = parser.parse_args()
    part, parts = map(int, asked.part.split("/"))
    began = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="gongkai-api-"))
    try:
        score = prove(home, asked.examples, endpoints()[part - 1 :: parts])
    finally:
        shutil.rmtree(home)
    cases = sum(n for name, n in score.cases.items() if name.startswith("generated"))
    for name, count in sorted(score.cases.items()):
        print(f"{name:40} {count:7}")
    for fault in score.faults[:20]:
        print(fault)
    print(
        f"{cases} generated cases, {len(corpus())} strings of the corpus, "
        f"{len(score.faults)} faults, {time.monotonic() - began:.0f} s"
    )
    return 1 if score.faults or cases * parts < LEAST_CASES else 0


if __name__ == "__main__":
    sys.exit(main())
