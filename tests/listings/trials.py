"""The faults, and the listings they are planted in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.listings.reader import Outcome, read
from tests.listings.site import SIZE, Site, title

NEW = 9001
Plant = Callable[[Site, Random], None]


@dataclass(frozen=True)
class Trial:
    """One listing with one fault (or none), read: `missing` are entries that nobody was told of."""

    fault: str
    dialect: str
    counted: bool
    rows: int
    outcome: Outcome
    missing: frozenset[str]
    requests: int

    @property
    def silent(self) -> bool:
        """A part taken for everything."""
        return self.outcome.complete and bool(self.missing)


def empty(site: Site, random: Random) -> None:
    site.instead[random.randint(2, site.pages)] = list


def empty_once(site: Site, random: Random) -> None:
    page = random.randint(2, site.pages)
    answers: list[list[int]] = [[]]
    at = (page - 1) * site.size
    site.instead[page] = lambda: answers.pop() if answers else site.entries[at : at + site.size]


def repeated(site: Site, random: Random) -> None:
    page = random.randint(2, site.pages - 1)
    at = (page - 2) * site.size
    site.instead[page] = lambda: site.entries[at : at + site.size]


def inserted(site: Site, random: Random) -> None:
    site.then = (random.randint(1, site.pages), lambda: site.entries.insert(0, NEW))


def inserted_below(site: Site, random: Random) -> None:
    """Before its last page is read: what comes later is for the next look."""
    place = random.randint(1, len(site.entries) - 1)
    site.then = (random.randint(1, site.pages - 1), lambda: site.entries.insert(place, NEW))


def always_inserted(site: Site, random: Random) -> None:
    """Never the same twice: something new with every answer."""
    del random
    numbers = iter(range(NEW, NEW + 1000))

    def happens() -> None:
        site.entries.insert(0, next(numbers))
        site.then = (len(site.asked) + 1, happens)

    site.then = (1, happens)


def moved_up(site: Site, random: Random) -> None:
    place = random.randint(site.size, len(site.entries) - 1)
    site.then = (1, lambda: site.entries.insert(0, site.entries.pop(place)))


def moved_down(site: Site, random: Random) -> None:
    place = random.randint(0, site.size - 1)
    site.then = (1, lambda: site.entries.append(site.entries.pop(place)))


def removed(site: Site, random: Random) -> None:
    """Taken away above what was read, so that the next page skips one."""
    answers = random.randint(1, site.pages - 1)
    place = random.randint(0, answers * site.size - 1)
    offset = site.dialect == "json"  # the shell is an answer, too
    site.then = (answers + offset, lambda: site.entries.remove(site.entries[place]))


def shell(site: Site, random: Random) -> None:
    del random
    site.broken[1] = lambda _: (200, "<html><body><div id='list'></div></body></html>")


def total_too_high(site: Site, random: Random) -> None:
    site.said_total = len(site.entries) + random.randint(1, 2 * site.size)


def total_too_low(site: Site, random: Random) -> None:
    site.said_total = len(site.entries) - random.randint(1, len(site.entries) - 1)


def lost(status: int) -> Plant:
    def plant(site: Site, random: Random) -> None:
        site.broken[random.randint(2, site.pages - 1)] = lambda _: (status, "")

    return plant


def last_lost(site: Site, random: Random) -> None:
    del random
    site.broken[site.pages] = lambda _: (404, "")


def fewer_pages(site: Site, random: Random) -> None:
    site.said_pages = random.randint(1, site.pages - 1)


def cut(site: Site, random: Random) -> None:
    share = random.uniform(0.2, 0.8)
    site.broken[random.randint(1, site.pages)] = lambda text: (200, text[: int(len(text) * share)])


def cut_alone(site: Site, random: Random) -> None:
    del site.entries[site.size - 1 :]
    cut(site, random)


def no_pager(site: Site, random: Random) -> None:
    del random
    site.has_pager = False


def rows_dropped(site: Site, random: Random) -> None:
    page = random.randint(1, site.pages - 1)
    at, less = (page - 1) * site.size, random.randint(1, site.size - 1)
    site.instead[page] = lambda: site.entries[at : at + site.size - less]


def last_dropped(site: Site, random: Random) -> None:
    """The last page is shorter than it should be: only a total can tell."""
    del random
    site.counted = True
    at = (site.pages - 1) * site.size
    site.instead[site.pages] = lambda: site.entries[at:-1]


def home_instead(site: Site, random: Random) -> None:
    home = "<html><body><ul><li><a href='/a'>政务公开</a></li></ul></body></html>"
    site.broken[random.randint(2, site.pages)] = lambda _: (200, home)


FAULTS: dict[str, Plant] = {
    "empty page": empty,
    "page empty once": empty_once,
    "repeated page": repeated,
    "insertion while paging": inserted,
    "insertion further down": inserted_below,
    "insertion all the time": always_inserted,
    "moved up while paging": moved_up,
    "moved down while paging": moved_down,
    "removal while paging": removed,
    "shell without script": shell,
    "total too high": total_too_high,
    "total too low": total_too_low,
    "page 404": lost(404),
    "page 500": lost(500),
    "last page 404": last_lost,
    "pager says fewer pages": fewer_pages,
    "page cut": cut,
    "only page cut": cut_alone,
    "no pager on a full page": no_pager,
    "rows dropped": rows_dropped,
    "rows dropped from the last page": last_dropped,
    "home page instead": home_instead,
}
KINDS = [
    (dialect, counted)
    for dialect in ("vsb", "ucap", "cicro", "content_n")
    for counted in (True, False)
] + [("json", True)]
# Numbers of rows on either side of every turn of a page.
CLEAN = (1, 4, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE, 2 * SIZE + 3, 3 * SIZE, 4 * SIZE + 1)


def faulty(number: int) -> Iterator[Trial]:
    """So many listings, each with one fault; the dialects and the faults take turns."""
    random = Random(20260306)
    for index in range(number):
        fault = list(FAULTS)[index % len(FAULTS)]
        dialect, counted = KINDS[(index // len(FAULTS) + index) % len(KINDS)]
        rows = random.choice((2 * SIZE + 3, 3 * SIZE, 3 * SIZE + 1, 4 * SIZE + 7))
        site = Site(dialect, list(range(rows, 0, -1)), counted)
        FAULTS[fault](site, random)
        yield tried(fault, site)


def clean() -> Iterator[Trial]:
    """Listings without a fault, of every dialect and size."""
    for dialect, counted in KINDS:
        for rows in CLEAN:
            yield tried("none", Site(dialect, list(range(rows, 0, -1)), counted))


def known_before() -> Iterator[Trial]:
    """Listings that are read down to the known, with so many entries new at their top."""
    for dialect, counted in KINDS:
        for rows in CLEAN:
            for new in (0, 1, 3):
                site = Site(dialect, list(range(rows + new, 0, -1)), counted)
                known = {site.entry_url(entry): title(entry) for entry in range(1, rows + 1)}
                yield tried(f"known, {new} new", site, known)


def tried(fault: str, site: Site, known: dict[str, str] | None = None) -> Trial:
    rows = len(site.entries)
    outcome = read(site, known)
    missing = frozenset(site.truth() - outcome.entries - set(known or ()))
    return Trial(fault, site.dialect, site.counted, rows, outcome, missing, len(site.asked))
