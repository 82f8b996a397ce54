"""Which reports say almost the same in their own words, figures and statutory phrases aside?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import combinations, islice, product
from typing import Any, TypedDict

import sqlalchemy as sa

from storage.asof import AsOf
from storage.care.leaving import leaves
from storage.errors import BadQuestion
from storage.readings.onecell import Scope, standing
from storage.schema import organs, readings

# As crawler/forms/relations.toml has it for rule C1; a test holds the two together.
SAME = 0.75
# Signatures that share one of these pieces whole are compared: of two that share 75 % of their
# numbers all but five in a million do, of two that share 30 % one in four.
_BAND = 4
# Peers of an organ are of its city: so many digits of the division code.
_CITY = 4
_Signature = tuple[int, ...]


class Copy(TypedDict):
    """One of the two. `published` is the earliest date any version claims."""

    division_code: str
    organ: str
    kind: str
    year: int
    published: str | None
    title: str | None
    report_id: int
    version_id: int
    reading_id: int


class Copies(TypedDict):
    """Two reports and about how much of their words they share (0 to 1, within 0.1); the one that
    claims the earlier date first, which alone proves nothing about who copied.
    """

    share: float
    same_organ: bool
    one: Copy
    other: Copy


@leaves
def copies(
    connection: sa.Connection,
    *,
    division: str | None = None,
    year: int | None = None,
    organ_id: int | None = None,
    limit: int = 200,
    as_of: AsOf | None = None,
) -> list[Copies]:
    """The likest first, at most `limit`. Of a division: its reports of all years against each
    other; of an organ: its reports against those of its city; of a year: all of that year.

    Raises BadQuestion where none of the three is named.
    """
    if organ_id is None and division is None and year is None:
        raise BadQuestion("copies in the whole archive: name an organ, a division or a year")
    if organ_id is not None and division is None:
        query = sa.select(organs.c.division_code).where(organs.c.id == organ_id)
        division = connection.execute(query).scalar_one()[:_CITY]
    signed: dict[_Signature, list[sa.Row[Any]]] = defaultdict(list)
    scope = Scope(division=division, year=year, as_of=as_of)
    for row in connection.execute(_signatures(scope)):
        signed[tuple(row.signature)].append(row)
    mine = {key for key, rows in signed.items() if organ_id in (None, *(r.organ_id for r in rows))}
    pairs = (
        (share, one, other)
        for share, left, right in _alike([*signed], mine)
        for one, other in _rows(signed, left, right)
        if organ_id in (None, one.organ_id, other.organ_id)
    )
    return [_pair(*each) for each in islice(pairs, limit)]


def _share(one: Sequence[int], other: Sequence[int]) -> float:
    """How many of their numbers two signatures share: about how many of their pieces two texts do.

    The measure of rule C1, which storage may not import.
    """
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def _signatures(scope: Scope) -> sa.Select[Any]:
    reports, stood = standing(scope), scope.stands()
    s = reports.c
    return (
        sa.select(reports, stood.c.published, stood.c.title, readings.c.signature)
        .join(readings, readings.c.id == s.reading_id)
        .join(stood, stood.c.report_id == s.report_id)
        .where(readings.c.signature.is_not(None), *scope.conditions(reports))
        .order_by(s.division_code, s.organ, s.year)
    )


def _alike(
    signatures: Sequence[_Signature], mine: Collection[_Signature]
) -> list[tuple[float, _Signature, _Signature]]:
    """Pairs, the likest first, of which one at least is of `mine`; each also with itself."""
    shelves: dict[tuple[int, _Signature], list[int]] = defaultdict(list)
    for place, signature in enumerate(signatures):
        for start in range(0, len(signature), _BAND):
            shelves[start, signature[start : start + _BAND]].append(place)
    near = {pair for shelf in shelves.values() for pair in combinations(shelf, 2)}
    found = [(1.0, each, each) for each in signatures if each in mine]
    for left, right in sorted(near):
        one, other = signatures[left], signatures[right]
        if len(one) == len(other) and (one in mine or other in mine):
            share = _share(one, other)
            if share >= SAME:
                found.append((share, one, other))
    found.sort(key=lambda each: -each[0])
    return found


def _rows(
    signed: dict[_Signature, list[sa.Row[Any]]], left: _Signature, right: _Signature
) -> Iterator[tuple[sa.Row[Any], sa.Row[Any]]]:
    if left == right:
        yield from combinations(signed[left], 2)
    else:
        yield from product(signed[left], signed[right])


def _pair(share: float, one: sa.Row[Any], other: sa.Row[Any]) -> Copies:
    first, second = sorted((one, other), key=lambda row: (row.published or "9", row.year))
    return Copies(
        share=round(share, 3),
        same_organ=one.organ_id == other.organ_id,
        one=_copy(first),
        other=_copy(second),
    )


def _copy(row: sa.Row[Any]) -> Copy:
    return Copy(
        division_code=row.division_code,
        organ=row.organ,
        kind=row.kind,
        year=row.year,
        published=row.published,
        title=row.title,
        report_id=row.report_id,
        version_id=row.version_id,
        reading_id=row.reading_id,
    )
