"""What the readers found, settled into the form's cells: every conflict and gap is said aloud."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from crawler.forms.definition import Form, Row, Table, common
from crawler.forms.labels import measure, name
from crawler.forms.model import Cell, Finding, Line, State, Verdict

Place = tuple[int, int, int]
_GUESS = 3


class Spot(NamedTuple):
    """One value as published; a tuple, since a report has hundreds. `certain` is False where its
    column is in doubt (a merged cell); `confidence` is that of the engine where the text was
    recognised in an image.
    """

    raw: str
    place: Place
    certain: bool = True
    confidence: float | None = None

    @property
    def doubtful(self) -> bool:
        """Was it recognised, and not surely enough to be kept?"""
        return self.confidence is not None and self.confidence < common().least_confidence


@dataclass(frozen=True, slots=True)
class Claim:
    """A line that names a row: `spots` by column key; `rank` grades the label (0 is best, 3 is
    a guess).
    """

    table: str
    row: str
    rank: int
    spots: dict[str, Spot]
    label: str = ""


@dataclass(slots=True)
class Claims:
    """Everything one document offered, in reading order."""

    lines: dict[tuple[str, str], list[Claim]] = field(default_factory=lambda: defaultdict(list))
    findings: list[Finding] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)  # tables whose text lost its blanks
    taken: dict[tuple[int, int], Line] = field(default_factory=dict)  # by grid and row
    joined: set[Place] = field(default_factory=set)  # see seams.Part
    unclaimed: set[int] = field(default_factory=set)  # grids nobody read

    def add(self, claim: Claim) -> None:
        self.lines[claim.table, claim.row].append(claim)

    def say(self, rule: str, cells: tuple[str, ...] = (), **facts: str) -> None:
        """Add a finding; the sentence of `rule`, or of `rule.case`, stands in words.toml."""
        self.findings.append(Finding(rule.partition(".")[0], Verdict.FINDING, cells, facts, rule))

    def is_whole(self, table: Table) -> bool:
        """Is every row of the table claimed, with all its values?"""
        found = [claim for row in table.row_keys for claim in self.lines.get((table.key, row), ())]
        read = {claim.row for claim in found if len(claim.spots) == table.width}
        return len(read) == len(table.rows)

    def has(self, table: str) -> bool:
        return any(key == table for key, _ in self.lines)


def settle(form: Form, claims: Claims) -> tuple[Cell, ...]:
    """The form's cells in its own order, complete; adds findings for all that is not plain."""
    cells: list[Cell] = []
    order = {key: at for at, key in enumerate(claims.lines)}
    for table in form.tables:
        missing: list[Row] = []
        repeated: list[Row] = []
        conflicts: list[str] = []
        for row in table.rows:
            best = _best(claims, table, row)
            if not best:
                missing.append(row)
            elif len(best) > 1:
                repeated.append(row)
            line = list(_cells(table, row, best))
            if len(best) > 1:
                conflicts += [cell.path for cell in line if _disagree(best, cell.column)]
            cells += line
        _say_order(claims, table, order)
        _say_missing(claims, table, missing)
        _say_repeated(claims, table, repeated, conflicts)
    _say_cells(form, claims, cells)
    return tuple(cells)


def _best(claims: Claims, table: Table, row: Row) -> list[Claim]:
    """The claims with the best label; a weaker one beside it belongs to no row of the form."""
    found = claims.lines.get((table.key, row.key), [])
    if len(found) < 2:
        return found
    rank = min(claim.rank for claim in found)
    for claim in found:
        if claim.rank > rank:
            claims.say("unclaimed_row", label=claim.label)
    return [claim for claim in found if claim.rank == rank]


def _cells(table: Table, row: Row, best: list[Claim]) -> Iterator[Cell]:
    for key in table.column_keys:
        spot = best[0].spots.get(key) if best else None
        if spot is None:
            yield Cell(table.key, row.key, key, "", State.UNREAD)
        elif not spot.certain or spot.doubtful or (len(best) > 1 and _disagree(best, key)):
            at, sure = spot.place, spot.confidence
            yield Cell(table.key, row.key, key, spot.raw, State.UNREAD, place=at, confidence=sure)
        else:
            judged = measure(spot.raw)
            yield Cell(
                table.key,
                row.key,
                key,
                spot.raw,
                judged.state,
                judged.value,
                judged.unit,
                spot.place,
                spot.confidence,
            )


def _disagree(best: list[Claim], column: str) -> bool:
    """Do several claims for one cell say different things? An absent or doubtful one does."""
    found = [claim.spots.get(column) for claim in best]
    said = {
        measure(spot.raw) if spot and spot.certain and not spot.doubtful else None for spot in found
    }
    return len(said) > 1


def _say_order(claims: Claims, table: Table, order: dict[tuple[str, str], int]) -> None:
    """Rows in another order or under other numbers are read by their words, and said."""
    if table.across:
        return
    last = -1
    moved = False
    for row in table.rows:
        found = claims.lines.get((table.key, row.key))
        if not found:
            continue
        if found[0].rank:
            have, want = name(found[0].label).ordinal, name(row.label).ordinal
            if have and want and have[1:] != want[1:]:
                label = "".join(found[0].label.split())
                claims.say("other_ordinal", label=label, form=row.label)
        if found[0].rank < _GUESS:
            at = order[table.key, row.key]
            moved = moved or at < last
            last = at
    if moved:
        claims.say("other_order.rows", table=table.key, title=table.title)


def _say_missing(claims: Claims, table: Table, missing: list[Row]) -> None:
    if not missing or table.key in claims.lost:
        return
    whole = len(missing) == len(table.rows)
    cells = tuple(f"{table.key}.{row.key}.{key}" for row in missing for key in table.column_keys)
    if whole:
        claims.say("unread.table", cells, table=table.key, title=table.title)
    else:
        claims.say("unread.rows", cells, rows=_quoted(missing))


def _say_repeated(claims: Claims, table: Table, repeated: list[Row], conflicts: list[str]) -> None:
    if not repeated:
        return
    rule = "duplicate_table" if len(repeated) * 2 > len(table.rows) else "duplicate_row"
    case = "differ" if conflicts else "agree"
    facts = {"table": table.key, "title": table.title, "rows": _quoted(repeated)}
    claims.say(f"{rule}.{case}", tuple(conflicts), **facts, count=str(len(conflicts)))


def _say_cells(form: Form, claims: Claims, cells: list[Cell]) -> None:
    """Findings on single cells: unread ones in found rows, text, notes and foreign units."""
    unread: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    units = {
        (table.key, column.key): column.unit
        for table in form.tables
        for column in table.columns
        if column.unit
    }
    for cell in cells:
        if cell.state is State.UNREAD:
            if _is_doubtful(cell):
                claims.say("doubtful", (cell.path,), raw=cell.raw)
            elif (cell.table, cell.row) in claims.lines:
                unread[cell.table, cell.row].append(cell)
        elif cell.state is State.TEXT:
            claims.say("text_value", (cell.path,), raw=cell.raw)
        elif cell.value is not None and len(cell.raw) > 2:
            if note := measure(cell.raw).note:
                facts = {"raw": cell.raw, "value": str(cell.value), "note": note}
                claims.say("note_in_cell", (cell.path,), **facts)
            wanted = units.get((cell.table, cell.column))
            if cell.unit and wanted and cell.unit != wanted:
                claims.say("foreign_unit", (cell.path,), text=cell.raw, unit=wanted)
    for (table, row), found in unread.items():
        label = form.table(table).row(row).label
        paths = tuple(cell.path for cell in found)
        claims.say("unread.cells", paths, count=str(len(found)), label=label)


def _is_doubtful(cell: Cell) -> bool:
    return cell.confidence is not None and cell.confidence < common().least_confidence


def _quoted(rows: list[Row]) -> str:
    return "、".join(f"“{row.label}”" for row in rows)
