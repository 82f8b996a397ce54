"""Nothing personal and nothing withdrawn is in any answer, and no route is left out."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from random import Random
from typing import Any
from urllib.parse import quote, unquote

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.testclient import TestClient

from storage.capture.listings import Entry, Look, keep_look
from storage.care.withdrawals import Thing, restore, withdraw
from storage.database import open_for_reading
from storage.explorer.api.ways import BASE
from storage.explorer.app import make_app
from storage.explorer.replay import make_replay
from storage.readings.corrections import Entry as Correction
from storage.readings.corrections import correct_cell
from storage.settings import Settings
from tests.databases import (
    NOW,
    ON_POSTGRESQL,
    ON_SQLITE,
    TIANSHAN,
    Crawl,
    cells,
    exchange,
    key,
    reading,
)
from tests.personal.planted import card_number, identity_number
from tests.test_care import BUREAU, FIGURE, PAGE, SECRET, fill

# Nobody's. Of what `fill` plants, anything near: a sum of it and a small figure gives it away.
IDENTITY = identity_number(Random(11))
CARD = card_number(Random(11), "622202", 19)
NUMBERS = re.compile(rf"1390000\d{{4}}|{IDENTITY}|{IDENTITY[:17]}|{CARD}")
# Said by the edited version of the report and by nothing else.
EDITED = "请致电"
HIDDEN = {"page": PAGE, "title": SECRET, "figure": FIGURE, "prose": EDITED}
REPORTS = {"a": (TIANSHAN, 2019), "b": (BUREAU, 2020), "c": (BUREAU, 2021)}
CELLS = ("applications.granted.total", "art20.item1.regulations.made")
OTHER = "http://www.xjtsq.gov.cn/list.htm"
HUB = f"""<html><head><title>电话13900002000</title></head><body><p onclick=x>身份证{IDENTITY}</p>
<a href="{PAGE}">{SECRET}</a><map><area href="{PAGE}" alt="{IDENTITY}"></map><img src="{PAGE}"
alt="银行卡{CARD}" title="{PAGE}"><p style="background:url({PAGE})">{PAGE}</p></body></html>"""


def packed(names: Mapping[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, body in names.items():
            file.writestr(name, body)
    return held.getvalue()


WORDS = packed({"word/document.xml": f"<w:t>{IDENTITY}</w:t>".encode()})
FILES = {
    "inner.zip": packed({"a.docx": WORDS}),
    "names.zip": packed({"张某13900002001.txt": b"x"}),
    "wide.txt": f"身份证{IDENTITY}".encode("utf-16-le"),
    "plain.rtf": f"{{\\rtf1 {IDENTITY}}}".encode(),
}


def plant(engine: sa.Engine, settings: Settings) -> None:
    """`fill`, and numbers of the other kinds where text from outside gets into since."""
    fill(engine, settings)
    plain = reading("1", "2", "0", "3")
    read = replace(
        plain,
        cells=(replace(cells("1", "2", "0", "3")[0], raw=IDENTITY, value=Decimal(17)),
               *plain.cells[1:]),
        sections=(("一、总体情况", f"身份证{IDENTITY}，银行卡{CARD}。"),),
    )  # fmt: skip
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"c", read, report=key(BUREAU, 2021, "department"),
                   url=f"http://h/a.htm?sfz={IDENTITY}", title=f"身份证{IDENTITY}",
                   published=f"卡{CARD}")  # fmt: skip
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Id: {IDENTITY}\r\n\r\n"
        crawl.capture(exchange(HUB.encode(), OTHER, head=head.encode()))
        moved = f"HTTP/1.1 302 Found\r\nLocation: {PAGE}\r\n\r\n".encode()
        crawl.capture(exchange(b"", "http://h/moved", 302, moved), "redirect")
        css = f"/* {IDENTITY} {PAGE} */ p{{background:url({PAGE})}}"
        styled = b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\n\r\n"
        crawl.capture(exchange(css.encode(), "http://www.xjtsq.gov.cn/a.css", head=styled))
        for name, body in FILES.items():
            odd = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
            crawl.capture(exchange(body, f"http://www.xjtsq.gov.cn/{name}", head=odd))
        looked = Look(
            portal="tianshan", url=OTHER, title=f"年报{IDENTITY}", annual=True,
            trail=("公开13900002002",), depth=1, run_id=crawl.run_id, read_at=crawl.now(),
            scope="whole", verdict="incomplete", rule="odd", reason=f"at {PAGE} {IDENTITY}",
            pages=1, declared_total=None, declared_pages=None, captures=(6,),
            entries=(Entry(PAGE, f"{SECRET}{IDENTITY}", "2020-03-06", True),),
        )  # fmt: skip
    with engine.begin() as connection:
        keep_look(connection, looked)
        why = Correction("me", f"来人身份证{IDENTITY}", f"卡{CARD}", NOW)
        correct_cell(connection, 3, CELLS[0], "7", why)


# --- the routes ----------------------------------------------------------------------------------


def paths(routes: list[BaseRoute], before: str = "") -> Iterator[str]:
    for route in routes:
        path = before + route.path  # type: ignore[attr-defined]
        if isinstance(route, Mount) and route.routes:
            yield from paths(route.routes, path)
        else:
            yield path


def _of_reports(pattern: str, *more: str) -> list[str]:
    """A route of a report, of every report; of the first with each of these questions."""
    filled = [
        re.sub(r"\{division\w*\}", "650102", pattern)
        .replace("{organ:path}", quote(organ)).replace("{organ}", quote(organ))
        .replace("{year}", str(year)).replace("{version}", number)
        .replace("{path}", cell).replace("{cell}", cell)
        for (organ, year), number in zip(REPORTS.values(), "234", strict=True)
        for cell in (CELLS if re.search(r"\{(path|cell)\}", pattern) else CELLS[:1])
    ]  # fmt: skip
    return [*filled, *(f"{filled[0]}{question}" for question in more)]


THEN = ("?as_of=2026-03-06", "?as_of=2026-03-07&basis=published")
_PLACES = (f"{TIANSHAN}/2019@1", f"{TIANSHAN}/2019@2", f"{BUREAU}/2020", f"{BUREAU}/2021")
_SIDES = [f"left={quote(_PLACES[1])}&right={quote(each)}" for each in (_PLACES[0], *_PLACES[2:])]
_CAPTURES = range(1, 13)
# Route of the explorer → the addresses under it.
EXPLORER: dict[str, list[str]] = {
    "/": ["/", "/?lang=en"],
    "/about": ["/about"],
    "/alerts": ["/alerts", "/alerts?which=all"],
    "/alerts/{alert}": ["/alerts/1", "/alerts/9"],
    "/alerts.atom": ["/alerts.atom"],
    "/metrics": ["/metrics"],
    "/api": ["/api"],
    "/captures/{id}": [f"/captures/{number}" for number in _CAPTURES],
    "/changes": ["/changes", "/changes?since=2019-01-01&lang=en"],
    "/coverage": ["/coverage", f"/coverage{THEN[0]}"],
    "/diff": [f"/diff?{sides}" for sides in _SIDES],
    "/findings": ["/findings", "/findings?rule=S1", "/findings?rule=year&lang=en"],
    "/runs": ["/runs"],
    "/runs/{run}": ["/runs/1", "/runs/2?lang=en"],
    "/search": [f"/search?q={quote(word)}" for word in ("张某", "年度", "身份证")],
    "/static/htmx.js": ["/static/htmx.js"],
    "/static": ["/static/style.css", "/static/nothing"],
    BASE: [BASE],
    **{
        each: _of_reports(each, *more)
        for each, *more in (
            ("/cells/{division}/{organ:path}/{year}/{path}", THEN[0]),
            ("/export/reports/{division}/{organ:path}/{year}.json", "?version=2", THEN[0]),
            ("/export/reports/{division}/{organ:path}/{year}.csv", "?version=2"),
            ("/ledger/{division}/{organ:path}/{year}",),
            ("/organs/{division}/{organ:path}",),
            ("/organs/{division}/{organ:path}/series/{cell}.svg",),
            ("/reports/{division}/{organ:path}/{year}", "?version=1", "?version=2", THEN[1]),
        )
    },
}
# Of the API; those that are not here are asked by their own examples.
API: dict[str, list[str]] = {
    "/": ["/"],
    "/openapi.json": ["/openapi.json"],
    "/alerts/{alert_id}": ["/alerts/1"],
    "/captures/{capture_id}": [f"/captures/{number}" for number in _CAPTURES],
    "/changes": [f"/changes?since=2019-01-01&until=2026-12-31{more}" for more in ("", "&limit=1")],
    "/diff": [f"/diff?{sides}" for sides in _SIDES],
    "/findings": ["/findings", "/findings?limit=1"],
    "/outliers": [f"/outliers?division=650102&cell={cell}" for cell in CELLS],
    "/copies": ["/copies?division=650102"],
    "/carry-over": ["/carry-over?division=650102"],
    "/runs/{run_id}": ["/runs/1", "/runs/2"],
    "/search": [f"/search?words={quote(word)}" for word in ("张某", "年度", "身份证")],
    "/series": [f"/series?cell={cell}" for cell in CELLS],
    "/sums": [f"/sums?cell={cell}&by={by}" for cell in CELLS for by in ("division", "kind")],
    **{
        each: _of_reports(each)
        for each in (
            "/cells/{division_code}/{organ}/{year}/{path}",
            "/ledger/{division_code}/{organ}/{year}",
            "/organs/{division_code}/{organ}",
            "/reports/{division_code}/{organ}/{year}",
            "/reports/{division_code}/{organ}/{year}/versions",
            "/reports/{division_code}/{organ}/{year}/versions/{version}",
        )
    },
    **{
        each: [each]
        for each in (
            *("/alerts", "/checks", "/corrections", "/coverage", "/divisions"),
            *("/ledger", "/missing", "/organs", "/reports", "/runs"),
        )
    },
}
_HERE = [f"?url={quote(each, safe='')}" for each in (OTHER, "http://www.xjtsq.gov.cn/a.css")]
REPLAY: dict[str, list[str]] = {
    "/replay.css": ["/replay.css"],
    "/captures/{id}": [f"/captures/{number}" for number in _CAPTURES],
    "/captures/{id}/page": [f"/captures/{number}/page" for number in (1, 2, 4, 6, 7, 8)],
    "/captures/{id}/image": ["/captures/3/image"],
    "/captures/{id}/file": [f"/captures/{number}/file" for number in (1, 3, 9, 10, 11, 12)],
    **{path: [path.replace("{id}", "6") + here for here in _HERE]
       for path in ("/nearest/{id}", "/image/{id}", "/style/{id}")},
}  # fmt: skip
ROUTES = {"explorer": EXPLORER | {f"{BASE}{path}": [f"{BASE}{each}" for each in asked]
                                  for path, asked in API.items()},
          "replay": REPLAY}  # fmt: skip


@dataclass(frozen=True)
class Served:
    """The archive as `archive serve` opens it, and the engine that writes to it."""

    writing: sa.Engine
    clients: Mapping[str, TestClient]

    def walk(
        self, told: Mapping[str, Any] | None = None, only: str = ""
    ) -> Iterator[tuple[str, Any]]:
        """Every address with its answer; `told`: what a browser has of it since an earlier walk,
        `only`: a pattern of addresses.
        """
        for name, routes in ROUTES.items():
            for address in (address for asked in routes.values() for address in asked):
                if not re.search(only, address):
                    continue
                known = (told or {}).get(f"{name} {address}")
                tag = known.headers.get("etag", "") if known is not None else ""
                asked = {"If-None-Match": tag} if tag else {}
                answer = self.clients[name].get(address, headers=asked)
                yield f"{name} {address}", known if answer.status_code == 304 else answer


@pytest.fixture
def served(engine: sa.Engine, settings: Settings) -> Iterator[Served]:
    plant(engine, settings)
    reading_only = open_for_reading(settings)
    assert reading_only is not None
    apps = _apps(reading_only, settings)
    clients = {
        name: TestClient(app, follow_redirects=False, headers={"Accept-Language": "zh"})
        for name, app in apps.items()
    }
    with clients["explorer"], clients["replay"]:
        yield Served(engine, clients)
    reading_only.dispose()


def _apps(engine: sa.Engine, settings: Settings) -> dict[str, Starlette]:
    return {
        "explorer": make_app(engine, settings, replay="http://replay.test"),
        "replay": make_replay(engine, settings, explorer="http://explorer.test"),
    }


def said(answer: Any) -> str:
    """All that a reader of the answer can find in it, however it is written."""
    body = answer.content
    texts = [body.decode("utf-8", "replace"), body.decode("utf-16-le", "replace")]
    if body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(body)) as held:
            texts += [*held.namelist(), *(held.read(name).decode("utf-8", "replace")
                                          for name in held.namelist())]  # fmt: skip
    plain = "\n".join([*texts, *(f"{name}: {value}" for name, value in answer.headers.items())])
    return "\n".join((plain, unescape(plain), unquote(plain)))


def act(served: Served, how: Callable[..., None], thing: Thing) -> None:
    with served.writing.begin() as connection:
        how(connection, thing, "me", f"法院决定{IDENTITY}", datetime(2026, 4, 1, tzinfo=UTC))


# --- the walk ------------------------------------------------------------------------------------


def test_every_route_is_walked() -> None:
    nowhere = sa.create_engine("sqlite://")
    apps = _apps(nowhere, Settings(database_url="sqlite://"))
    for name, app in apps.items():
        assert set(paths(list(app.routes))) == ROUTES[name].keys(), name


# Of a part of a report, what it is shown by.
_PARTS = (
    "^/(reports|export|captures|nearest|style|diff|search)|api/v1/(diff|search|reports|captures)"
)


@ON_SQLITE
def test_nothing_personal_or_withdrawn_is_in_any_answer(served: Served) -> None:
    before = dict(served.walk())
    assert [(address, fault) for address, each in before.items() for fault in _faults(each)] == []
    assert _found(before, HIDDEN) == set(HIDDEN)
    act(served, withdraw, Thing(report_id=1))
    after = dict(served.walk(before))
    assert [(address, fault) for address, each in after.items() for fault in _faults(each)] == []
    assert _places(after, HIDDEN) == []
    act(served, restore, Thing(report_id=1))
    for thing, hidden in ((Thing(version_id=2), ["prose"]), (Thing(url=PAGE), [*HIDDEN])):
        act(served, withdraw, thing)
        assert _places(dict(served.walk(before, _PARTS)), hidden) == [], thing
        act(served, restore, thing)
    for address, answer in served.walk(after, "^/(reports|captures)/"):
        assert answer.status_code == before[address].status_code, address
    _nothing_is_learned_by_searching(served.clients["explorer"])


@ON_POSTGRESQL
def test_nothing_is_on_postgresql(served: Served) -> None:
    before = dict(served.walk(only=_PARTS))
    act(served, withdraw, Thing(report_id=1))
    told = dict(served.walk(before))
    assert [(address, fault) for address, each in told.items() for fault in _faults(each)] == []
    assert _places(told, HIDDEN) == []


def _nothing_is_learned_by_searching(explorer: TestClient) -> None:
    """Whoever has a number, or a part of one, does not learn that it is here."""
    for number in (IDENTITY, CARD, "13900001005", "1390000", IDENTITY[6:14]):
        page = explorer.get("/search", params={"q": number})
        assert (page.status_code, "<mark>" in page.text) == (200, False), number
        told = explorer.get(f"{BASE}/search", params={"words": number})
        assert told.json()["data"] == [], number


def _found(told: Mapping[str, Any], hidden: Iterable[str]) -> set[str]:
    return {name for name, _ in _places(told, hidden)}


def _places(told: Mapping[str, Any], hidden: Iterable[str]) -> list[tuple[str, str]]:
    texts = {address: said(answer) for address, answer in told.items()}
    return [(name, each) for each, text in texts.items() for name in hidden if HIDDEN[name] in text]


def _faults(answer: Any) -> Iterator[str]:
    headers = answer.headers
    if found := NUMBERS.search(said(answer)):
        yield f"holds {found[0]}"
    kept = headers.get("cache-control", "")
    for fault, is_so in {
        f"status {answer.status_code}": answer.status_code >= 500,
        "cookie": "set-cookie" in headers,
        "policy": "default-src 'none'" not in headers.get("content-security-policy", ""),
        "sniffing": headers.get("x-content-type-options") != "nosniff",
        "cache": not re.search("no-cache|no-store", kept),
        "leads elsewhere": not re.match("/(?!/)", headers.get("location", "/x")),
    }.items():
        if is_so:
            yield fault
