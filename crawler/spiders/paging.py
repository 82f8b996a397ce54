"""Was a listing read to its end? What its pages show and declare, held against each other.

A `Reading` hears of every page of one listing and says which to ask for next; when nothing is left
to ask it judges. It knows no crawl and no database, so it can be tried on any order of answers.
docs/listings.md explains the rules.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from crawler.cms.base import Cms, Link
from crawler.portals.titles import is_report, rules
from crawler.spiders.plan import Watched
from crawler.words import Remark

# Why an address is asked for: a page of the listing; one that came empty, once more; one that was
# read, once more at the end; the page after the last, which should not be there.
Why = Literal["page", "empty", "second", "beyond"]
# What may be gone when the listing is read anew: it was changing, or an answer was not all of it.
_PASSING = frozenset(
    {"listing.changed", "listing.overlap", "listing.repeated", "listing.short", "listing.cut"}
)

_SOME = 2  # reports that do not all vanish at once from a listing that goes on

_OPENED = re.compile(r"<(?:html|body)[\s>]", re.IGNORECASE)
_CLOSED = re.compile(r"</(?:html|body)\s*>", re.IGNORECASE)
_TAIL = 20_000  # characters at the end of a page where its last tags are looked for


class Ask(NamedTuple):
    """A page to be asked for; `again`: for the how manieth time more than once, 0 at first."""

    url: str
    place: int
    again: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What one page of a listing showed, and when it came. `cut`: its text ends before its end."""

    url: str
    rows: tuple[Link, ...]
    named: tuple[str, ...]
    total: int | None
    count: int | None
    capture_id: int
    at: datetime
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a reading. `why`: the rule that failed; of a complete one, what is odd.
    `since`: when its oldest page came, which may be one that a run before it died has read.

    `captures`: of the pages in their order, then of the looks that prove there is nothing else.
    `gone`: what it showed the last time and does not show now; proven only for a whole one.
    """

    scope: Literal["whole", "head"]
    verdict: Literal["complete", "incomplete"]
    why: Remark | None
    since: datetime
    pages: int
    total: int | None
    count: int | None
    captures: tuple[int, ...]
    rows: tuple[Link, ...]
    gone: Mapping[str, str] = field(default_factory=dict)


class Reading:
    """One listing while it is read. `url`: of its first page; `known`: how it stood the last time.

    Told of every answer by `took` or `failed`, it gives by `asks` what is to be asked for then.
    After that `done` says whether all is said; `judgement` stays None for a listing that holds no
    annual reports.
    """

    def __init__(
        self, cms: Cms, url: str, first: Shown, annual: bool, known: Watched | None = None
    ) -> None:
        self.url = url
        self.annual = annual
        self.done = False
        self.judgement: Judgement | None = None
        self._cms, self._known = cms, known
        self._whole = known is None or known.whole or not known.known
        self._shell: Shown | None = None
        self._proofs: list[int] = []
        self._times: Counter[str] = Counter([first.url])
        self._began = first.at
        self._renewed = self._shows_reports = False
        self._clear()
        self._named[cms.page_place(first.url)] = first.url
        self._awaited[cms.page_place(first.url)] = "page"
        self.took(cms.page_place(first.url), first)

    def _clear(self) -> None:
        self._named: dict[int, str] = {}
        self._pages: dict[int, Shown] = {}
        self._second: dict[int, Shown] = {}
        self._failures: dict[int, str] = {}
        self._awaited: dict[int, Why] = {}
        self._asked: dict[int, set[Why]] = {}
        self._beyond: Literal["unknown", "nothing", "more", "unproven"] = "unknown"

    # --- what comes in ----------------------------------------------------------------------

    @property
    def kept(self) -> bool:
        """Whether this is a listing of annual reports: by its name, by what it shows or showed."""
        return self.annual or self._shows_reports or self._known is not None

    def is_report(self, row: Link) -> bool:
        return is_report(row.text, self.annual)

    def is_retitled(self, url: str, title: str) -> bool:
        """Whether an entry was called otherwise the last time."""
        known = self._known.known if self._known else {}
        return known.get(url, title) != title

    @property
    def declares_more(self) -> bool:
        """Whether it says that it has more than it shows, and names no further page."""
        more = (self._count() or 1) > 1 or (self._total() or 0) > self._number_of_rows()
        return more and len(self._named) == 1

    def is_probe(self, place: int) -> bool:
        """Whether the page is asked for to see that it is not there."""
        return self._awaited.get(place) == "beyond"

    def took(self, place: int, shown: Shown) -> None:
        """Hear what a page showed."""
        why = self._awaited.pop(place)
        if why == "second":
            self._second[place] = shown
            self._proofs.append(shown.capture_id)
            return
        if why == "beyond" and not self._is_further(shown):
            self._beyond = "nothing"
            self._proofs.append(shown.capture_id)
            return
        if why == "beyond":
            self._beyond = "more"
            self._named[place] = shown.url
        if self._is_shell(place, shown):
            self._shell = shown
            self._named[place] = shown.named[0]
            return
        self._pages[place] = shown
        self._shows_reports |= any(map(self.is_report, shown.rows))
        self._asked.setdefault(place, set()).add("page")
        for url in shown.named:
            self._named.setdefault(self._cms.page_place(url), url)

    def failed(self, place: int, outcome: str, gone: bool, capture_id: int | None = None) -> None:
        """Hear that a page could not be had; `gone`: its server says that it is not there."""
        why = self._awaited.pop(place)
        if why == "beyond":
            self._beyond = "nothing" if gone else "unproven"
            self._proofs += [] if capture_id is None else [capture_id]
        elif why != "empty":  # an empty page stays one
            self._failures[place] = outcome

    def _is_shell(self, place: int, shown: Shown) -> bool:
        """Whether a script fills the page from another address, which takes its place."""
        named = [self._cms.page_place(url) for url in shown.named]
        return not shown.rows and self._shell is None and named == [place]

    def _is_further(self, shown: Shown) -> bool:
        known = {row.url for row in self._rows()}
        return any(row.url not in known for row in shown.rows)

    # --- what goes out ----------------------------------------------------------------------

    def asks(self) -> tuple[Ask, ...]:
        """What is to be asked for now; when that is nothing and nothing is under way: done."""
        if self.done or (self._awaited and not self._whole):
            return ()
        found = [*(self._all() if self._whole else self._head())]
        asks = []
        for place, url, why in found:
            again = self._times[url]
            self._times[url] += why != "beyond"
            self._awaited[place] = why
            self._asked.setdefault(place, set()).add(why)
            asks.append(Ask(url, place, again))
        self.done = not self._awaited
        return tuple(asks)

    def _head(self) -> Iterator[tuple[int, str, Why]]:
        """Page by page, down to one on which everything is as it was known."""
        assert self._known is not None
        unread = self._unread()
        newest = self._pages[max(self._pages)] if self._pages else None
        if newest is None and unread:  # a shell: its rows come now
            yield unread[0]
        elif newest is None or self._failures or newest.cut or not newest.rows:
            yield from self._go_whole()
        elif not all(self._known.known.get(row.url) == row.text for row in newest.rows):
            yield from unread[:1] or self._go_whole()
        elif not self._counts_agree() or self._overlap() or (not unread and self._is_new()):
            yield from self._go_whole()
        elif not unread and self._total() is not None:
            yield from self._go_whole()  # which asks for nothing more
        else:
            self.judgement = self._judge("head", None)

    def _go_whole(self) -> Iterator[tuple[int, str, Why]]:
        self._whole = True
        yield from self._all()

    def _is_new(self) -> bool:
        """Whether a listing of which every page was read is not just as it was."""
        assert self._known is not None
        return {row.url for row in self._rows()} != set(self._known.known)

    def _counts_agree(self) -> bool:
        """Do its own counts fit what is known and what was seen?"""
        assert self._known is not None
        total, count = self._total(), self._count()
        every = len({*self._known.known, *(row.url for row in self._rows())})
        size = max(len(shown.rows) for shown in self._pages.values())
        return total in {None, every} and count in {None, -(-every // size)}

    def _all(self) -> Iterator[tuple[int, str, Why]]:
        """All pages it names; then, of a listing of reports, what proves that this is all."""
        unread = self._unread()
        if unread or self._awaited:
            yield from unread
            return
        if not self.kept:
            return
        for step in (self._empty, self._missing, self._after, self._once_more):
            found = [*step()]
            if found:
                yield from found
                return
        trouble = self._trouble()
        if trouble is not None and trouble.rule in _PASSING and not self._renewed:
            yield from self._anew()
            return
        self.judgement = self._judge("whole", trouble)

    def _unread(self) -> list[tuple[int, str, Why]]:
        return [
            (place, self._named[place], "page")
            for place in sorted(self._named)
            if "page" not in self._asked.get(place, ())
        ]

    def _empty(self) -> Iterator[tuple[int, str, Why]]:
        for place, shown in self._pages.items():
            if not shown.rows and self._total() != 0 and "empty" not in self._asked[place]:
                yield place, shown.url, "empty"

    def _missing(self) -> Iterator[tuple[int, str, Why]]:
        """Pages that it says it has and that none of its pages names."""
        for number in range(2, min(self._count() or 1, rules()["listing"]["pages"]) + 1):
            url = self._cms.next_page(self._first(), number)
            if url is None or len(self._named) >= (self._count() or 1):
                return
            place = self._cms.page_place(url)
            if place not in self._named:
                self._named[place] = url
                yield place, url, "page"

    def _after(self) -> Iterator[tuple[int, str, Why]]:
        """The page after the last, where nothing it says of itself rules one out."""
        if self._beyond in {"nothing", "unproven"} or self._failures or not self._may_go_on():
            return
        if len(self._pages) >= rules()["listing"]["pages"]:
            self._beyond = "unproven"
            return
        url = self._cms.next_page(self._first(), len(self._pages) + 1)
        place = None if url is None else self._cms.page_place(url)
        if url is None or place is None or place in self._named:
            self._beyond = "unproven"
            return
        yield place, url, "beyond"

    def _may_go_on(self) -> bool:
        total, count = self._total(), self._count()
        sizes = [len(shown.rows) for _, shown in sorted(self._pages.items())]
        if total is not None and self._number_of_rows() < total:
            return True
        if len(sizes) > 1:
            # Where pages count down, one may be left out behind the first, whatever the last holds.
            # A full last page is looked behind whatever the total: scripts make both from one.
            return (self._cms.counts_down and total is None) or sizes[-1] >= max(sizes)
        bounds = rules()["listing"]
        declared = count is not None or total is not None
        return sizes[0] in bounds["sizes"] if declared else sizes[0] >= bounds["probed"]

    def _once_more(self) -> Iterator[tuple[int, str, Why]]:
        """The pages that may have changed behind the reader's back.

        The first shows what came in. That something went further down shows in the total; where
        none is declared, only on the pages themselves.
        """
        places = sorted(self._pages)
        behind = places[:1] if self._total() is not None else places[:-1]
        for place in behind if len(places) > 1 and not self._failures else ():
            if "second" not in self._asked[place]:
                yield place, self._pages[place].url, "second"

    def _anew(self) -> Iterator[tuple[int, str, Why]]:
        first, place = self._first(), min(self._pages)
        self._clear()
        self._renewed = True
        self._named[place] = first
        yield place, first, "page"

    # --- the judgement ----------------------------------------------------------------------

    def _trouble(self) -> Remark | None:
        """The first rule that does not hold."""
        return next(self._troubles(), None)

    def _troubles(self) -> Iterator[Remark]:
        total, count = self._total(), self._count()
        numbers = {place: number for number, place in enumerate(sorted(self._named), 1)}
        for place, outcome in sorted(self._failures.items()):
            yield _remark("page", page=numbers[place], outcome=outcome)
        for place, shown in sorted(self._pages.items()):
            if not shown.rows and total != 0:
                yield _remark(
                    "empty" if place != min(self._pages) else "no_rows", page=numbers[place]
                )
        if not self._pages:
            yield _remark("no_rows")
        if self._is_another():
            yield _remark("another")
        if self._has_changed():
            yield _remark("changed")
        yield from self._repeats(numbers)
        if row := self._overlap():
            yield _remark("overlap", title=row.text)
        yield from self._shorts(numbers)
        if total != self._number_of_rows():
            for place, shown in sorted(self._pages.items()):
                if shown.cut:
                    yield _remark("cut", page=numbers[place])
        if count is not None and len(self._pages) < count:
            yield _remark("pages", read=len(self._pages), declared=count)
        if total is not None and total != self._number_of_rows():
            yield _remark("total", read=self._number_of_rows(), declared=total)
        if self._beyond == "unproven":
            yield _remark("unproven", read=self._number_of_rows())

    def _is_another(self) -> bool:
        """Whether it shows other things in place of all its reports: its address shows, or leads
        to, some other listing. One report may have been taken from among other things.
        """
        known, rows = self._known.known if self._known else {}, self._rows()
        reports = {url for url, title in known.items() if is_report(title, self.annual)}
        if len(reports) < _SOME or not rows:
            return False
        return not any(row.url in reports or self.is_report(row) for row in rows)

    def _has_changed(self) -> bool:
        told = {(shown.total, shown.count) for shown in self._pages.values()}
        totals = {total for total, _ in told} - {None}
        counts = {count for _, count in told} - {None}
        differs = any(
            _as_shown(shown) != _as_shown(self._pages[place])
            for place, shown in self._second.items()
        )
        return differs or len(totals) > 1 or len(counts) > 1

    def _repeats(self, numbers: Mapping[int, int]) -> Iterator[Remark]:
        seen: dict[tuple[str, ...], int] = {}
        for place, shown in sorted(self._pages.items()):
            urls = tuple(row.url for row in shown.rows)
            if urls and urls in seen:
                yield _remark("repeated", page=numbers[place], other=numbers[seen[urls]])
            seen.setdefault(urls, place)

    def _overlap(self) -> Link | None:
        """A row that stands on two pages."""
        seen: dict[str, int] = {}
        for place, shown in sorted(self._pages.items()):
            for row in shown.rows:
                if seen.setdefault(row.url, place) != place:
                    return row
        return None

    def _shorts(self, numbers: Mapping[int, int]) -> Iterator[Remark]:
        size = max((len(shown.rows) for shown in self._pages.values()), default=0)
        for place in sorted(self._pages)[:-1]:
            rows = len(self._pages[place].rows)
            if rows < size:
                yield _remark("short", page=numbers[place], rows=rows, size=size)

    def _judge(self, scope: Literal["whole", "head"], trouble: Remark | None) -> Judgement:
        urls: dict[str, Link] = {}
        for row in self._rows():
            urls.setdefault(row.url, row)
        known = self._known.known if self._known else {}
        gone = {url: title for url, title in known.items() if url not in urls}
        gone = gone if scope == "whole" and trouble is None else {}
        odd = None
        if self._count() is not None and len(self._pages) > (self._count() or 0):
            odd = _remark("beyond", read=len(self._pages), declared=self._count())
        elif gone:
            odd = _remark("shrank", gone=len(gone))
        first = [self._shell] if self._shell else []
        pages = [shown for _, shown in sorted(self._pages.items())]
        return Judgement(
            scope=scope,
            verdict="complete" if trouble is None else "incomplete",
            why=trouble or (odd if scope == "whole" else None),
            since=min((shown.at for shown in pages), default=self._began),
            pages=len(pages),
            total=self._total(),
            count=self._count(),
            captures=tuple(dict.fromkeys([*(s.capture_id for s in first + pages), *self._proofs])),
            rows=tuple(urls.values()),
            gone=gone,
        )

    # --- what its pages say together --------------------------------------------------------

    def _first(self) -> str:
        return self._pages[min(self._pages)].url

    def _rows(self) -> list[Link]:
        return [row for _, shown in sorted(self._pages.items()) for row in shown.rows]

    def _number_of_rows(self) -> int:
        """As a listing counts them: what stands on two pages once, twice on one page twice."""
        most: Counter[str] = Counter()
        for shown in self._pages.values():
            most |= Counter(row.url for row in shown.rows)
        return most.total()

    def _total(self) -> int | None:
        return self._declared([shown.total for _, shown in sorted(self._pages.items())])

    def _count(self) -> int | None:
        return self._declared([shown.count for _, shown in sorted(self._pages.items())])

    def _declared(self, said: list[int | None]) -> int | None:
        """What the newest page says that says anything."""
        return next((number for number in reversed(said) if number is not None), None)


def is_cut(text: str) -> bool:
    """Whether a page's text ends before its end.

    >>> is_cut("<html><body><li>一"), is_cut("<html><body></body></html>"), is_cut('{"data": {}}')
    (True, False, False)
    """
    opened = _OPENED.search(text)
    return opened is not None and not _CLOSED.search(text, max(len(text) - _TAIL, 0))


def _as_shown(shown: Shown) -> list[tuple[str, str]]:
    return [(row.url, row.text) for row in shown.rows]


def _remark(rule: str, **facts: object) -> Remark:
    return Remark(f"listing.{rule}", {key: str(value) for key, value in facts.items()})
