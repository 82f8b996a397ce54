"""The proof that a listing was read to its end, and the walk by a plan, in process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from crawler.cms import cms_by_key
from crawler.fetching import outcomes
from crawler.items import Refused, Unusable
from crawler.portals import load
from crawler.portals.titles import Identity
from crawler.spiders.fates import Fate, fate_of
from crawler.spiders.paging import is_cut
from crawler.spiders.plan import Recheck, Round
from crawler.spiders.urumqi_districts import UrumqiDistricts
from crawler.spiders.walk import PortalSpider
from crawler.words import sentences
from storage.capture.listings import Verdict
from tests.listings.reader import BEGAN, MINUTE, read, watch
from tests.listings.site import SIZE, Site, title
from tests.listings.trials import FAULTS, KINDS, NEW, faulty, known_before, tried


def site(dialect: str = "ucap", rows: int = 25, counted: bool = True) -> Site:
    return Site(dialect, list(range(rows, 0, -1)), counted)


def known(site: Site) -> dict[str, str]:
    return {site.entry_url(entry): title(entry) for entry in site.entries}


def test_no_part_of_a_faulty_listing_passes_for_all_of_it() -> None:
    trials = list(faulty(2 * len(FAULTS)))
    assert [trial.fault for trial in trials if trial.silent] == []
    assert len({trial.fault for trial in trials if not trial.outcome.complete}) > 10


@pytest.mark.parametrize(("dialect", "counted"), KINDS)
@pytest.mark.parametrize("rows", [1, SIZE, SIZE + 1, 3 * SIZE])
def test_a_listing_without_a_fault_is_complete(dialect: str, counted: bool, rows: int) -> None:
    trial = tried("none", site(dialect, rows, counted))
    assert trial.outcome.complete, trial.outcome
    assert not trial.missing
    assert trial.outcome.reports == trial.outcome.entries


RULES: dict[str, tuple[str, Callable[[Site], None]]] = {
    "a page that is not there": ("listing.page", lambda s: FAULTS["page 404"](s, Random(1))),
    "an empty page": ("listing.empty", lambda s: FAULTS["empty page"](s, Random(1))),
    "a page twice": ("listing.repeated", lambda s: FAULTS["repeated page"](s, Random(1))),
    "no rows": ("listing.no_rows", lambda s: FAULTS["shell without script"](s, Random(1))),
    "unrest": ("listing.changed", lambda s: FAULTS["insertion all the time"](s, Random(1))),
    "rows left out": ("listing.short", lambda s: FAULTS["rows dropped"](s, Random(1))),
    "a wrong total": ("listing.total", lambda s: FAULTS["total too low"](s, Random(1))),
}


@pytest.mark.parametrize("name", RULES)
def test_the_run_is_told_which_rule_failed(name: str) -> None:
    rule, plant = RULES[name]
    faulty = site(rows=35)
    plant(faulty)
    outcome = read(faulty)
    (told,) = outcome.reads
    assert told.why is not None
    assert (told.verdict, told.why.rule) == ("incomplete", rule)
    assert any(faulty.url in gap and str(told.why) in gap for gap in outcome.gaps)


def test_every_rule_speaks_english_and_chinese() -> None:
    said = {rule: words for rule, words in sentences().items() if rule.startswith("listing.")}
    assert len(said) >= 15
    assert all(words.en and words.zh for words in said.values())


def test_a_look_is_as_old_as_its_oldest_page() -> None:
    """What appears while its further pages are read, or after they were, is nothing it denies."""
    (told,) = read(site(rows=35)).reads
    assert len(told.captures) > 3
    assert told.read_at == BEGAN + MINUTE
    changing = site("cicro", 30)
    changing.then = (2, lambda: changing.entries.insert(0, NEW))
    (told,) = read(changing).reads
    assert told.read_at > BEGAN + 2 * MINUTE  # read anew: the pages before count for nothing


def test_what_comes_in_while_paging_is_found_by_reading_once_more() -> None:
    changing = site("cicro", 30)
    changing.then = (2, lambda: changing.entries.insert(0, NEW))
    outcome = read(changing)
    assert outcome.complete
    assert changing.entry_url(NEW) in outcome.entries
    assert changing.asked.count(changing.url) >= 3


def test_a_full_page_without_a_pager_is_followed_by_a_look_for_the_next() -> None:
    for dialect, counted in KINDS:
        if counted:
            continue
        alone = site(dialect, SIZE, counted=False)
        alone.has_pager = False
        assert read(alone).complete
        assert len(alone.asked) == 2, dialect
        more = site(dialect, 2 * SIZE + 1, counted=False)
        more.has_pager = False
        assert read(more).entries == more.truth(), dialect


def test_down_to_the_known_asks_for_one_page_and_removes_nothing() -> None:
    still = site("vsb", 40)
    outcome = read(still, known(still))
    assert (outcome.reads[0].scope, outcome.complete) == ("head", True)
    assert still.asked == [still.url]
    assert not any(trial.missing or not trial.outcome.complete for trial in known_before())


def test_a_total_that_does_not_fit_what_is_known_makes_it_read_every_page() -> None:
    shrunk = site("vsb", 40)
    before = known(shrunk)
    gone = shrunk.entry_url(shrunk.entries.pop(35))
    outcome = read(shrunk, before)
    (told,) = outcome.reads
    assert (told.scope, told.verdict) == ("whole", "complete")
    assert told.why is not None
    assert told.why.rule == "listing.shrank"
    assert gone in outcome.reports  # it is asked whether its page is gone, too


def test_an_address_that_became_another_listing_proves_nothing() -> None:
    """It leads to the news by now: that no report shows there does not say that there is none."""
    before = {site().entry_url(entry): title(entry) for entry in (101, 102)}
    news = site(rows=5)
    news.broken[1] = lambda text: (200, text.replace("政府信息公开工作年度报告", "工作动态"))
    for _ in range(2):
        (told,) = read(news, before).reads
        assert told.why is not None
        assert (told.verdict, told.why.rule) == ("incomplete", "listing.another")
        before |= {entry.url: entry.title for entry in told.entries}  # as the archive folds them
    one = {site().entry_url(101): title(101)}
    assert read(news, one).complete  # taken from among other things


def test_an_entry_that_was_retitled_ends_the_head_further_down() -> None:
    edited = site("ucap", 40)
    before = known(edited) | {edited.entry_url(40): "另一标题"}
    assert len(read(edited, before).reads[0].captures) == 2


@pytest.mark.parametrize(
    ("error", "status", "verdict"),
    [
        (Unusable("u", outcomes.BLOCKED), None, "blocked"),
        (Unusable("u", outcomes.SOFT_404), None, "gone"),
        (Unusable("u", outcomes.MAINTENANCE), None, "down"),
        (ValueError(), 404, "gone"),
        (ValueError(), 403, "blocked"),
        (ValueError(), 502, "down"),
        (TimeoutError(), None, "down"),
        (Refused("u", outcomes.ROBOTS_REFUSED), None, "not_asked"),
        (Refused("u", outcomes.BUDGET_SPENT), None, "not_asked"),
        (Refused("u", outcomes.CIRCUIT_OPEN), None, "blocked"),
    ],
)
def test_why_a_listing_could_not_be_had(
    error: Exception, status: int | None, verdict: Verdict
) -> None:
    assert fate_of(error, status, Fate("blocked", "blocked")).verdict == verdict


def test_a_page_that_is_torn_is_seen_by_its_end() -> None:
    assert is_cut("<html><body><p>一")
    assert not is_cut("<HTML><BODY></BODY>")
    assert not is_cut("<li>a piece without a frame</li>")


def test_a_plan_without_a_tree_asks_for_what_it_names_and_nothing_else() -> None:
    PortalSpider.registry = load(cms_by_key())
    spider = UrumqiDistricts(portals="tianshan,midong")
    identity = Identity("650102", "局", "department", 2023)
    file = Recheck("http://h/a.pdf", "a.pdf", identity, "http://h/1")
    spider.rounds = {
        "tianshan": Round(tree=False, listings=(watch(site("vsb")),), rechecks=(file,)),
        "midong": Round(tree=False),
    }

    async def asked() -> list[tuple[str, str]]:
        return [(each.url, each.meta["visit"].purpose) async for each in spider.start()]

    assert asyncio.run(asked()) == [(file.url, "attachment"), (site("vsb").url, "listing")]
    assert spider.silent() == ()
    assert spider.fate("tianshan", "http://www.xjtsq.gov.cn/other.htm") is None
    due = spider.fate("tianshan", site("vsb").url)
    assert due is not None
    assert (due.verdict, due.why.rule) == ("not_asked", "listing.unmet")


def test_what_rests_is_not_asked_for_unless_it_is_called_otherwise() -> None:
    still = site("ucap", 5)
    before = known(still) | {still.entry_url(2): "另一标题"}
    outcome = read(still, before, rests=still.truth())
    assert outcome.reports == {still.entry_url(2)}
    assert outcome.complete
