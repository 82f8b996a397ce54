"""A Frictionless Data Package: CSV with table schemas, and a codebook of every column and cell."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from storage.exports.source import Source
from storage.exports.tables import Column, Table, tables, words
from storage.exports.text import MARK, write_tables
from storage.readings.printed import sheets
from storage.schema import portals

CODEBOOK = "codebook"
# What the schemas speak of once: the tables a row of which is named by its report.
_OF_REPORT = ("cells", "indicators", "sections", "findings", "corrections", "sources")


def write(folder: Path, source: Source) -> None:
    """`datapackage.json`, a CSV file a table (UTF-8, no mark), `codebook.csv`."""
    write_tables(folder, source, "utf-8")
    with (folder / f"{CODEBOOK}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(["kind", "name", "zh", "en"])
        writer.writerows(_codebook())
    said = json.dumps(_package(source), ensure_ascii=False, indent=1) + "\n"
    (folder / "datapackage.json").write_text(said, "utf-8")


def _codebook() -> list[tuple[str, str, str, str]]:
    lines = [("table", each.name, each.zh, each.en) for each in tables().values()]
    lines += [
        ("column", f"{table.name}.{column.name}", column.zh, column.en)
        for table in tables().values()
        for column in table.columns
    ]
    lines += [(word.kind, word.name, word.zh, word.en) for word in words()]
    lines += [
        (
            f"cells of {sheet.layout}",
            path,
            " / ".join(each.zh for each in (sheet.title, *row.labels, *column.labels)),
            " / ".join(each.en for each in (sheet.title, row.label, column.label)),
        )
        for sheet in sheets()
        for path, row, column in sheet.cells()
    ]
    return lines


def _package(source: Source) -> dict[str, Any]:
    version = source.version
    told: dict[str, Any] = {
        "profile": "data-package",
        "name": "gongkai",
        "title": "政府信息公开工作年度报告档案 / An archive of annual disclosure reports",
        "description": (
            "Figures as published, with their states; corrections beside them; every row leads to "
            "its version, capture and WARC record. 数字按公布原样，另列状态与更正；每行可追溯至"
            f"版本、抓取与 WARC 记录。 A text that begins with = + - @ (also wide), a tab, a line "
            f"end or {MARK} has a {MARK} before it: take one away. 上述字符开头的文字前加有 "
            f"{MARK}，读取时去掉一个即可。"
        ),
        "licenses": [
            {
                "name": "MIT",
                "title": "The compilation; the reports are official documents (著作权法第五条)",
                "path": "https://opensource.org/license/mit",
            }
        ],
        "sources": _sources(source),
        "told_up_to": source.at.isoformat(),
        "archive": version,
        "wanted": source.wanted.told(),
        "resources": [*(_resource(table) for table in tables().values()), _of_codebook()],
    }
    if version["sha256"] is not None:
        told["version"] = f"sha256:{version['sha256']}"
    return told


def _sources(source: Source) -> list[dict[str, str]]:
    query = sa.select(portals.c.name_zh, portals.c.name_en, portals.c.key).order_by(portals.c.key)
    if source.wanted.portal is not None:
        query = query.where(portals.c.key == source.wanted.portal)
    named = source.connection.execute(query)
    return [{"title": f"{each.name_zh} {each.name_en} ({each.key})"} for each in named]


def _resource(table: Table) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "fields": [_field(table, column) for column in table.columns],
        "primaryKey": list(table.key),
        "missingValues": [""],
    }
    if table.name in _OF_REPORT:
        of = {"resource": "reports", "fields": "report_id"}
        schema["foreignKeys"] = [{"fields": "report_id", "reference": of}]
    return _file(table.name, f"{table.zh} / {table.en}", schema)


def _field(table: Table, column: Column) -> dict[str, Any]:
    field: dict[str, Any] = {"name": column.name, "type": column.type}
    field["description"] = f"{column.zh} / {column.en}"
    if column.name == "state" and table.name in ("cells", "indicators"):
        states = [word.name for word in words() if word.kind == "states"]
        field["constraints"] = {"enum": states}
    return field


def _of_codebook() -> dict[str, Any]:
    fields = [{"name": name, "type": "string"} for name in ("kind", "name", "zh", "en")]
    return _file(CODEBOOK, "编码簿 / The codebook", {"fields": fields, "missingValues": [""]})


def _file(name: str, title: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "path": f"{name}.csv",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": schema,
    }
