"""The impact page: what storage.queries.impact tells, in English and Chinese."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from storage.errors import DirectoryError
from storage.queries.impact import Impact

_WORDS = Path(__file__).with_name("impact.toml")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }}
th {{ text-align: left; font-weight: normal; padding-right: 2em; vertical-align: top }}
td {{ font-variant-numeric: tabular-nums }} p span {{ display: block }}
</style></head><body>
{body}
</body></html>
"""


def rows(told: Impact) -> Iterator[tuple[str, str, str]]:
    """English label, Chinese label, value."""
    values = _values(told)
    for row in _words()["row"]:
        yield (*row["label"], row["value"].format(**values))


def kept(told: Impact) -> tuple[str, str]:
    """Whether what was promised was kept, in English and Chinese."""
    heading = _words()["heading"]
    english, chinese = heading["not_kept" if any(told["broken"].values()) else "kept"]
    return english.format(**told["broken"]), chinese.format(**told["broken"])


def write_page(told: Iterable[Impact], file: Path) -> None:
    """One page; it loads nothing from elsewhere. Raises DirectoryError."""
    sections = list(told)
    body = "\n".join(line for each in sections for line in _section(each))
    title = ", ".join(each["host"] for each in sections)
    try:
        file.write_text(_PAGE.format(title=escape(title), body=body), encoding="utf-8")
    except OSError as error:
        raise DirectoryError(
            f"cannot write {file} ({error.strerror}): name a file in a writable folder"
        ) from error


def _section(told: Impact) -> Iterator[str]:
    words, values = _words(), _values(told)
    english, chinese = words["heading"]["title"]
    yield f"<h1>{escape(english.format(**values))}<br>{escape(chinese.format(**values))}</h1>"
    yield _both(*words["heading"]["intro"])
    yield "<table>"
    for label, label_zh, value in rows(told):
        yield f"<tr><th>{escape(label)}<br>{escape(label_zh)}</th><td>{escape(value)}</td></tr>"
    yield "</table>"
    yield _both(*kept(told))
    yield f"<h2>{escape(' · '.join(words['stop']['heading']))}</h2>"
    for line in words["stop"]["lines"]:
        yield _both(*(part.format(**values) for part in line))


def _both(english: str, chinese: str) -> str:
    return f'<p><span>{escape(english)}</span><span lang="zh">{escape(chinese)}</span></p>'


def _values(told: Impact) -> dict[str, Any]:
    return {
        **told,
        **told["promised"],
        "delay_s": f"{told['promised']['delay_s']:g}",
        "first": _minute(told["first"]),
        "last": _minute(told["last"]),
        "by_hour": _counted(told["by_hour"]),
        "by_purpose": _counted(told["by_purpose"]),
        "withheld": _counted(told["withheld"]),
        "error_share": f"{told['errors'] / told['requests']:.1%}" if told["requests"] else "-",
    }


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items()) or "0"


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _words() -> dict[str, Any]:
    return tomllib.loads(_WORDS.read_text("utf-8"))
