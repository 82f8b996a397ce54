"""What a portal may ask of its guests, and how it is read."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, time, timedelta

import pytest

from storage.schedule import manners
from storage.schedule.manners import Hours, Robots, is_public, origin_of, retry_after, within

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def robots(*lines: str) -> Robots:
    return Robots.of_answer("ok", 200, "\n".join(["User-agent: *", *lines]).encode())


def test_the_examples_hold() -> None:
    assert doctest.testmod(manners) == (0, 8)


def test_the_longer_of_crawl_delay_and_request_rate_counts() -> None:
    assert robots().delay(NOON) == 0
    assert robots("Crawl-delay: 2.5").delay(NOON) == 2.5
    assert robots("Request-rate: 2/30s").delay(NOON) == 15
    assert robots("Request-rate: 1/2m", "Crawl-delay: 7").delay(NOON) == 120
    assert robots("Request-rate: 1/5", "Crawl-delay: 7").delay(NOON) == 7


def test_a_request_rate_holds_within_its_hours_in_utc() -> None:
    rules = robots("Request-rate: 1/60 1100-1300", "Crawl-delay: 5")
    assert rules.delay(NOON) == 60
    assert rules.delay(NOON + timedelta(hours=1)) == 5
    assert rules.delay(NOON.astimezone(tz=None)) == 60
    night = robots("Request-rate: 1/60 2200-0400")
    assert (night.delay(NOON), night.delay(NOON + timedelta(hours=14))) == (0, 60)


def test_a_visit_time_may_run_over_midnight() -> None:
    rules = robots("Visit-time: 2200-0600")
    assert not rules.is_visited_at(NOON)
    assert rules.is_visited_at(NOON.replace(hour=23))
    assert rules.is_visited_at(NOON.replace(hour=5, minute=59))
    assert not rules.is_visited_at(NOON.replace(hour=6))
    assert robots().is_visited_at(NOON)


def test_rules_for_us_go_before_rules_for_all() -> None:
    ours = robots("Disallow: /", "", "User-agent: gongkai", "Disallow: /x", "Crawl-delay: 4")
    assert ours.allows("http://a.cn/y")
    assert not ours.allows("http://a.cn/x/1")
    assert ours.delay(NOON) == 4
    assert robots("Allow: /", "", "User-agent: gongkaibot", "Disallow: /").allows("http://a.cn/")


@pytest.mark.parametrize("line", ["Crawl-delay: 4000", "Request-rate: 1/2h"])
def test_who_asks_for_more_than_an_hour_is_not_visited(line: str) -> None:
    rules = robots(line)
    assert not rules.allows("http://a.cn/")
    assert "asks for a delay of" in rules.closed


@pytest.mark.parametrize(
    "line", ["Crawl-delay: soon", "Crawl-delay: -3", "Request-rate: 0/5", "Visit-time: 2500-0100"]
)
def test_what_cannot_be_read_asks_for_nothing(line: str) -> None:
    rules = robots(line, "Disallow: /x")
    assert (rules.delay(NOON), rules.hours, rules.closed) == (0, None, "")
    assert not rules.allows("http://a.cn/x")


@pytest.mark.parametrize(
    ("outcome", "status", "enters"),
    [
        ("client_error", 404, True),
        ("client_error", 403, True),
        ("client_error", 429, False),
        ("server_error", 503, False),
        ("blocked", 200, False),
        ("maintenance", 503, False),
        ("truncated", 200, False),
        ("redirect_loop", 302, False),
        ("timeout", None, False),
    ],
)
def test_only_an_answer_lets_us_in(outcome: str, status: int | None, enters: bool) -> None:
    rules = Robots.of_answer(outcome, status, b"User-agent: *\nAllow: /\n")
    assert rules.allows("http://a.cn/") is enters
    assert bool(rules.closed) is not enters


def test_a_page_of_html_holds_no_rules() -> None:
    page = "<html><body><p>Disallow: /</p>页面不存在</body></html>".encode()
    assert Robots.of_answer("ok", 200, page).allows("http://a.cn/")


def test_half_a_megabyte_is_read_up_to_a_whole_line() -> None:
    head = b"User-agent: *\nDisallow: /first\n"
    line = b"# " + b"x" * 97 + b"\n"
    filled = head + line * ((manners.ROBOTS_LIMIT - len(head)) // len(line))
    filled += b"#" * (manners.ROBOTS_LIMIT - len(filled) - 10) + b"\n"
    rules = Robots.of_answer("ok", 200, filled + b"Allow: /first/but-not\nDisallow: /second\n")
    assert not rules.allows("http://a.cn/first/but-not")  # `Allow: /f`, cut off, would let it in
    assert rules.allows("http://a.cn/second")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_rules_are_read_in_the_encodings_of_editors(encoding: str) -> None:
    body = "# 机器人\nUser-agent: *\r\nDisallow: /x\r\n".encode(encoding)
    assert not Robots.of_answer("ok", 200, body).allows("http://a.cn/x")


def test_hours_of_equal_ends_are_the_whole_day() -> None:
    assert Hours(time(6), time(6)).hold(time(5))


def test_a_window_is_in_the_portals_own_time() -> None:
    assert within("22:00", "09:00", "Asia/Shanghai", NOON.replace(hour=14))
    assert not within("22:00", "09:00", "Asia/Shanghai", NOON.replace(hour=1))


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "Thu, 99 Foo", "１２", "1.5"])
def test_a_retry_after_that_cannot_be_read_asks_for_nothing(value: str | None) -> None:
    assert retry_after(value, NOON) == 0


def test_a_retry_after_of_more_than_a_day_is_a_day() -> None:
    assert retry_after("99999999999999999999", NOON) == 86400
    assert retry_after("Fri, 31 Dec 9999 23:59:59 GMT", NOON) == 86400
    assert retry_after("Mon, 05 Jan 2026 11:00:00 GMT", NOON) == 0


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "0.0.0.0",
     "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "fe80::1", "fc00::1", "ff02::1", "::",
     "::ffff:10.0.0.1", "unknown"],
)  # fmt: skip
def test_private_addresses_are_told(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["202.100.1.1", "2400:3200::1", "::ffff:202.100.1.1"])
def test_public_addresses_are_told(address: str) -> None:
    assert is_public(address)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin_of("http://a.cn/x") != origin_of("https://a.cn/x")
    assert origin_of("http://a.cn:8080/x") != origin_of("http://a.cn/x")
    assert origin_of("https://u:p@A.cn:443/x") == "https://a.cn"
