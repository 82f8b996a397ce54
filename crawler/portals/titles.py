"""What a title says: whether it is an annual report's, of which organ and for which year.

The patterns are data (discovery.toml). Site and channel are trusted before the text: an organ the
title does not name is that of the page's source or of the portal itself.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from crawler.portals.registry import ROOT, Portal

_DIGITS = str.maketrans("〇○零一二三四五六七八九", "000123456789")
_YEAR = re.compile(r"((?:19|20)\d\d)\s*(?:年度?|年?-?(?=[^\d年]))")
_CHINESE_YEAR = re.compile(r"[一二][0〇○零一二三四五六七八九]{3}(?=年)")
# What may stand before an organ in a title and is no part of it.
_BEFORE = re.compile(r"^(附件\d*[:.、]?|[^0-9]{1,10}[〔\[(]\d{4}[〕\])]\d+号|关于|《)+")
_AFTER = re.compile(r"(关于|年度|年|》)$")
_IN_BRACKETS = re.compile(r"\(([^()]+)\)$")
_ORGAN = re.compile(r"^(.*?)(?:政府信息公开|政务信息公开|政务公开|信息公开)")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose report it is. `year` is None if nothing names one, `inferred` if only a date does."""

    division_code: str
    organ: str
    organ_kind: str
    year: int | None
    inferred: bool = False


@cache
def rules() -> dict[str, Any]:
    return tomllib.loads((ROOT / "discovery.toml").read_text(encoding="utf-8"))


@cache
def _pattern(table: str, key: str) -> re.Pattern[str]:
    return re.compile(rules()[table][key], re.IGNORECASE)


def fold(text: str) -> str:
    """NFKC, without any white space: the form in which labels and titles are compared."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def is_report(title: str, within_annual: bool = False) -> bool:
    """Whether this is the title of an annual disclosure report.

    >>> is_report("天山区人民政府2019年度政府信息公开工作报告")
    True
    >>> is_report("关于编制2019年政府信息公开工作年度报告的通知")
    False
    """
    text = fold(title)
    if _pattern("report", "never").search(text):
        return False
    subject = _pattern("report", "subject").search(text)
    if _pattern("report", "other").search(text, subject.start() if subject else 0):
        return False
    if subject and _pattern("report", "kind").search(text) and year_of(text):
        return True
    return within_annual and bool(_pattern("report", "bare").search(text))


def is_annual(trail: Sequence[str], here: Iterable[str] = ()) -> bool:
    """Whether a page stands in an annual-report channel.

    `here` are the page's own breadcrumb and title; of the links that led to it (`trail`) the last
    decides that is more than a year or an organ.

    >>> is_annual(("政府信息公开", "年报", "2021年")), is_annual(("年报", "信息公开指南"))
    (True, False)
    """
    led = (text for text in reversed(trail) if not _is_step(text))
    return any(_fits("annual", text) for text in (*here, next(led, "")))


def leads_on(text: str, context: Iterable[str]) -> bool:
    """Whether a link with this text leads towards annual reports.

    A bare year or organ does so only where `context` (trail and breadcrumb) already leads there.
    """
    if not fold(text) or _fits("never", text):
        return False
    if _fits("toward", text):
        return len(fold(text)) <= int(rules()["bounds"]["text"])
    return _is_step(text) and any(_fits("toward", above) for above in context)


def _fits(key: str, text: str) -> bool:
    return bool(_pattern("channel", key).search(fold(text)))


def _is_step(text: str) -> bool:
    return any(_pattern("channel", key).fullmatch(fold(text)) for key in ("year", "organ"))


def year_of(text: str) -> int | None:
    """The year a title names, in digits or Chinese numerals.

    >>> year_of("二〇一九年度"), year_of("2022年高新区(新市区)政府信息公开工作年度报告")
    (2019, 2022)
    """
    folded = _BEFORE.sub("", fold(text))
    folded = _CHINESE_YEAR.sub(lambda match: match[0].translate(_DIGITS), folded)
    match = _YEAR.search(folded)
    return int(match[1]) if match else None


def identify(
    portal: Portal,
    titles: Sequence[str],
    trail: Sequence[str] = (),
    source: str | None = None,
    published: str | None = None,
    others: Iterable[Portal] = (),
) -> Identity:
    """Organ and year from what a page shows, most trusted first.

    `titles` are the page's title and the listing's; the organ comes from the first that names one,
    else from the source, if that is an organ's name and not an office that publishes for its
    government. A title may name an organ of another division: `others` are the portals that know.
    A year from the date of publication alone is marked as inferred.
    """
    named = (organ_in(title) for title in titles if is_report(title, within_annual=True))
    name = next(filter(None, named), None) or _publisher(portal, source)
    owner = _owner(portal, name, others)
    organ = canonical_organ(owner, name)
    kind = organ_kind(owner, organ)
    years = (year_of(text) for text in (*titles, *reversed(trail)))
    year = next((year for year in years if year), None)
    if year is None and published:
        return Identity(owner.division_code, organ, kind, int(published[:4]) - 1, inferred=True)
    return Identity(owner.division_code, organ, kind, year)


def _owner(portal: Portal, name: str, others: Iterable[Portal]) -> Portal:
    """The portal whose division an organ's name begins with; this one if none."""
    organ = _within_city(portal, fold(name))
    for owner in (portal, *others):
        names = (*_government_names(owner), *owner.short_names)
        if any(len(own) > 1 and organ.startswith(fold(own)) for own in names):
            return owner
    return portal


def _within_city(portal: Portal, organ: str) -> str:
    """The name without its city, where more than the city's own organs are named with it."""
    city = portal.government.partition("市")[0] + "市"
    rest = organ.removeprefix(city)
    return rest if re.match(".{1,8}[区县]", rest) else organ


def _publisher(portal: Portal, source: str | None) -> str:
    """The source, where it can be the organ whose report it is."""
    name = fold(source or "")
    own = any(len(short) > 1 and name.startswith(fold(short)) for short in portal.short_names)
    if _pattern("organ", "publisher").search(name):
        return ""
    return name if own or _pattern("channel", "organ").fullmatch(name) else ""


def known(portal: Portal, organ: str, year: int) -> Identity:
    """The identity of a report whose organ and year are known beforehand."""
    name = canonical_organ(portal, organ)
    return Identity(portal.division_code, name, organ_kind(portal, name), year)


def organ_in(title: str) -> str:
    """The organ a report's title names; empty when it names none.

    >>> organ_in("2022年高新区(新市区)政府信息公开工作年度报告")
    '高新区(新市区)'
    >>> organ_in("天山区人民政府信息公开工作年度报告(2021年)")
    '天山区人民政府'
    """
    text = _YEAR.sub("", _CHINESE_YEAR.sub("", _BEFORE.sub("", fold(title))))
    match = _ORGAN.match(text)
    if not match:
        return ""
    if not match[1] and (named := _IN_BRACKETS.search(text)):
        return named[1] if _pattern("channel", "organ").fullmatch(named[1]) else ""
    organ = _AFTER.sub("", match[1])
    return f"{organ}政府" if organ.endswith("人民") else organ


def canonical_organ(portal: Portal, name: str) -> str:
    """One name for one organ: the government's own, or the division's short name and the rest.

    No name at all is the portal's government; one that nobody knows stays an organ of its own.
    """
    organ = fold(name)
    if organ in {fold(alias) for alias in _government_names(portal)} or not organ:
        return portal.government
    organ = _within_city(portal, organ)
    for short in portal.short_names:
        if organ.startswith(fold(short)) and not _pattern("organ", "whole").match(organ):
            rest = organ.removeprefix(fold(short))
            if f"{portal.short_names[0]}{rest}" in {fold(n) for n in _government_names(portal)}:
                return portal.government
            return f"{portal.short_names[0]}{rest}" if rest else portal.government
    return f"{portal.short_names[0]}{organ}"


def _government_names(portal: Portal) -> tuple[str, ...]:
    return (portal.government, portal.name_zh, *portal.government_aliases)


def organ_kind(portal: Portal, organ: str) -> str:
    """government, office, department or township, told by a canonical name."""
    if organ == portal.government:
        return "government"
    kinds = ("office", "township", "department")
    return next(kind for kind in kinds if _pattern("organ_kind", kind).search(organ))
