"""Are the listings there, and is each proven complete? From the looks at them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from storage.alarms.ground import Ground
from storage.alerts.record import Alarm, Facts, Texts, alarm
from storage.capture.listings import Standing, watched
from storage.schema import listing_reads, listings

KINDS = ("listing_incomplete", "listings_gone", "new_channel")
# Verdicts that tell how a listing is; the others tell how the portal was.
_TELLING = ("complete", "incomplete", "gone")


def judge(ground: Ground) -> Iterator[Alarm]:
    """What is wrong with the listings of each portal, by the newest look that told something."""
    for portal in ground.portals:
        looks = _newest(ground, portal)
        known = [each for each in watched(ground.connection, portal) if each.id in looks]
        for each in known:
            if looks[each.id].verdict == "incomplete":
                yield _incomplete(ground, each, looks[each.id])
        gone = [each for each in known if looks[each.id].verdict == "gone"]
        elsewhere = _reports(*(each for each in known if each not in gone))
        lost = [each for each in gone if not _reports(each) or _reports(each) - elsewhere]
        if lost:
            yield _gone(ground, portal, lost)
        for each in known:
            # One that took over from a listing that is gone is part of a move.
            if ground.is_news(portal, each.first_seen) and not _reports(each) & _reports(*gone):
                yield _new(ground, each)


def _incomplete(ground: Ground, listing: Standing, look: sa.Row[Any]) -> Alarm:
    rule = look.rule or "-"
    facts: Facts = {
        "where": ground.names[listing.portal],
        "title": listing.title,
        "rule": rule,
        "reason": Texts(look.reason or rule, look.reason_zh or look.reason or rule),
    }
    return alarm(
        "listing_incomplete",
        f"{listing.url} {rule}",
        facts,
        portal=listing.portal,
        host=urlsplit(listing.url).hostname,
        last_good=_proven(listing),
    )


def _gone(ground: Ground, portal: str, lost: list[Standing]) -> Alarm:
    facts = {"where": ground.names[portal], "count": str(len(lost))}
    return alarm(
        "listings_gone",
        portal,
        facts,
        portal=portal,
        after={"gone": [[each.title, each.url] for each in lost]},
        last_good=_proven(lost[0]),
    )


def _new(ground: Ground, listing: Standing) -> Alarm:
    facts = {"where": ground.names[listing.portal], "title": listing.title}
    after = {"url": listing.url}
    return alarm("new_channel", listing.url, facts, portal=listing.portal, after=after)


def _newest(ground: Ground, portal: str) -> dict[int, sa.Row[Any]]:
    """Listing → its newest telling look."""
    r = listing_reads.c
    newest = (
        sa.select(sa.func.max(r.id))
        .join(listings)
        .where(listings.c.portal == portal, r.verdict.in_(_TELLING))
        .group_by(r.listing_id)
    )
    query: sa.Select[Any] = sa.select(r.listing_id, r.verdict, r.rule, r.reason, r.reason_zh).where(
        r.id.in_(newest)
    )
    return {row.listing_id: row for row in ground.connection.execute(query)}


def _reports(*shown: Standing) -> set[str]:
    """The titles of the reports that listings show, or showed last."""
    return {entry.title for each in shown for entry in each.entries.values() if entry.is_report}


def _proven(listing: Standing) -> str | None:
    read = listing.proven
    return None if read is None else f"{read.read_at.isoformat()} ({read.entries})"
