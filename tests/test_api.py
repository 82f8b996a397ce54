"""The API: the answers of everywhere else, cursors that hold, errors that stay, nothing more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter
from typing import Any

import pytest
import schemathesis
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from storage.care.withdrawals import Thing, withdraw
from storage.database import ROOT, open_for_reading
from storage.errors import SettingsError
from storage.explorer.api import Access, make_api
from storage.explorer.api.access import Buckets
from storage.explorer.api.cursors import cut
from storage.explorer.api.declare import words
from storage.explorer.api.problems import kinds
from storage.explorer.api.resources import endpoints
from storage.explorer.api.ways import BASE
from storage.explorer.app import make_app
from storage.queries.organs import find_organ
from storage.queries.report import report
from storage.settings import Settings
from tests.api_fuzz import corpus, harmless
from tests.databases import NOW, ON_SQLITE, TIANSHAN, Crawl, key, reading
from tests.test_care import SECRET, fill, planted

FREE = Access(token=None, rate=0)


def app(engine: sa.Engine, settings: Settings, access: Access = FREE) -> Starlette:
    api = make_api(engine, settings, replay="http://127.0.0.1:9", access=access)
    return Starlette(routes=[Mount(BASE, api)])


@pytest.fixture
def archive(engine: sa.Engine, settings: Settings) -> sa.Engine:
    fill(engine, settings)
    return engine


@pytest.fixture
def api(archive: sa.Engine, settings: Settings) -> Iterator[TestClient]:
    # The archive as `archive serve` opens it, which cannot write.
    reading_only = open_for_reading(settings)
    assert reading_only is not None
    with TestClient(app(reading_only, settings)) as client:
        yield client
    reading_only.dispose()


def problem(answer: Any, kind: str, status: int) -> dict[str, Any]:
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["status"], told["type"]) == (status, status, f"/api#{kind}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert re.search("[一-龥]", told["title_zh"] + told["detail_zh"] + told["cure_zh"])
    return told


# --- one truth ----------------------------------------------------------------------------------


@ON_SQLITE
def test_a_report_is_what_the_question_says(api: TestClient, archive: sa.Engine) -> None:
    told = api.get(f"{BASE}/reports/650102/{TIANSHAN}/2019").json()["data"]
    with archive.connect() as connection:
        asked = report(connection, find_organ(connection, TIANSHAN), 2019)
    assert [{k: v for k, v in cell.items() if k != "links"} for cell in told["cells"]] == asked[
        "cells"
    ]
    assert told["masked"] == {"mobile_number": 11}


def test_every_resource_answers_as_its_document_says(api: TestClient) -> None:
    """Schemathesis asks each question that the examples of the document make, and holds the
    answer against the schema made of the question's types."""
    schema = schemathesis.openapi.from_asgi(f"{BASE}/openapi.json", api.app)
    answered = 0
    for each in endpoints():
        path, _, query = harmless(each, {}).partition("?")
        response = api.get(f"{path}?{query}" if query else path)
        schema[each.path]["GET"].validate_response(response)
        answered += response.status_code == 200
    assert answered > len(endpoints()) / 2


@ON_SQLITE
def test_every_link_leads_somewhere(api: TestClient) -> None:
    seen, waiting = set[str](), [harmless(each, {}) for each in endpoints() if each.cursor]
    while waiting and len(seen) < 60:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = api.get(address)
        # A figure that was not on a form has no provenance; nothing else is missing.
        assert answer.status_code == 200 or "/cells/" in address or "cell=" in address, address
        if answer.status_code == 200:
            waiting += re.findall(rf'"({BASE}/[^" {{]*)"', answer.text)
    assert len(seen) > 40


def test_nothing_withdrawn_or_personal_is_in_any_answer(
    api: TestClient, archive: sa.Engine
) -> None:
    def everything() -> str:
        asked = [api.get(harmless(each, {})).text for each in endpoints()]
        captures = [api.get(f"{BASE}/captures/{number}").text for number in range(1, 6)]
        return "\n".join(asked + captures)

    assert SECRET in everything()
    with archive.begin() as connection:
        withdraw(connection, Thing(report_id=1), "me", "法院决定", NOW)
    told = everything()
    assert SECRET not in told
    assert not [number for number in planted().values() if number in told]
    gone = api.get(f"{BASE}/reports/650102/{TIANSHAN}/2019")
    assert "法院决定" in problem(gone, "withdrawn", 410)["detail"]
    assert api.get(f"{BASE}/captures/1").status_code == 410


# --- pages --------------------------------------------------------------------------------------


def follow(api: TestClient, address: str | None) -> Iterator[dict[str, Any]]:
    while address is not None:
        body = api.get(address).json()
        yield body
        address = body["next"]


@pytest.mark.parametrize("path", ["coverage", "ledger", "findings", "reports", "runs", "organs"])
def test_pages_of_one_row_are_the_whole_list(api: TestClient, path: str) -> None:
    # Of one year, where there is one: every row is a request.
    year = "" if path in ("runs", "organs", "findings") else "year=2020&"
    whole = api.get(f"{BASE}/{path}?{year}limit=1000").json()["data"]
    pages = list(follow(api, f"{BASE}/{path}?{year}limit=1"))
    assert whole
    assert [row for page in pages for row in page["data"]] == whole


def test_what_comes_meanwhile_moves_nothing(
    api: TestClient, archive: sa.Engine, settings: Settings
) -> None:
    first = api.get(f"{BASE}/reports?limit=1").json()
    with Crawl(archive, settings.warc_directory) as crawl:
        for year in (2001, 2031):
            crawl.page(
                b"new %d" % year,
                reading("1", "1", "1", "1"),
                report=key(year=year),
                url=f"http://h/{year}.htm",
            )
    rest = [row for page in follow(api, first["next"]) for row in page["data"]]
    numbers = [row["report_id"] for row in [*first["data"], *rest]]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 4


def test_rows_of_one_key_are_all_given() -> None:
    rows = [("a", 1), ("a", 2), ("b", 3), ("a", 4)]
    told, after = [], None
    while True:
        page, after = cut(rows, lambda row: (row[0],), after, 1)
        told += page
        if after is None:
            break
    assert sorted(told) == sorted(rows)


@pytest.mark.parametrize("change", ["abc", "x" * 2000, "A", "", "__", "bnVsbA", "foreign", "bit"])
@ON_SQLITE
def test_a_cursor_of_something_else_is_refused(api: TestClient, change: str) -> None:
    good = re.search(r"cursor=([\w-]+)", api.get(f"{BASE}/coverage?limit=1").json()["next"])
    assert good is not None
    if change == "foreign":
        # Of the same list, and another question.
        answer = api.get(f"{BASE}/coverage?year=2019&limit=1&cursor={good[1]}")
    else:
        wrong = good[1][:-6] + "AAAAAA" if change == "bit" else change
        answer = api.get(f"{BASE}/coverage?limit=1&cursor={wrong}")
    kind = "invalid-parameter" if change == "" else "invalid-cursor"
    assert problem(answer, kind, 400)["parameter"] == "cursor"


# --- on the wire --------------------------------------------------------------------------------


@ON_SQLITE
def test_an_answer_that_still_stands_is_not_sent_again(api: TestClient, archive: sa.Engine) -> None:
    address = f"{BASE}/coverage?year=2019"
    first = api.get(address)
    tag = first.headers["etag"]
    for asked in (tag, f'"x", W/{tag}', "*"):
        again = api.get(address, headers={"If-None-Match": asked})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    head = api.head(address)
    assert (head.content, head.headers["etag"]) == (b"", tag)
    assert head.headers["content-length"] == str(len(first.content))
    with archive.begin() as connection:
        withdraw(connection, Thing(report_id=1), "me", "法院决定", NOW)
    assert api.get(address, headers={"If-None-Match": tag}).status_code == 200


@ON_SQLITE
def test_any_page_may_read_and_none_may_write(api: TestClient) -> None:
    asked = api.options(f"{BASE}/coverage", headers={"Origin": "http://elsewhere.example"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "*")
    assert "access-control-allow-credentials" not in asked.headers
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE"):
        answer = api.request(method, f"{BASE}/coverage")
        problem(answer, "method-not-allowed", 405)
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("address", "kind", "status"),
    [
        ("/coverage?yaer=2019", "unknown-parameter", 400),
        ("/coverage?year=2019&year=2020", "repeated-parameter", 400),
        ("/coverage?year=9999999999", "invalid-parameter", 400),
        ("/coverage?as_of=2024-02-30", "invalid-parameter", 400),
        ("/coverage?organ=%00", "invalid-parameter", 400),
        ("/series", "missing-parameter", 400),
        ("/series?cell=no.such.cell", "not-found", 404),
        ("/runs/99", "not-found", 404),
        ("/reports/650102/无此机关/2019", "not-found", 404),
        ("/covrage", "unknown-path", 404),
        ("/coverage/", "unknown-path", 404),
    ],
)
@ON_SQLITE
def test_a_wrong_question_is_told_what_is_wrong(
    api: TestClient, address: str, kind: str, status: int
) -> None:
    told = problem(api.get(f"{BASE}{address}"), kind, status)
    if "yaer" in address:
        assert told["near"] == ["year"]


@ON_SQLITE
def test_only_json_is_had(api: TestClient) -> None:
    for accepted in ("text/html", "application/json;q=0", "image/*"):
        problem(api.get(f"{BASE}/runs", headers={"Accept": accepted}), "not-acceptable", 406)
    for accepted in ("*/*", "text/html, application/json;q=0.1", "application/*"):
        assert api.get(f"{BASE}/runs", headers={"Accept": accepted}).status_code == 200


# --- who may ask, and how often -----------------------------------------------------------------


@ON_SQLITE
def test_a_token_is_asked_for_and_never_said_again(engine: sa.Engine, settings: Settings) -> None:
    secret = "s3cret-of-the-test"
    known = {"Authorization": f"Bearer {secret}"}
    with TestClient(app(engine, settings, Access(secret, 0))) as api:
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "Basic s3cret"}):
            answer = api.get(f"{BASE}/runs", headers=headers)
            problem(answer, "token-required", 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
        good = api.get(f"{BASE}/runs", headers=known)
        assert (good.status_code, good.headers["cache-control"]) == (200, "private, no-cache")
        in_address = api.get(
            f"{BASE}/runs?token={secret}",
            headers=known,
        )
        assert secret not in in_address.text
        assert api.options(f"{BASE}/runs").status_code == 204
        document = api.get(f"{BASE}/openapi.json", headers=known).json()
        assert document["security"] == [{"token": []}]


@ON_SQLITE
def test_who_asks_too_often_is_told_when_to_come_back(
    engine: sa.Engine, settings: Settings
) -> None:
    with TestClient(app(engine, settings, Access(None, 3))) as api:
        left = [api.get(f"{BASE}/runs") for _ in range(4)]
    assert [each.status_code for each in left] == [200, 200, 200, 429]
    assert left[0].headers["ratelimit"].startswith('"per-address";r=2;')
    problem(left[3], "too-many-requests", 429)
    assert 15 <= int(left[3].headers["retry-after"]) <= 20


def test_a_bucket_fills_evenly_and_each_client_has_its_own() -> None:
    now = 0.0
    buckets = Buckets(60, lambda: now)
    assert [buckets.take("a")[0] for _ in range(61)][-2:] == [0, -1]
    assert buckets.take("b")[0] == 59
    now = 2.0
    assert [buckets.take("a")[0] for _ in range(3)] == [1, 0, -1]
    now = 1e6
    assert buckets.take("a")[0] == 59


def test_a_rate_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONGKAI_API_RATE", "many")
    with pytest.raises(SettingsError, match="GONGKAI_API_RATE"):
        Access()


# --- when something breaks ----------------------------------------------------------------------


@ON_SQLITE
def test_a_database_that_went_away_is_not_our_fault(settings: Settings) -> None:
    nowhere = sa.create_engine("sqlite:////nowhere/at/all.sqlite")
    with TestClient(app(nowhere, settings)) as api:
        answer = api.get(f"{BASE}/coverage")
        told = problem(answer, "database-unavailable", 503)
        assert answer.headers["retry-after"] == "5"
        assert "nowhere" not in str(told)


@ON_SQLITE
def test_a_fault_of_ours_tells_nothing_of_our_insides(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object, **_named: object) -> None:
        raise RuntimeError("at storage/insides.py")

    monkeypatch.setattr("storage.queries.runs.recorded_runs", broken)
    with TestClient(api.app, raise_server_exceptions=False) as calm:
        assert "insides" not in str(problem(calm.get(f"{BASE}/runs"), "server-error", 500))


@ON_SQLITE
def test_a_part_of_the_corpus_gets_no_row(api: TestClient) -> None:
    """`python -m tests.api_fuzz` asks all of it."""
    for number, word in enumerate(corpus()[::3]):
        each = endpoints()[number % len(endpoints())]
        name = list(each.every)[number % len(each.every)] if each.every else None
        if name is None:
            continue
        answer = api.get(harmless(each, {name: word}))
        assert answer.status_code in (200, 400, 404), (each.path, name, word)
        assert answer.status_code != 200 or not answer.json()["data"], (each.path, name, word)


# --- what is declared ---------------------------------------------------------------------------


def test_all_is_said_in_both_languages() -> None:
    for each in endpoints():
        assert {"en", "zh"} == words()["resources"][each.key].keys()
        for name in each.every:
            assert {"en", "zh"} == words()["parameters"][name].keys()
    for kind, said in kinds().items():
        for part in ("title", "detail", "cure"):
            facts = [
                {name for _, name, _, _ in Formatter().parse(said[part][lang]) if name}
                for lang in ("en", "zh")
            ]
            # A sentence of ours in English names what Chinese names by the address.
            assert facts[0] - {"said"} <= facts[1] | {"said"}, kind


def test_no_word_is_for_nothing() -> None:
    used = {name for each in endpoints() for name in each.every} | {"If-None-Match"}
    assert words()["parameters"].keys() <= used
    assert words()["resources"].keys() - {each.key for each in endpoints()} == {"index", "openapi"}


def test_the_documentation_names_every_resource_and_every_problem() -> None:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    for each in endpoints():
        assert f"`{each.path}`" in text or f"`{each.path.rpartition('/versions')[1]}" in text, each
    for kind, said in kinds().items():
        row = next(line for line in text.splitlines() if f"`{kind}`" in line)
        assert str(said["status"]) in row.split("|")[1], kind


@ON_SQLITE
def test_the_questions_of_the_documentation_are_answered(api: TestClient) -> None:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    asked = re.findall(r"curl '[^/]+//[^/]+([^']+)'", text)
    assert len(asked) == 3
    for address in asked:
        # The small archive's form has no such cell.
        assert api.get(address).status_code == (404 if "cell=" in address else 200), address


@ON_SQLITE
def test_no_spelling_of_a_path_gets_around_the_token(
    engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GONGKAI_API_TOKEN", "s3cret-of-the-test")
    paths = ("//runs", "/runs/", "/./runs", "/%72uns", "/runs;x", "/RUNS", "", "/../v1/runs")
    with TestClient(make_app(engine, settings)) as browser:
        for path in paths:
            for address in (f"{BASE}{path}", f"/API/v1{path}", f"/{BASE}{path}"):
                for asked in ("", "?token=s3cret-of-the-test"):
                    assert browser.get(address + asked).status_code in (401, 404), address
