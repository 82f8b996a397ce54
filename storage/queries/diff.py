"""In which cells and words do two reports differ: versions, years, organs, page and file?"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict, TypeVar

import sqlalchemy as sa

from storage.asof import AsOf, current_readings, current_versions, reading_of
from storage.care.leaving import leaves, shown, without_values
from storage.care.withdrawals import versions_withdrawn
from storage.errors import BadQuestion, NotInArchive, Withdrawn
from storage.queries.organs import Organ, find_organ
from storage.queries.report import CellCorrection, number, report_row
from storage.readings.facts import IndicatorRecord, ReadingRecord, load_reading
from storage.readings.packing import CellRecord
from storage.schema import corrections, readings
from storage.schema import shown_versions as versions
from storage.text.rewording import Piece, Rewording

Change: TypeAlias = Literal["changed", "added", "removed"]
Part: TypeAlias = Literal["page", "attachment"]
_Section: TypeAlias = tuple[str, str]
_Key = TypeVar("_Key", bound=Hashable)

_WRITTEN = re.compile(r"(?P<organ>.+)/(?P<year>[0-9]{4})(?:@(?P<at>[^#]+))?(?:#(?P<name>.+))?")
_PAGE = "page"
# Headings that say nearly the same head the same section.
_ALIKE = 0.6
# `一、`, `（二）`, `3.`: a section may be counted otherwise and be the same.
_NUMBERING = re.compile(r"^[\s(（]*[一二三四五六七八九十百零\d]+[)）]?[、.．,，\s]*")

# A version has the reading that is in force today.
_TODAY = AsOf(datetime.max.replace(tzinfo=UTC), "published")

_LAYOUTS = (
    "the layouts differ ({left} and {right}): a cell that only one of them has is added or "
    "removed with its layout, not by the organ",
    "两侧表格版式不同（{left} 与 {right}）：仅一侧版式有的单元格标为新增或删除，并非机关增删",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A report, or one version of it, or its page (`part` page), or a file of it (`name`).

    With none of the three it is the reading that stands for the report. `as_of` says when.
    """

    organ: Organ
    year: int
    version_id: int | None = None
    part: Part | None = None
    name: str | None = None
    as_of: AsOf | None = None


class DiffSide(TypedDict):
    """A cell as one side has it; `value` is null unless the state is number or zero.

    `correction` is what a person holds against it, with `review` where this side says otherwise
    than what was corrected.
    """

    raw: str
    state: str
    value: int | float | None
    unit: str | None
    correction: CellCorrection | None


class DiffCell(TypedDict):
    """A cell in which the sides differ; None where a side has no such cell."""

    path: str
    table: str
    row: str
    column: str
    before: DiffSide | None
    after: DiffSide | None
    change: Change


class DiffLine(TypedDict):
    """A line of the statistics of 2014 in which the sides differ, by its block and label."""

    block: str
    label: str
    before: DiffSide | None
    after: DiffSide | None
    change: Change


class DiffPassage(TypedDict):
    """A section that reads otherwise. `heading` is the right side's, or the only one;
    `heading_before` the left side's, where that says more than another number or year.
    """

    heading: str
    heading_before: str | None
    change: Change
    pieces: list[Piece]


class Compared(TypedDict):
    """What was compared; `place` leads to the same version again."""

    place: str
    division_code: str
    organ: str
    year: int
    part: str
    name: str
    version_id: int
    reading_id: int
    title: str
    published: str | None
    layout: str
    parser: str


class Diff(TypedDict):
    """`same` counts the cells that agree, `same_prose` the sections. `note` says in English and
    `note_zh` in Chinese what a reader must know of the layouts; null where they are the same.
    """

    left: Compared
    right: Compared
    cells: list[DiffCell]
    lines: list[DiffLine]
    same: int
    prose: list[DiffPassage]
    same_prose: int
    note: str | None
    note_zh: str | None


class _Figure(NamedTuple):
    """What a cell and a line of the statistics have in common."""

    raw: str
    state: str
    value: Decimal | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class _Read:
    """A side as it was read, its texts as they may leave; corrections by cell, newest."""

    told: Compared
    cells: dict[str, CellRecord]
    lines: dict[tuple[str, str, int], IndicatorRecord]
    prose: list[_Section]
    corrections: Mapping[str, sa.Row[Any]]


def find_place(connection: sa.Connection, written: str) -> Place:
    """A place as people write it: `天山区教育局/2019`, with a version's number or a date
    (`…/2019@12`, `…/2019@2024-03-01`), with the page or a file of it (`…#page`, `…#附件.docx`).

    Raises BadQuestion, NotInArchive.
    """
    found = _WRITTEN.fullmatch(written.strip())
    if found is None:
        raise BadQuestion(
            f"{written}: write a report as ORGAN/YEAR, e.g. 天山区教育局/2019, with a version as "
            "…/2019@12, with a date as …/2019@2024-03-01, with a file as …/2019#附件.docx"
        )
    at, name = found["at"], found["name"]
    is_version = at is not None and at.isdecimal() and len(at) < 10
    return Place(
        organ=find_organ(connection, found["organ"]),
        year=int(found["year"]),
        version_id=int(at) if is_version else None,
        part=None if name is None else "page" if name == _PAGE else "attachment",
        name=None if name == _PAGE else name,
        as_of=None if at is None or is_version else AsOf.parse(at),
    )


@leaves
def diff(connection: sa.Connection, left: Place, right: Place) -> Diff:
    """Left is the earlier, or what the right side is held against. Cells by their path in the order
    of the left side's form, then those that only the right side has; sections by their headings, in
    the right side's order.

    Raises NotInArchive, Withdrawn.
    """
    before, after = _read(connection, left), _read(connection, right)
    cells = list(_cells(before, after))
    prose = list(_prose(before.prose, after.prose))
    layouts = {"left": before.told["layout"], "right": after.told["layout"]}
    note, note_zh = (
        (None, None)
        if layouts["left"] == layouts["right"]
        else (said.format(**layouts) for said in _LAYOUTS)
    )
    shared = before.cells.keys() & after.cells.keys()
    return Diff(
        left=before.told,
        right=after.told,
        cells=cells,
        lines=list(_lines(before, after)),
        same=len(shared) - sum(cell["change"] == "changed" for cell in cells),
        prose=prose,
        same_prose=len(after.prose) - sum(each["change"] != "removed" for each in prose),
        note=note,
        note_zh=note_zh,
    )


def _read(connection: sa.Connection, place: Place) -> _Read:
    row = report_row(connection, place.organ, place.year)
    version = _version(connection, place, row.id)
    if version.reading_id is None:
        raise NotInArchive(
            f"nothing could be read in version {version.id} of {place.organ.name} {place.year}: "
            "`archive history` lists the versions"
        )
    reading = without_values(load_reading(connection, version.reading_id))
    # As they may leave, before they are cut into pieces: half a number is no number any more.
    prose = shown(connection, [(heading, _plain(text)) for heading, text in reading.sections])
    return _Read(
        told=_told(place, version, reading),
        cells={cell.path: cell for cell in reading.cells},
        lines=_numbered(reading.indicators),
        prose=prose,
        corrections=_corrections(connection, row.id, place.as_of),
    )


def _version(connection: sa.Connection, place: Place, report_id: int) -> sa.Row[Any]:
    """The version that is meant with its reading. Raises NotInArchive, Withdrawn."""
    v, r = versions.c, readings.c
    told = sa.select(v.id, v.part, v.name, v.title, v.published).where(v.report_id == report_id)
    if place.version_id is not None:
        last = reading_of(v.id, place.as_of or _TODAY).label("reading_id")
        query = told.add_columns(last).where(v.id == place.version_id)
    elif place.part is None:
        standing = current_readings(place.as_of, report_id)
        query = (
            told.add_columns(r.id.label("reading_id"))
            .join(readings, r.version_id == v.id)
            .join(standing, standing.c.reading_id == r.id)
            .where(standing.c.report_id == report_id)
        )
    else:
        current = current_versions(place.as_of, report_id)
        query = told.add_columns(current.c.reading_id).join(current, current.c.version_id == v.id)
    if place.part is not None:
        query = query.where(v.part == place.part)
    if place.name is not None:
        query = query.where(v.name == place.name)
    found = connection.execute(query).all()
    if len(found) == 1:
        return found[0]
    for version_id, _, sentence in versions_withdrawn(connection, report_id):
        if version_id == place.version_id:
            raise Withdrawn(f"version {version_id} of {place.organ.name} {place.year}: {sentence}")
    raise NotInArchive(
        f"{place.organ.name} {place.year} has no such version, page or file: it has "
        f"{_parts(connection, report_id)}"
    )


def _parts(connection: sa.Connection, report_id: int) -> str:
    v = versions.c
    query = sa.select(v.id, v.part, v.name).where(v.report_id == report_id).order_by(v.id)
    parts = [f"@{row.id} {row.name or row.part}" for row in connection.execute(query)]
    return ", ".join(parts) if parts else "no version that could be captured"


def _told(place: Place, version: sa.Row[Any], reading: ReadingRecord) -> Compared:
    return Compared(
        place=f"{place.organ.name}/{place.year}@{version.id}",
        division_code=place.organ.division_code,
        organ=place.organ.name,
        year=place.year,
        part=version.part,
        name=version.name,
        version_id=version.id,
        reading_id=version.reading_id,
        title=version.title,
        published=version.published,
        layout=reading.layout,
        parser=reading.parser,
    )


def _corrections(
    connection: sa.Connection, report_id: int, as_of: AsOf | None
) -> dict[str, sa.Row[Any]]:
    """By cell what a person held against it last; of a date that was known, what was held then."""
    c = corrections.c
    query = sa.select(corrections).where(c.report_id == report_id, c.cell.is_not(None))
    if as_of is not None and as_of.basis == "known":
        query = query.where(c.made_at <= as_of.at)
    newest = {row.cell: row for row in connection.execute(query.order_by(c.id))}
    return {cell: row for cell, row in newest.items() if row.after is not None}


def _numbered(
    lines: Sequence[IndicatorRecord],
) -> dict[tuple[str, str, int], IndicatorRecord]:
    """By block, label and which of those with the same."""
    seen: Counter[tuple[str, str]] = Counter()
    told = {}
    for line in lines:
        key = (line.block, line.label)
        told[(*key, seen[key])] = line
        seen[key] += 1
    return told


def _pairs(
    before: Mapping[_Key, Any], after: Mapping[_Key, Any]
) -> Iterator[tuple[_Key, Any, Any, Change]]:
    """What differs, by what the left side has and then by what only the right has."""
    for key, old in before.items():
        new = after.get(key)
        if new is None:
            yield key, old, None, "removed"
        elif _figure(old) != _figure(new):
            yield key, old, new, "changed"
    for key, new in after.items():
        if key not in before:
            yield key, None, new, "added"


def _figure(found: CellRecord | IndicatorRecord) -> _Figure:
    """As published, but for the space around it, of which each kind of file has its own."""
    return _Figure(found.raw.strip(), found.state, found.value, found.unit)


def _cells(before: _Read, after: _Read) -> Iterator[DiffCell]:
    for path, old, new, change in _pairs(before.cells, after.cells):
        cell: CellRecord = new or old
        yield DiffCell(
            path=path,
            table=cell.table,
            row=cell.row,
            column=cell.column,
            before=_side(old, before.corrections.get(path)),
            after=_side(new, after.corrections.get(path)),
            change=change,
        )


def _lines(before: _Read, after: _Read) -> Iterator[DiffLine]:
    for (block, label, _), old, new, change in _pairs(before.lines, after.lines):
        yield DiffLine(block=block, label=label, before=_side(old), after=_side(new), change=change)


def _side(
    found: CellRecord | IndicatorRecord | None, held: sa.Row[Any] | None = None
) -> DiffSide | None:
    if found is None:
        return None
    return DiffSide(
        raw=found.raw,
        state=found.state,
        value=number(found.value),
        unit=found.unit,
        correction=None if held is None else _held(found, held),
    )


def _held(found: CellRecord | IndicatorRecord, row: sa.Row[Any]) -> CellCorrection:
    value = row.after["value"]
    return CellCorrection(
        raw=row.after["raw"],
        state=row.after["state"],
        value=None if value is None else number(Decimal(value)),
        author=row.author,
        reason=row.reason,
        evidence=row.evidence,
        made_at=row.made_at.isoformat(),
        review={"raw": found.raw, "state": found.state} != row.before,
    )


def _plain(text: str) -> str:
    """Paragraphs without the space around them: a page indents, a file does not."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _prose(before: Sequence[_Section], after: Sequence[_Section]) -> Iterator[DiffPassage]:
    rewording = Rewording()
    for old, new in _matched(before, after):
        heading, heading_before = (new or old or ("", ""))[0], None
        if old is not None and new is not None and _key(old[0]) != _key(new[0]):
            heading_before = old[0]
        elif old is not None and new is not None and old[1] == new[1]:
            continue
        yield DiffPassage(
            heading=heading,
            heading_before=heading_before,
            change="added" if old is None else "removed" if new is None else "changed",
            pieces=rewording.pieces(old[1] if old else "", new[1] if new else ""),
        )


def _matched(
    before: Sequence[_Section], after: Sequence[_Section]
) -> list[tuple[_Section | None, _Section | None]]:
    """Sections of the same heading, else of one nearly the same; others stand where they stood."""
    partner: dict[int, int] = {}
    left = list(range(len(before)))
    for same in (_same_heading, _near_heading):
        for j, (heading, _) in enumerate(after):
            if j in partner:
                continue
            i = next((i for i in left if same(before[i][0], heading)), None)
            if i is not None:
                partner[j] = i
                left.remove(i)
    found: list[tuple[_Section | None, _Section | None]] = []
    passed = 0
    for j, section in enumerate(after):
        mine = partner.get(j)
        if mine is not None:
            found += [(before[i], None) for i in left if passed <= i < mine]
            passed = max(passed, mine)
        found.append((None if mine is None else before[mine], section))
    return found + [(before[i], None) for i in left if i >= passed]


def _same_heading(one: str, other: str) -> bool:
    return _key(one) == _key(other)


def _near_heading(one: str, other: str) -> bool:
    return SequenceMatcher(None, _key(one), _key(other), autojunk=False).ratio() >= _ALIKE


def _key(heading: str) -> str:
    """What a heading says, without its number and the year: it is another one every year."""
    plain = _NUMBERING.sub("", unicodedata.normalize("NFKC", heading))
    return re.sub(r"[\d\s]", "", plain)
