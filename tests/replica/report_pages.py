"""Printing a generated report: as HTML in four hands, as flattened text, as docx."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from random import Random
from typing import Any, Literal

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH

from tests.replica.report_model import Report, form, statutory

Markup = Literal["clean", "word", "ueditor", "flat"]

LABEL_COLUMNS = 3
ZIP_EPOCH = (2020, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Slot:
    """One cell of a table; a line break in `text` is a node boundary."""

    text: str
    rows: int = 1
    cols: int = 1


Rows = list[list[Slot]]


@dataclass(frozen=True)
class Block:
    """A title, heading or paragraph with its text, or a table with its rows."""

    kind: Literal["title", "heading", "paragraph", "table"]
    text: str = ""
    rows: tuple[tuple[Slot, ...], ...] = ()


# --- the tables ---------------------------------------------------------------------------------


def chance(report: Report, name: str) -> bool:
    """Whether this report takes the freedom `name`; shape 0 keeps to the notice."""
    return report.shape != 0 and Random(f"{report.shape}/{name}").random() < 0.4


def spread(count: int, width: int, at: int) -> list[int]:
    """Column spans of `count` cells over `width` columns, the surplus at cell `at`."""
    spans = [1] * count
    spans[at] += width - count
    return spans


def row_of(texts: Sequence[str], spans: Sequence[int]) -> list[Slot]:
    return [Slot(text, cols=cols) for text, cols in zip(texts, spans, strict=True)]


def item_rows(report: Report, key: str, width: int) -> Rows:
    """One item of Article 20: title, header and data rows over `width` columns."""
    item = form(report.layout).items[key]
    label = f"{report.layout}.{key}"
    columns = list(item["columns"])
    count = len(columns) + 1
    uneven = "colspans" in report.defects
    head = [report.labels[f"{label}.head"]]
    head += [report.labels[f"{label}.columns.{column}"] for column in columns]
    rows = [
        [Slot(report.labels[f"{label}.title"], cols=width)],
        row_of(head, spread(count, width, 0 if uneven else -1)),
    ]
    spans = spread(count, width, 1 if uneven else -1)
    for row in item["rows"]:
        values = [report.cells[f"art20.{key}.{row}.{column}"].raw for column in columns]
        rows.append(row_of([report.labels[f"{label}.rows.{row}"], *values], spans))
        rows += local_rows(report, f"art20.{key}", row, spans)
    return rows


def local_rows(report: Report, table: str, after: str, spans: Sequence[int]) -> Rows:
    return [
        row_of([row.label, *row.raws], spans)
        for row in report.local_rows
        if (row.table, row.after) == (table, after)
    ]


def art20(report: Report, long: bool) -> Iterator[Block]:
    """The items in one long table, or each in its own, its title inside or above it."""
    items = form(report.layout).items
    surplus = int("colspans" in report.defects)
    if long or chance(report, "long table"):
        width = 1 + max(len(item["columns"]) for item in items.values()) + surplus
        yield table(row for key in items for row in item_rows(report, key, width))
        return
    for key, item in items.items():
        rows = item_rows(report, key, 1 + len(item["columns"]) + surplus)
        if chance(report, "title above"):
            yield Block("paragraph", rows.pop(0)[0].text)
        yield table(rows)


def table(rows: Iterator[list[Slot]] | Rows) -> Block:
    return Block("table", rows=tuple(tuple(row) for row in rows))


def applications_head(report: Report) -> Rows:
    """The three header rows, joined by rowspans or, where that is the defect, by empty cells."""
    names = {key: report.labels[f"applications.columns.{key}"] for key in report.columns}
    first, *legal, last = names.values()
    relation, applicants, organisations = (
        report.labels[f"applications.head.{key}"]
        for key in ("relation", "applicants", "organisations")
    )
    width = len(names)
    if "empty_header_cells" in report.defects:
        blank = Slot("", cols=LABEL_COLUMNS)
        return [
            [Slot(relation, cols=LABEL_COLUMNS), Slot(applicants, cols=width)],
            [blank, Slot(first), Slot(organisations, cols=len(legal)), Slot(last)],
            [blank, Slot(""), *map(Slot, legal), Slot("")],
        ]
    return [
        [Slot(relation, rows=3, cols=LABEL_COLUMNS), Slot(applicants, cols=width)],
        [Slot(first, rows=2), Slot(organisations, cols=len(legal)), Slot(last, rows=2)],
        [Slot(name) for name in legal],
    ]


def applications(report: Report) -> Block:
    rows = applications_head(report)
    paths = {row: statutory()["applications"]["rows"][row][:-1] for row in report.application_rows}
    open_groups: list[str] = []
    for row, groups in paths.items():
        labels = group_slots(report, groups, open_groups, list(paths.values()))
        open_groups = groups
        spans = [LABEL_COLUMNS - len(groups)] + [1] * len(report.columns)
        if "colspans" in report.defects and spans[0] > 1 and chance(report, f"uneven {row}"):
            spans[0], spans[1] = spans[0] - 1, 2
        rows.append([*labels, *value_slots(report, row, spans)])
        rows += local_rows(report, "applications", row, spans)
    return table(rows)


def group_slots(
    report: Report, groups: list[str], above: list[str], everyone: list[list[str]]
) -> list[Slot]:
    """Labels of the groups a row opens, in each row again where they are repeated or left empty."""
    labels = {group: report.labels[f"applications.groups.{group}"] for group in groups}
    if "empty_header_cells" in report.defects and chance(report, "empty groups"):
        return [Slot("" if group in above else label) for group, label in labels.items()]
    if chance(report, "repeated groups"):
        return [Slot(label) for label in labels.values()]
    return [
        Slot(label, rows=sum(group in other for other in everyone))
        for group, label in labels.items()
        if group not in above
    ]


def value_slots(report: Report, row: str, spans: list[int]) -> list[Slot]:
    cells = [report.cells[f"applications.{row}.{column}"] for column in report.columns]
    label = report.labels[f"applications.rows.{row}"]
    if {cell.state for cell in cells} == {"unread"}:
        return row_of([label, cells[0].raw], [spans[0], sum(spans[1:])])
    return row_of([label, *(cell.raw for cell in cells)], spans)


def review_litigation(report: Report) -> Block:
    words = statutory()["review_litigation"]
    outcomes = [report.labels[f"review_litigation.columns.{key}"] for key in words["columns"]]
    blocks = [report.labels[f"review_litigation.blocks.{key}"] for key in words["blocks"]]
    litigation = report.labels["review_litigation.head.litigation"]
    wide = len(outcomes)
    values = [
        report.cells[f"review_litigation.{block}.{column}"].raw
        for block in words["blocks"]
        for column in words["columns"]
    ]
    # With uneven columns the first outcome of the header is wide and the last value of the row.
    more = int("colspans" in report.defects)
    spans = spread(wide, wide + more, 0)
    rest = [Slot(outcome) for outcome in outcomes * 2]
    direct, after = (Slot(block, cols=wide) for block in blocks[1:])
    review = Slot(blocks[0], cols=wide + more)
    above = [review, Slot(litigation, cols=2 * wide)]
    if "empty_header_cells" in report.defects:
        blank = row_of([""] * wide, spans)
        rows = [above, [*row_of(outcomes, spans), direct, after], [*blank, *rest]]
    elif chance(report, "two header rows"):
        rows = [[review, direct, after], [*row_of(outcomes, spans), *rest]]
    else:
        tall = [Slot(text, rows=2, cols=cols) for text, cols in zip(outcomes, spans, strict=True)]
        rows = [above, [*tall, direct, after], rest]
    return table([*rows, row_of(values, spread(len(values), len(values) + more, -1))])


def statistics(report: Report) -> Iterator[Block]:
    words = statutory()["statistics"]
    yield Block("paragraph", words["title"])
    yield table([row_of(cells, [1, 1, 1]) for cells in (words["head"], *report.statistics)])


def index_table(report: Report) -> Block:
    rows = [
        ["索引号", f"6501/{report.year + 1}-00017", "公开日期", f"{report.year + 1}-01-20"],
        ["发布机构", report.organ, "名称", report.title],
    ]
    return table([row_of(row, [1] * 4) for row in rows])


def blocks(report: Report, long: bool = False) -> Iterator[Block]:
    """The report's body in reading order; `long` prints the items of Article 20 as one table."""
    yield Block("title", report.body_title)
    if "index_table" in report.defects:
        yield index_table(report)
    for number, (heading, paragraphs) in enumerate(report.sections):
        if heading:
            yield Block("heading", heading)
        yield from (Block("paragraph", text) for text in paragraphs)
        yield from statutory_tables(report, report.tables.get(number), long)


def statutory_tables(report: Report, name: str | None, long: bool) -> Iterator[Block]:
    if name == "art20":
        yield from art20(report, long)
        yield Block("paragraph", "\u00a0")
    elif name == "applications":
        yield applications(report)
    elif name == "review_litigation":
        yield review_litigation(report)
    elif name == "statistics":
        yield from statistics(report)


# --- HTML ---------------------------------------------------------------------------------------

WORD_COMMENT = (
    "<!--[if gte mso 9]><xml><w:WordDocument><w:View>Normal</w:View>"
    "<w:Zoom>0</w:Zoom></w:WordDocument></xml><![endif]-->"
)
WORD_STYLE = "<style>table.MsoNormalTable{font-size:10.5pt;mso-style-noshow:yes}</style>"
BLANKS = ("", "\u00a0", "\u3000")


def body_html(report: Report, markup: Markup = "clean") -> str:
    """Inner HTML of an article body.

    clean: plain tags; word: a paste from Word (styles, `<o:p>`, texts cut into spans, padding,
    comments, a row without height that carries the widths, a hidden copy of each table's last row
    full of nines); ueditor: a paragraph in every cell, class names, one long table; flat: every
    cell a paragraph of its own, a blank one empty, and no table.
    """
    if markup == "flat":
        return "\n".join(f"<p>{escape(text)}</p>" for text in cell_texts(report))
    paint = {"clean": clean, "word": word, "ueditor": ueditor}[markup]
    body = "\n".join(paint(block, report) for block in blocks(report, long=markup == "ueditor"))
    return f"{WORD_COMMENT}{WORD_STYLE}\n{body}" if markup == "word" else body


def clean(block: Block, report: Report) -> str:
    if block.kind == "table":
        tag = "th" if chance(report, "th") else "td"
        return f'<table border="1" cellspacing="0" width="{600 + report.shape % 90}">' + (
            table_rows(block, lambda slot: "<br/>".join(map(entity, slot.text.split("\n"))), tag)
            + "</table>"
        )
    text = entity(block.text)
    if block.kind == "title":
        return f'<p align="center"><strong>{text}</strong></p>'
    if block.kind == "heading":
        return f"<h3>{text}</h3>" if chance(report, "h3") else f"<p><b>{text}</b></p>"
    return f"<p>　　{text}</p>"


def word(block: Block, report: Report) -> str:
    if block.kind == "table":
        return (
            f'<div align="center"><table class="MsoNormalTable" border="1" cellpadding="0" '
            f'style="border-collapse:collapse;mso-padding-alt:0cm 5.4pt" '
            f'width="{500 + report.shape % 90}"><tbody>'
            + table_rows(block, lambda slot: word_cell(slot, chance(report, "padded")))
            + (width_row(block) if chance(report, "width row") else "")
            + hidden_row(block)
            + "</tbody></table></div>"
        )
    style = "text-indent:32pt;line-height:28pt;mso-char-indent-count:2.0"
    lead = "<!--[if !supportLists]--><!--[endif]-->" if block.kind == "heading" else ""
    return f'<p class="MsoNormal" style="{style}">{lead}{word_runs(block.text)}</p>'


def word_cell(slot: Slot, padded: bool) -> str:
    if slot.text in BLANKS:
        return f'<p class="MsoNormal"><o:p>{entity(slot.text) or "&nbsp;"}</o:p></p>'
    pad = "<span>&nbsp;</span>" if padded else ""
    return "".join(
        f'<p class="MsoNormal" align="center" style="text-align:center">{word_runs(part)}{pad}</p>'
        for part in slot.text.split("\n")
    )


def word_runs(text: str) -> str:
    """Word cuts texts where fonts change and wraps long lines in the source."""
    cut = len(text) // 2
    runs = (text[:cut], text[cut:]) if cut else (text,)
    spans = "".join(
        f'<span lang="EN-US" style="font-family:仿宋_GB2312;mso-bidi-font-family:宋体">'
        f"{entity(run)}</span>"
        for run in runs
    )
    return spans.replace("</span><span lang", "</span><span\n  lang") + "<o:p></o:p>"


def width_row(block: Block) -> str:
    """The row that Word puts below a table with merged cells: no height, no border, no text."""
    cells = '<td width="60" style="border:none"></td>' * anchored(block)[1]
    return f'<!--[if !supportMisalignedColumns]--><tr height="0">{cells}</tr><!--[endif]-->'


def hidden_row(block: Block) -> str:
    """A row no reader of the page sees: the last one again, every number a nine."""
    cells = (
        f"<td{spans_of(slot)}>{'9' if number else entity(slot.text)}</td>"
        for number, slot in enumerate(block.rows[-1])
    )
    return f'<tr style="display: none;mso-hide:all">{"".join(cells)}</tr>'


def ueditor(block: Block, report: Report) -> str:
    if block.kind == "table":
        return (
            '<table class="noBorderTable" data-sort="sortDisabled" interlaced="enabled"><tbody>'
            '<tr class="firstRow">'
            + table_rows(block, ueditor_cell).removeprefix("<tr>")
            + "</tbody></table>"
        )
    align = ' style="text-align: center;"' if block.kind == "title" else ""
    weight = "<strong>{}</strong>" if block.kind != "paragraph" else "{}"
    inner = weight.format(f'<span style="font-size: 16px;">{entity(block.text)}</span>')
    spacer = "<p><br/></p>" if chance(report, "spacers") else ""
    return f"<p{align}>{inner}</p>{spacer}"


def ueditor_cell(slot: Slot) -> str:
    if not slot.text:
        return "<p><br/></p>"
    return "".join(
        f'<p style="text-align: center;"><span style="font-size: 14px;">{entity(part)}</span></p>'
        for part in slot.text.split("\n")
    )


def table_rows(block: Block, cell: Callable[[Slot], str], head: str = "td") -> str:
    """The rows of a table; `head` is the tag of cells in the first row."""
    return "\n".join(
        "<tr>" + "".join(f"<{tag}{spans_of(slot)}>{cell(slot)}</{tag}>" for slot in row) + "</tr>"
        for tag, row in zip((head, *["td"] * (len(block.rows) - 1)), block.rows, strict=True)
    )


def spans_of(slot: Slot) -> str:
    rows = f' rowspan="{slot.rows}"' if slot.rows > 1 else ""
    return rows + (f' colspan="{slot.cols}"' if slot.cols > 1 else "")


def entity(text: str) -> str:
    return escape(text, quote=False).replace("\u00a0", "&nbsp;")


# --- flattened text -----------------------------------------------------------------------------


def cell_texts(report: Report) -> Iterator[str]:
    """Every paragraph and every node of a cell in reading order; a blank cell is empty."""
    for block in blocks(report):
        if block.kind != "table":
            yield block.text
        for row in block.rows:
            for slot in row:
                yield from slot.text.strip().split("\n")


def flattened(report: Report) -> str:
    """The page as text: texts joined by an empty line, each blank cell one line break more."""
    short = report.organ.removeprefix("乌鲁木齐市") or report.organ
    dateline = f"{report.year + 1}-03-06 14:38 \u00a0 来源:{short} \u00a0\u00a0(点击: )"
    head = f"{report.organ}\n\n政府信息公开\n\n{report.title}\n{dateline}\n\n"
    body = "".join(f"{text}\n\n" if text else "\n" for text in cell_texts(report))
    return f"{head}{body}附件【{report.body_title}.docx已下载\n关闭窗口"


# --- docx ---------------------------------------------------------------------------------------


def docx_bytes(report: Report) -> bytes:
    """The body as a Word document; the same report gives the same bytes."""
    document = docx.Document()
    core = document.core_properties
    core.title, core.author, core.revision = report.body_title, "synthetic", 1
    core.created = core.modified = core.last_printed = datetime(*ZIP_EPOCH)  # noqa: DTZ001
    for block in blocks(report):
        if block.kind == "table":
            add_table(document, block)
            continue
        paragraph = document.add_paragraph(block.text)
        if block.kind == "title":
            paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    buffer = io.BytesIO()
    document.save(buffer)
    return with_fixed_times(buffer.getvalue())


def add_table(document: Any, block: Block) -> None:
    anchors, width = anchored(block)
    made = document.add_table(rows=len(block.rows), cols=width, style="Table Grid")
    grid = [row.cells for row in made.rows]
    for (row, column), slot in anchors.items():
        corner = grid[row][column]
        corner.text = slot.text
        if slot.rows > 1 or slot.cols > 1:
            corner.merge(grid[row + slot.rows - 1][column + slot.cols - 1])


def anchored(block: Block) -> tuple[dict[tuple[int, int], Slot], int]:
    """Grid position of every cell's upper left corner, and the width of the grid."""
    taken: set[tuple[int, int]] = set()
    anchors: dict[tuple[int, int], Slot] = {}
    for number, row in enumerate(block.rows):
        column = 0
        for slot in row:
            while (number, column) in taken:
                column += 1
            anchors[number, column] = slot
            taken |= {
                (number + down, column + right)
                for down in range(slot.rows)
                for right in range(slot.cols)
            }
    return anchors, 1 + max(column for _, column in taken)


def with_fixed_times(archive: bytes) -> bytes:
    """A zip with every entry dated alike, so that equal contents are equal bytes."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            target.writestr(entry, source.read(name), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
