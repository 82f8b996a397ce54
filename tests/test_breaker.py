"""When a portal is left alone."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from crawler.fetching.breaker import Breaker


def heard(*outcomes: str, urls: Iterable[str] | None = None) -> str | None:
    breaker = Breaker()
    for url, outcome in zip(urls or map(str, range(99)), outcomes, strict=False):
        breaker.note("tianshan", url, outcome)
    assert breaker.is_open("midong") is None
    return breaker.is_open("tianshan")


def test_three_walls_or_five_failures_in_a_row() -> None:
    assert heard("blocked", "blocked") is None
    assert heard("blocked", "blocked", "blocked") == "3 answers in a row were a wall"
    assert heard(*["timeout"] * 4) is None
    assert heard("timeout", "dns", "reset", "shell", "server_error") == "5 requests in a row failed"
    assert heard("blocked", "timeout", "blocked", "reset", "blocked") is not None


@pytest.mark.parametrize("good", ["ok", "redirect", "not_modified", "client_error", "soft_404"])
def test_an_answer_begins_the_count_anew(good: str) -> None:
    assert heard("blocked", "blocked", good, "blocked", "blocked") is None
    assert heard(*["tls"] * 4, good, *["tls"] * 4) is None


def test_a_retry_is_no_further_proof() -> None:
    assert heard(*["timeout"] * 9, urls="aaabbbccc") is None
    assert heard(*["timeout"] * 9, urls="aaabbbcde") is not None


def test_our_own_death_says_nothing_about_the_portal() -> None:
    assert heard("blocked", "blocked", "interrupted", "blocked") is not None


def test_once_open_it_stays_open() -> None:
    assert heard("blocked", "blocked", "blocked", "ok", "ok") is not None
