"""What should exist, and what proves that it does or does not: organ × reporting year.

A pure question about the archive as of a moment: nothing that became known later counts. Each cell
is in one state; docs/ledger.md says which proof each state has and which goes before which.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, TypedDict
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from storage.care.leaving import leaves
from storage.care.withdrawals import Tombstone, tombstones
from storage.ledger.deadlines import FIRST_YEAR, Due, due
from storage.ledger.known import (
    Address,
    Answer,
    History,
    Known,
    Listing,
    Look,
    Organ,
    Read,
    Report,
    Site,
    Version,
    addresses,
    gone_looks,
    history,
    known,
)
from storage.queries.lives import short_name
from storage.schema import organs

State: TypeAlias = Literal[
    "captured",
    "captured_late",
    "moved",
    "absent",
    "attachment_only",
    "unreadable",
    "blocked",
    "portal_down",
    "removed",
    "not_due",
    "unproven",
    "withdrawn",
]
# States of a report that a version of is in the archive and still to be had.
HELD: frozenset[State] = frozenset(
    {"captured", "captured_late", "moved", "attachment_only", "unreadable"}
)
_FAILED: Mapping[str, State] = {"blocked": "blocked", "down": "portal_down"}
_CHINESE_DIGITS = str.maketrans("〇○零一二三四五六七八九", "000123456789")
_YEAR = re.compile(r"(?:19|20)\d\d")


class Proof(TypedDict):
    """One thing that proves a state. `kind`: first_sight, last_sight, address, listing, whole_look
    (the look at every page that a later one at the first pages rests on) or entry (of the tree).
    """

    kind: str
    capture_id: int | None
    listing_read_id: int | None
    url: str
    at: str


class Cell(TypedDict):
    """One organ and reporting year. `deadline` is an ISO date, None where no law names one;
    `published` the earliest date any version claims; `since`, `as_of`: from when and up to when
    the state is proven.
    """

    division_code: str
    organ: str
    kind: str
    portal: str
    year: int
    state: State
    deadline: str | None
    published: str | None
    as_of: str | None
    since: str | None
    late_days: int | None
    proof: list[Proof]
    note: str
    note_zh: str


@leaves
def ledger(
    connection: sa.Connection,
    *,
    at: datetime,
    division: str | None = None,
    year: int | None = None,
    organ_id: int | None = None,
) -> list[Cell]:
    """Every organ from 2008 to the last full year in its portal's time zone, as known at `at`.

    By division, government first, then by year. `at` needs a time zone. What is withdrawn today is
    told of no moment.
    """
    book = _Book(connection, known(connection, at, _of_organ(connection, division, organ_id)))
    return [
        cell
        for organ in book.known.organs
        if division in (None, organ.division_code) and organ_id in (None, organ.id)
        for cell in book.cells(organ)
        if year in (None, cell["year"])
    ]


def _of_organ(connection: sa.Connection, division: str | None, organ_id: int | None) -> str | None:
    """The division that is asked about, where it is one."""
    if division is not None or organ_id is None:
        return division
    query = sa.select(organs.c.division_code).where(organs.c.id == organ_id)
    return connection.execute(query).scalar()


def _withdrawn(owed: _Owed, stone: Tombstone) -> Cell:
    """Neither absent nor removed: it is there, and shown to nobody."""
    facts = {"day": stone.since.date().isoformat(), "reason": stone.reason}
    verdict = _Verdict("withdrawn", stone.since, stone.since, notes=(_note("withdrawn", **facts),))
    return _tell(owed, verdict)


# --- words --------------------------------------------------------------------------------------


class Note(NamedTuple):
    """A sentence of ledger.toml with its facts."""

    key: str
    facts: Mapping[str, str]


@cache
def sentences() -> Mapping[str, Mapping[str, str]]:
    """The sentences of the ledger, by key and language."""
    text = Path(__file__).with_name("ledger.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _say(notes: Sequence[Note], language: str) -> str:
    joint = " " if language == "en" else ""
    return joint.join(sentences()[note.key][language].format(**note.facts) for note in notes)


def _note(key: str, **facts: str) -> Note:
    return Note(key, facts)


# --- one judgement ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a cell comes to, before it is told."""

    state: State
    as_of: datetime | None
    since: datetime | None = None
    published: str | None = None
    late_days: int | None = None
    proof: tuple[Proof, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class _Owed:
    """A year of an organ: when it is due, and the first moment after that."""

    organ: Organ
    year: int
    due: Due
    ends: datetime
    zone: ZoneInfo

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()


class _Unseen(NamedTuple):
    """A report that a listing shows and nobody has captured, nor knows by an address."""

    url: str
    title: str
    look: Look | None


@dataclass
class _Book:
    """All that is asked again and again while the cells are judged."""

    connection: sa.Connection
    known: Known
    _absences: dict[tuple[str, datetime], _Verdict] = field(default_factory=dict)
    _histories: dict[str, History] = field(default_factory=dict)
    _gone: dict[str, list[datetime]] | None = None
    _unseen_by_portal: dict[str, list[_Unseen]] | None = None

    def cells(self, organ: Organ) -> Iterator[Cell]:
        for owed in self._years(organ):
            if (stone := self._hidden.get((organ.id, owed.year))) is not None:
                yield _withdrawn(owed, stone)
                continue
            verdict = self._verdict(owed)
            if verdict is not None:
                yield _tell(owed, verdict)

    def _years(self, organ: Organ) -> Iterator[_Owed]:
        site = self.known.sites[organ.portal]
        zone = ZoneInfo(site.timezone)
        for year in range(FIRST_YEAR, self.known.at.astimezone(zone).year):
            when = due(organ.kind, year)
            yield _Owed(organ, year, when, when.ends(zone), zone)

    def _verdict(self, owed: _Owed) -> _Verdict | None:
        """What the year comes to; None where the organ did not owe it and no report is there."""
        report = self.known.reports.get((owed.organ.id, owed.year))
        owes = _owes(owed.organ, owed.due.day)
        verdict = self._of_report(owed, report) if report is not None else None
        if verdict is None and not owes:
            return None
        verdict = verdict or self._without(owed)
        if owes and verdict.state not in (*HELD, "removed"):
            verdict = self._by_another(owed, verdict) or verdict
        return replace(verdict, notes=(*verdict.notes, *self._on_life(owed, owes)))

    # --- a report that is known ---------------------------------------------------------------

    def _of_report(self, owed: _Owed, report: Report) -> _Verdict | None:
        """By what the archive has of it; None where it only says that nothing came of it."""
        if report.versions:
            return self._captured(owed, report)
        return self._never_captured(owed, report)

    def _captured(self, owed: _Owed, report: Report) -> _Verdict:
        first = min(report.versions, key=lambda each: (each.first_seen, each.first_capture))
        last = max(report.versions, key=lambda each: (each.last_seen, each.last_capture))
        proofs = [_sight("first_sight", first.first_capture, first.first_url, first.first_seen)]
        if last.last_capture != first.first_capture:
            proofs.append(_sight("last_sight", last.last_capture, last.last_url, last.last_seen))
        published, late_days, on_time = self._timeliness(owed, report, first)
        common = _Verdict(
            state="captured_late" if late_days else "captured",
            as_of=last.last_seen,
            since=first.first_seen,
            published=published,
            late_days=late_days,
            proof=tuple(proofs),
            notes=on_time,
        )
        return (
            self._removed(report, common, last)
            or _of_content(report, common)
            or self._moved(report, common)
            or common
        )

    def _removed(self, report: Report, common: _Verdict, last: Version) -> _Verdict | None:
        """Gone from every address; or the page is, and a file still answers."""
        main = _main(report)
        if not main or any(each.last.ending != "gone" for each in main):
            return None
        went = max(self._went(each) for each in main)
        word = main[-1].last.word
        proofs = (*common.proof, *map(_address, main))
        for each in report.addresses:
            if each.part != "page" and each.good_at is not None and each.good_at > went:
                return replace(
                    common,
                    state="attachment_only",
                    proof=proofs,
                    notes=(_note("page_gone", word=word, name=_file(report, each)), *common.notes),
                )
        seen = _note("removed", word=word, seen=last.last_seen.date().isoformat())
        return replace(
            common,
            state="removed",
            as_of=max(each.last.at for each in main),
            since=went,
            proof=proofs,
            notes=(seen, *common.notes),
        )

    def _went(self, address: Address) -> datetime:
        """The first look that found it gone, of those it ends with."""
        if self._gone is None:
            self._gone = gone_looks(self.connection, self.known.at, self.known.scope)
        good = address.good_at or address.first_seen
        found = _first_from(good, self._gone.get(address.url, ()))
        return min(found or address.last.at, address.last.at)

    def _moved(self, report: Report, common: _Verdict) -> _Verdict | None:
        """An earlier address is gone, or dropped and dead, and it was seen well at another."""
        main = _main(report)
        good = [each for each in main if each.last.ending == "good"]
        # A seed was somewhere once; a dead link beside a good one never led anywhere, nor is the
        # page that a removed one leads to an address of its own.
        seeds = [
            each
            for each in report.addresses
            if each.url not in self.known.listed
            and common.since is not None
            and each.first_seen < common.since
        ]
        dead = [each for each in (*main, *seeds) if self._is_dead(each)]
        if not good or not dead:
            return None
        new = max(good, key=lambda each: (each.first_seen, each.last.at))
        old = max(dead, key=lambda each: (each.good_at is not None, each.last.at))
        said = _note("moved", old=old.url, word=old.last.word, new=new.url)
        return replace(
            common,
            state="moved",
            since=new.first_seen,
            proof=(*common.proof, _address(old)),
            notes=(said, *common.notes),
        )

    def _is_dead(self, address: Address) -> bool:
        if address.last.ending == "down":
            return address.url in self.known.listed and address.url not in self._shown
        return address.last.ending == "gone"

    @cached_property
    def _hidden(self) -> Mapping[tuple[int, int], Tombstone]:
        """Organ and year → why its whole report is shown to nobody."""
        return {
            (stone.organ_id, stone.year): stone
            for stone in tombstones(self.connection).values()
            if stone.whole and stone.kind == "annual"
        }

    @cached_property
    def _shown(self) -> frozenset[str]:
        """Addresses that a listing shows that is not gone itself."""
        return frozenset(
            url
            for site in self.known.sites.values()
            for listing in site.listings
            if listing.last is None or listing.last.verdict != "gone"
            for url in listing.entries
        )

    def _never_captured(self, owed: _Owed, report: Report) -> _Verdict | None:
        """It is known from a listing or a seed, and its page never came."""
        by_ending: dict[str, Address] = {
            each.last.ending: each for each in report.addresses if each.last.ending != "redirect"
        }
        if (came := by_ending.get("unread")) is not None:
            facts = {"url": came.url, "word": came.last.word}
            return _at_address("unreadable", came, _note("no_report", **facts))
        if self.known.at < owed.ends:
            return None
        for ending, state in _FAILED.items():
            if (failed := by_ending.get(ending)) is not None:
                facts = {"url": failed.url, "word": failed.last.word}
                return _at_address(state, failed, _note("address_fails", **facts))
        if (unasked := by_ending.get("unasked")) is not None:
            said = _note("not_asked", url=unasked.url)
            return self._doubt(owed, _Verdict("unproven", None, notes=(said,)))
        if (gone := by_ending.get("gone")) is not None:
            if self._was_delisted(report):
                said = _note("delisted", url=gone.url)
                verdict = self._without(owed)
                return replace(verdict, notes=(said, *verdict.notes))
            facts = {"url": gone.url, "word": gone.last.word}
            return _at_address("removed", gone, _note("never_there", **facts))
        return None

    def _was_delisted(self, report: Report) -> bool:
        urls = {each.url for each in report.addresses}
        return bool(urls & self.known.listed.keys()) and not urls & self._shown

    # --- whether it came in time --------------------------------------------------------------

    def _timeliness(
        self, owed: _Owed, report: Report, first: Version
    ) -> tuple[str | None, int | None, tuple[Note, ...]]:
        """The date claimed, the days it is late (None: in time, or nobody can be), what to say."""
        claims = [
            (when, each.published)
            for each in report.versions
            if each.published and (when := span(each.published)) and when[1].year >= owed.year
        ]
        claim = min(claims, default=None)
        published = claim[1] if claim else None
        shown = min(first.first_seen, *(each.first_seen for each in report.addresses))
        shown = min(shown, *(self.known.listed.get(each.url, shown) for each in report.addresses))
        seen, deadline = owed.day(shown), owed.due.day
        facts = {"seen": seen.isoformat(), "claimed": published or ""}
        if not owed.due.law or seen <= deadline:
            said = () if claim else (_note("undated", **facts),)
            return published, None, said
        if claim and claim[0][0] > deadline:
            day = min(claim[0][0], seen)
            return published, (day - deadline).days, _for_office(owed, day)
        could = claim[0][0] if claim else date(owed.year, 1, 1)
        looked = self._absent_before(owed, could, shown)
        if looked is not None:
            facts["looked"] = owed.day(looked).isoformat()
            said = (_note("backdated" if claim else "absent_before", **facts),)
            return published, (seen - deadline).days, (*said, *_for_office(owed, seen))
        if not claim:
            return None, None, (_note("undated_after", **facts),)
        unsure = claim[0][1] > deadline
        return published, None, (_note("imprecise", **facts),) if unsure else ()

    def _absent_before(self, owed: _Owed, could: date, shown: datetime) -> datetime | None:
        """The moment after the deadline, and before it was `shown`, at which every listing and a
        walk of the tree had proven that it is not there, since `could`, before which it cannot have
        been. What the run that found it read proves nothing: a listing that nobody knew may have
        shown it for long.
        """
        site = self.known.sites[owed.organ.portal]
        first = min(
            (each.first_proven for each in site.listings if each.first_proven), default=shown
        )
        if first >= shown:
            return None
        starts, walks, answers = self._history(site)
        since = datetime.combine(could, time(), owed.zone)
        before = max((start for start in starts if start <= shown), default=shown)
        known = [each for each in site.listings if each.first_seen < before]
        series = [_barren(answers.get(each.id, ()), since) for each in known]
        if site.walked is not None:
            series.append(walks)
        proven = [_first_from(owed.ends, moments) for moments in series]
        if not proven or not all(each is not None and each < before for each in proven):
            return None
        return max(each for each in proven if each is not None)

    def _history(self, site: Site) -> History:
        """Of a portal, when it was asked what; loaded only for portals where it is in doubt."""
        if site.key not in self._histories:
            self._histories[site.key] = history(self.connection, site.key, self.known.at)
        return self._histories[site.key]

    # --- a report that is not there -----------------------------------------------------------

    def _without(self, owed: _Owed) -> _Verdict:
        """Nothing of it was captured."""
        if self.known.at < owed.ends:
            return _Verdict("not_due", self.known.at)
        site = self.known.sites[owed.organ.portal]
        unseen = next((each for each in self._unseen(site.key) if self._may_be(each, owed)), None)
        return self._absence(site, owed.ends) if unseen is None else self._listed(owed, unseen)

    def _listed(self, owed: _Owed, unseen: _Unseen) -> _Verdict:
        """A listing shows what may be this report, and it was not captured."""
        word = unseen.look.word if unseen.look else "not asked"
        said = (_note("listed_unseen", title=unseen.title, url=unseen.url, word=word),)
        if unseen.look is None:
            return self._doubt(owed, _Verdict("unproven", None, notes=said))
        states: Mapping[str, State] = {"gone": "removed", "unread": "unreadable", **_FAILED}
        state = states[unseen.look.ending]
        return _Verdict(
            state, unseen.look.at, notes=said, proof=(_looked(unseen.url, unseen.look),)
        )

    def _doubt(self, owed: _Owed, doubt: _Verdict) -> _Verdict:
        """Where the portal cannot be read, that is why nothing is known."""
        site = self._absence(self.known.sites[owed.organ.portal], owed.ends)
        if site.state not in _FAILED.values():
            return doubt
        return replace(site, notes=(*doubt.notes, *site.notes))

    def _unseen(self, portal: str) -> list[_Unseen]:
        if self._unseen_by_portal is None:
            self._unseen_by_portal = _all_unseen(self.known)
        return self._unseen_by_portal.get(portal, [])

    def _may_be(self, unseen: _Unseen, owed: _Owed) -> bool:
        """By the year and the organ in its title; one without an organ is the government's."""
        title = unseen.title.translate(_CHINESE_DIGITS)
        years = _YEAR.findall(title)
        if years and str(owed.year) not in years:
            return False
        named = [
            each
            for each in self.known.organs
            if each.portal == owed.organ.portal and short_name(each.name) in unseen.title
        ]
        if not named:
            return owed.organ.kind == "government"
        longest = max(len(short_name(each.name)) for each in named)
        return any(
            each.id == owed.organ.id for each in named if len(short_name(each.name)) == longest
        )

    def _absence(self, site: Site, ends: datetime) -> _Verdict:
        """What the listings of a portal say of a report that none of them shows."""
        key = site.key, ends
        if key not in self._absences:
            self._absences[key] = self._judge(site, ends)
        return self._absences[key]

    def _judge(self, site: Site, ends: datetime) -> _Verdict:
        alive = [each for each in site.listings if not each.gone]
        moments = [each.proven.at if each.proven else None for each in alive]
        if site.entry is not None:
            moments.append(site.walked.at if site.walked else None)
        until = min((each for each in moments if each), default=None) if all(moments) else None
        if (failing := [each for each in alive if each.fails]) and failing:
            return self._failing(max(failing, key=_last_look), until, ends)
        stale = site.entry is not None and (site.walked is None or site.walked.at < ends)
        if (stale or not alive) and site.entry is not None and site.entry.ending in _FAILED:
            return self._entry_failing(site.entry, until, ends)
        doubt = _why_unproven(site, alive, ends, stale)
        if doubt is not None:
            return _Verdict("unproven", until, notes=(doubt,))
        gone = tuple(_note("listing_gone", url=each.url) for each in site.listings if each.gone)
        proofs = [proof for each in alive for proof in self._proofs(each)]
        if site.walked is not None:
            proofs.append(_looked(self._url_of(site.walked), site.walked, "entry"))
        return _Verdict("absent", until, ends, proof=tuple(proofs), notes=gone)

    def _failing(self, listing: Listing, until: datetime | None, ends: datetime) -> _Verdict:
        assert listing.last is not None
        read = listing.last
        said = _note("listing_fails", url=listing.url, reason=read.reason or read.verdict)
        return _Verdict(
            state=_FAILED[read.verdict],
            as_of=read.at,
            since=listing.failing_since,
            proof=self._of_read("listing", listing, read),
            notes=(said, _until(until, ends)),
        )

    def _entry_failing(self, entry: Look, until: datetime | None, ends: datetime) -> _Verdict:
        return _Verdict(
            state=_FAILED[entry.ending],
            as_of=entry.at,
            proof=(_looked(self._url_of(entry), entry, "entry"),),
            notes=(_note("entry_fails", reason=entry.word), _until(until, ends)),
        )

    # --- proofs -------------------------------------------------------------------------------

    def _proofs(self, listing: Listing) -> Iterator[Proof]:
        """The newest complete look, and the whole one before it that it rests on."""
        assert listing.proven is not None
        assert listing.whole is not None
        yield from self._of_read("listing", listing, listing.proven)
        if listing.whole is not listing.proven:
            yield from self._of_read("whole_look", listing, listing.whole)

    def _of_read(self, kind: str, listing: Listing, read: Read) -> tuple[Proof, ...]:
        return tuple(
            Proof(
                kind=kind,
                capture_id=capture,
                listing_read_id=read.id,
                url=self._urls.get(capture, listing.url) if capture else listing.url,
                at=read.at.isoformat(),
            )
            for capture in read.captures or (None,)
        )

    def _url_of(self, look: Look) -> str:
        return self._urls.get(look.capture_id or 0, "")

    @cached_property
    def _urls(self) -> dict[int, str]:
        """Capture → its address, of what may prove something."""
        ids = {
            capture
            for site in self.known.sites.values()
            for listing in site.listings
            for read in (listing.proven, listing.whole, listing.last)
            if read is not None
            for capture in read.captures
        }
        for site in self.known.sites.values():
            ids |= {
                look.capture_id for look in (site.walked, site.entry) if look and look.capture_id
            }
        return addresses(self.connection, ids)

    # --- organs that follow each other ---------------------------------------------------------

    @cached_property
    def _successors(self) -> dict[int, list[Organ]]:
        """Organ → those that go on with its work, also by way of others."""
        by_name: dict[tuple[str, str], Organ] = {
            (each.division_code, each.name): each for each in self.known.organs
        }
        return {
            each.id: list(_followers(each, by_name))
            for each in self.known.organs
            if each.life.becomes
        }

    @cached_property
    def _predecessors(self) -> dict[int, list[Organ]]:
        by_id = {each.id: each for each in self.known.organs}
        before: dict[int, list[Organ]] = defaultdict(list)
        for organ_id, followers in self._successors.items():
            for follower in followers:
                before[follower.id].append(by_id[organ_id])
        return before

    def _by_another(self, owed: _Owed, own: _Verdict) -> _Verdict | None:
        """A report for a year that this organ owed, published by one that did not, which went
        before it or goes on with its work: it counts for both, also when all of them were removed.
        """
        gone: list[_Verdict] = []
        kin = [
            *(("by_successor", each) for each in self._successors.get(owed.organ.id, ())),
            *(("by_predecessor", each) for each in self._predecessors.get(owed.organ.id, ())),
        ]
        for key, other in kin:
            report = self.known.reports.get((other.id, owed.year))
            if report is not None and report.versions and not self._owed_by(other, owed.year):
                verdict = self._captured(owed, report)
                verdict = replace(verdict, notes=(_note(key, name=other.name), *verdict.notes))
                if verdict.state in HELD:
                    return verdict
                gone.append(verdict)
        if own.state == "not_due":
            return None
        # As of the one that stood longest, as with the addresses of a report.
        return max(gone, key=lambda each: each.since or self.known.at, default=None)

    def _owed_by(self, organ: Organ, year: int) -> bool:
        return _owes(organ, due(organ.kind, year).day)

    def _on_life(self, owed: _Owed, owes: bool) -> Iterator[Note]:
        """What the dates of the organ and its kin have to do with this year."""
        before = self._predecessors.get(owed.organ.id, ())
        if not owes:
            kin = (*before, *self._successors.get(owed.organ.id, ()))
            names = [each.name for each in kin if self._owed_by(each, owed.year)]
            if names:
                yield _note("for_predecessor", names="、".join(names))
            else:
                yield _note("outside_life", due=owed.due.day.isoformat())
        elif before and owed.organ.life.begins and owed.organ.life.begins[:4] >= str(owed.year):
            yield _note("predecessor", names="、".join(each.name for each in before))
        if not owed.due.law:
            yield _note("no_law")


# --- small judgements ---------------------------------------------------------------------------


def span(published: str) -> tuple[date, date] | None:
    """First and last day an ISO date of any precision may mean; None for what is no date.

    >>> span("2024-02"), span("soon")
    ((datetime.date(2024, 2, 1), datetime.date(2024, 2, 29)), None)
    """
    parts = published[:10].split("-")
    try:
        if len(parts) == 3:
            day = date.fromisoformat("-".join(parts))
            return day, day
        year, month = int(parts[0]), int(parts[1]) if len(parts) == 2 else 0
        first = date(year, month or 1, 1)
        after = date(year + month // 12, month % 12 + 1, 1) if month else date(year + 1, 1, 1)
    except ValueError:
        return None
    return first, after - timedelta(days=1)


def _owes(organ: Organ, day: date) -> bool:
    """Whether the organ exists on the day its report is due."""
    life, iso = organ.life, day.isoformat()
    return (life.begins or iso) <= iso <= (life.ends or iso)


def _of_content(report: Report, common: _Verdict) -> _Verdict | None:
    """Where the page does not show the figures, or nothing could be read."""
    newest: dict[tuple[str, str], Version] = {}
    for each in sorted(report.versions, key=lambda version: version.last_seen):
        newest[each.part, each.name] = each
    pages = [each for each in newest.values() if each.part == "page"]
    files = [each for each in newest.values() if each.part != "page"]
    in_file = next((each for each in files if each.has_figures), None)
    if any(each.has_figures for each in pages):
        return None
    if in_file is not None:
        key = "figures_in_file" if pages else "file_only"
        said = _note(key, name=in_file.name)
        return replace(common, state="attachment_only", notes=(said, *common.notes))
    if any(each.layout == "old" for each in pages):
        return None
    readable = next((each for each in files if each.layout in (None, "old")), None)
    if readable is not None:
        said = _note("file_only", name=readable.name)
        return replace(common, state="attachment_only", notes=(said, *common.notes))
    unopened = all(each.layout is None for each in newest.values())
    said = _note("unopened" if unopened else "unrecognised")
    return replace(common, state="unreadable", notes=(said, *common.notes))


def _main(report: Report) -> list[Address]:
    """The addresses that decide whether a report still stands: its pages, else its files. One that
    leads on to another is none of its own, and one it was never seen at never was one.
    """
    own = [each for each in report.addresses if each.last.ending != "redirect" and each.good_at]
    return [each for each in own if each.part == "page"] or own


def _file(report: Report, address: Address) -> str:
    return next(
        (each.name for each in report.versions if each.last_url == address.url), address.url
    )


def _for_office(owed: _Owed, day: date) -> tuple[Note, ...]:
    doubt = owed.due.in_doubt
    if doubt is None or day > doubt:
        return ()
    return (_note("office", until=doubt.isoformat()),)


def _why_unproven(site: Site, alive: Sequence[Listing], ends: datetime, stale: bool) -> Note | None:
    """Why absence after `ends` is not proven, where it is not."""
    if not site.listings:
        return _note("no_listing")
    if not alive:
        return _note("listings_gone")
    for each in alive:
        if each.proven is None or each.proven.at < ends:
            if each.last is not None and each.last.reason and each.last.at >= ends:
                return _note("listing_unproven", url=each.url, reason=each.last.reason)
            return _note("listing_unread", url=each.url)
    if stale:
        return _note(
            "not_walked", since=ends.astimezone(ZoneInfo(site.timezone)).date().isoformat()
        )
    return None


def _until(until: datetime | None, ends: datetime) -> Note:
    if until is None or until < ends:
        return _note("never_proven")
    return _note("proven_until", until=until.isoformat(timespec="minutes"))


def _last_look(listing: Listing) -> datetime:
    assert listing.last is not None
    return listing.last.at


def _first_from(start: datetime, moments: Sequence[datetime]) -> datetime | None:
    place = bisect_left(moments, start)
    return moments[place] if place < len(moments) else None


def _barren(answers: Sequence[Answer], since: datetime) -> list[datetime]:
    """The looks at a listing that would have shown what was there: complete ones, and those that
    found it gone, where it was gone by `since`. One that went later may have shown it before.
    """
    gone: datetime | None = None
    moments = []
    for answer in answers:
        gone = (gone or answer.at) if answer.said == "gone" else None
        if answer.said == "complete" or (gone is not None and gone <= since):
            moments.append(answer.at)
    return moments


def _followers(organ: Organ, by_name: Mapping[tuple[str, str], Organ]) -> Iterator[Organ]:
    """Breadth first; a circle in the files ends."""
    met, names = {organ.id}, [*organ.life.becomes]
    for name in names:
        follower = by_name.get((organ.division_code, name))
        if follower is not None and follower.id not in met:
            met.add(follower.id)
            names += follower.life.becomes
            yield follower


def _all_unseen(known: Known) -> dict[str, list[_Unseen]]:
    """Portal → reports its listings show that are nobody's yet. One whose page came and was taken
    for no report is not among them.
    """
    unseen: dict[str, dict[str, _Unseen]] = defaultdict(dict)
    for site in known.sites.values():
        for listing in site.listings:
            for url, title in {} if listing.gone else listing.entries.items():
                look = known.looks.get(url)
                if url not in known.theirs and (
                    look is None or look.ending not in ("good", "redirect")
                ):
                    unseen[site.key][url] = _Unseen(url, title, look)
    return {key: list(found.values()) for key, found in unseen.items()}


# --- telling ------------------------------------------------------------------------------------


def _sight(kind: str, capture_id: int, url: str, at: datetime) -> Proof:
    return Proof(kind=kind, capture_id=capture_id, listing_read_id=None, url=url, at=at.isoformat())


def _looked(url: str, look: Look, kind: str = "address") -> Proof:
    return Proof(
        kind=kind,
        capture_id=look.capture_id,
        listing_read_id=None,
        url=url,
        at=look.at.isoformat(),
    )


def _address(address: Address) -> Proof:
    return _looked(address.url, address.last)


def _at_address(state: State, address: Address, said: Note) -> _Verdict:
    return _Verdict(
        state,
        address.last.at,
        address.first_seen,
        proof=(_address(address),),
        notes=(said,),
    )


def _tell(owed: _Owed, verdict: _Verdict) -> Cell:
    return Cell(
        division_code=owed.organ.division_code,
        organ=owed.organ.name,
        kind=owed.organ.kind,
        portal=owed.organ.portal,
        year=owed.year,
        state=verdict.state,
        deadline=owed.due.day.isoformat() if owed.due.law else None,
        published=verdict.published,
        as_of=verdict.as_of.isoformat() if verdict.as_of else None,
        since=verdict.since.isoformat() if verdict.since else None,
        late_days=verdict.late_days,
        proof=list(verdict.proof),
        note=_say(verdict.notes, "en"),
        note_zh=_say(verdict.notes, "zh"),
    )
