"""One reader for the line that says when and by whom an article was published, for all dialects.

Labels may lack their colon or be missing; a date may stand over several elements; click counters
and font switches share the line and must never become the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from crawler.cms.text import fold, normal
from crawler.words import Remark


@dataclass(frozen=True, slots=True)
class Head:
    """What a page says of its publication. `published` is ISO, to the precision shown."""

    published: str | None = None
    source: str | None = None
    warnings: tuple[Remark, ...] = ()


def spaced(*words: str) -> str:
    """A pattern for any of the words, with white space allowed between their characters."""
    return "(?:" + "|".join(r"\s*".join(word) for word in words) + ")"


DATE = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)"
    r"(?:(?:\s*[-/.年]\s*|\s+)(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*日?"
    r"(?:[T\s]*(?P<hour>\d{1,2})\s*[:时]\s*(?P<minute>\d\d)"
    r"(?:\s*[:分]\s*(?P<second>\d\d))?\s*[分秒]?)?"
    r"|\s*年\s*(?P<month_only>\d{1,2})\s*月|-(?P<month_dash>\d\d)(?![-\d]))"
)
PUBLISHED = spaced("发布时间", "发表时间", "发布日期", "公开日期")
WRITTEN = spaced("成文日期", "成文时间")
# Dates of other things that stand in head tables: none of them says when the page was published.
OTHER_DATE = spaced(
    "成文日期", "成文时间", "有效日期", "失效日期", "废止日期", "实施日期", "生效日期", "更新时间"
)
SOURCE = spaced("信息来源", "来源")
PUBLISHER = spaced("发布机构", "发文机关")
NOISE = spaced(
    *("点击", "浏览", "访问", "阅读", "字体", "字号", "打印", "关闭", "分享", "收藏", "正文"),
    *("作者", "编辑", "责任编辑", "责编", "审核", "视力保护", "扫一扫", "附件", "下载"),
    *("索引号", "发文字号", "文号", "体裁分类", "主题分类", "有效性", "标题", "名称"),
)
WORDS = f"(?:{PUBLISHED}|{OTHER_DATE}|{SOURCE}|{PUBLISHER}|{NOISE})"
# A word of the line ends a value only where it stands apart or carries a colon: an agency may
# well be called 新疆日报编辑部.
STOP = re.compile(
    rf"(?<=[\s:\])】\d]){WORDS}|{WORDS}\s*(?:次数|次|量|数)?\s*:|[【|\n]|\s{{2,}}"
    rf"|[(]\s*(?:点击|浏览|阅读|访问)|{DATE.pattern}"
)
NAME = re.compile(r"[\u3400-\u9fffA-Za-z]")
REPORT_TITLE = re.compile(r"((?:19|20)\d\d)\s*年.*(?:公开.*(?:报告|年报)|年度报告|工作年报)")


def dates(text: str) -> Iterator[tuple[str | None, re.Match[str]]]:
    """Each date of a normalised text as ISO; None for one no calendar knows."""
    for match in DATE.finditer(text):
        yield iso(match), match


def iso(match: re.Match[str]) -> str | None:
    part = {key: int(value) for key, value in match.groupdict().items() if value}
    month = part.get("month") or part.get("month_only") or part.get("month_dash") or 0
    try:
        day = date(part["year"], month, part.get("day", 1))
    except ValueError:
        return None
    if "day" not in part:
        return f"{day:%Y-%m}"
    if "hour" not in part or part["hour"] > 23 or part["minute"] > 59:
        return f"{day:%Y-%m-%d}"
    shown = f"{day:%Y-%m-%d} {part['hour']:02}:{part['minute']:02}"
    return f"{shown}:{part['second']:02}" if part.get("second", 60) < 60 else shown


def first_date(text: str) -> str | None:
    """The first possible date of a text, ISO to the precision shown.

    >>> first_date("发布时间：2020年3月6日 14:38")
    '2020-03-06 14:38'
    >>> first_date("2023-02-30") is None
    True
    """
    return next((found for found, _ in dates(normal(text)) if found), None)


def written_date(text: str) -> str | None:
    """The first date of a text as written there, for the column beside a link."""
    match = DATE.search(normal(text))
    return fold(match[0]) if match else None


def read_head(
    texts: Sequence[str], meta_date: str = "", meta_source: str = "", url_month: str | None = None
) -> Head:
    """Publication date and source from the text pieces of an article's head, in page order.

    Trust: meta PubDate, labelled date, bare date (also split over elements), month in the URL.
    A more precise statement refines one it agrees with; a contradiction is a warning.
    """
    text = "\n".join(map(one_line, texts))
    bare = re.sub(rf"{OTHER_DATE}\s*:?\s*(?:{DATE.pattern})?", "\n", text)
    marked, plain = labelled_dates(PUBLISHED, bare), list(dates(bare))
    statements = [
        *(("PubDate", found) for found, _ in dates(normal(meta_date))),
        *(("label", found) for found in marked),
        *(("page", found) for found, _ in plain[: 0 if marked else 1]),
        *([("URL", url_month)] if url_month else []),
    ]
    possible = [(name, found) for name, found in statements if found]
    warnings = [
        Remark("page.impossible_date", {"where": name}) for name, found in statements if not found
    ]
    if not possible:
        written = [found for found in labelled_dates(WRITTEN, text) if found]
        possible = [("成文日期", found) for found in written[:1]]
        warnings.append(Remark("page.dated_by_writing" if written else "page.undated"))
    published = refine([found for _, found in possible])
    warnings += disagreements(possible)
    shown_source = source_of(text) if has_source_label(text) else unlabelled_source(plain, marked)
    if meta_source and shown_source and fold(normal(meta_source)) != shown_source:
        facts = {"meta": fold(meta_source) or "", "page": shown_source}
        warnings.append(Remark("page.sources_differ", facts))
    return Head(published, fold(normal(meta_source)) or shown_source, tuple(warnings))


def one_line(piece: str) -> str:
    """A text piece without line breaks: they part the pieces. Two spaces still part its values."""
    return re.sub(r"\s+", lambda run: run[0][:2].replace("\n", " "), normal(piece).strip())


def labelled_dates(label: str, text: str) -> list[str | None]:
    matches = re.finditer(rf"{label}\s*:?\s*(?={DATE.pattern})", text)
    return [iso(match) for found in matches if (match := DATE.match(text, found.end()))]


def agree(one: str, other: str) -> bool:
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def refine(statements: Sequence[str]) -> str | None:
    """The most precise of those that agree with the most trusted one."""
    agreeing = [found for found in statements if agree(statements[0], found)]
    return max(agreeing, key=len, default=None)


def disagreements(statements: Sequence[tuple[str, str]]) -> Iterator[Remark]:
    one = " ".join(statements[0]) if statements else ""
    others = (name_and_date for name_and_date in statements[1:])
    for other in dict.fromkeys(others):
        if not agree(statements[0][1], other[1]):
            yield Remark("page.dates_differ", {"one": one, "other": " ".join(other)})


def value_after(label: str, text: str) -> Iterator[str]:
    """What follows each occurrence of a label, with a colon or set off by white space."""
    for match in re.finditer(rf"{label}\s*:\s*|(?:(?<=\s)|^){label}(?=\s)\s*", text):
        stop = STOP.search(text, match.end())
        yield text[match.end() : stop.start() if stop else len(text)]


def has_source_label(text: str) -> bool:
    return any(True for label in (SOURCE, PUBLISHER) for _ in value_after(label, text))


def source_of(text: str) -> str | None:
    values = (value for label in (SOURCE, PUBLISHER) for value in value_after(label, text))
    return next(filter(None, map(source_name, values)), None)


def source_name(value: str) -> str | None:
    name = fold(value).strip(" :;,、-")
    return name if NAME.search(name) and len(name) <= 60 and ":" not in name else None


def unlabelled_source(
    plain: Sequence[tuple[str | None, re.Match[str]]], marked: Sequence[object]
) -> str | None:
    """The name that follows a bare date: `2023-11-24 11:54   沙区政府教育督导室`."""
    if marked or not plain:
        return None
    match = plain[0][1]
    start = re.compile(r"\s*").match(match.string, match.end())
    begin = start.end() if start else match.end()
    stop = STOP.search(match.string, begin)
    return source_name(match.string[begin : stop.start() if stop else len(match.string)])


def year_warning(title: str, published: str | None) -> tuple[Remark, ...]:
    """Reports are published in the year after the one their title names; say when they are not."""
    match = REPORT_TITLE.search(normal(title))
    if not match or not published or int(published[:4]) == int(match[1]) + 1:
        return ()
    return (Remark("page.other_year", {"published": published[:4], "year": match[1]}),)
