"""What stands in the documents: reports and other notices, made when a page asks for them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from html import escape
from random import Random
from typing import Any, ClassVar, TypeVar

from tests.replica import reports
from tests.replica.model import Attachment, Document, Edit, chance
from tests.replica.reports import Markup, Report

# One seed for all reports: what an organ carries over one year it begins the next with.
SEED = 1

T = TypeVar("T")


def pick(choices: Sequence[T], key: str) -> T:
    """One of `choices`, always the same for one key."""
    return choices[chance(key) % len(choices)]


class Contents:
    """Reports, page bodies and files of one world; `rules` is its world.toml."""

    # Word files are slow to make: kept by document and edits for all worlds of a process.
    _files: ClassVar[dict[tuple[str, tuple[Edit, ...]], bytes]] = {}

    def __init__(self, rules: Mapping[str, Any], edits: Sequence[Edit]) -> None:
        self.rules = rules
        self.edits = edits
        self._reports: dict[str, Report] = {}
        self._lock = threading.RLock()

    def report(self, document: Document) -> Report:
        """The annual report on the page of `document`, edits included."""
        return self._edited(document, attachment=None)

    def _edited(self, document: Document, attachment: str | None) -> Report:
        report = self._original(document)
        for edit in self._edits_of(document, attachment):
            report = apply(edit, report)
        return report

    def _edits_of(self, document: Document, attachment: str | None) -> tuple[Edit, ...]:
        return tuple(
            edit
            for edit in self.edits
            if edit.key == document.key and edit.attachment == attachment
        )

    def _original(self, document: Document) -> Report:
        with self._lock:
            if document.key not in self._reports:
                self._reports[document.key] = self._write(document)
            return self._reports[document.key]

    def _write(self, document: Document) -> Report:
        organ, year, key = document.organ, document.year, document.key
        assert organ is not None
        assert year is not None
        known = organ.known.get(year, {})
        if known.get("seed"):
            return reports.seed_report()
        if "gold" in known:
            gold = reports.gold_report(known["gold"])
            return replace(gold, organ=organ.name, title=document.title, body_title=document.title)
        layout = organ.layouts.get(year) or layout_of(year)
        defects, wrong = self._faults(key) if layout != "old" else ((), ())
        report = generated(organ.name, year, layout, tuple(defects), tuple(wrong))
        same = report.body_title == report.title
        body_title = known.get("body_title") or (document.title if same else report.body_title)
        return replace(report, title=document.title, body_title=body_title)

    def _faults(self, key: str) -> tuple[Sequence[str], Sequence[str]]:
        """Defects of print and, in one report of twelve, relations that do not hold."""
        rules = self.rules["reports"]
        wrong: Sequence[str] = ()
        if chance(key + "/wrong") % rules["wrong_in"] == 0:
            wrong = pick(rules["wrong"], key + "/rule")
        return pick(rules["defects"], key + "/defects"), wrong

    def markup(self, document: Document) -> Markup:
        """The hand a report is printed in: flattened only where no cell is lost by it."""
        if document.organ and document.organ.known.get(document.year or 0, {}).get("seed"):
            return "flat"
        rules = self.rules["reports"]
        flat = set(self._original(document).defects) <= set(rules["flat_defects"])
        markups: Sequence[Markup] = rules["markups" if flat else "markups_with_tables"]
        return pick(markups, document.key + "/markup")

    def body(self, document: Document) -> str:
        """Inner HTML of the document's page."""
        if document.year is not None:
            return reports.body_html(self.report(document), self.markup(document))
        texts: Sequence[str] = self.rules["notices"]["paragraphs"]
        chosen = [pick(texts, f"{document.key}/{number}") for number in range(3)]
        return "".join(
            f"<p>{escape(text.format(title=document.title, source=document.source))}</p>"
            for text in chosen
        )

    def attachments(self, document: Document) -> tuple[Attachment, ...]:
        """The files a page links to: at most one, named like the report."""
        organ, year = document.organ, document.year
        if organ is None or year is None or year not in organ.docx:
            return ()
        name = organ.known.get(year, {}).get("attachment", f"{document.title}.docx")
        return (Attachment(name, document),)

    def docx(self, attachment: Attachment) -> bytes:
        """The file's bytes: the report as first published, or what replaced it."""
        document = attachment.document
        key = (document.key, self._edits_of(document, attachment.name))
        with self._lock:
            if key not in self._files:
                self._files[key] = reports.docx_bytes(self._edited(document, attachment.name))
            return self._files[key]

    def digest(self, attachment: Attachment) -> str:
        return hashlib.sha256(self.docx(attachment)).hexdigest()

    def plan_edit(
        self, portal: str, document: Document, rng: Random, attachment: str | None = None
    ) -> Edit:
        """A change to one figure of a report, now and then (and in old reports) to a sentence."""
        organ, year = document.organ, document.year
        assert organ is not None
        assert year is not None
        report = self.report(document)
        figures = [path for path, cell in report.cells.items() if is_figure(path, cell.raw)]
        if figures and rng.random() < 0.8:
            path = rng.choice(figures)
            before = report.cells[path].raw
            after = str(int(before) + rng.randint(1, 9))
        else:
            path = rng.choice(paragraphs(report))
            before = paragraph(report, path)
            after = before + self.rules["reports"]["added_sentence"]
        return Edit(document.key, portal, organ.name, year, path, before, after, attachment)


@cache
def generated(
    organ: str, year: int, layout: str, defects: tuple[str, ...], wrong: tuple[str, ...]
) -> Report:
    """Kept for all worlds of a process: they differ in their edits alone."""
    return reports.generate(SEED, organ, year, layout, defects, wrong)


def layout_of(year: int) -> str:
    """The layout in force for a reporting year."""
    if year < 2019:
        return "old"
    return "2019" if year < 2021 else "2021"


def is_figure(path: str, raw: str) -> bool:
    """Whether a cell is a plain number outside the arithmetic of the form."""
    return path.startswith("art20.") and raw.isascii() and raw.isdigit()


def paragraphs(report: Report) -> list[str]:
    return [
        f"sections.{number}.{index}"
        for number, (_, texts) in enumerate(report.sections)
        for index in range(len(texts))
    ]


def paragraph(report: Report, path: str) -> str:
    _, number, index = path.split(".")
    return report.sections[int(number)][1][int(index)]


def apply(edit: Edit, report: Report) -> Report:
    """The report after an edit."""
    if not edit.path.startswith("sections."):
        return reports.edited(report, edit.path, edit.after)
    _, number, index = edit.path.split(".")
    sections = list(report.sections)
    heading, texts = sections[int(number)]
    changed = list(texts)
    changed[int(index)] = edit.after
    sections[int(number)] = (heading, tuple(changed))
    return replace(report, sections=tuple(sections))
