"""An archived answer made harmless: its bytes as text, its HTML without anything that acts.

Three things do it, each for itself: nh3 parses as a browser does and lets through a list of
elements and attributes; what is left is rewritten here (links, styles, numbers of persons); and the
policy that the replay sends with it (storage.explorer.replay) forbids the browser all the rest.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import nh3

from storage.care.personal import masked

# In bytes, of a page that is rewritten.
LONGEST_PAGE = 4_000_000

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w-]{2,40})", re.I)

_DATA = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_BLOCKS, _GONE, _LOOKS, _VOID, _BODY = (
    frozenset(_DATA[name].split()) for name in ("blocks", "gone", "looks", "void", "body")
)
_TAGS = _BLOCKS | frozenset(_DATA["others"].split())
_OF_TAGS = {tag: set(names.split()) for tag, names in _DATA["of"].items()}
_VALUES = {
    tag: {name: set(values.split()) for name, values in each.items()}
    for tag, each in _DATA["values"].items()
}

_CSS_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})[ \t\r\n\f]?|(.)|$)", re.S)
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|$)|<!--|-->", re.S)
_CSS_AT = re.compile(r"@(?:import|charset|namespace|font-face\s*\{[^}]*\}?)[^;{}]*;?", re.I)
_CSS_URL = re.compile(r"url\(\s*(?:\"([^\"]*)\"|'([^']*)'|([^)\"']*))\s*\)?", re.I)
_CSS_CALLS = re.compile(
    r"(?:-webkit-)?image-set\s*\(|(?:-webkit-)?cross-fade\s*\(|\b(?:src|image|element|expression|"
    r"paint|attr)\s*\(|-moz-binding|\bbehaviou?r\s*:|(?<![\w-])position\s*:\s*(?:fixed|sticky)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an archived thing stands: its address, and what leads on from it.

    `page`, `image` and `style` give the replay's address for an absolute one; `hidden` are
    withdrawn addresses with the sentence that stands there instead.
    """

    url: str
    page: Callable[[str], str]
    image: Callable[[str], str]
    style: Callable[[str], str]
    hidden: Mapping[str, str] = field(default_factory=dict)

    def absolute(self, address: str) -> str | None:
        """An http address without numbers of persons that is shown to people, else None."""
        try:
            told = urljoin(self.url, address.strip().replace("\\", "/"))
            parts = urlsplit(told)
        except ValueError:
            return None
        if parts.scheme not in ("http", "https") or masked(told) != told:
            return None
        return None if told.partition("#")[0] in self.hidden else told


def text_of(body: bytes, content_type: str | None = None) -> str:
    """Bytes as text, without NUL. What decodes strictly decides; what a header or a page says is
    asked only where it names a codec that pages of governments are written in.

    >>> text_of("天山区".encode("gbk"), "text/html; charset=utf-7")
    '天山区'
    """
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return body.decode(codec, "replace").removeprefix("\ufeff").replace("\0", "")
    said = _CHARSET.search((content_type or "").encode()) or _CHARSET.search(body[:4096])
    named = said[1].decode().lower() if said else ""
    codecs_asked = ["utf-8", _DATA["codecs"].get(named, "gb18030"), "gb18030"]
    for codec in codecs_asked:
        try:
            return body.decode(codec).replace("\0", "")
        except UnicodeDecodeError:
            continue
    # Damaged or cut: the codec that has to leave out least.
    read = [body.decode(codec, "replace") for codec in codecs_asked]
    return min(read, key=lambda text: text.count("\ufffd")).replace("\0", "")


def harmless_page(text: str, place: Place) -> str:
    """A whole document, as it looked: nothing in it acts, and every link leads into the replay."""
    clean = nh3.clean(
        text,
        tags=set(_TAGS),
        clean_content_tags=set(_GONE),
        attributes={"*": set(_LOOKS), **_OF_TAGS},
        tag_attribute_values=_VALUES,
        url_schemes={"http", "https"},
        link_rel=None,
    )
    writer = _Writer(place)
    writer.feed(clean)
    writer.close()
    body = _Body()
    body.feed(text[:100_000])
    kept = [(name, value) for name, value in body.attributes if name in _BODY]
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
        '<meta name="color-scheme" content="light"><title></title></head>\n'
        f"{writer.tag('body', kept)}\n{writer.text()}\n</body></html>\n"
    )


def harmless_style(css: str, place: Place) -> str:
    """A style sheet, or the value of a style attribute, that asks for nothing but the replay's
    images.

    >>> place = Place("http://h/", page=str, image=lambda url: f"/i/{url}", style=str)
    >>> harmless_style("a{b:u\\\\72l(x.png);position:fixed}@import 'c';", place)
    'a{b:url("/i/http://h/x.png");inert:0}'
    """
    css = _CSS_COMMENT.sub(" ", _CSS_ESCAPE.sub(_unescaped, css).replace("\\", ""))
    css = _CSS_CALLS.sub(_inert, _CSS_AT.sub("", css.replace("<", "")))

    def url(found: re.Match[str]) -> str:
        asked = place.absolute(found[1] or found[2] or found[3] or "")
        return f'url("{place.image(asked)}")' if asked else "none"

    told = _CSS_URL.sub(url, css)
    for address in place.hidden:
        told = told.replace(address, "")
    return masked(told)


def _unescaped(found: re.Match[str]) -> str:
    if found[1]:
        number = int(found[1], 16)
        return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"
    return found[2] or ""


def _inert(found: re.Match[str]) -> str:
    if found[0].endswith("("):
        return "inert("
    return "inert:" if found[0].endswith(":") else "inert:0"


class _Body(HTMLParser):
    """What the first `<body>` says of the look of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body" and not self.attributes:
            self.attributes = attrs


class _Writer(HTMLParser):
    """Writes clean HTML anew: addresses lead into the replay, numbers of persons are covered, also
    where markup stands within them, and what leads to something withdrawn says so instead.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(convert_charrefs=True)
        self._place = place
        # Markup as it will stand, and texts with their place in the text as a reader sees it.
        self._pieces: list[tuple[int | None, str]] = []
        self._texts: list[str] = []
        self._length = 0
        self._stone: str | None = None
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self._part()
        if tag == "style":
            self._in_style = True
        if tag == "a":
            self._stone = self._withdrawn(dict(attrs).get("href") or "")
            if self._stone is not None:
                self._pieces.append((None, f"<a>({escape(self._stone)})"))
                return
        if tag == "link" and ("rel", "stylesheet") not in attrs:
            return
        self._pieces.append((None, self.tag(tag, attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._part()
        if tag == "style":
            self._in_style = False
        if tag == "a":
            self._stone = None
        if tag not in _VOID:
            self._pieces.append((None, f"</{tag}>"))

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self._pieces.append((None, harmless_style(data, self._place)))
        elif self._stone is None:
            data = self._without_hidden(data)
            self._pieces.append((self._length, data))
            self._texts.append(data)
            self._length += len(data)

    def text(self) -> str:
        """All that was written; numbers are looked for in the text as a reader sees it."""
        covered = masked("".join(self._texts))
        return "".join(
            piece if at is None else escape(covered[at : at + len(piece)], quote=False)
            for at, piece in self._pieces
        )

    def _part(self) -> None:
        """What stands in different blocks is no one number."""
        self._texts.append("\n")
        self._length += 1

    def tag(self, tag: str, attrs: list[tuple[str, str | None]]) -> str:
        kept = [f' {name}="{escape(value)}"' for name, value in self._attributes(tag, attrs)]
        return f"<{tag}{''.join(kept)}>"

    def _attributes(self, tag: str, attrs: list[tuple[str, str | None]]) -> list[tuple[str, str]]:
        told: list[tuple[str, str]] = []
        for name, value in attrs:
            value = value or ""
            if name == "style":
                told.append((name, harmless_style(value, self._place)))
            elif name == "href" and tag in ("a", "area"):
                if value.startswith("#"):
                    told.append((name, value))
                elif asked := self._place.absolute(value):
                    # Out of the frame: the bar above it says what is looked at.
                    told += [(name, self._place.page(asked)), ("target", "_top")]
            elif name in ("href", "src", "background"):
                leads = self._place.style if name == "href" else self._place.image
                if asked := self._place.absolute(value):
                    told.append((name, leads(asked)))
            else:
                told.append((name, masked(self._without_hidden(value))))
        return told

    def _without_hidden(self, text: str) -> str:
        for address, sentence in self._place.hidden.items():
            text = text.replace(address, f"({sentence})")
        return text

    def _withdrawn(self, address: str) -> str | None:
        if not self._place.hidden:
            return None
        try:
            told = urljoin(self._place.url, address.strip()).partition("#")[0]
        except ValueError:
            return None
        return self._place.hidden.get(told)
