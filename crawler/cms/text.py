"""Small readers every dialect shares: folded text, text pieces in page order, clean addresses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from urllib.parse import parse_qsl, quote, unquote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

from lxml.etree import iterwalk
from lxml.html import HtmlElement

INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
SCRIPT = frozenset({"script", "style", "noscript", "template"})
# What a browser leaves alone in a path or a query; the rest is percent-encoded as UTF-8.
URL_SAFE = "/%:@!$&'()*+,;=~?-._[]"
# `http://`, `//` and `http:x` would be taken as relative addresses.
NO_HOST = re.compile(r"(?:https?:)?//(?:[/?#]|$)|https?:(?!//)", re.IGNORECASE)
# No user names: `http://www.xjtsq.gov.cn@other.example/` is meant to deceive.
HOST = re.compile(r"[\w.-]+(?::\d+)?|\[[0-9a-fA-F:.]+\](?::\d+)?")
ELLIPSIS = ".…"
BULLETS = " ·•●▪■◆◇»>|"
# A date that is all of its text: `[2020-03-06]`, `03-06`.
DATE_ALONE = re.compile(r"[\s\[(]*(?:\d{4}[-/.年])?\d{1,2}[-/.月]\d{1,2}日?(?:\s+[\d:]+)?[\s\])]*")


def fold(text: str) -> str:
    """One line: white space of any kind (U+3000, no-break) becomes one space, invisibles go.

    >>> fold("天山区\\u3000\\n 年报\\u200b")
    '天山区 年报'
    """
    return " ".join(text.translate(INVISIBLE).split())


def normal(text: str) -> str:
    """NFKC (full-width digits, colons and brackets become plain) without folding lines."""
    return unicodedata.normalize("NFKC", text.translate(INVISIBLE))


def is_script(element: HtmlElement) -> bool:
    return element.tag in SCRIPT


def pieces(element: HtmlElement) -> list[str]:
    """Text of each text node that holds something, in page order, scripts and comments left out."""
    nodes = element.xpath(".//text()")
    shown = (node for node in nodes if not (node.is_text and is_script(node.getparent())))
    return [str(node) for node in shown if fold(str(node))]


def text_of(element: HtmlElement) -> str:
    """The folded text of an element, scripts and comments left out."""
    nodes = element.xpath(".//text()")
    return fold("".join(n for n in nodes if not (n.is_text and is_script(n.getparent()))))


def pieces_before(
    tree: HtmlElement, body: HtmlElement, title: HtmlElement | None
) -> tuple[list[str], int]:
    """Text pieces of a page that stand before `body`, and how many of them end with `title`.

    The count is 0 when the title does not stand before the body. One walk, so that thousands of
    unclosed elements (Word pastes) cost no more than their number.
    """
    found: list[str] = []
    after_title = 0
    for event, element in iterwalk(tree, events=("start", "end", "comment", "pi")):
        if element is body:
            break
        text = element.text if event == "start" else element.tail
        if event == "start" and is_script(element):
            text = None
        if text and fold(text):
            found.append(text)
        if event == "end" and element is title:
            after_title = len(found) - bool(text and fold(text))
    return found, after_title


def elements(node: HtmlElement, path: str) -> list[HtmlElement]:
    """What an XPath selects, elements only."""
    found = node.xpath(path)
    return [item for item in found if isinstance(item, HtmlElement)]


def first(node: HtmlElement, paths: Sequence[str]) -> HtmlElement | None:
    """The first element with text that the first successful XPath selects."""
    found = (item for path in paths for item in elements(node, path))
    return next((item for item in found if text_of(item)), None)


def enclosing(element: HtmlElement, levels: int) -> Iterator[HtmlElement]:
    """The nearest `levels` ancestors, innermost first."""
    return islice(element.iterancestors(), levels)


def meta(tree: HtmlElement, name: str) -> str:
    """The content of a `<meta name=…>`, whatever the case of its name; empty when missing."""
    for element in tree.iter("meta"):
        if (element.get("name") or "").strip().lower() == name.lower():
            return fold(element.get("content") or "")
    return ""


def label(anchor: HtmlElement) -> str:
    """A link's text as a reader should have seen it: the title attribute mends a cut text."""
    # A date set inside the anchor is not part of its name.
    shown = [piece for piece in pieces(anchor) if not DATE_ALONE.fullmatch(normal(piece))]
    text = fold("".join(shown)).lstrip(BULLETS)
    title = fold(anchor.get("title") or "")
    start = text.rstrip(ELLIPSIS + " ").replace(" ", "")
    if title.replace(" ", "").startswith(start):
        return title or next(
            filter(None, (fold(i.get("alt") or "") for i in anchor.iter("img"))), ""
        )
    return text


def absolute(base: str, href: str) -> str | None:
    """An http(s) address without fragment, or None for what a crawler cannot follow.

    A file shown through pdf.js (`viewer.html?file=…`) is the file behind the viewer.

    >>> absolute("http://h.cn/a/b.htm", "../../info/1/2.htm#top")
    'http://h.cn/info/1/2.htm'
    >>> absolute("http://h.cn/", "javascript:void(0)") is None
    True
    """
    href = re.sub(r"[\t\r\n\0]", "", href).strip()  # as browsers do
    if not href or href.startswith("#") or NO_HOST.match(href):
        return None
    path, mark, query = href.partition("?")
    try:
        parts = urlsplit(urljoin(base, path.replace("\\", "/") + mark + query))
        _ = parts.port  # raises when it is no number
        if parts.scheme not in ("http", "https") or not HOST.fullmatch(parts.netloc):
            return None
        host = f"{parts.scheme}://{parts.netloc.lower()}"
        path = parts.path or "/"
        if "/." in path and not path.startswith("//"):
            path = urlsplit(urljoin(host, path)).path
        url = host + quote(path, URL_SAFE)
        if parts.query:
            url += "?" + quote(parts.query, URL_SAFE)
        return behind_viewer(url)
    except ValueError:  # "http://[", a lone surrogate, a port of letters
        return None


def behind_viewer(url: str) -> str | None:
    """The file a pdf.js viewer shows; any other address as it is."""
    parts = urlsplit(url)
    if not parts.path.endswith("/viewer.html") or "file=" not in parts.query:
        return url
    file = parts.query.split("file=", 1)[1]
    if "?" not in file:  # encoded as it should be: later arguments belong to the viewer
        file = quote(unquote_to_bytes(file.split("&")[0]), URL_SAFE)
    return absolute(url, file)


def file_name(url: str) -> str:
    """The last path segment, decoded: UTF-8, else GBK, as the percent signs demand.

    >>> file_name("http://h.cn/files/%B1%A8%B8%E6.pdf")
    '报告.pdf'
    """
    raw = unquote_to_bytes(urlsplit(url).path.rsplit("/", 1)[-1])
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("gb18030", errors="replace")


def query(url: str) -> dict[str, str]:
    """The arguments of an address, keys in lower case, empty values kept."""
    return {key.lower(): value for key, value in parse_qsl(urlsplit(url).query, True)}


def with_argument(url: str, key: str, value: str) -> str:
    """The address with one argument set in place, the others as they are and in their order."""
    parts = urlsplit(url)
    pairs = [pair for pair in parts.query.split("&") if pair]
    kept = [f"{key}={value}" if pair.split("=")[0] == key else pair for pair in pairs]
    if f"{key}={value}" not in kept:
        kept.append(f"{key}={value}")
    return urlunsplit(parts._replace(query="&".join(kept)))


def path_of(url: str) -> str:
    """The decoded path of an address."""
    return unquote(urlsplit(url).path)
