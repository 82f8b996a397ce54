"""docx, xlsx, pptx: the parts of the package by name; what every save writes anew is left out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from html import escape
from itertools import count
from typing import IO, NamedTuple
from xml.parsers import expat
from zipfile import ZipInfo

from crawler.documents.canonical.base import Content, NotUnderstood
from crawler.documents.zipped import BROKEN, Package, opened
from crawler.documents.zipped import MAGIC as MAGIC
from crawler.errors import Unreadable

RULE = "ooxml/1"

_CHUNK = 1 << 16
# Of XML, which costs more than its bytes: all parts, one tag, elements in each other, names.
_MAX_XML = 16 << 20
_MAX_TAG = 1 << 20
_MAX_DEPTH = 1000
_MAX_NAMESPACES = 1000
_MAX_LISTING = 1 << 20
_TYPES = "[Content_Types].xml"
_ROOT_RELATIONS = "_rels/.rels"
# Title, author, dates, revision and word counts; the second is where .NET writers put them.
_PROPERTIES = re.compile(r"/?(?:docProps|package/services/metadata)/", re.IGNORECASE)


class _Noise(NamedTuple):
    """Elements (with all they hold) and attributes that are left out, as `namespace name`."""

    elements: frozenset[str]
    attributes: frozenset[str]


_WORD = (
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "http://purl.oclc.org/ooxml/wordprocessingml/main",
)
_WORD_2010 = "http://schemas.microsoft.com/office/word/2010/wordml"
_WORD_2012 = "http://schemas.microsoft.com/office/word/2012/wordml"
_SHEET = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_REVISION = "http://schemas.microsoft.com/office/spreadsheetml"


def _names(namespaces: tuple[str, ...], words: str) -> set[str]:
    return {f"{namespace} {word}" for namespace in namespaces for word in words.split()}


_IN_WORD = _Noise(
    frozenset(
        _names(_WORD, "proofErr proofState lastRenderedPageBreak rsids")
        | {f"{_WORD_2010} docId", f"{_WORD_2012} docId"}
    ),
    frozenset(
        _names(_WORD, "rsidR rsidRPr rsidRDefault rsidP rsidTr rsidSect rsidDel")
        | {f"{_WORD_2010} paraId", f"{_WORD_2010} textId"}
    ),
)
_UIDS = frozenset(
    f"{_REVISION}/{version} uid"
    for version in ("2014/revision", "2015/revision2", "2016/revision3")
)
_IN_WORKBOOK = _Noise(
    frozenset(
        _names(_SHEET, "fileVersion")
        | {
            f"{_REVISION}/2014/revision revisionPtr",
            f"{_REVISION}/2010/11/ac absPath",
        }
    ),
    # The last two: which sheet was open. Hidden sheets are said so elsewhere.
    _UIDS
    | {"calcId", "xWindow", "yWindow", "windowWidth", "windowHeight", "activeTab", "firstSheet"},
)
_IN_SHEET = _Noise(
    frozenset(_names(_SHEET, "selection")),
    _UIDS | {"tabSelected", "topLeftCell"},
)
_IN_SLIDES = _Noise(
    frozenset({"http://schemas.microsoft.com/office/powerpoint/2010/main modId"}), frozenset()
)
_NOTHING = _Noise(frozenset(), frozenset())
# The first that matches the part's name.
_NOISE = (
    (re.compile(r"word/"), _IN_WORD),
    (re.compile(r"xl/workbook\.xml"), _IN_WORKBOOK),
    (re.compile(r"xl/worksheets/"), _IN_SHEET),
    (re.compile(r"xl/"), _Noise(frozenset(), _UIDS)),
    (re.compile(r"ppt/"), _IN_SLIDES),
    (re.compile(""), _NOTHING),
)
_BOOKMARKS = _names(_WORD, "bookmarkStart bookmarkEnd")


def feed(body: bytes, content: Content) -> None:
    """Put the content of a package. Raises NotUnderstood."""
    try:
        with opened(body, "zip") as package:
            for info in _parts(package):
                content.put(info.filename)
                with package.archive.open(info) as part:
                    _put_part(info, part, content)
    except (Unreadable, *BROKEN) as error:
        raise NotUnderstood("not a whole zip") from error
    except expat.ExpatError as error:
        raise NotUnderstood("not well-formed") from error


def _parts(package: Package) -> list[ZipInfo]:
    """What the package holds, by name, without its document properties."""
    infos = package.infos
    names = {info.filename.lower() for info in infos}
    if _TYPES.lower() not in names or len(names) != len(infos):
        raise NotUnderstood("no office package, or a part twice")
    # What a part inflates to is never more than its entry says: zipfile stops there.
    xml = sum(info.file_size for info in infos if info.filename.endswith((".xml", ".rels")))
    if xml > _MAX_XML:
        raise NotUnderstood("too large")
    wanted = [info for info in infos if not _PROPERTIES.match(info.filename)]
    return sorted(wanted, key=lambda info: info.filename)


def _put_part(info: ZipInfo, part: IO[bytes], content: Content) -> None:
    name = info.filename
    if name == _TYPES or name.endswith(".rels"):
        if info.file_size > _MAX_LISTING:
            raise NotUnderstood("too large")
        content.put(*_listing(name, part))
        return
    hashed = hashlib.sha256()
    if name.endswith(".xml"):
        noise = next(noise for names, noise in _NOISE if names.match(name))
        _Canonical(noise, hashed.update).read(part)
    else:
        while chunk := part.read(_CHUNK):
            hashed.update(chunk)
    content.put(hashed.digest())


def _listing(name: str, part: IO[bytes]) -> list[str]:
    """Content types or relationships: lists without an order, some of dropped parts."""
    lines: list[str] = []

    def start(element: str, attributes: dict[str, str]) -> None:
        path = attributes.get("PartName") or attributes.get("Target") or ""
        if _PROPERTIES.match(path):
            return
        if name == _ROOT_RELATIONS:
            # Nothing refers to these, and they count the dropped ones.
            attributes.pop("Id", None)
        lines.append(f"{element} {sorted(attributes.items())}")

    parser = _parser()
    parser.StartElementHandler = start
    _parse(parser, part)
    return sorted(lines)


class _Canonical:
    """XML as one way of writing it: prefixes resolved, attributes in order, noise left out."""

    def __init__(self, noise: _Noise, write: Callable[[bytes], None]) -> None:
        self._noise = noise
        self._write = write
        self._written: list[str] = []
        self._depth = 0
        self._unseen = 0  # how deep we are in an element that is left out
        self._namespaces: set[tuple[str, str]] = set()
        self._bookmarks: dict[str, str] = {}
        self._order = count(1)

    def read(self, part: IO[bytes]) -> None:
        """Raises ExpatError and NotUnderstood."""
        parser = _parser()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartNamespaceDeclHandler = self._namespace
        _parse(parser, part, self._flush)
        # Values name prefixes (`Requires="w14"`), so what they stand for is content.
        self._written += [f"<!{prefix} {escape(uri)}>" for prefix, uri in sorted(self._namespaces)]
        self._flush()

    def _flush(self) -> None:
        self._write("".join(self._written).encode())
        self._written.clear()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise NotUnderstood("too deep")
        if self._unseen or name in self._noise.elements or self._is_last_edit(name, attributes):
            self._unseen += 1
            return
        self._written.append(f"<{escape(name)}")
        for key in sorted(attributes.keys() - self._noise.attributes):
            self._written.append(f' {escape(key)}="{escape(attributes[key])}"')
        self._written.append(">")

    def _end(self, _: str) -> None:
        self._depth -= 1
        if self._unseen:
            self._unseen -= 1
        else:
            self._written.append("</>")

    def _text(self, text: str) -> None:
        if not self._unseen:
            self._written.append(escape(text))

    def _instruction(self, target: str, text: str) -> None:
        if not self._unseen:
            self._written.append(f"<?{target} {escape(text)}?>")

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces.add((prefix or "", uri or ""))
        if len(self._namespaces) > _MAX_NAMESPACES:
            raise NotUnderstood("too many namespaces")

    def _is_last_edit(self, name: str, attributes: dict[str, str]) -> bool:
        """Word marks where it was left (`_GoBack`), and numbers all bookmarks anew around it."""
        if name not in _BOOKMARKS:
            return False
        namespace = name.partition(" ")[0]
        number = attributes.get(f"{namespace} id", "")
        if attributes.get(f"{namespace} name") == "_GoBack":
            self._bookmarks[number] = ""
        elif number not in self._bookmarks:
            self._bookmarks[number] = str(next(self._order))
        attributes[f"{namespace} id"] = self._bookmarks[number]
        return not self._bookmarks[number]


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    return parser


def _refuse(*_: object) -> None:
    raise NotUnderstood("a document type")


def _parse(
    parser: expat.XMLParserType, part: IO[bytes], after: Callable[[], None] = lambda: None
) -> None:
    """Feed a part by and by, `after` each chunk giving up what is ready."""
    fed = 0
    while chunk := part.read(_CHUNK):
        parser.Parse(chunk)
        after()
        fed += len(chunk)
        if fed - parser.CurrentByteIndex > _MAX_TAG:
            raise NotUnderstood("a tag without an end")
    parser.Parse(b"", True)
