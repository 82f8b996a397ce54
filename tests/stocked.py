"""An archive of many reports, captured and read without a crawl: pages and files of every kind.

Synthetic: generated reports in the VSB dialect, every third with its figures in a file as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import import_module

import sqlalchemy as sa

from crawler.cms import cms_by_key, parse_page
from crawler.documents import html
from crawler.documents.canonical import RULE, digest, digest_file
from crawler.pipelines.opened import files_of, read_article, read_file
from crawler.pipelines.records import reading_record
from storage.database import open_for_writing, transact
from storage.evidence.seal import seal
from storage.readings.facts import ReadingRecord, keep_reading
from storage.readings.observing import Observation, ReportKey, observe
from storage.settings import Settings
from tests.databases import Crawl, exchange, key
from tests.replica.report_model import Report
from tests.replica.reports import DEFECTS, LABEL_VARIANTS, RULES, body_html, generate

KINDS = ("docx", "xlsx", "xls", "pdf", "doc")
_YEARS = range(2019, 2026)
_HOST = "http://www.xjtsq.gov.cn"
_FILE = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
# Each in turn; the first report has the spellings that a proof takes away.
_DEFECTS = sorted(DEFECTS, key=lambda defect: (defect != LABEL_VARIANTS, defect))
# One in so many has a figure that does not add up.
_WRONG = 10


def stocked(settings: Settings, reports: int, kinds: Sequence[str] = KINDS) -> sa.Engine:
    """Fill an empty archive with this many pages and a third as many files; sealed."""
    engine = open_for_writing(settings)
    with Crawl(engine, settings.warc_directory, start=datetime(2026, 3, 1, tzinfo=UTC)) as crawl:
        for number, report in enumerate(reports_of(reports)):
            _page(crawl, number, report)
            if kind := kind_of(number, kinds):
                _file(crawl, number, report, kind)
    seal(settings, datetime.now(UTC), crawl.run_id)
    return engine


def kind_of(number: int, kinds: Sequence[str] = KINDS) -> str:
    """What the file beside the page of a report is; empty where there is none."""
    return kinds[number // 3 % len(kinds)] if number % 3 == 0 and kinds else ""


def reports_of(count: int) -> Iterator[Report]:
    """The reports of a stocked archive, in their order."""
    for number in range(count):
        organ, year = f"天山区第{number // len(_YEARS)}局", _YEARS[number % len(_YEARS)]
        defects = [_DEFECTS[number % len(_DEFECTS)]]
        wrong = [sorted(RULES)[number % len(RULES)]] if number % _WRONG == 0 else []
        yield generate(5, organ, year, "2019" if year < 2021 else "2021", defects, wrong)


def _page(crawl: Crawl, number: int, report: Report) -> None:
    title, url = escape(report.title), f"{_HOST}/info/3168/{number}.htm"
    body = f"""<html><head><title>{title}</title><!--Announced by Visual SiteBuilder 9--></head>
<body><form name="_newscontent_fromname"><table><tr><td class="titlestyle1400">{title}</td></tr>
<tr><td>{report.year + 1}-01-20 14:38 来源:天山区 (点击: 1)</td></tr>
<tr><td><div id="vsb_content">{body_html(report)}</div></td></tr></table></form></body></html>"""
    article = cms_by_key()["vsb"].article(parse_page(url, body))
    assert article is not None
    document = html.read(article.body)
    said = digest(document, article.title, article.published, article.source)
    read = reading_record(read_article(article, document))
    seen = _seen(crawl, report, body.encode(), url, "", said, RULE, "html")
    _keep(crawl, seen, read)


def _file(crawl: Crawl, number: int, report: Report, kind: str) -> None:
    body = import_module(f"tests.rendering.{kind}").render(report)
    url = f"{_HOST}/files/{number}.{kind}"
    for file in files_of(f"{report.title}.{kind}", body):
        said = digest_file(file.body)
        seen = _seen(crawl, report, body, url, file.name, said.digest, said.rule, kind)
        _keep(crawl, seen, reading_record(read_file(file)))


def _seen(
    crawl: Crawl,
    report: Report,
    body: bytes,
    url: str,
    name: str,
    said: str,
    rule: str,
    media: str,
) -> Observation:
    answered = exchange(body, url, head=_FILE) if name else exchange(body, url)
    return Observation(
        key=_key(report),
        part="attachment" if name else "page",
        name=name,
        url=url,
        capture_id=crawl.capture(answered).id,
        canonical_digest=said,
        canonical_rule=rule,
        title=name or report.title,
        published=None if name else f"{report.year + 1}-01-20 14:38",
        source=None,
        media=media,
        seen_at=crawl.now(),
    )


def _key(report: Report) -> ReportKey:
    return key(report.organ, report.year, "department")


def _keep(crawl: Crawl, seen: Observation, read: ReadingRecord) -> None:
    def work(connection: sa.Connection) -> None:
        version = observe(connection, seen)
        keep_reading(connection, version.id, read, seen.seen_at)

    transact(crawl.engine, work)
