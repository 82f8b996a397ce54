"""The questions, and the answers of those that have no command of their own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from storage.terminal.drawing import minute, new_table, open_console, spoken

if TYPE_CHECKING:
    from storage.asking import Question
    from storage.queries.carry_over import CarriedSide, Chain
    from storage.queries.checks import Check
    from storage.queries.copies import Copies, Copy
    from storage.queries.outliers import Outlier
    from storage.queries.provenance import Provenance, Record
    from storage.queries.series import Point
    from storage.queries.sums import Sum

# What a sum left out, as the table names it.
_LEFT_OUT = {
    "blanks": "blank",
    "dashes": "dash",
    "texts": "words",
    "unread": "unread",
    "no_cell": "no such cell",
    "no_figures": "no tables read",
    "withdrawn": "withdrawn",
    "personal": "a person's number",
}


def list_questions(listed: Iterable[Question]) -> None:
    """Name, the question in both languages, what it takes; in brackets what it can do without."""
    console = open_console()
    for each in listed:
        needs = [f"--{word}" for word in each.needs]
        takes = " ".join([*needs, *(f"[--{word}]" for word in each.may)])
        console.print(Text(each.name, style="bold"), Text(takes, style="dim"), soft_wrap=True)
        console.print(Text(f"  {each.en}"), soft_wrap=True)
        console.print(Text(f"  {each.zh}"), soft_wrap=True)


def show_answer(name: str, answer: Any) -> None:
    """The answer as a table; of a question that has none of its own, its plain fields."""
    _SHOWN.get(name, _show_plain)(answer)


def _show_series(points: Sequence[Point]) -> None:
    table = new_table("division", "organ", "year", "form", "as published", "state", "note")
    for each in points:
        notes = [
            *(["the form changed"] if each["breaks"] else []),
            *([f"corrected to “{each['corrected_raw']}”"] if _is_corrected(each) else []),
            *([each["unit"]] if each["unit"] else []),
            *([each["withdrawn"]] if each["withdrawn"] else []),
        ]
        form = each["layout"] or ""
        cells = (each["raw"].strip(), spoken(each["state"]), "; ".join(notes))
        table.add_row(
            each["division_code"], each["organ"], str(each["year"]), form, *map(Text, cells)
        )
    open_console().print(table)


def _is_corrected(each: Mapping[str, Any]) -> bool:
    return each["corrected_raw"] is not None


def _show_sums(sums: Sequence[Sum]) -> None:
    headers = [
        *(["division"] if any(each["division_code"] for each in sums) else []),
        *(["kind"] if any(each["kind"] for each in sums) else []),
    ]
    table = new_table("year", *headers, "sum", "of", "reports", "left out", "corrected")
    for each in sums:
        left = [f"{each[key]} {word}" for key, word in _LEFT_OUT.items() if each[key]]  # type: ignore[literal-required]
        left += [f"{one['numbers']} in {one['unit']} ({one['value']:,})" for one in each["units"]]
        table.add_row(
            str(each["year"]),
            *([each["division_code"]] if each["division_code"] else []),
            *([each["kind"]] if each["kind"] else []),
            _figure(each["value"]),
            str(each["numbers"] + each["zeros"]),
            str(each["reports"]),
            Text(", ".join(left)),
            f"{_figure(each['corrected_value'])} ({each['corrected']})"
            if each["corrected"]
            else "",
        )
    open_console().print(table)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


def _show_missing(cells: Sequence[Mapping[str, Any]]) -> None:
    table = new_table("division", "organ", "year", "state", "due", "days late", "why")
    for each in cells:
        table.add_row(
            each["division_code"],
            each["organ"],
            str(each["year"]),
            spoken(each["state"]),
            each["deadline"] or "",
            str(each["late_days"] or ""),
            Text(each["note"]),
        )
    open_console().print(table)


def _show_checks(checks: Sequence[Check]) -> None:
    headers = [
        *(["division", "organ"] if any(each["organ"] for each in checks) else []),
        *(["year"] if any(each["year"] for each in checks) else []),
    ]
    table = new_table(
        *headers, "rule", "reports", "fail", "finding", "only if blank is 0", "cannot say", "pass"
    )
    for each in checks:
        counts = ("reports", "fail", "finding", "holds_if_blank_is_zero", "not_assessable")
        table.add_row(
            *([each["division_code"], each["organ"]] if each["organ"] else []),
            *([str(each["year"])] if each["year"] else []),
            each["rule"],
            *("–" if each[key] is None else str(each[key]) for key in (*counts, "passed")),  # type: ignore[literal-required]
        )
    open_console().print(table)


def _show_carry_over(chains: Sequence[Chain]) -> None:
    table = new_table("division", "organ", "years", "carried out", "carried in", "difference")
    for chain in chains:
        for link in chain["links"]:
            left, right = link["carried_out"], link["carried_in"]
            table.add_row(
                chain["division_code"],
                chain["organ"],
                f"{left['year']} → {right['year']}",
                Text(_side(left)),
                Text(_side(right)),
                f"{link['difference']:+,}" if link["difference"] else link["verdict"],
            )
    open_console().print(table)


def _side(side: CarriedSide) -> str:
    if side["value"] is None:
        return spoken(side["state"])
    return _figure(side["value"])


def _show_outliers(outliers: Sequence[Outlier]) -> None:
    table = new_table("division", "organ", "year", "figure", "against", "why")
    for each in outliers:
        table.add_row(
            each["division_code"],
            each["organ"],
            str(each["year"]),
            _figure(each["value"]),
            spoken(each["against"]),
            Text(f"{each['reason']}\n{each['reason_zh']}"),
        )
    open_console().print(table)


def _show_copies(copies: Sequence[Copies]) -> None:
    table = new_table("alike", "one", "published", "the other", "published")
    for each in copies:
        one, other = each["one"], each["other"]
        table.add_row(
            f"{each['share']:.0%}",
            _named(one),
            minute(one["published"] or ""),
            _named(other),
            minute(other["published"] or ""),
        )
    open_console().print(table)


def _named(each: Copy) -> str:
    return f"{each['organ']} {each['year']}"


def _show_provenance(chain: Provenance) -> None:
    cell, reading, version = chain["cell"], chain["reading"], chain["version"]
    place = cell["place"]
    stands = "" if place is None else f"table {place['table']}, row {place['row']}, column "
    stands += "" if place is None else str(place["column"])
    lines = [
        ("figure", f"{chain['organ']} {chain['year']} {cell['path']}"),
        ("", f"“{cell['raw'].strip()}” ({cell['state']})" + (f", {stands}" if stands else "")),
    ]
    if cell["corrected_raw"] is not None:
        lines.append(("", f"a person holds “{cell['corrected_raw']}” against it"))
    confirmed = f", confirmed by {reading['confirmed_by']}" if reading["confirmed_by"] else ""
    lines += [
        ("read by", f"{reading['parser']}, {minute(reading['read_at'])}{confirmed}"),
        ("form", f"{reading['form']} {reading['form_digest']}"),
        ("stands in", f"version {version['id']}, {version['part']} {version['name']}".rstrip()),
        ("", f"“{version['title']}”, published {version['published'] or 'without a date'}"),
        ("", f"{version['canonical_rule']} {version['canonical_digest']}"),
    ]
    for each in chain["captures"]:
        held = each["bytes_in"]
        lines += [
            ("captured", f"{minute(each['fetched_at'])} UTC, capture {each['id']}"),
            ("", f"{each['url']} ({each['status']}, {each['size']:,} bytes)"),
            ("", f"record {each['record']['record_id']}"),
            ("", f"payload {each['payload_digest']}"),
        ]
        if held["capture_id"] != each["id"]:
            lines.append(("", f"a revisit: the bytes are those of capture {held['capture_id']}"))
            lines.append(("", f"record {held['record_id']}"))
        lines.append(("bytes", _command(held)))
    console = open_console()
    for label, said in lines:
        console.print(Text(f"{label:<11}{said}"), soft_wrap=True)


def _command(record: Record) -> str:
    """What shows the bytes as they were served, without the archive's own code."""
    from storage.capture.warc import locate
    from storage.settings import Settings

    file = locate(Settings().warc_directory, record["warc_file"])
    return f"warcio extract --payload {shlex.quote(str(file))} {record['offset']}"


def _show_plain(answer: Any) -> None:
    """Of a list its plain fields as a table; of one thing, its fields."""
    if isinstance(answer, Mapping):
        console = open_console()
        for key, value in answer.items():
            said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            console.print(Text(f"{key:<15}{said}"), soft_wrap=True)
        return
    plain = [key for key, value in answer[0].items() if not isinstance(value, list | dict | tuple)]
    table = new_table(*map(spoken, plain))
    for each in answer:
        table.add_row(*(Text("" if each[key] is None else str(each[key])) for key in plain))
    open_console().print(table)


_SHOWN: Mapping[str, Callable[[Any], None]] = {
    "series": _show_series,
    "sums": _show_sums,
    "missing": _show_missing,
    "checks": _show_checks,
    "carry_over": _show_carry_over,
    "outliers": _show_outliers,
    "copies": _show_copies,
    "provenance": _show_provenance,
}
