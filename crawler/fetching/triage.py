"""Whether an answer is what was asked for: walls, notices, soft 404s and shells told from pages.

A pure function of one answer. What is looked for stands in triage.toml, the rules and their order
in docs/triage.md.
"""

from __future__ import annotations

import codecs
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from html import unescape
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote, urljoin, urlsplit

from crawler.documents.charset import decode

Expects = Literal["page", "file", "data", "robots", "home"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, its content decoded.

    `url` answered; `asked` is the address the request began with, before redirects; `headers` as
    received, in latin-1; `body` after Content-Encoding.
    """

    url: str
    asked: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Missing:
    """What a host answers for an address that cannot exist.

    `landed` is where it sends such a request; `lines` are the texts and images it shows, without
    what differs from request to request; `headlines` the links it recommends, which may be others
    each time; `size` in bytes.
    """

    landed: str | None
    title: str
    lines: frozenset[str]
    headlines: frozenset[str]
    size: int


def learn(answer: Answer) -> Missing | None:
    """What to know a host's missing pages by, from its answer for an address that cannot exist.

    None where there is nothing to learn: an honest 404, a wall, a page that shows nothing.
    """
    if not 200 <= answer.status < 300 or triage(answer, "page") not in ("ok", "soft_404"):
        return None
    page = _read(answer)
    landed = _landing(answer) if _elsewhere(answer) else None
    lines = _lines(page, answer)
    if landed is None and not lines:
        return None
    title = _steady(page.title, _echoes(answer))
    return Missing(landed, title, lines, frozenset(page.headlines), len(answer.body))


def triage(answer: Answer, expects: Expects, missing: Missing | None = None) -> str:
    """The outcome of an answered attempt, in one word. Never raises.

    ok, redirect, not_modified, client_error, server_error, blocked, maintenance, soft_404, shell,
    empty or bad_encoding.
    """
    if answer.status == 304:
        return "not_modified"
    if 300 <= answer.status < 400:
        return "blocked" if _redirects_to_wall(answer) else "redirect"
    if answer.status >= 400:
        return _refused(answer)
    if _has_header(answer, _WALL_HEADERS):
        return "blocked"
    pending = answer.status in _RULES["blocked"]["pending"]
    if not answer.body.strip(_SPACE):
        return "blocked" if pending else "ok" if expects == "robots" else "empty"
    if _is_file(answer.body, expects) or _speaks_for_itself(answer, expects, missing):
        return "ok"
    page = _read(answer)
    if pending and page.blank and not page.garbled:
        return "blocked"
    if expects == "robots":
        if _ROBOTS.search(answer.body, 0, _BOUNDS["prefix"]):
            return "ok"
        return "blocked" if _is_wall(page, answer) or _hinted(page) == "blocked" else "ok"
    if expects == "file":
        return _in_place_of_a_file(page, answer)
    return _judged(page, answer, expects, missing)


def _redirects_to_wall(answer: Answer) -> bool:
    """Whether a 3xx leads to a wall, or back to itself with a wall's cookie."""
    target = _joined(answer.url, _header(answer, "location"))
    loops = _bare_address(target) == _bare_address(answer.url)
    return _BLOCKED.lies_at(target) or (loops and _has_header(answer, _REFUSERS[-1:]))


def _refused(answer: Answer) -> str:
    """4xx and 5xx: a wall or a notice says so itself, the rest goes by its number."""
    if answer.status in _RULES["blocked"]["statuses"] or _has_header(answer, _WALL_HEADERS):
        return "blocked"
    if answer.status in _RULES["blocked"]["refusals"] and _has_header(answer, _REFUSERS):
        return "blocked"
    if answer.body.strip(_SPACE):
        page = _read(answer)
        page.refused = True
        if _is_wall(page, answer):
            return "blocked"
        if _is_notice(page, answer):
            return "maintenance"
        chinese = len(_HANZI.findall(page.text)) >= 4
        if answer.status not in _RULES["servers"]["statuses"] and (
            chinese or _WALLS.search(page.text)
        ):
            hinted = _hinted(page)
            if hinted in ("blocked", "maintenance"):
                return hinted
    return "client_error" if answer.status < 500 else "server_error"


def _in_place_of_a_file(page: _Page, answer: Answer) -> str:
    if page.garbled or page.office:
        return "ok"
    if _is_wall(page, answer):
        return "blocked"
    if _is_notice(page, answer):
        return "maintenance"
    missing = page.markup or page.message or _SOFT_404.told(page)
    return _hinted(page) or ("soft_404" if missing else "ok")


def _judged(page: _Page, answer: Answer, expects: Expects, missing: Missing | None) -> str:
    if page.garbled:
        return "bad_encoding"
    if _says_absent(page):
        return "soft_404"
    if _is_wall(page, answer):
        return "blocked"
    if _is_notice(page, answer):
        return "maintenance"
    if _is_missing(page, answer, expects, missing):
        return "soft_404"
    if hinted := _hinted(page):
        return hinted
    if expects == "data":
        return "soft_404" if page.document else "ok"
    if not page.blank or page.refresh is not None or page.cut:
        return "ok"
    return "shell" if page.runs else "empty"


def _says_absent(page: _Page) -> bool:
    """Whether a page says that something is missing before it gives its reasons."""
    first = (page.title, *page.said[:2])
    others = _hit(_BLOCKED.core, first) or _hit(_MAINTENANCE.core, first)
    return _hit(_ABSENT, first) and not others and _SOFT_404.told(page)


def _hinted(page: _Page) -> str | None:
    """What a page of a line or two looks like, when nothing says it outright."""
    if not page.bare or page.own or len(page.text) > _BOUNDS["hint"]:
        return None
    if page.headlines or len(page.links) > 4 or (page.pictures and not page.fields):
        return None
    lines = (page.title, *page.said)
    if any(map(_PEOPLE.search, lines)):
        return None
    return next((word for word, kind in _KINDS.items() if _hit(kind.hints, lines)), None)


def _is_wall(page: _Page, answer: Answer) -> bool:
    if page.own:
        return False
    if _BLOCKED.told(page) or _BLOCKED.led_to(page, answer):
        return True
    # What speaks to the visitor in a line or two is a wall even if it looks like an article.
    if len(page.text) <= _BOUNDS["short"] and _says(_BLOCKED.inside, page.said, _BOUNDS["notice"]):
        return True
    if not page.blank or page.mount:
        return page.blank and bool(_WALL_SOURCE.search(page.code))
    # With nothing to read, a known challenge, or a page that only asks for itself once more.
    known = any(_has_all(page.script, parts) for parts in _RULES["blocked"]["challenges"])
    noted = _hit(_BLOCKED.notices, page.notes) or _hit(_BLOCKED.hints, page.notes)
    return (known or noted) or (
        page.jump is not None
        and _parts(_joined(answer.url, page.jump))[1:3] == _parts(answer.url)[1:3]
    )


def _is_notice(page: _Page, answer: Answer) -> bool:
    return _MAINTENANCE.told(page) or _MAINTENANCE.led_to(page, answer)


def _is_missing(page: _Page, answer: Answer, expects: Expects, missing: Missing | None) -> bool:
    if _sent_away(answer, expects) or _SOFT_404.told(page) or _SOFT_404.led_to(page, answer):
        return True
    ways = (page.jump, *page.frames) if len(page.text) < 3 else (page.jump,)
    if page.bare and any(way is not None and _is_home(_joined(answer.url, way)) for way in ways):
        if expects != "home" and not _is_home(answer.asked):
            return True
    elif page.blank and not page.mount and _has_any(page.script, _RULES["soft_404"]["boxes"]):
        return True
    return missing is not None and _matches(page, answer, expects, missing)


# What is asked of the address.


def _sent_away(answer: Answer, expects: Expects) -> bool:
    """Whether redirects ended at the home page or at an error page."""
    if not _elsewhere(answer):
        return False
    if _SOFT_404.lies_at(answer.url):
        return True
    return expects != "home" and _is_home(answer.url) and not _is_home(answer.asked)


def _elsewhere(answer: Answer) -> bool:
    """Whether the answer is that of another address, not of the same one spelt otherwise."""
    return answer.url != answer.asked and _bare_address(answer.url) != _bare_address(answer.asked)


def _bare_address(url: str) -> str:
    scheme, host, path, query = _parts(url)
    del scheme
    return f"{host.removeprefix('www.')}{path.rstrip('/')}?{query}"


def _is_home(url: str) -> bool:
    _, host, path, query = _parts(url)
    return bool(host and _HOME.fullmatch(path) and (not query or _ERROR_QUERY.search(query)))


def _parts(url: str) -> tuple[str, str, str, str]:
    """Scheme, host, path without a session id, query; all empty for what is no address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", "", "", ""
    path = parts.path.partition(";")[0].lower()
    return parts.scheme, parts.netloc.lower().removesuffix(":80"), path, parts.query


def _joined(base: str, target: str) -> str:
    try:
        return urljoin(base, target)
    except ValueError:
        return ""


def _header(answer: Answer, name: str) -> str:
    return next((value for key, value in answer.headers if key.lower() == name), "")


def _has_header(answer: Answer, rules: Iterable[tuple[re.Pattern[str], re.Pattern[str]]]) -> bool:
    return any(
        name.fullmatch(key) and value_is.search(value)
        for name, value_is in rules
        for key, value in answer.headers
    )


# What is asked of the bytes.


def _is_file(body: bytes, expects: Expects) -> bool:
    head = body[:64].lstrip(_SPACE)
    if head.startswith(b"\x1f\x8b"):
        return expects == "file"
    return head.startswith(_MAGIC) or body[4:8] == b"ftyp"


def _speaks_for_itself(answer: Answer, expects: Expects, missing: Missing | None) -> bool:
    """Whether a page shows so much text that there is no need to take it apart.

    Looks at the bytes only: an ordinary page costs a fraction of a millisecond.
    """
    if expects not in ("page", "home") or _sent_away(answer, expects):
        return False
    body = answer.body[: _BOUNDS["prefix"]]
    foreign = body.translate(None, _ASCII)
    if len(foreign) < _BOUNDS["plenty"] or _MOUNT_BYTES.search(body, 0, 16384):
        return False
    codec = "utf-8" if _decodes(foreign[:900], "utf-8") else "gb18030"
    if not _is_prose(foreign[:900].decode(codec, "ignore")):
        return False
    title = _folded(_title(body, codec))
    if any(_SOFT_404.is_title(part) for part in _segments(title)):
        return False
    if any(word in foreign for word in _SUSPECTS[codec]):
        return False
    return missing is None or not _might_match(title, answer, missing)


def _title(body: bytes, codec: str) -> str:
    found = _TITLE.search(body, 0, 16384)
    return unescape(found[1].decode(codec, "replace")) if found else ""


def _decodes(data: bytes, codec: str) -> bool:
    """Whether these bytes, perhaps cut inside a character, are text in this encoding."""
    try:
        codecs.getincrementaldecoder(codec)().decode(data)
    except UnicodeError:
        return False
    return True


def _text(answer: Answer) -> str | None:
    """The text of the first stretch of a body; None where no encoding makes sense of it."""
    body = answer.body
    if len(body) > _BOUNDS["prefix"]:
        body = body[: _BOUNDS["prefix"]]
        body = body[: body.rfind(b">") + 1] or body  # `>` is no part of a character
    if _decodes(body, "utf-8"):
        text = body.decode("utf-8", "ignore").removeprefix("\ufeff")
        return None if _is_binary(text) else text
    charset = _CHARSET.search(_header(answer, "content-type"))
    head = body[:4096]
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not (wide or head.count(0) * 3 > len(head)) and _is_binary(head.decode("latin-1")):
        return None
    text = decode(body, charset[1] if charset else None).text
    return None if _is_binary(text[:4096]) else text


def _is_binary(text: str) -> bool:
    return len(_CONTROLS.findall(text[:4096])) > max(2, len(text[:4096]) * 0.02)


def _is_prose(text: str) -> bool:
    """Whether the Chinese in a text is the Chinese that people write.

    Bytes read in a wrong encoding give rare characters; of a real text hardly any is outside the
    first level of GB 2312 or, in traditional writing, of Big5.
    """
    ruins = sum(map(len, _RUINS.findall(text)))
    if ruins > 8 and ruins * 10 > sum(not character.isspace() for character in text):
        return False
    hanzi = _HANZI.findall(text)
    if len(hanzi) < 20:
        return True
    return sum(map(_COMMON.__contains__, hanzi)) >= 0.8 * len(hanzi) or sum(
        map(_COMMON_TRADITIONAL.__contains__, hanzi)
    ) >= 0.9 * len(hanzi)


# What a page shows.


@dataclass
class _Page:
    """A page taken apart. Texts are folded: NFKC, lower case, no white space.

    `blocks` are its paragraphs, `links` the texts of links that stand alone, `hidden` what is not
    shown at once, `media` the addresses of images, `labels` what stands for them, `notes` what it
    says to those who run no scripts, `names` those of its places; `code` its scripts and what they
    are called; `runs` says that a script is more than a counter, `mount` that there is an empty
    place for an application to appear in; `refresh` is where a refresh leads.
    """

    title: str = ""
    blocks: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    media: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    fields: int = 0
    cells: int = 0
    mount: bool = False
    refresh: str | None = None
    code: str = ""
    runs: bool = False
    markup: bool = False
    document: bool = False
    message: bool = False
    office: bool = False
    garbled: bool = False
    refused: bool = False
    cut: bool = False

    @cached_property
    def text(self) -> str:
        return "".join((*self.blocks, *self.links, *self.hidden))

    @cached_property
    def headlines(self) -> list[str]:
        """Links that read like headlines, not like a menu."""
        return [link for link in self.links if _is_headline(link)]

    @cached_property
    def real(self) -> bool:
        """Whether the page has the furniture of an article or a report, or tells of the past."""
        return any(map(_MARKS.search, (self.title, *self.blocks)))

    @cached_property
    def signed(self) -> bool:
        """Whether something on the page speaks for an article, a report or a listing."""
        return bool(_REAL_TITLE.search(self.title)) or (
            len(self.text) > _BOUNDS["short"] and any(map(_SIGNS.search, self.blocks))
        )

    @cached_property
    def own(self) -> bool:
        """Whether it is the web server itself that refuses."""
        return any(map(_SERVERS_OWN.search, self.blocks))

    @cached_property
    def bare(self) -> bool:
        """Whether the page is little more than a message: no site around it, no article in it."""
        if self.refused:
            return len(self.text) <= _BOUNDS["refusal"]
        return len(self.text) <= _BOUNDS["text"] and self.lone

    @cached_property
    def lone(self) -> bool:
        """Whether there is no site around the page and no article in it, however long it is."""
        return (
            len(self.links) <= _BOUNDS["links"]
            and self.cells <= _BOUNDS["cells"]
            and len(self.headlines) < 4
            and not self.real
            and not self.signed
        )

    @cached_property
    def rich(self) -> bool:
        """Whether a page holds something of its own beside the site: prose, a table."""
        return (
            self.real
            or sum(len(block) for block in self.blocks if len(block) >= 40) >= _BOUNDS["prose"]
            or self.cells > _BOUNDS["cells"]
        )

    @cached_property
    def lists(self) -> bool:
        """Whether a page shows headlines or dated rows: a listing, or what is new beside."""
        dates = _DATE.findall("\n".join((*self.blocks, *self.links)))
        return len(dates) >= 3 or len(self.headlines) >= 8

    @cached_property
    def content(self) -> list[str]:
        """What a page holds beside the site's furniture; nothing where that is more than a note."""
        blocks = [block for block in self.blocks if not _SITE.search(block)]
        return blocks if sum(map(len, blocks)) <= _BOUNDS["note"] else []

    @cached_property
    def pictures(self) -> list[str]:
        """The images that may be content."""
        return [name for name in self.media if not _FURNITURE.search(name)]

    @cached_property
    def blank(self) -> bool:
        """Whether there is nothing to read or to look at, but perhaps a word about loading."""
        if self.fields or self.frames or self.pictures:
            return False
        shown = (*self.blocks, *self.links, *self.hidden)
        size = sum(sum(map(str.isalnum, text)) for text in shown if not _NOTES.fullmatch(text))
        return not size or (self.mount and self.runs and size <= _BOUNDS["footer"])

    @cached_property
    def said(self) -> list[str]:
        """The paragraphs or, where there are none, what stands for images and what scripts say."""
        if self.blocks:
            return self.blocks
        boxes = (found[2] for found in _BOX.finditer(self.code))
        return [_folded(_TAG.sub("", unescape(text))) for text in (*self.labels, *boxes)]

    @cached_property
    def script(self) -> str:
        """The code and the addresses of what the page loads, in lower case."""
        return "\n".join((self.code, *self.media, *self.frames, *self.names)).lower()

    @cached_property
    def jump(self) -> str | None:
        """Where a refresh or a script leads."""
        if self.refresh is not None:
            return self.refresh
        if _HOMEWARD.search(self.code):
            return "/"
        found = _JUMP.search(self.code)
        return found[2] if found else None


def _read(answer: Answer) -> _Page:
    text = _text(answer)
    if text is None:
        return _Page(garbled=True)
    page = _json_page(text) or _html_page(text)
    page.garbled = not _is_prose(page.title + page.text[:2000])
    page.cut = len(answer.body) > _BOUNDS["prefix"]
    if page.refresh is None and (header := _REFRESH.match(_header(answer, "refresh"))):
        page.refresh = header[1]
    return page


def _json_page(text: str) -> _Page | None:
    """A JSON object as a page: the strings of a mere message, {"code": 404, "msg": "…"}."""
    if len(text) > _BOUNDS["message"] or not text.lstrip().startswith("{"):
        return None
    try:
        told: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        return None
    # The message may be one level down, and then it is short.
    for name in ("error", "data") if len(text) <= _BOUNDS["words"] else ():
        inner = told.get(name)
        if isinstance(inner, dict):
            told = told | {name: None} | inner
    values = [value for told_of in told.values() for value in _few(told_of)]
    if any(isinstance(value, (dict, list)) and value for value in values):
        return _Page(blocks=[_folded(text)], cells=_BOUNDS["cells"] + 1)
    words = [_folded(str(value)) for value in values if isinstance(value, (str, int))]
    return _Page(title="|".join(words), blocks=words, message=True)


def _few(value: Any) -> list[Any]:
    """The items of a short list, such as a message in two parts; anything else as it is."""
    return value if isinstance(value, list) and 0 < len(value) <= 3 else [value]


# In the text of a page while it is read: where something begins and ends.
_OPEN, _CLOSE, _LINK, _LINKED, _HIDE, _SHOW, _MOUNT, _CELL = map(chr, range(1, 9))


def _html_page(text: str) -> _Page:
    """Takes markup apart, whatever its faults, in time linear in its length."""
    page = _Page(markup=bool(_MARKUP.search(text)), office=bool(_OFFICE.search(text, 0, 4096)))
    page.document = bool(_DOCUMENT.search(text, 0, 4096))
    flat = _folded(unescape(_TAG.sub(_Flattener(page), _DECLARATION.sub("", _lifted(text, page)))))
    page.mount = f"{_MOUNT}{_CLOSE}" in flat
    flat = flat.replace(_MOUNT, "")
    page.hidden = [part for part in map(_unmarked, _HIDDEN.findall(flat)) if part]
    for paragraph in _BREAK.split(_HIDDEN.sub(_OPEN, flat)):
        own, linked = _LINKS.sub("", paragraph), _LINKS.findall(paragraph)
        if sum(map(str.isalpha, own)) >= sum(map(len, linked)):
            linked, own = [], paragraph
        page.links += filter(None, linked)
        if own := _unmarked(own):
            page.blocks.append(own)
            page.cells += paragraph[0] == _CELL and any(map(str.isalnum, own))
    return page


def _lifted(text: str, page: _Page) -> str:
    """The markup without what is no text: the page gets its title and its scripts."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = text
    kept, code, position = [], [], 0
    endless: set[str] = set()
    while raw := _RAW.search(text, position):
        kept.append(text[position : raw.start()])
        name = (raw[1] or "!--").lower()
        end = -1
        if name not in endless:
            end = lowered.find("-->" if name == "!--" else f"</{name}", raw.end())
        if end < 0:
            endless.add(name)
            # An element that never ends: a script takes the rest, as in a browser.
            end = len(text) if name in ("script", "style", "!--") else raw.end()
        content = text[raw.end() : end]
        position = end + 3 if name == "!--" else end
        if name == "title":
            page.title = page.title or _folded(unescape(content[:300]))
            if not page.document:  # a feed
                kept.append(f"<p>{content}</p>")
        elif name in ("script", "noscript"):
            code.append(f"{raw[2]}\n{content}")
            if name == "noscript":
                page.notes.append(_folded(_TAG.sub("", unescape(content))))
    page.code = "\n".join(code)[: _BOUNDS["code"]]
    page.runs = any(not _has_any(script.lower(), _RULES["shell"]["counters"]) for script in code)
    return "".join((*kept, text[position:]))


class _Flattener:
    """Turns tags into marks, and counts what is not text."""

    def __init__(self, page: _Page) -> None:
        self._page = page
        self._in_link = False
        self._hidden = ""
        self._depth = 0

    def __call__(self, tag: re.Match[str]) -> str:
        name, attributes = tag[1].lower(), tag[2]
        if name in _INLINE:
            return ""
        if name in ("a", "/a"):
            return self._link(name == "a" and "href" in attributes.lower())
        mark = self._veil(name, attributes) or (_CLOSE if name[0] == "/" else _OPEN)
        if name == "body" and (found := _ONLOAD.search(attributes)):
            self._page.code += f"\n{found[1]}"
            self._page.runs = True
        elif name in _COUNTED:
            self._count(name, attributes)
        elif name in ("td", "th"):
            mark += _CELL
        elif name == "div" and (found := _ID.search(attributes)):
            self._page.names.append(found[1])
            if _MOUNTS.fullmatch(found[1]):
                mark += _MOUNT
        return f"{_LINKED}{mark}{_LINK}" if self._in_link else mark

    def _link(self, begins: bool) -> str:
        ended = _LINKED if self._in_link else ""
        self._in_link = begins
        return ended + (_LINK if begins else "")

    def _veil(self, name: str, attributes: str) -> str:
        """The marks around an element that is not displayed."""
        if not self._depth:
            if "none" in attributes and name in _VEILED and _NO_DISPLAY.search(attributes):
                self._hidden, self._depth = name, 1
                return _HIDE
            return ""
        if name.removeprefix("/") == self._hidden:
            self._depth += -1 if name[0] == "/" else 1
            if not self._depth:
                return _SHOW
        return ""

    def _count(self, name: str, attributes: str) -> None:
        page = self._page
        if name in ("input", "textarea", "select"):
            page.fields += "hidden" not in attributes.lower()
        elif name == "meta":
            if page.refresh is None and (found := _META_REFRESH.search(attributes)):
                page.refresh = found[1]
        else:
            source = _SOURCE.search(attributes)
            (page.media if name == "img" else page.frames).append(source[1] if source else "")
            page.labels += _LABEL.findall(attributes)


def _is_headline(link: str) -> bool:
    return len(link) >= 8


def _unmarked(text: str) -> str:
    return _MARKS_OF_READING.sub("", text)


def _folded(text: str) -> str:
    return _WHITE.sub("", unicodedata.normalize("NFKC", text)).lower()


def _segments(title: str) -> list[str]:
    return [title, *_SEPARATOR.split(title)]


# What a kind of answer is told by.


@dataclass(frozen=True)
class _Kind:
    """What one kind of answer is told by; see triage.toml. `titles` match whole, the rest within.

    `inside` are the notices that also stand in the site's own pages, up to `template` characters
    long; `alone`: any notice does where it is all that such a page holds; `beside_lists`: even
    beside a list of headlines.
    """

    titles: re.Pattern[str]
    always: re.Pattern[str]
    ways: re.Pattern[str]
    notices: re.Pattern[str]
    inside: re.Pattern[str]
    alone: bool
    hints: re.Pattern[str]
    core: re.Pattern[str]
    support: re.Pattern[str]
    addresses: re.Pattern[str]
    images: re.Pattern[str]
    plates: tuple[str, ...]
    template: int
    beside_lists: bool

    def told(self, page: _Page) -> bool:
        segments = _segments(page.title)
        if any(map(self.always.fullmatch, segments)) or any(map(self.ways.fullmatch, page.links)):
            return True
        if page.bare:
            return (
                self._headed((*segments, *page.said[:1]))
                or _says(self.notices, page.said, _BOUNDS["notice"])
                or self._worded(page)
                or self._drawn(page)
                or _has_any(page.script, self.plates)
            )
        if page.lone and self.beside_lists:
            # An error page that explains itself at length.
            return self._headed(segments) or _has_any(page.script, self.plates)
        if page.rich or (page.lists and not self.beside_lists):
            return False
        own = page.content
        return (
            self._headed((*segments, *own[:2]))
            or _says(self.inside, page.blocks, self.template)
            or (self.alone and _says(self.notices, own, self.template))
        )

    def led_to(self, page: _Page, answer: Answer) -> bool:
        """Whether a redirect, a refresh or a script leads to an address that says it."""
        if not page.bare:
            return False
        jump = page.jump is not None and self.lies_at(_joined(answer.url, page.jump))
        return jump or (_elsewhere(answer) and self.lies_at(answer.url))

    def lies_at(self, url: str) -> bool:
        _, host, path, query = _parts(url)
        return bool(self.addresses.search(f"{host}{path}{query and '?'}{query}"))

    def is_title(self, text: str) -> bool:
        return bool(self.titles.fullmatch(text))

    def _headed(self, texts: Iterable[str]) -> bool:
        return any(len(text) <= 60 and self.is_title(text) for text in texts)

    def _worded(self, page: _Page) -> bool:
        """Whether short lines hold a telling word of the kind and one that goes with it."""
        if len(page.text) > _BOUNDS["words"]:
            return False
        lines = [text for text in (page.title, *page.said) if len(text) <= _BOUNDS["word"]]
        return _hit(self.core, lines) and _hit(self.support, (*lines, *page.links))

    def _drawn(self, page: _Page) -> bool:
        """Whether an image says it, because no text does."""
        return len(page.text) < 3 and any(map(self.images.search, (*page.media, *page.frames)))


def _says(notices: re.Pattern[str], blocks: Iterable[str], longest: int) -> bool:
    """Whether a paragraph says it itself; what it quotes, it only tells of."""
    return any(len(block) <= longest and notices.search(_QUOTED.sub("", block)) for block in blocks)


def _has_any(text: str, words: Iterable[str]) -> bool:
    return any(word in text for word in words)


def _has_all(text: str, words: Iterable[str]) -> bool:
    return all(word in text for word in words)


def _hit(pattern: re.Pattern[str], lines: Iterable[str]) -> bool:
    return any(map(pattern.search, lines))


# What is asked of a host that was asked for an address that cannot exist.


def _matches(page: _Page, answer: Answer, expects: Expects, missing: Missing) -> bool:
    if expects == "home" or _is_home(answer.asked):
        return False
    if missing.landed is not None and _elsewhere(answer):
        return _landing(answer) == missing.landed
    if not _might_match(page.title, answer, missing):
        return False
    if bool(page.headlines) != bool(missing.headlines):
        return False
    # What is recommended may change; a listing that shows other reports is another listing.
    if any(map(_REPORT.search, missing.headlines.symmetric_difference(page.headlines))):
        return False
    lines = _lines(page, answer)
    return _alike("".join(sorted(lines - missing.lines)), "".join(sorted(missing.lines - lines)))


def _landing(answer: Answer) -> str:
    """The address a request was sent to, without a copy of the one it asked for."""
    _, _, path, asks = _parts(answer.url)
    folder, _, name = path.rpartition("/")
    if not asks and _INDEX.fullmatch(name) and _parts(answer.asked)[2].startswith(f"{folder}/"):
        return "the index above"
    address, _, query = _bare_address(answer.url).partition("?")
    return f"{address}?{_without(_echoes(answer, landed=False), query.lower())}"


def _might_match(title: str, answer: Answer, missing: Missing) -> bool:
    if missing.landed is not None and _elsewhere(answer):
        return True
    return (
        bool(missing.lines)
        and abs(len(answer.body) - missing.size) <= 2048 + missing.size // 5
        and _steady(title, _echoes(answer)) == missing.title
    )


def _alike(new: str, lost: str) -> bool:
    """Whether what two pages do not share is the same message said twice.

    The site around it is no evidence: real pages share that too.
    """
    if len(new) + len(lost) < 2:
        return True
    if (own := _WORD.sub("", new)) and (other := _WORD.sub("", lost)):
        new, lost = own, other
    ours, theirs = ({text[at : at + 2] for at in range(len(text) - 1)} for text in (new, lost))
    return len(ours & theirs) >= 0.8 * max(1, len(ours | theirs))


def _lines(page: _Page, answer: Answer) -> frozenset[str]:
    """What a page shows but headlines, without the address, numbers, times and random names."""
    echoes = _echoes(answer)
    menu = (link for link in page.links if not _is_headline(link))
    texts = (_steady(text, echoes) for text in (*page.blocks, *menu, *page.hidden))
    images = (_DIGITS.sub("", name.rpartition("/")[0]) for name in (*page.media, *page.frames))
    return frozenset(filter(None, (*texts, *images)))


def _echoes(answer: Answer, landed: bool = True) -> list[str]:
    """How a page, or an address it leads to, may repeat what was asked for, longest first."""
    said: set[str] = set()
    for url in (answer.asked, answer.url) if landed else (answer.asked,):
        _, _, path, query = _parts(url)
        name = path.rpartition("/")[2]
        said |= {url, path, f"{path}?{query}", query, name, name.partition(".")[0]}
    said |= {spelt(text) for text in said for spelt in (unquote, _quoted)}
    return sorted({_folded(text) for text in said if len(text) >= 4}, key=len, reverse=True)


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _without(echoes: Iterable[str], text: str) -> str:
    for echo in echoes:
        text = text.replace(echo, "")
    return text


def _steady(text: str, echoes: Iterable[str]) -> str:
    return _MOMENT.sub("", _WORD.sub(_without_digits, _without(echoes, text)))


def _without_digits(word: re.Match[str]) -> str:
    return "" if _DIGITS.search(word[0]) else word[0]


# The rules, compiled.

_RULES: dict[str, Any] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)
_BOUNDS: dict[str, int] = _RULES["bounds"]


def _any(patterns: Iterable[str], flags: int = 0) -> re.Pattern[str]:
    """One pattern that matches where any of these does; never, when there are none."""
    joined = "|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)"
    for name, value in _RULES["names"].items():
        joined = joined.replace(f"%{name}%", f"(?:{value})")
    return re.compile(joined, flags)


def _kind(name: str) -> _Kind:
    rules = _RULES[name]
    return _Kind(
        titles=_any(rules["titles"]),
        always=_any(rules.get("always", ())),
        ways=_any(rules.get("ways", ())),
        notices=_any(rules["notices"]),
        inside=_any(rules["inside"]),
        alone=rules["alone"],
        hints=_any(rules["hints"]),
        core=_any(rules["core"]),
        support=_any(rules["support"]),
        addresses=_any(rules["addresses"], re.IGNORECASE),
        images=_any([rules["images"]], re.IGNORECASE),
        plates=tuple(rules.get("plates", ())),
        template=rules["template"],
        beside_lists=rules["beside_lists"],
    )


def _header_rules(name: str) -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
    return tuple(
        (_any([key], re.IGNORECASE), _any([value], re.IGNORECASE))
        for key, value in _RULES["blocked"][name]
    )


def _first_level(rows: Iterable[int], trails: Iterable[int], codec: str) -> frozenset[str]:
    data = bytes(byte for row in rows for trail in trails for byte in (row, trail))
    return frozenset(data.decode(codec, "ignore"))


_KINDS = {word: _kind(word) for word in ("blocked", "maintenance", "soft_404")}
_BLOCKED, _MAINTENANCE, _SOFT_404 = _KINDS.values()
_WALL_HEADERS, _REFUSERS = map(_header_rules, ("headers", "refusers"))
_ERROR_QUERY = _any(_RULES["soft_404"]["queries"], re.IGNORECASE)
_WALL_SOURCE = _any([_RULES["blocked"]["sources"]], re.IGNORECASE)
_WALLS = _any([_RULES["servers"]["walls"]])
_SERVERS_OWN = _any(_RULES["servers"]["own"])
_REPORT = _any([_RULES["real"]["report"]])
_PEOPLE = _any(_RULES["real"]["people"])
_MARKS, _SIGNS = (_any(_RULES["real"][name]) for name in ("marks", "signs"))
_SITE = _any([_RULES["real"]["site"]])
_REAL_TITLE = _any([_RULES["real"]["titles"]])
_ABSENT = _any([_RULES["soft_404"]["absent"]])
_NOTES = _any(_RULES["shell"]["notes"])
_MOUNTS = _any([_RULES["shell"]["mounts"]], re.IGNORECASE)
_FURNITURE = _any([_RULES["shell"]["furniture"]], re.IGNORECASE)
_RUINS = _any(_RULES["bad_encoding"]["ruins"])
_SUSPECTS = {
    codec: [word.encode(codec) for word in _RULES["soft_404"]["suspects"]]
    for codec in ("utf-8", "gb18030")
}
_COMMON = _first_level(range(0xB0, 0xD8), range(0xA1, 0xFF), "gb2312")
_COMMON_TRADITIONAL = _first_level(
    range(0xA4, 0xC7), (*range(0x40, 0x7F), *range(0xA1, 0xFF)), "big5"
)

_SPACE = b" \t\r\n\f\v\xef\xbb\xbf"
_ASCII = bytes(range(128))
_MAGIC = tuple(map(bytes.fromhex, _RULES["files"]["magic"]))
_HOME = re.compile(
    r"/?|/(?:(?:home|main|welcome|portal|web|www|sy|shouye)/)?"
    r"(?:(?:index|default|home|main|welcome|sy|shouye)(?:\.\w{2,5})?/?)?"
)
_INDEX = re.compile(r"(?:(?:index|default|home|main)(?:\.\w{2,5})?)?")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_CONTROLS = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_ROBOTS = re.compile(rb"^\s*(?:user-agent|(?:dis)?allow|sitemap)\s*:", re.IGNORECASE | re.MULTILINE)
_HANZI = re.compile("[\u3400-\u9fff]")
_TITLE = re.compile(rb"<title[^<>]{0,200}>([^<]{0,300})", re.IGNORECASE)
_MOUNT_BYTES = re.compile(rb"<div id=[\"']?(?:app|root)\b", re.IGNORECASE)
_RAW = re.compile(
    r"<(?:!--|(script|style|noscript|template|title|textarea|svg)\b([^<>]*>)?)", re.IGNORECASE
)
_TAG = re.compile(r"<(/?[a-zA-Z][\w:-]*)([^<>]*)>")
_DECLARATION = re.compile(r"<[!?][^<>]*>")
_MARKUP = re.compile(
    r"<(?:!doctype|html|head|body|script|meta|title|div|p|table|center|h[1-6]|br)\b", re.IGNORECASE
)
_DOCUMENT = re.compile(r"<(?:!doctype\s+html|html|head)\b", re.IGNORECASE)
_OFFICE = re.compile(r"urn:schemas-microsoft-com:office|^mime-version:", re.IGNORECASE)
_COUNTED, _VEILED = (frozenset(_RULES["markup"][name]) for name in ("counted", "veiled"))
_INLINE = frozenset((*_RULES["markup"]["inline"], *map("/{}".format, _RULES["markup"]["inline"])))
_NO_DISPLAY = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_ID = re.compile(r"\bid\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_SOURCE = re.compile(r"\b(?:src|data)\s*=\s*[\"']?([^\s\"'<>]{1,400})", re.IGNORECASE)
_ONLOAD = re.compile(r"\bonload\s*=\s*(\"[^\"]{1,400}|'[^']{1,400}|\S{1,400})", re.IGNORECASE)
_LABEL = re.compile(r"\b(?:alt|title)\s*=\s*[\"']([^\"'<>]{2,100})", re.IGNORECASE)
_META_REFRESH = re.compile(
    r"refresh[\"']?[^<>]{0,40}?content\s*=\s*[\"']?\s*(?:1[0-5]|\d)?(?:\.\d+)?(?![\d.])\s*[;,]?\s*"
    r"(?:url\s*=)?\s*[\"']?([^\"'\s<>]*)",
    re.IGNORECASE,
)
_REFRESH = re.compile(r"\s*\d{1,2}\s*[;,]\s*(?:url\s*=)?\s*([^\s\"']*)", re.IGNORECASE)
_JUMP = re.compile(
    r"\blocation(?:\.href)?\s*(?:=|\.(?:replace|assign)\s*\()\s*([\"'])([^\"']{1,400})\1",
    re.IGNORECASE,
)
_HOMEWARD = re.compile(
    r"\blocation(?:\.href)?\s*(?:=|\.(?:replace|assign)\s*\()\s*"
    r"(?:[\w.]*location\.(?:protocol|origin)\b|[\"'](?:https?:)?//[\"']\s*\+\s*[\w.]*location\.host)"
    r"(?!.*pathname)",
    re.IGNORECASE,
)
_BOX = re.compile(
    r"\b(?:alert|write(?:ln)?|msg|confirm)\s*\(\s*([\"'])((?:(?!\1).){1,400})\1", re.IGNORECASE
)
_HIDDEN = re.compile(f"{_HIDE}([^{_SHOW}]*){_SHOW}")
_BREAK = re.compile(f"[{_OPEN}{_CLOSE}]")
_LINKS = re.compile(f"{_LINK}([^{_LINKED}]*){_LINKED}?")
_MARKS_OF_READING = re.compile(f"[{_OPEN}-{_CELL}]")
_QUOTED = re.compile("“[^”]*”")
_WHITE = re.compile(r"[\s\u200b\ufeff]+")
_DATE = re.compile(r"(?:19|20)\d\d[-./年]\d{1,2}")
_SEPARATOR = re.compile(r"[-_|—–·»>:,。!]+")
_WORD = re.compile(r"[a-z0-9_./%:?=&-]+")
_DIGITS = re.compile(r"\d+")
_MOMENT = re.compile(
    r"[〇零一二三四五六七八九十廿卅]+[年月日时点分]|农历.{0,8}|(?:星期|周)[一二三四五六日天]|(?:[上下中]午|早上|晚上|凌晨)好?|(?:mon|tue|wed|thu|fri|sat|sun)\b"
)
