"""The page of a run: what was new, changed, missing, odd, and what to do, in a minute's reading.

Under GONGKAI_HOME/runs, for each run `<id>.html` and `<id>.txt` in English and `<id>.zh.…` in
Chinese; `latest.…` is the newest. Nothing in a page asks anybody for anything, and what portals
wrote stands in it as text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Literal, get_args

import sqlalchemy as sa

from storage.care.withdrawals import TOMBSTONE
from storage.errors import DirectoryError
from storage.queries.run_report import RunReport, newest_run, run_report
from storage.runpage.lines import Words, head, lines
from storage.schema import runs
from storage.whole import write_whole

Lang = Literal["en", "zh"]
# A page of text is read in a minute: no longer than this, and no section longer than the other.
MOST_LINES, MOST_ITEMS = 60, 8
# How many of the newest runs the end of one makes up pages for, where they died without.
LOOK_BACK = 20


@dataclass(frozen=True, slots=True)
class Section:
    """One heading with its first lines; `more` says how many are left out, if any are."""

    title: str
    count: int
    lines: tuple[str, ...]
    more: str


@dataclass(frozen=True, slots=True)
class Page:
    """A run's page in one language, without markup."""

    state: str
    title: str
    head: tuple[str, ...]
    do: str
    sections: tuple[Section, ...]


def write_page(connection: sa.Connection, home: Path, run_id: int) -> None:
    """Make a run's pages, each whole or not at all. Raises DirectoryError."""
    report = run_report(connection, run_id)
    folder = home / "runs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for lang in get_args(Lang):
            for kind, text in (("html", as_html(report, lang)), ("txt", as_text(report, lang))):
                ending = kind if lang == "en" else f"{lang}.{kind}"
                content = text.encode("utf-8", errors="replace")
                write_whole(folder / f"{run_id}.{ending}", content)
                if run_id == newest_run(connection):
                    write_whole(folder / f"latest.{ending}", content)
    except OSError as error:
        raise DirectoryError(
            f"cannot write the page of run {run_id} into {folder} ({error.strerror}): "
            "make it writable, then `archive run` shows it"
        ) from error


def write_owed(connection: sa.Connection, home: Path, run_id: int) -> None:
    """Make the pages of runs that died before they had one, `run_id` itself left out.

    Raises DirectoryError.
    """
    query = sa.select(runs.c.id).where(runs.c.id != run_id).order_by(runs.c.id.desc())
    for other in connection.execute(query.limit(LOOK_BACK)).scalars().all():
        if not (home / "runs" / f"{other}.html").is_file():
            write_page(connection, home, other)


def write_again(connection: sa.Connection, home: Path, names: Collection[str]) -> None:
    """Make the pages anew that name one of these, or that tell of something withdrawn, under which
    one may lie. Raises DirectoryError.
    """
    for path in sorted((home / "runs").glob("[0-9]*.zh.html")):
        text = path.read_text("utf-8", errors="replace")
        named = any(name in text or escape(name) in text for name in names)
        if named or TOMBSTONE in text:
            write_page(connection, home, int(path.name.partition(".")[0]))


def as_text(report: RunReport, lang: Lang) -> str:
    """The page as at most MOST_LINES lines."""
    return _rendered(report, lang)[1]


def as_html(report: RunReport, lang: Lang) -> str:
    """The same page as HTML without script."""
    page, _ = _rendered(report, lang)
    return str(_template("page.html.jinja").render(page=page, lang=lang))


def whole_page(report: RunReport, lang: Lang) -> Page:
    """The same with every item."""
    words = Words(_data(), lang)
    told = {key: lines(report, key, words) for key in _data()["sections"]}
    return _page(report, words, told, max(map(len, told.values())))


def _rendered(report: RunReport, lang: Lang) -> tuple[Page, str]:
    """The page with as many items a section as fit, and its text."""
    words = Words(_data(), lang)
    told = {key: lines(report, key, words) for key in _data()["sections"]}
    for most in range(MOST_ITEMS, 0, -1):
        page = _page(report, words, told, most)
        text = str(_template("page.txt.jinja").render(page=page)).rstrip() + "\n"
        if text.count("\n") <= MOST_LINES:
            break
    return page, text


def _page(report: RunReport, words: Words, told: Mapping[str, list[str]], most: int) -> Page:
    title, *rest, do = head(report, words)
    sections = tuple(
        _section(report["id"], words, key, found, most) for key, found in told.items() if found
    )
    if not sections:
        rest.append(words.say("head.quiet"))
    return Page(report["state"], title, tuple(rest), do, sections)


def _section(run_id: int, words: Words, key: str, found: list[str], most: int) -> Section:
    left = len(found) - most
    more = words.say("head.more", count=left, id=run_id) if left > 0 else ""
    return Section(words.title(key), len(found), tuple(found[:most]), more)


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))


@cache
def _template(name: str) -> Any:
    """jinja2 is imported here: `archive` starts without it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=name.endswith(".html.jinja"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
