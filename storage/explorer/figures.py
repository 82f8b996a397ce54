"""A report's figures ready to be drawn: tables as printed, with what is said of each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.explorer.site import Lang
from storage.queries.report import Cell, CellCorrection, Finding
from storage.readings.printed import Head, Label, drawn, label_of

# Verdicts that want saying; the others tell that a relation holds or cannot be judged.
_SAYING = ("fail", "finding")


@dataclass(frozen=True, slots=True)
class Statement:
    """A finding with its number on the page; `here`: cells of this report, `elsewhere` as said."""

    number: int
    rule: str
    verdict: str
    sentence: str
    here: tuple[str, ...]
    elsewhere: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A cell: `text` is what is shown large, `raw` what was published where that differs."""

    path: str
    anchor: str
    state: str
    text: str
    raw: str | None
    name: str
    correction: CellCorrection | None
    said: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Line:
    heads: Sequence[Head]
    figures: Sequence[Figure | None]


@dataclass(frozen=True, slots=True)
class Table:
    title: Label
    stub: int
    heads: Sequence[Sequence[Head]]
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Figures:
    """`others`: cells that no notice prints, by path."""

    tables: Sequence[Table]
    others: Sequence[Figure]
    statements: Sequence[Statement]


def figures(
    cells: Sequence[Cell], findings: Sequence[Finding], layout: str | None, lang: Lang
) -> Figures:
    """The tables of a reading, each cell with the findings that name it."""
    paths = {path_of(cell): cell for cell in cells}
    statements = _statements(findings, paths, lang)
    said: dict[str, list[Statement]] = {}
    for each in statements:
        for path in dict.fromkeys(each.here):
            said.setdefault(path, []).append(each)
    shown = {
        path: _figure(cell, tuple(said.get(path, ())), layout, lang) for path, cell in paths.items()
    }
    tables, left = drawn(paths)
    return Figures(
        [
            Table(
                each.title,
                each.stub,
                each.heads,
                [Line(heads, [shown.get(path) for path in row]) for heads, row in each.rows],
            )
            for each in tables
        ],
        [shown[path] for path in left],
        statements,
    )


def path_of(cell: Cell) -> str:
    return f"{cell['table']}.{cell['row']}.{cell['column']}"


def name_of(path: str, lang: Lang, layout: str | None = None) -> str:
    """A cell in words: what stands beside and over it; its path where no notice prints it."""
    labels = label_of(path, layout)
    return " · ".join(label.zh if lang == "zh" else label.en for label in labels[1:]) or path


def full_name_of(path: str, lang: Lang, layout: str | None = None) -> str:
    """A cell in words, with its table."""
    labels = label_of(path, layout)
    return " · ".join(label.zh if lang == "zh" else label.en for label in labels) or path


def shown_as(state: str, raw: str, value: float | None) -> tuple[str, str | None]:
    """A figure's text, and the published one where that is another.

    >>> shown_as("number", "２２", 22), shown_as("zero", "0 ", 0), shown_as("text", "无", None)
    (('22', '２２'), ('0', None), ('无', None))
    """
    published = raw.strip()
    if value is None:
        return published, None
    return str(value), None if str(value) == published else published


def _figure(cell: Cell, said: tuple[Statement, ...], layout: str | None, lang: Lang) -> Figure:
    path = path_of(cell)
    text, raw = shown_as(cell["state"], cell["raw"], cell["value"])
    return Figure(
        path=path,
        anchor=f"cell-{path}",
        state=cell["state"],
        text=text,
        raw=raw,
        name=name_of(path, lang, layout),
        correction=cell["correction"],
        said=said,
    )


def _statements(
    findings: Sequence[Finding], paths: Mapping[str, Cell], lang: Lang
) -> list[Statement]:
    """Those that want saying, what fails first."""
    told = [each for each in findings if each["verdict"] in _SAYING]
    told.sort(key=lambda each: _SAYING.index(each["verdict"]))
    return [
        Statement(
            number=number,
            rule=each["rule"],
            verdict=each["verdict"],
            sentence=each["message_zh"] if lang == "zh" else each["message"],
            here=tuple(path for path in each["cells"] if path in paths),
            elsewhere=tuple(path for path in each["cells"] if path not in paths),
        )
        for number, each in enumerate(told, 1)
    ]
