"""Captures with their heads, and archived pages that are safe to look at."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from storage.care.withdrawals import Thing, restore, withdraw
from storage.database import open_for_writing
from storage.errors import NotInArchive
from storage.explorer.app import make_app
from storage.explorer.archived import Place, harmless_page, harmless_style, text_of
from storage.explorer.downloads import disposition, file_type, safe_name
from storage.explorer.replay import make_replay
from storage.queries.bytes import Inside, body_of, look_into
from storage.queries.captures import captured, nearest_capture
from storage.settings import Settings
from tests.browsing import Browser, chromium, needs_browser, served
from tests.databases import NOW, Crawl, exchange, key, reading
from tests.hostile.names import is_safe
from tests.hostile.world import Bytes, build, names, pages

__all__ = ["chromium"]

PAGE = "http://www.xjtsq.gov.cn/info/3168/1.htm"
OTHER = "http://www.xjtsq.gov.cn/info/3168/2.htm"


@pytest.fixture
def archive(engine: sa.Engine, settings: Settings) -> sa.Engine:
    """Capture 1 a report's page, 2 the same bytes at another address, 3 an answer of nobody's."""
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"<p>2019</p>", reading("1", "1", "1", "1"), url=PAGE)
        crawl.capture(exchange(b"<p>2019</p>", OTHER))
        head = b"HTTP/1.1 404 No\r\nX-Call: 13900001000\r\nX-Call:  two\r\n three\r\n\r\n"
        crawl.capture(exchange(b"gone", "http://h/3", 404, head), "client_error")
    return engine


def test_a_capture_tells_what_was_asked_and_answered_to_the_byte(
    archive: sa.Engine, settings: Settings
) -> None:
    with archive.connect() as connection:
        told = captured(connection, settings, 1)
    assert told["request_headers"] == [["Host", "www.xjtsq.gov.cn"]]
    assert told["response_headers"] == [["Content-Type", "text/html"]]
    assert (told["status_line"], told["status"]) == ("HTTP/1.1 200 OK", 200)
    assert told["report"] is not None
    assert (told["report"]["year"], told["report"]["part"]) == (2019, "page")
    assert (told["purpose"], told["outcome"], told["error"]) == ("report", "ok", None)
    assert told["held_by"] is not None
    assert told["held_by"]["record_id"] == told["record_id"]


def test_a_revisit_names_the_record_with_the_bytes(archive: sa.Engine, settings: Settings) -> None:
    with archive.connect() as connection:
        first, again = (captured(connection, settings, number) for number in (1, 2))
    assert again["revisit_of"] == 1
    assert again["held_by"] == first["held_by"]
    assert again["record_id"] != first["record_id"]
    assert again["response_headers"] == first["response_headers"]


def test_numbers_of_persons_in_headers_are_covered(archive: sa.Engine, settings: Settings) -> None:
    with archive.connect() as connection:
        told = captured(connection, settings, 3)
    assert told["response_headers"] == [["X-Call", "*" * 11], ["X-Call", "two three"]]
    assert told["masked"] == {"mobile_number": 1}
    assert told["report"] is None


def test_an_unknown_capture_is_refused(archive: sa.Engine, settings: Settings) -> None:
    with archive.connect() as connection, pytest.raises(NotInArchive, match="no capture 99"):
        captured(connection, settings, 99)


@pytest.mark.parametrize("harm", ["missing", "torn", "other"])
def test_a_lost_or_torn_file_is_named_with_the_cure(
    archive: sa.Engine, settings: Settings, harm: str
) -> None:
    (file,) = settings.warc_directory.iterdir()
    whole = file.read_bytes()
    if harm == "missing":
        file.unlink()
    elif harm == "torn":
        file.write_bytes(whole[:700])
    else:
        file.write_bytes(b"\0" * len(whole))
    with archive.connect() as connection:
        told = captured(connection, settings, 3)
    assert told["error"] is not None
    assert file.name in told["error"]
    assert "bring" in told["error"]
    assert str(settings.home) not in told["error"]
    assert (told["request_headers"], told["response_headers"]) == ([], [])
    assert told["warc_file"] == file.name


@pytest.mark.parametrize(
    "thing", [Thing(report_id=1), Thing(version_id=1), Thing(url=PAGE)], ids=lambda each: str(each)
)
def test_of_a_withdrawn_capture_nothing_is_told_nor_of_its_bytes_elsewhere(
    archive: sa.Engine, settings: Settings, thing: Thing
) -> None:
    with archive.begin() as connection:
        withdraw(connection, thing, "me", "court", datetime(2026, 4, 1, tzinfo=UTC))
        for number in (1, 2):
            told = captured(connection, settings, number)
            assert told["withdrawn"] == "withdrawn on 2026-04-01: court"
            left = {name: each for name, each in told.items() if each}
            assert left == {"id": number, "withdrawn": told["withdrawn"]}
        assert captured(connection, settings, 3)["withdrawn"] is None
        restore(connection, thing, "me", "lifted", datetime(2026, 4, 2, tzinfo=UTC))
        assert captured(connection, settings, 1)["url"] == PAGE


def test_the_file_beside_a_withdrawn_page_goes_with_it(
    engine: sa.Engine, settings: Settings
) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(b"page", reading("1", "1", "1", "1"), report=key(), url=PAGE)
        crawl.attachment(b"docx")
    with engine.begin() as connection:
        withdraw(connection, Thing(report_id=1), "me", "court", datetime(2026, 4, 1, tzinfo=UTC))
        assert captured(connection, settings, 2)["withdrawn"]


PLACE = Place(
    PAGE,
    page=lambda url: f"/nearest/1?{url}",
    image=lambda url: f"/image/1?{url}",
    style=lambda url: f"/style/1?{url}",
    hidden={OTHER: "withdrawn on 2026-04-01: court"},
)
# In a page that was made harmless; our own <meta> stands in its head.
ACTING = {"script", "svg", "math", "iframe", "frame", "object", "embed", "base", "form", "meta"}
LEADING = {"href", "src", "background", "action", "formaction", "srcset", "data", "poster", "ping"}


class Seen(HTMLParser):
    """What a parser finds in it: elements, names of attributes, addresses, styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.leads: list[str] = []
        self.styles: list[str] = []
        self.feed(html.partition("</head>")[2])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.leads += [value or "" for name, value in attrs if name in LEADING]
        self.styles += [value or "" for name, value in attrs if name == "style"]

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "style":
            self.styles.append(data)


@pytest.mark.parametrize("page", list(pages("http://outside.test")), ids=lambda each: each.label)
def test_nothing_that_acts_is_left_of_a_hostile_page(page: Bytes) -> None:
    seen = Seen(harmless_page(text_of(page.body, page.content_type), PLACE))
    assert not seen.tags & ACTING
    assert "meta" not in seen.tags
    assert not [name for name in seen.names if name.startswith("on")]
    assert all(re.match(r"/(?:nearest|image|style)/1\?http|#", each) for each in seen.leads)
    for style in seen.styles:
        assert asks_inside(style)


def asks_inside(style: str) -> bool:
    """Whether every address that a browser would fetch for a style is the replay's."""
    told = re.findall(r"(?i)url\(\s*([^)]*)", style)
    return all(each.startswith('"/image/1?') for each in told) and not re.search(
        r"(?i)@import|@\\|(?<!inert)\bimage-set|expression|-moz-binding|<", style
    )


def test_the_look_stays() -> None:
    html = (
        '<body bgcolor="#eee"><table border=1 width="90%"><tr><td colspan=2 style="color:red;'
        'text-align:center" class=MsoNormal><font face=仿宋 size=4>一</font></table>'
        "<style>td{border:1px solid #000}</style>"
    )
    left = harmless_page(html, PLACE)
    for kept in (
        *('<body bgcolor="#eee">', 'width="90%"', 'colspan="2"', "color:red;text-align:center"),
        *('class="MsoNormal"', 'face="仿宋"', "td{border:1px solid #000}"),
    ):
        assert kept in left


def test_links_lead_into_the_archive_and_to_nothing_withdrawn() -> None:
    left = harmless_page(f'<a href="3.htm">a</a><a href="{OTHER}#x">secret<b>!</b></a>', PLACE)
    assert '<a href="/nearest/1?http://www.xjtsq.gov.cn/info/3168/3.htm" target="_top">' in left
    assert "secret" not in left
    assert OTHER not in left
    assert "(withdrawn on 2026-04-01: court)" in left


@pytest.mark.parametrize(
    "html",
    [
        "电话13900001000",
        "电话139<b>0000</b><!-- x -->1000",
        "电话&#49;3900001000",
        '<img alt="13900001000"><input value="13900001000">',
        '<a href="/apply?phone=13900001000">x</a>',
        "<style>p::after{content:'13900001000'}</style>",
        "<style>p::after{content:'\\31 3900001000'}</style>",
    ],
)
def test_numbers_of_persons_are_covered_also_where_markup_parts_them(html: str) -> None:
    left = harmless_page(html, PLACE)
    assert not re.search(r"0000", re.sub(r"<[^>]*>", "", left))
    assert "13900001000" not in left


def test_figures_in_cells_beside_each_other_are_no_number() -> None:
    left = harmless_page("<table><tr><td>13900</td><td>001000</td></tr></table>", PLACE)
    assert "13900<" in left


@pytest.mark.parametrize(
    "css",
    ["u\\72l(http://o/)", "URL('http://o/')", "image-set('http://o/' 1x)", "@import 'http://o/';"],
)
def test_a_style_asks_for_nothing_outside(css: str) -> None:
    left = harmless_style(css, PLACE)
    assert asks_inside(left)
    assert not asks_inside(f"a{{b:url(http://o/)}}{left}")


def test_what_is_packed_is_unpacked_to_a_limit() -> None:
    bomb = gzip.compress(b"0" * 3_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    assert body_of(head, bomb, 3_000_000) == b"0" * 3_000_000
    assert body_of(head, bomb, 2_999_999) is None
    two = gzip.compress(b"one, ") + gzip.compress(b"two")
    assert body_of(head, two) == body_of(head, two + b"\0\0") == b"one, two"
    assert body_of(head, two + b"\x1f\x8bno member") is None
    assert body_of(head, gzip.compress(b"") * 1000) is None
    assert body_of(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", b"x") is None


@pytest.mark.parametrize("label", list(names()))
def test_a_name_is_only_a_name(label: str) -> None:
    name = safe_name(names()[label])
    assert is_safe(name)
    assert safe_name(name) == name
    said = disposition(name)
    assert said.isascii()
    assert said.isprintable()
    assert said.count('"') == 2


def test_a_type_is_believed_only_where_name_and_bytes_agree() -> None:
    assert file_type("a.pdf", b"%PDF-1.7") == "application/pdf"
    for name, body in (("a.pdf", b"<html>"), ("a.html", b"<html>"), ("a.docx", b"%PDF-1")):
        assert file_type(safe_name(name), body) == "application/octet-stream"


def test_numbers_within_a_packed_file_are_seen() -> None:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("word/document.xml", "<w:p><w:t>手机1390000</w:t><w:t>1000</w:t></w:p>")
    assert look_into(packed.getvalue()).holds_numbers
    assert look_into("手机13900001000".encode("gbk")).holds_numbers
    assert not look_into(b"PK\x03\x04 torn").holds_numbers


def zipped(names: dict[str, bytes]) -> bytes:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in names.items():
            file.writestr(name, body)
    return packed.getvalue()


def test_a_packed_file_is_looked_into_as_deep_as_anybody_packs() -> None:
    told = "手机13900001000"
    deep = zipped({"a.zip": zipped({"b.docx": zipped({"w.xml": told.encode()})})})
    assert look_into(deep).holds_numbers
    assert look_into(zipped({"张某13900001000.png": b"x"})).holds_numbers
    assert look_into(zipped({"a.csv": told.encode("gbk")})).holds_numbers
    assert look_into(told.encode("utf-16-le")).holds_numbers
    other = zipped({"a.xml": b"<a>1390000</a>", "b.bin": told.encode("gbk")})
    assert not look_into(other).holds_numbers


def test_what_is_packed_many_times_is_not_unpacked_for_ever() -> None:
    bomb = zipped({"a.xml": b"0" * 100_000})
    packed = zipped({f"{number}.zip": bomb for number in range(20)})
    inside = Inside(room=150_000)
    inside.add(packed)
    assert 100_000 < sum(map(len, inside.texts)) < 151_000
    assert not inside.whole


def test_of_several_captures_the_nearest_that_was_answered_well(
    engine: sa.Engine, settings: Settings
) -> None:
    with Crawl(engine, settings.warc_directory) as crawl:
        for number in range(3):
            crawl.capture(exchange(b"%d" % number, OTHER))
        crawl.capture(exchange(b"no", OTHER, 500), "server_error")
    with engine.connect() as connection:
        for minutes, found in ((-9, 1), (0, 1), (1, 2), (90, 3)):
            near = NOW + timedelta(minutes=minutes)
            assert nearest_capture(connection, url=f"{OTHER}#x", near=near) == found
            secure = OTHER.replace("http:", "https:")
            assert nearest_capture(connection, url=secure, near=near) == found
        assert nearest_capture(connection, url=f"{OTHER}1", near=NOW) is None


@pytest.fixture
def stock(sqlite_template: Path, tmp_path: Path) -> tuple[sa.Engine, Settings]:
    """A page, a file, a file with a number, an image, and nothing of anybody's: SQLite."""
    settings = Settings(home=tmp_path / "home", database_url=None)
    settings.home.mkdir()
    assert settings.sqlite_path is not None
    settings.sqlite_path.write_bytes(sqlite_template.read_bytes())
    engine = open_for_writing(settings)
    html = f'<p onclick=x>天山区 13900001000</p><a href="{PAGE}">x</a><img src="/x.png">'.encode(
        "gbk"
    )
    with Crawl(engine, settings.warc_directory) as crawl:
        crawl.page(html, reading("1", "1", "1", "1"), url=PAGE)
        crawl.attachment(b"%PDF-1.7 x", "报告.pdf")
        crawl.attachment(b"{\\rtf1 13900001000}", "b.rtf")
        crawl.capture(exchange(b"\x89PNG\r\n\x1a\n", "http://www.xjtsq.gov.cn/x.png"))
    return engine, settings


def test_the_replay_serves_pages_files_and_pictures(stock: tuple[sa.Engine, Settings]) -> None:
    replay = TestClient(make_replay(*stock, explorer="http://e"), follow_redirects=False)
    frame, page = replay.get("/captures/1"), replay.get("/captures/1/page")
    assert all(each in frame.text for each in (PAGE, "sha256:", "http://e/captures/1"))
    assert "天山区 ***********" in page.text
    assert "charset=utf-8" in page.headers["content-type"]
    policy = page.headers["content-security-policy"]
    assert policy.endswith("sandbox allow-top-navigation-by-user-activation")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert policy.startswith("default-src 'none'; img-src 'self'; style-src 'self'")
    to = re.search(r'href="(/nearest[^"]*)"', page.text)
    assert to is not None
    assert replay.get(to[1]).headers["location"] == "/captures/1"
    picture = re.search(r'src="(/image[^"]*)"', page.text)
    assert picture is not None
    assert replay.get(picture[1]).headers["content-type"] == "image/png"
    file = replay.get("/captures/2/file")
    assert file.headers["content-type"] == "application/pdf"
    assert "filename*=UTF-8''%E6%8A%A5" in file.headers["content-disposition"]
    assert replay.get("/captures/3/file").status_code == 403
    assert "13900001000" not in replay.get("/captures/3/file").text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/captures/99", 404),
        ("/captures/99999999999999999999", 404),
        ("/captures/-1", 404),
        ("/captures/x", 404),
        ("/captures/1/file", 404),
        ("/captures/2/page", 404),
        ("/nearest/1", 404),
        ("/nearest/1?url=javascript:x", 404),
        ("/nearest/99?url=http://h/", 404),
        ("/image/1?url=http://www.xjtsq.gov.cn/info/3168/1.htm", 404),
        ("/captures/../../etc/passwd", 404),
    ],
)
def test_what_is_not_there_is_said_with_every_header(
    stock: tuple[sa.Engine, Settings], address: str, status: int
) -> None:
    replay = TestClient(make_replay(*stock))
    answer = replay.get(address)
    assert answer.status_code == status
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert replay.head(address).status_code == status
    assert replay.post("/captures/1").status_code == 405


def test_what_was_withdrawn_is_gone_from_both_origins(
    stock: tuple[sa.Engine, Settings],
) -> None:
    engine, settings = stock
    with engine.begin() as connection:
        withdraw(connection, Thing(report_id=1), "me", "court", datetime(2026, 4, 1, tzinfo=UTC))
    replay, explorer = TestClient(make_replay(*stock)), TestClient(make_app(engine, settings))
    for address in ("/captures/1", "/captures/1/page", "/captures/2/file", "/captures/1/image"):
        answer = replay.get(address)
        assert answer.status_code == 410, address
        assert "withdrawn on 2026-04-01: court" in answer.text
        assert PAGE not in answer.text
    answer = explorer.get("/captures/1")
    assert (answer.status_code, PAGE in answer.text) == (410, False)


def test_the_explorer_shows_record_and_headers(stock: tuple[sa.Engine, Settings]) -> None:
    explorer = TestClient(make_app(*stock, replay="http://r"))
    told = explorer.get("/captures/2?lang=en").text
    for each in ("http://r/captures/2", "http://r/captures/2/file", "urn:uuid:", ".warc.gz"):
        assert each in told


@needs_browser
def test_in_a_browser_a_hostile_page_does_nothing(chromium: Browser, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", database_url=None)
    engine = open_for_writing(settings)
    cases = build(engine, settings, "http://outside.test")
    wanted = {"error", "plain", "refresh", "base", "srcdoc"}
    with served(make_replay(engine, settings)) as origin:
        page = chromium.page()
        for case in (case for case in cases if case.label in wanted):
            page.goto(f"{origin}/captures/{case.capture_id}")
            assert page.frame_locator("iframe").get_by_text("synthetic").is_visible()
            assert "ran" not in [frame.title() for frame in page.frames]
    engine.dispose()
