"""What the faulty portals have where, and which request meets which failure.

The crawler leaves a portal alone after a few failures in a row, and it decides what it asks when.
So on the listings every second address is a good one; and one that is asked again fails again only
where few failures went before, else it has recovered and shows its report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from threading import Lock

from crawler.cms import cms_by_key
from crawler.portals import Portal, host_of, load
from tests.faults.modes import (
    HTML,
    MODES,
    TUNNEL_MODES,
    Act,
    Kept,
    Mode,
    Place,
    TunnelMode,
    page,
    parse,
    path_of,
    sized,
    text,
)

# The modes are dealt out to two portals, which the crawler asks at the same time.
PLAIN, TUNNELLED = ("shuimogou", "midong"), "dabancheng"
_LISTING = "/info/iList.jsp?cat_id=1"
_ROBOTS = b"User-agent: *\nDisallow: /hidden/\n"
_ROWS = 60  # a listing page
_IN_A_ROW = 2  # failures that may go before another try fails; a first try makes it three
_AT_ONCE = 6  # disallowed addresses, at least
_STEMS, _BRANCHES, _YEARS = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥", 18


@dataclass(frozen=True)
class Answer:
    """What is played, and what an archive must say of it.

    `mode` is empty for a portal's own pages, and for a report where a failure was due to pass.
    """

    act: Act
    mode: str = ""
    outcome: str = "ok"
    kept: Kept = "whole"
    refused: str = ""


class Site:
    """Three portals: two over http with `each` addresses a mode, one behind tunnels. Thread safe.

    `only` leaves out the other modes of the first two.
    """

    def __init__(self, each: int, only: Sequence[str] = ()) -> None:
        self.each = each
        self.modes = {name: MODES[name] for name in only or MODES}
        registry = load(cms_by_key()).portals
        modes = list(self.modes.values())
        self._portals = {
            host_of(registry[key].home): _Faulty(registry[key], modes[n :: len(PLAIN)], each)
            for n, key in enumerate(PLAIN)
        }
        self.tunnelled_host = host_of(registry[TUNNELLED].home)
        self._tunnelled = _Tunnelled(registry[TUNNELLED], each)
        self._lock = Lock()

    def disallowed(self) -> list[str]:
        """Addresses that are linked, and that robots.txt forbids."""
        return [
            f"http://{host}{path}"
            for host, portal in self._portals.items()
            for path in portal.disallowed
        ]

    def answer(self, host: str, target: str, validator: str = "") -> Answer:
        """The answer to a GET, decided in the order of the calls. Raises KeyError for a host
        that is none of ours.
        """
        with self._lock:
            if host == self.tunnelled_host:
                return self._tunnelled.answer(target)
            return self._portals[host].answer(target, validator)

    def tunnel(self) -> TunnelMode | None:
        """How this CONNECT fails; None when it works, as every other one does."""
        with self._lock:
            return self._tunnelled.next_failure()


class _Faulty:
    """A portal over http whose addresses fail in these modes."""

    def __init__(self, portal: Portal, modes: Sequence[Mode], each: int) -> None:
        self._division = portal.name_zh
        self._paths = _order(modes, each)
        self._numbers = {path: number for number, path in enumerate(self._paths)}
        self.disallowed = [f"/hidden/{number}.htm" for number in range(max(each, _AT_ONCE))]
        self._failures = 0  # since the last good answer
        self._asked: Counter[str] = Counter()
        self._led_home = 0

    def answer(self, target: str, validator: str) -> Answer:
        found = parse(target)
        if found is None:
            self._failures = 0
            return self._own_page(target)
        name, number, hop = found
        title = _title(self._division, self._numbers[path_of(name, number)])
        mode, place = MODES[name], Place(name, number, title, hop, validator)
        self._asked[target] += 1
        if not self._fails(mode, place, target):
            self._failures = 0
            return Answer(MODES["plain"].play(place))
        act = mode.play(place)
        self._led_home += name == "home_again"
        outcome = "not_modified" if act.confirmed else mode.outcome(hop)
        if outcome != "redirect":
            self._failures = 0 if outcome in {"ok", "not_modified"} else self._failures + 1
        return Answer(act, name, outcome, mode.kept, mode.refused)

    def _fails(self, mode: Mode, place: Place, target: str) -> bool:
        """Whether the mode is played; a chain of redirects is, whatever its length."""
        times = self._asked[target]
        return (
            mode.good
            or place.hop > 0
            or times == 1
            or (times <= mode.times and self._failures < _IN_A_ROW)
        )

    def _own_page(self, target: str) -> Answer:
        if target == "/robots.txt":
            return Answer(sized("200 OK", _ROBOTS, "Content-Type: text/plain"))
        if target == "/":
            act = sized("200 OK", text("home").encode(), HTML)
            if not self._led_home:
                return Answer(act)
            self._led_home -= 1
            return Answer(act, outcome="soft_404")
        if target.startswith(_LISTING):
            return Answer(self._listing(int(target.partition("cur_page=")[2] or 1)))
        return Answer(page("404 Not Found", "plain"), outcome="client_error")

    def _listing(self, number: int) -> Act:
        """On the first page the disallowed addresses come first, all at once."""
        paths = self._paths[(number - 1) * _ROWS : number * _ROWS]
        rows = [(path, self._numbers[path]) for path in paths]
        if number == 1:
            rows = [*((path, 0) for path in self.disallowed), *rows]
        following = number + 1 if number * _ROWS < len(self._paths) else None
        return _listing(self._division, rows, following)


class _Tunnelled:
    """A portal over https. Every answer ends its connection, so every request needs a tunnel."""

    def __init__(self, portal: Portal, each: int) -> None:
        self._division = portal.name_zh
        self._entries = [_path(url) for url in (portal.home, *portal.disclosure)]
        self._seeds = [_path(seed.url) for seed in portal.seeds]
        self._failures = [mode for _ in range(each) for mode in TUNNEL_MODES.values()]
        self._reports = 2 * len(self._failures)
        self._failed = True
        self._listed = False

    def next_failure(self) -> TunnelMode | None:
        self._failed = self._listed and bool(self._failures) and not self._failed
        return self._failures.pop() if self._failed else None

    def answer(self, target: str) -> Answer:
        answer = self._page(target)
        first_line, _, fields = answer.act.head.partition(b"\r\n")
        head = b"%b\r\nConnection: close\r\n%b" % (first_line, fields)
        return replace(answer, act=replace(answer.act, head=head, end="close"))

    def _page(self, target: str) -> Answer:
        found = parse(target)
        if found is not None or target in self._seeds:
            number = found[1] if found else self._reports
            place = Place("", number, _title(self._division, number))
            return Answer(sized("200 OK", place.report, HTML))
        if target == "/robots.txt":
            return Answer(sized("200 OK", _ROBOTS, "Content-Type: text/plain"))
        if target.startswith((_LISTING, *self._entries[1:])) or target == self._entries[0]:
            self._listed = True
            rows = [(path_of("tunnel", number), number) for number in range(self._reports)]
            return Answer(_listing(self._division, rows, None))
        return Answer(page("404 Not Found", "plain"), outcome="client_error")


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def _listing(division: str, rows: Sequence[tuple[str, int]], following: int | None) -> Act:
    shown = "".join(text("row", path=path, title=_title(division, n)) for path, n in rows)
    pager = text("next", page=str(following)) if following else ""
    return sized("200 OK", text("listing", rows=shown, pager=pager).encode(), HTML)


def _order(modes: Sequence[Mode], each: int) -> list[str]:
    """The addresses of the listings, every second one good; a list ends with a good one."""
    ways = [(mode, path_of(mode.name, number)) for number in range(each) for mode in modes]
    bad = [path for mode, path in ways if not mode.good]
    good = [path for mode, path in ways if mode.good]
    more = (path_of("plain", number) for number in count(each))
    pairs = zip(bad, chain(good, more), strict=False)
    return [*chain.from_iterable(pairs), *good[len(bad) :]]


def _title(division: str, number: int) -> str:
    """A report's title; organ and year of the first 21 600 numbers differ."""
    organ, year = divmod(number, _YEARS)
    second, first = divmod(organ, len(_STEMS))
    third, second = divmod(second, len(_BRANCHES))
    name = _STEMS[first] + _BRANCHES[second] + _STEMS[third]
    return f"{division}虚构{name}局{2008 + year}年政府信息公开工作年度报告"
