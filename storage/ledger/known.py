"""What the archive knew at a moment of organs, reports, addresses and listings, loaded at once.

Only rows that were there by then count. Two columns are overwritten by later runs: the last look at
an alias is taken from `aliases` only where no later one is there, else from the attempts at its
address; names and kinds of organs, and whose report an address is, are today's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from storage.capture.runs import UNFINISHED
from storage.readings.facts import ACTS
from storage.schema import (
    aliases,
    attempts,
    captures,
    corrections,
    is_government,
    lifetimes,
    listing_changes,
    listing_reads,
    listings,
    observations,
    organs,
    portals,
    readings,
    reports,
    runs,
    starts,
    terms,
    versions,
)

# What a look at an address ended with. `unread`: something came, and no report could be seen in it.
Ending: TypeAlias = Literal["good", "redirect", "gone", "blocked", "down", "unread", "unasked"]

# Conditions on looks at listings.
_Which: TypeAlias = Sequence[sa.ColumnElement[bool]]

_TIMEZONE = "Asia/Shanghai"
_GONE = frozenset({"soft_404", "http_404", "http_410"})
_UNREAD = frozenset(
    {"shell", "empty", "bad_encoding", "too_large", "no_article", "not_a_report", "redirect_loop"}
)
_UNASKED = frozenset(
    {
        "out_of_scope",
        "retry_later",
        "private_address",
        "circuit_open",
        "budget_spent",
        "asked",
        "interrupted",
        "Refused",
    }
)
_ANSWERED = ("ok", "not_modified")
_OF_REPORTS = ("report", "seed", "attachment")


@dataclass(frozen=True, slots=True)
class Life:
    """When an organ began and ended (ISO dates), and who goes on with its work."""

    begins: str | None
    ends: str | None
    becomes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Organ:
    """An organ; `portal` is its division's own where there is one."""

    id: int
    division_code: str
    name: str
    kind: str
    portal: str
    life: Life


@dataclass(frozen=True, slots=True)
class Look:
    """The last look at an address; `word` is what the archive calls its end."""

    ending: Ending
    at: datetime
    word: str
    capture_id: int | None


@dataclass(frozen=True, slots=True)
class Address:
    """An address of a report. `good_at`: when a version was last seen there."""

    url: str
    part: str
    first_seen: datetime
    good_at: datetime | None
    last: Look


@dataclass(frozen=True, slots=True)
class Version:
    """A version with its first and last sight; `layout` None where no reader has read it."""

    part: str
    name: str
    published: str | None
    first_seen: datetime
    first_capture: int
    first_url: str
    last_seen: datetime
    last_capture: int
    last_url: str
    layout: str | None
    has_figures: bool


@dataclass
class Report:
    """A report as far as it was known."""

    organ_id: int
    year: int
    addresses: list[Address] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Read:
    """A look at a listing."""

    id: int
    run_id: int
    at: datetime
    scope: str
    verdict: str
    reason: str | None
    captures: tuple[int, ...]


@dataclass
class Listing:
    """A listing of reports. `proven`: its newest complete look; `whole`: the whole one that rests
    on; `last`: the newest look at all; `failing_since`: the first of the failed looks it ends with;
    `first_proven`: the oldest complete look.
    """

    id: int
    portal: str
    url: str
    first_seen: datetime
    entries: dict[str, str]
    last: Read | None = None
    proven: Read | None = None
    whole: Read | None = None
    failing_since: datetime | None = None
    first_proven: datetime | None = None

    @property
    def gone(self) -> bool:
        """Whether there is no such listing any more."""
        return self.last is not None and self.last.verdict == "gone"

    @property
    def fails(self) -> bool:
        """Whether the newest look at it came to nothing."""
        return self.last is not None and self.last.verdict in ("blocked", "down")


@dataclass
class Site:
    """A portal: its time zone, its listings, and how its entries answered.

    `walked`: the last time an entry of its disclosure tree answered to a run that came to its end;
    None where no tree was ever walked. `entry`: the last look at one.
    """

    key: str
    timezone: str
    listings: list[Listing] = field(default_factory=list)
    walked: Look | None = None
    entry: Look | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a question about one division rests on, and no more.

    `organs`: those of the division and of whatever else shares its portals; `own`: those portals;
    `portals`: with every other that ever listed one of their reports.
    """

    organs: frozenset[int]
    own: frozenset[str]
    portals: frozenset[str]

    @property
    def reports(self) -> sa.Select[Any]:
        return sa.select(reports.c.id).where(reports.c.organ_id.in_(self.organs))

    @property
    def listings(self) -> sa.Select[Any]:
        return sa.select(listings.c.id).where(listings.c.portal.in_(self.portals))

    @property
    def addresses(self) -> sa.CompoundSelect[Any]:
        """Of their reports, and of whatever their own listings ever showed."""
        return _addresses_of(self.organs).union(_listed_by(self.own))


@dataclass(frozen=True, slots=True)
class Known:
    """All of it, or what a scope asks for. `listed`: address → when a listing first showed it;
    `looks`: the last look at an address by the attempts alone; `theirs`: addresses of any report
    that a listing may show.
    """

    at: datetime
    scope: Scope | None
    organs: list[Organ]
    reports: dict[tuple[int, int], Report]
    sites: dict[str, Site]
    listed: Mapping[str, datetime]
    looks: Mapping[str, Look]
    theirs: Collection[str]


def known(connection: sa.Connection, at: datetime, division: str | None = None) -> Known:
    """What the archive knew at `at`; of one division only what its cells rest on."""
    scope = None if division is None else _scope(connection, division)
    looks = _looks(connection, at, scope)
    found = _reports(connection, at, looks, scope)
    sites, listed = _sites(connection, at, scope)
    theirs = {each.url for report in found.values() for each in report.addresses}
    if scope is not None:
        theirs |= _known_addresses(connection, at, scope)
    told = _organs(connection, at, found, scope)
    return Known(at, scope, told, found, sites, listed, looks, theirs)


def _scope(connection: sa.Connection, division: str) -> Scope:
    o, p = organs.c, portals.c
    shared = sa.select(o.portal).where(o.division_code == division)
    query = sa.select(p.key, p.division_code).where(
        sa.or_(p.division_code == division, p.key.in_(shared))
    )
    own = {row.key: row.division_code for row in connection.execute(query)}
    theirs = sa.or_(o.portal.in_(own), o.division_code.in_([division, *own.values()]))
    ids = frozenset(connection.execute(sa.select(o.id).where(theirs)).scalars())
    showing = (
        sa.select(listings.c.portal)
        .select_from(listings)
        .join(listing_reads)
        .join(listing_changes)
        .where(listing_changes.c.url.in_(_addresses_of(ids)))
        .distinct()
    )
    others = connection.execute(showing).scalars()
    return Scope(ids, frozenset(own), frozenset([*own, *others]))


def _addresses_of(organ_ids: Collection[int]) -> sa.Select[Any]:
    told = sa.select(aliases.c.url).select_from(aliases).join(reports)
    return told.where(reports.c.organ_id.in_(organ_ids))


def _listed_by(keys: Collection[str]) -> sa.Select[Any]:
    return (
        sa.select(listing_changes.c.url)
        .select_from(listing_changes)
        .join(listing_reads)
        .join(listings)
        .where(listings.c.portal.in_(keys))
    )


def _known_addresses(connection: sa.Connection, at: datetime, scope: Scope) -> set[str]:
    """Of the addresses its own listings showed, those of any organ's reports."""
    query = (
        sa.select(aliases.c.url)
        .select_from(aliases)
        .join(reports)
        .where(reports.c.kind == "annual", aliases.c.first_seen <= at)
        .where(aliases.c.url.in_(_listed_by(scope.own)))
    )
    return set(connection.execute(query).scalars())


def ending(word: str, status: int | None = None) -> Ending:
    """What the outcome of an attempt, or the last outcome of an alias, comes to.

    >>> ending("http_404"), ending("client_error", 403), ending("DownloadTimeoutError")
    ('gone', 'blocked', 'down')
    """
    if word == "client_error":
        word = f"http_{status}"
    if word in _GONE:
        return "gone"
    if word in _UNREAD:
        return "unread"
    if word in _UNASKED:
        return "unasked"
    if word in {"ok", "not_modified"}:
        return "good"
    if word == "redirect":
        return "redirect"
    # A server that refuses a guest, in words or by its robots.txt.
    if word in {"blocked", "robots_refused"} or word.startswith("http_4"):
        return "blocked"
    return "down"


# --- organs -------------------------------------------------------------------------------------


def _organs(
    connection: sa.Connection,
    at: datetime,
    found: Mapping[tuple[int, int], Report],
    scope: Scope | None,
) -> list[Organ]:
    """By division, government first. One that the archive met later only is not there yet."""
    own = {
        row.division_code: row.key
        for row in connection.execute(sa.select(portals).order_by(portals.c.key.desc()))
    }
    lives = _lives(connection, at)
    named = {organ_id for organ_id, _ in found} | set(lives)
    o = organs.c
    met = sa.exists().where(reports.c.organ_id == o.id, aliases.c.report_id == reports.c.id)
    later = sa.or_(met, o.id.in_(sa.select(lifetimes.c.organ_id)))
    begun = sa.select(terms.c.portal).join(starts)
    mistaken = _mistaken(connection)
    query = (
        sa.select(organs, is_government.label("is_government"), later.label("dated"))
        .add_columns(o.portal.in_(begun.where(starts.c.started_at <= at)).label("begun"))
        .add_columns(o.portal.in_(begun).label("begins"))
        .join(portals)
        .order_by(o.division_code, is_government.desc(), o.name)
    )
    if scope is not None:
        query = query.where(o.id.in_(scope.organs))
    return [
        Organ(
            row.id,
            row.division_code,
            row.name,
            row.kind,
            own.get(row.division_code, row.portal),
            lives.get(row.id, Life(None, None, ())),
        )
        for row in connection.execute(query)
        if row.id in named or _was_there(row, mistaken)
    ]


def _mistaken(connection: sa.Connection) -> set[tuple[str, str]]:
    """Division and organ whose report turned out to be another's: if it has no other, there may be
    no such organ.
    """
    c = corrections.c
    said = connection.execute(sa.select(c.before).where(c.cell.is_(None))).scalars()
    return {(before["division_code"], before["organ"]) for before in said}


def _was_there(row: sa.Row[Any], mistaken: Collection[tuple[str, str]]) -> bool:
    """Whether an organ without report and life at the moment was there already."""
    if row.is_government and row.begins:
        return bool(row.begun)
    return not row.dated and (row.is_government or (row.division_code, row.name) not in mistaken)


def _lives(connection: sa.Connection, at: datetime) -> dict[int, Life]:
    query = sa.select(lifetimes).where(lifetimes.c.noted_at <= at).order_by(lifetimes.c.id)
    return {
        row.organ_id: Life(row.begins, row.ends, tuple(row.becomes))
        for row in connection.execute(query)
    }


# --- reports ------------------------------------------------------------------------------------


def _reports(
    connection: sa.Connection, at: datetime, looks: Mapping[str, Look], scope: Scope | None
) -> dict[tuple[int, int], Report]:
    """Organ and year → report, of those that some look had shown."""
    a, r = aliases.c, reports.c
    query = (
        sa.select(r.organ_id, r.year, a.report_id, a.id, a.url, a.part, a.first_seen)
        .add_columns(a.last_seen, a.last_outcome)
        .join(reports)
        .where(r.kind == "annual", a.first_seen <= at)
        .order_by(a.first_seen, a.id)
    )
    which = None
    if scope is not None:
        query = query.where(r.organ_id.in_(scope.organs))
        which = sa.select(versions.c.id).where(versions.c.report_id.in_(scope.reports))
    seen = _seen(connection, at, which)
    by_id: dict[int, Report] = {}
    urls: dict[int, str] = {}
    for row in connection.execute(query):
        report = by_id.setdefault(row.report_id, Report(row.organ_id, row.year))
        urls[row.id] = row.url
        newest = max(seen.get(row.id, ()), key=_by_last, default=None)
        last = _last(row, newest, looks.get(row.url), at)
        good = newest.last if newest else None
        report.addresses.append(Address(row.url, row.part, row.first_seen, good, last))
    for report in by_id.values():
        # Only an address beside another one can have led there.
        if len(report.addresses) > 1:
            report.addresses = [_led(each, report.addresses, looks) for each in report.addresses]
    by_version: dict[int, list[_Seen]] = defaultdict(list)
    for each in (each for many in seen.values() for each in many):
        by_version[each.version_id].append(each)
    read = _readings(connection, at, which)
    v = versions.c
    content = sa.select(v.id, v.report_id, v.part, v.name, v.published)
    if scope is not None:
        content = content.where(v.report_id.in_(scope.reports))
    for row in connection.execute(content):
        sights = by_version.get(row.id)
        if sights and row.report_id in by_id:
            first, last_seen = min(sights, key=_by_first), max(sights, key=_by_last)
            layout, has_figures = read.get(row.id, (None, False))
            by_id[row.report_id].versions.append(
                Version(
                    part=row.part,
                    name=row.name,
                    published=row.published,
                    first_seen=first.first,
                    first_capture=first.first_capture,
                    first_url=urls[first.alias_id],
                    last_seen=last_seen.last,
                    last_capture=last_seen.last_capture,
                    last_url=urls[last_seen.alias_id],
                    layout=layout,
                    has_figures=has_figures,
                )
            )
    return {(report.organ_id, report.year): report for report in by_id.values()}


@dataclass(frozen=True, slots=True)
class _Seen:
    """A version seen at an address, from when to when."""

    version_id: int
    alias_id: int
    first: datetime
    last: datetime
    first_capture: int
    last_capture: int


def _by_first(seen: _Seen) -> tuple[datetime, int]:
    return seen.first, seen.first_capture


def _by_last(seen: _Seen) -> tuple[datetime, int]:
    return seen.last, seen.last_capture


def _seen(
    connection: sa.Connection, at: datetime, which: sa.Select[Any] | None
) -> dict[int, list[_Seen]]:
    """Alias → the versions seen there, of `which` versions."""
    o = observations.c
    query = (
        sa.select(o.version_id, o.alias_id, sa.func.min(o.seen_at), sa.func.max(o.seen_at))
        .add_columns(sa.func.min(o.capture_id), sa.func.max(o.capture_id))
        .where(o.seen_at <= at)
        .group_by(o.version_id, o.alias_id)
    )
    if which is not None:
        query = query.where(o.version_id.in_(which))
    seen = defaultdict(list)
    for row in connection.execute(query):
        seen[row.alias_id].append(_Seen(*row))
    return seen


def _last(row: sa.Row[Any], seen: _Seen | None, told: Look | None, at: datetime) -> Look:
    """The last look at an alias: of its observations, its own row and the attempts the newest.

    An attempt that only says "answered" does not say that the report was there: the observation
    does, and where there is none, something else was.
    """
    looks = []
    answers = told is None or told.ending == "good"
    if answers and seen is not None and row.last_outcome == "ok" and row.last_seen <= at:
        return Look("good", seen.last, "ok", seen.last_capture)
    if row.last_seen <= at:
        looks.append(Look(ending(row.last_outcome), row.last_seen, row.last_outcome, None))
    if seen is not None:
        looks.append(Look("good", seen.last, "ok", seen.last_capture))
    if told is not None and told.ending == "good":
        told = None if looks else Look("unread", told.at, told.word, told.capture_id)
    if told is not None and told.ending != "redirect":
        looks.append(told)
    if not looks:
        return Look("unasked", row.first_seen, "unasked", None)
    newest = max(looks, key=lambda look: (look.at, look.capture_id is not None))
    sent = [look for look in looks if look.ending != "unasked"]
    if newest.ending == "unasked" and sent:
        newest = max(sent, key=lambda look: look.at)
    if newest.capture_id is None and told is not None and told.ending == newest.ending:
        return Look(newest.ending, newest.at, newest.word, told.capture_id)
    return newest


def _led(address: Address, all_: list[Address], looks: Mapping[str, Look]) -> Address:
    """An address that redirects to where nothing is ends as that does: the archive notes the
    failure at the address it was led to, which is no address of the report.
    """
    told = looks.get(address.url)
    if told is None or told.ending != "redirect" or address.last.ending == "redirect":
        return address
    ends = [each.last for each in all_ if each.good_at is None and each.last.at >= told.at]
    if told.at <= address.last.at or not ends:
        return address
    end = max(ends, key=lambda look: look.at)
    return replace(address, last=replace(end, capture_id=end.capture_id or told.capture_id))


def _looks(connection: sa.Connection, at: datetime, scope: Scope | None) -> dict[str, Look]:
    """Address → the last attempt at it that was sent, of reports and their files."""
    a = attempts.c
    newest = (
        sa.select(sa.func.max(a.id))
        .where(a.started_at <= at, a.purpose.in_(_OF_REPORTS), a.outcome.not_in(_UNASKED))
        .group_by(a.url)
    )
    if scope is not None:
        newest = newest.where(a.url.in_(scope.addresses))
    return {row.url: _look(row) for row in connection.execute(_attempts(newest))}


def _attempts(which: sa.Select[Any]) -> sa.Select[Any]:
    a = attempts.c
    return (
        sa.select(a.portal, a.url, a.started_at, a.outcome, a.status)
        .add_columns(captures.c.id.label("capture_id"))
        .outerjoin(captures, captures.c.attempt_id == a.id)
        .where(a.id.in_(which))
    )


def _look(row: sa.Row[Any]) -> Look:
    word = f"http_{row.status}" if row.outcome == "client_error" else row.outcome
    return Look(ending(word), row.started_at, word, row.capture_id)


def _readings(
    connection: sa.Connection, at: datetime, which: sa.Select[Any] | None
) -> dict[int, tuple[str, bool]]:
    """Version → layout of its reading in force, and whether that has figures."""
    place = (
        sa.func.row_number()
        .over(partition_by=ACTS.c.version_id, order_by=(ACTS.c.at.desc(), ACTS.c.reading_id.desc()))
        .label("place")
    )
    acts = sa.select(ACTS.c.reading_id, place).where(ACTS.c.at <= at)
    if which is not None:
        acts = acts.where(ACTS.c.version_id.in_(which))
    ranked = acts.subquery()
    r = readings.c
    query = (
        sa.select(r.version_id, r.layout, r.form_id)
        .join(ranked, ranked.c.reading_id == r.id)
        .where(ranked.c.place == 1)
    )
    return {
        row.version_id: (row.layout, row.form_id is not None) for row in connection.execute(query)
    }


# --- listings -----------------------------------------------------------------------------------


def _sites(
    connection: sa.Connection, at: datetime, scope: Scope | None
) -> tuple[dict[str, Site], dict[str, datetime]]:
    zones = _timezones(connection, at)
    keys = scope.portals if scope else connection.execute(sa.select(portals.c.key)).scalars()
    sites = {key: Site(key, zones.get(key, _TIMEZONE)) for key in keys}
    which = [] if scope is None else [listing_reads.c.listing_id.in_(scope.listings)]
    entries, shows_reports, listed = _entries(connection, at, which)
    reads = _newest_reads(connection, at, which)
    failing, first = _failing(connection, at, which), _first_proven(connection, at, which)
    query = sa.select(listings).where(listings.c.first_seen <= at).order_by(listings.c.url)
    query = query.where(listings.c.portal.in_(sites))
    for row in connection.execute(query):
        if not row.annual and row.id not in shows_reports:
            continue
        newest = reads.get(row.id, {})
        proven, whole = proof(newest.values())
        sites[row.portal].listings.append(
            Listing(
                id=row.id,
                portal=row.portal,
                url=row.url,
                first_seen=row.first_seen,
                entries=entries.get(row.id, {}),
                last=max(
                    (read for read in newest.values() if read.verdict != "not_asked"),
                    key=_by_id,
                    default=None,
                ),
                proven=proven,
                whole=whole,
                failing_since=failing.get(row.id),
                first_proven=first.get(row.id),
            )
        )
    for key, walked, entry in _walks(connection, at, sites):
        sites[key].walked, sites[key].entry = walked, entry
    return sites, listed


def proof(reads: Any) -> tuple[Read | None, Read | None]:
    """The newest complete look, and the newest whole one that it rests on: a look at the first
    pages proves nothing before one at all of them.
    """
    complete = sorted((read for read in reads if read.verdict == "complete"), key=_by_id)
    whole = next((read for read in reversed(complete) if read.scope == "whole"), None)
    return (complete[-1], whole) if whole else (None, None)


def _by_id(read: Read) -> int:
    return read.id


def _timezones(connection: sa.Connection, at: datetime) -> dict[str, str]:
    """Of each portal the newest promised one."""
    query = (
        sa.select(terms.c.portal, sa.func.max(terms.c.start_id))
        .join(starts)
        .where(starts.c.started_at <= at)
        .group_by(terms.c.portal)
        .subquery()
    )
    zones = sa.select(terms.c.portal, terms.c.timezone).join(
        query, sa.and_(terms.c.portal == query.c[0], terms.c.start_id == query.c[1])
    )
    return {row.portal: row.timezone for row in connection.execute(zones)}


def _newest_reads(
    connection: sa.Connection, at: datetime, which: _Which
) -> dict[int, dict[tuple[str, str], Read]]:
    """Listing → scope and verdict → the newest such look."""
    r = listing_reads.c
    newest = (
        sa.select(sa.func.max(r.id))
        .where(r.read_at <= at, *which)
        .group_by(r.listing_id, r.scope, r.verdict)
    )
    reads: dict[int, dict[tuple[str, str], Read]] = defaultdict(dict)
    for row in connection.execute(sa.select(listing_reads).where(r.id.in_(newest))):
        reads[row.listing_id][row.scope, row.verdict] = Read(
            row.id,
            row.run_id,
            row.read_at,
            row.scope,
            row.verdict,
            row.reason,
            tuple(row.captures),
        )
    return reads


def _failing(connection: sa.Connection, at: datetime, which: _Which) -> dict[int, datetime]:
    """Listing → the first of the failed looks after its last answer."""
    r = listing_reads.c
    answered = (
        sa.select(r.listing_id, sa.func.max(r.id).label("id"))
        .where(r.read_at <= at, r.verdict.in_(("complete", "incomplete", "gone")), *which)
        .group_by(r.listing_id)
        .subquery()
    )
    query = (
        sa.select(r.listing_id, sa.func.min(r.read_at))
        .outerjoin(answered, answered.c.listing_id == r.listing_id)
        .where(r.read_at <= at, r.verdict.in_(("blocked", "down")), *which)
        .where(sa.or_(answered.c.id.is_(None), r.id > answered.c.id))
        .group_by(r.listing_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _first_proven(connection: sa.Connection, at: datetime, which: _Which) -> dict[int, datetime]:
    """Listing → its oldest complete look."""
    r = listing_reads.c
    query = (
        sa.select(r.listing_id, sa.func.min(r.read_at))
        .where(r.read_at <= at, r.verdict == "complete", *which)
        .group_by(r.listing_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _entries(
    connection: sa.Connection, at: datetime, which: _Which
) -> tuple[dict[int, dict[str, str]], set[int], dict[str, datetime]]:
    """Listing → the reports it shows (address → title); listings that ever showed one; and address
    → when a listing first showed it.
    """
    c, r = listing_changes.c, listing_reads.c
    query = (
        sa.select(r.listing_id, r.read_at, c.change, c.url, c.title, c.is_report)
        .join(listing_reads, r.id == c.listing_read_id)
        .where(r.read_at <= at, *which)
        .order_by(r.id, c.position)
    )
    entries: dict[int, dict[str, str]] = defaultdict(dict)
    ever: set[int] = set()
    listed: dict[str, datetime] = {}
    for row in connection.execute(query):
        # One that is called otherwise may be no report any more.
        if row.change == "removed" or not row.is_report:
            entries[row.listing_id].pop(row.url, None)
        else:
            ever.add(row.listing_id)
            entries[row.listing_id][row.url] = row.title
            listed.setdefault(row.url, row.read_at)
    return entries, ever, listed


def _walks(
    connection: sa.Connection, at: datetime, keys: Collection[str]
) -> list[tuple[str, Look | None, Look | None]]:
    """Portal, the last entry of its tree that answered, and the last look at one."""
    a = attempts.c
    asked = sa.and_(a.started_at <= at, a.purpose == "entry", a.outcome.not_in(_UNASKED))
    # A walk that was broken off may have passed by what it was to find.
    answers = sa.case((sa.and_(a.outcome.in_(_ANSWERED), runs.c.state.not_in(UNFINISHED)), a.id))
    query = (
        sa.select(a.portal, sa.func.max(answers).label("walked"), sa.func.max(a.id).label("last"))
        .join(runs)
        .where(asked, a.portal.in_(keys))
        .group_by(a.portal)
    )
    found = connection.execute(query).all()
    ids = {each for row in found for each in (row.walked, row.last) if each}
    rows = connection.execute(
        sa.select(attempts.c.id, attempts.c.started_at, attempts.c.outcome, attempts.c.status)
        .add_columns(captures.c.id.label("capture_id"))
        .outerjoin(captures, captures.c.attempt_id == attempts.c.id)
        .where(attempts.c.id.in_(ids))
    )
    looks = {row.id: _look(row) for row in rows}
    return [(row.portal, looks.get(row.walked), looks.get(row.last)) for row in found]


class Answer(NamedTuple):
    """What came of a look at a listing: `gone`, `complete` (resting on a whole one) or `partly`."""

    at: datetime
    said: Literal["complete", "partly", "gone"]


class History(NamedTuple):
    """Of one portal: when its runs started, when an entry of its tree answered, and the answers of
    each listing (by id), each in their order.
    """

    starts: list[datetime]
    walks: list[datetime]
    answers: dict[int, list[Answer]]


def history(connection: sa.Connection, portal: str, at: datetime) -> History:
    """The looks at one portal up to `at`."""
    begun = (
        sa.select(starts.c.started_at)
        .join(terms)
        .where(terms.c.portal == portal, starts.c.started_at <= at)
        .order_by(starts.c.started_at)
    )
    a, r = attempts.c, listing_reads.c
    walks = (
        sa.select(a.started_at)
        .join(runs)
        .where(a.portal == portal, a.started_at <= at, runs.c.state.not_in(UNFINISHED))
        .where(a.purpose == "entry", a.outcome.in_(_ANSWERED))
        .order_by(a.started_at)
    )
    answered = (
        sa.select(r.listing_id, r.read_at, r.scope, r.verdict)
        .join(listings)
        .where(listings.c.portal == portal, r.read_at <= at)
        .where(r.verdict.in_(("complete", "incomplete", "gone")))
        .order_by(r.id)
    )
    answers: dict[int, list[Answer]] = defaultdict(list)
    wholly: set[int] = set()
    for row in connection.execute(answered):
        if row.verdict == "complete" and row.scope == "whole":
            wholly.add(row.listing_id)
        rests = row.verdict == "complete" and row.listing_id in wholly
        said: Literal["complete", "partly", "gone"] = "complete" if rests else "partly"
        answers[row.listing_id].append(
            Answer(row.read_at, "gone" if row.verdict == "gone" else said)
        )
    return History(
        list(connection.execute(begun).scalars()),
        list(connection.execute(walks).scalars()),
        answers,
    )


def gone_looks(
    connection: sa.Connection, at: datetime, scope: Scope | None
) -> dict[str, list[datetime]]:
    """Address of a report → the attempts that found nothing there, in their order."""
    a = attempts.c
    nothing = sa.or_(
        a.outcome == "soft_404",
        sa.and_(a.outcome == "client_error", a.status.in_((404, 410))),
    )
    query = (
        sa.select(a.url, a.started_at)
        .where(a.started_at <= at, a.purpose.in_(_OF_REPORTS), nothing)
        .order_by(a.started_at)
    )
    if scope is not None:
        query = query.where(a.url.in_(scope.addresses))
    looks: dict[str, list[datetime]] = defaultdict(list)
    for row in connection.execute(query):
        looks[row.url].append(row.started_at)
    return looks


def addresses(connection: sa.Connection, ids: set[int]) -> dict[int, str]:
    """Capture → its address."""
    query = sa.select(captures.c.id, captures.c.url).where(captures.c.id.in_(ids))
    return {row.id: row.url for row in connection.execute(query)}
