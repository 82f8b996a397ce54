"""The explorer's frame: languages, policy, errors, what stands on every page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from storage.explorer.app import make_app
from storage.settings import Settings


@pytest.fixture
def browser(engine: sa.Engine, settings: Settings) -> Iterator[TestClient]:
    with TestClient(make_app(engine, settings)) as client:
        yield client


def test_a_page_that_is_not_there_says_so_in_the_language_asked_for(browser: TestClient) -> None:
    assert "没有这个页面" in browser.get("/nothing").text
    assert "no such page" in browser.get("/nothing", headers={"Accept-Language": "en-GB"}).text
    answer = browser.get("/nothing?lang=en", headers={"Accept-Language": "zh-CN"})
    assert answer.status_code == 404
    assert "no such page" in answer.text
    assert 'href="/nothing?lang=zh"' in answer.text


def test_nothing_may_come_from_elsewhere(browser: TestClient) -> None:
    for path in ("/nothing", "/static/style.css", "/metrics"):
        policy = browser.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy


def test_htmx_comes_from_its_package(browser: TestClient) -> None:
    answer = browser.get("/static/htmx.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "htmx" in answer.text
