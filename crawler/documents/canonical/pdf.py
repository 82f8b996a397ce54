"""pdf: what the catalogue leads to, whatever its objects are numbered and however it is packed.

qpdf (through pikepdf) opens the file, strictly: one that needs mending counts as its bytes.
Streams are inflated here and not there, because here the sum of them has an end.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from types import ModuleType
from typing import Any, NamedTuple

from crawler.documents.canonical.base import MAX_INFLATED, Content, NotUnderstood

RULE = "pdf/1"
MAGIC = b"%PDF-"

# qpdf takes 128 bytes for each object, and two bytes can be one: so many, by what separates them.
_MAX_OBJECTS = 1_200_000
_SEPARATORS = (b" ", b"\n", b"\r", b"\t", b"\f", b"\0", b"[", b"<", b"(", b"/")
# qpdf unpacks object streams and cross references by itself; these are small.
_MAX_PACKED = 1 << 20
# LZW is the one packing qpdf has no limit for, and no writer has used since 1996.
_LZW = re.compile(rb"/(?:L|#4[cC])(?:Z|#5[aA])(?:W|#57)")
# What a reader must know to open the file.
_VERSION = {"/Version", "/Extensions"}
_DATES = {"/CreationDate", "/ModDate", "/LastModified", "/M"}
_DATE = re.compile(rb"D:\d{4}")
# `ABCDEF+SimSun`: six random letters before the name of an embedded part of a font.
_SUBSET = re.compile(rb"/([A-Z]{6}\+)")
_NAMES = {"/BaseFont", "/FontName"}
# Streams that repeat the font's name.
_NAMED = {"/FontFile", "/FontFile3", "/ToUnicode"}
_FLATE = {b"/FlateDecode", b"/Fl", b"[ /FlateDecode ]", b"[ /Fl ]"}


def feed(body: bytes, content: Content) -> None:
    """Put the content of a PDF. Raises NotUnderstood, also when pikepdf is not installed."""
    if _LZW.search(body):
        raise NotUnderstood("packed without a limit")
    room = _room(_MAX_OBJECTS, body)
    library = _pikepdf()
    if library is None:
        raise NotUnderstood("pikepdf is not installed")
    try:
        with library.open(
            BytesIO(body), attempt_recovery=False, inherit_page_attributes=False
        ) as pdf:
            for data in _object_streams(pdf):
                room = _room(room, data)
            for key in _VERSION & pdf.Root.keys():
                del pdf.Root[key]
            _Walk(library, content).walk(pdf.Root)
            if pdf.get_warnings():
                raise NotUnderstood("it had to be mended")
    except (library.PikepdfError, zlib.error) as error:
        raise NotUnderstood("damaged or encrypted") from error


def _room(room: int, data: bytes) -> int:
    """How many objects are left after those that `data` can hold at most."""
    room -= sum(map(data.count, _SEPARATORS))
    if room < 0:
        raise NotUnderstood("too many objects")
    return room


def _object_streams(pdf: Any) -> Iterator[bytes]:
    """What each object stream holds."""
    entries = pdf.get_xref_table().values()
    for number in {entry.obj_stream_number for entry in entries if entry.type == 2}:
        stream = pdf.get_object(number, 0)
        if stream.get("/Filter", "/FlateDecode") != "/FlateDecode" or "/DecodeParms" in stream:
            raise NotUnderstood("an object stream in an unusual packing")
        data = stream.read_raw_bytes()
        yield _inflate(data, _MAX_PACKED) if "/Filter" in stream else data


@cache
def _pikepdf() -> ModuleType | None:
    try:
        import pikepdf
    except ImportError:
        return None
    pikepdf.settings.set_qpdf_limits(
        flate_max_memory=_MAX_PACKED,
        png_max_memory=_MAX_PACKED,
        tiff_max_memory=_MAX_PACKED,
        run_length_max_memory=_MAX_PACKED,
        dct_max_memory=_MAX_PACKED,
        doc_max_warnings=1,
    )
    return pikepdf


class _Step(NamedTuple):
    """An object to be put. `tag`: the random letters of the font it belongs to, if it has any."""

    value: Any
    tag: bytes = b""


class _Mark(NamedTuple):
    """What is put as it is: a key, a name without its letters, the end of what is open."""

    pieces: tuple[str | bytes, ...]


_END = _Mark(("end",))


class _Walk:
    """Depth first, keys in order, each object numbered by when it is reached first."""

    def __init__(self, library: ModuleType, content: Content) -> None:
        self._library = library
        self._content = content
        self._numbers: dict[tuple[int, int], int] = {}
        self._waiting: list[_Step | _Mark] = []
        self._room = MAX_INFLATED

    def walk(self, root: Any) -> None:
        """Put everything that can be reached. Raises NotUnderstood, zlib.error, PikepdfError."""
        self._waiting.append(_Step(root))
        while self._waiting:
            step = self._waiting.pop()
            if isinstance(step, _Mark):
                self._content.put(*step.pieces)
            else:
                self._put(step.value, step.tag)

    def _put(self, value: Any, tag: bytes) -> None:
        library = self._library
        if not isinstance(value, library.Object):
            self._content.put("number", str(value))
        elif self._seen(value):
            self._content.put("again", str(self._numbers[value.objgen]))
        elif isinstance(value, library.Stream):
            self._put_dictionary(value.stream_dict, self._put_data(value, tag))
        elif isinstance(value, library.Dictionary):
            self._put_dictionary(value, frozenset())
        elif isinstance(value, library.Array):
            self._content.put("array")
            self._waiting.append(_END)
            self._waiting += map(_Step, reversed(value.as_list()))
        elif isinstance(value, library.String):
            self._content.put("string", bytes(value))
        else:
            self._content.put("name", value.unparse())

    def _seen(self, value: Any) -> bool:
        if not value.is_indirect:
            return False
        number = len(self._numbers)
        return self._numbers.setdefault(value.objgen, number) != number

    def _put_dictionary(self, dictionary: Any, skipped: frozenset[str]) -> None:
        self._content.put("dictionary")
        self._waiting.append(_END)
        entries = dict(dictionary.items())
        names = [_subset(entries[key]) for key in sorted(_NAMES & entries.keys())]
        tag = next(filter(None, names), b"")
        for key in sorted(entries.keys() - skipped, reverse=True):
            value = entries[key]
            if self._is_noise(key, value):
                continue
            if key in _NAMES and _subset(value):
                plain = value.unparse().replace(_subset(value), b"", 1)
                self._waiting.append(_Mark(("name", plain)))
            else:
                self._waiting.append(_Step(value, tag if key in _NAMED else b""))
            self._waiting.append(_Mark((key,)))

    def _is_noise(self, key: str, value: Any) -> bool:
        """A date of saving, or XMP, which says what the document information says."""
        if key in _DATES:
            return isinstance(value, self._library.String) and bool(_DATE.match(bytes(value)))
        if key == "/Metadata":
            return isinstance(value, self._library.Stream) and value.get("/Type") == "/Metadata"
        return False

    def _put_data(self, stream: Any, tag: bytes) -> frozenset[str]:
        """Put what a stream holds; the keys that say no more than how it was packed."""
        data = stream.read_raw_bytes()
        packing = stream.stream_dict.get("/Filter")
        inflates = packing is not None and packing.unparse() in _FLATE
        if inflates:
            data = _inflate(data, self._room)
        self._room -= len(data)
        if self._room < 0:
            raise NotUnderstood("too large")
        self._content.put("stream", data.replace(tag, b"") if tag else data)
        return frozenset({"/Length", "/Filter"} if inflates else {"/Length"})


def _subset(value: Any) -> bytes:
    """The random letters of a font's name, `ABCDEF+`; empty when it has none."""
    found = _SUBSET.match(value.unparse())
    return found[1] if found else b""


def _inflate(data: bytes, room: int) -> bytes:
    unpacker = zlib.decompressobj()
    inflated = unpacker.decompress(data, room + 1)
    if not unpacker.eof or unpacker.unused_data.strip():
        raise NotUnderstood("a stream that is cut, or too large")
    return inflated
