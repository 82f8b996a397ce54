"""How fast, when and through whom we ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from crawler.errors import ConfigurationError, ContactError, PaceError, ReplicaError
from crawler.fetching.pace import check_start, from_environment, in_window
from crawler.portals import load

TIANSHAN = load({"vsb", "ucap", "cicro", "content_n"}).portals["tianshan"]
NIGHT, DAY = datetime(2026, 1, 5, 16, 0, tzinfo=UTC), datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
LOOPBACK = {"HTTP_PROXY": "http://127.0.0.1:9"}


def start(environ: Mapping[str, str], now: datetime = NIGHT) -> None:
    check_start(from_environment(environ), (TIANSHAN,), now)


def test_a_live_crawl_needs_someone_to_write_to() -> None:
    with pytest.raises(ContactError, match="GONGKAI_CONTACT"):
        start({})
    start({"GONGKAI_CONTACT": "archive@example.org"})


@pytest.mark.parametrize("contact", ["档案@example.org", "a@example.org\nX-Evil: 1"])
def test_a_contact_that_does_not_fit_a_header_is_refused(contact: str) -> None:
    with pytest.raises(ContactError, match="ASCII"):
        start({"GONGKAI_CONTACT": contact})


def test_a_live_crawl_runs_at_night_in_the_portals_own_time() -> None:
    with pytest.raises(ConfigurationError, match=r"22:00 to 09:00 Asia/Shanghai"):
        start({"GONGKAI_CONTACT": "archive@example.org"}, DAY)
    assert in_window(TIANSHAN, NIGHT)
    assert not in_window(TIANSHAN, DAY)


@pytest.mark.parametrize("proxy", ["", "http://proxy.example.org:3128", "http://10.0.0.1:3128"])
def test_the_pace_is_refused_unless_the_proxy_is_this_machine(proxy: str) -> None:
    environ = {"GONGKAI_PACE": "0.05", "HTTP_PROXY": proxy, "GONGKAI_CONTACT": "a@example.org"}
    with pytest.raises(PaceError, match="GONGKAI_PACE"):
        start(environ)
    assert from_environment(environ).seconds(3) == 3


@pytest.mark.parametrize("text", ["fast", "0", "-1", "nan", "1e9", "0.0"])
def test_a_pace_that_is_no_number_above_zero_is_refused(text: str) -> None:
    with pytest.raises(PaceError, match="GONGKAI_PACE"):
        start(LOOPBACK | {"GONGKAI_PACE": text})


def test_a_rehearsal_scales_delays_but_never_to_nothing() -> None:
    pace = from_environment(LOOPBACK | {"GONGKAI_PACE": "0.05"})
    assert pace.seconds(3) == pytest.approx(0.15)
    assert from_environment(LOOPBACK | {"GONGKAI_PACE": "0.00001"}).seconds(3) > 0


def test_a_rehearsal_without_a_replica_says_how_to_start_one() -> None:
    with pytest.raises(ReplicaError, match=r"python -m tests\.replica"):
        start(LOOPBACK)
