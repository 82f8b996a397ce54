"""May the bytes of a capture leave the archive, and why not?

Bytes cannot be masked: that breaks their digests. So a capture stays where anything in it is
withdrawn or is a number of a person, wherever the same bytes were seen; what nobody could look into
is told apart. Whoever lets bytes out asks here: the replay for a file, the exports for a record.
"""

from __future__ import annotations

import html
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from lzma import LZMAError
from typing import Literal, TypeAlias

import sqlalchemy as sa

from storage.capture.captures import header
from storage.care.personal import find
from storage.care.withdrawals import capture_withdrawn
from storage.queries.personal import personal_in_version
from storage.schema import captures, observations, readings
from storage.schema import shown_versions as versions

Why: TypeAlias = Literal["withdrawn", "personal", "unseen"]

# In bytes, of any content once it is unpacked; and of all that is packed in a file.
LONGEST, _MOST = 64_000_000, 32_000_000
_GZIP = b"\x1f\x8b"
_MOST_MEMBERS = 64  # of a gzip body; servers send one
# A packed file in a packed file in a packed file is looked into; nobody delivers more.
_DEEPEST = 2
_ZIP = b"PK\x03\x04"
# How files begin whose text, but for what they say of themselves, is compressed.
_BINARY = (b"%PDF-", b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"Rar!")
_READ = (".xml", ".rels", ".htm", ".html", ".txt", ".csv", ".rtf")
# What the standard library raises of one that is torn, locked or packed in an unknown way.
_NOT_A_ZIP = (
    zipfile.BadZipFile, zlib.error, LZMAError, NotImplementedError, RuntimeError, EOFError,
    ValueError, OSError,
)  # fmt: skip
# What does not end a word: of HTML, and of the runs that a Word file tears its text into.
_INLINE = re.compile(
    rb"</?(?:a|b|i|u|s|em|strong|font|span|wbr|sup|sub|o:p"
    rb"|w:(?!p\b|tc\b|tr\b|tbl\b|br\b|tab\b)[a-z]+)\b[^>]*>",
    re.I,
)
# What alone ends one in the XML of office files.
_ENDS = re.compile(rb"</(?:w:p|a:p|c|row|si)>")
_TAG = re.compile(r"<[^>]*>")


@dataclass(slots=True)
class Inside:
    """What can be seen in bytes without a reader: texts, each once. `whole`: as far as anybody
    knows they are all. `room`: so many bytes that are packed in a file are unpacked.
    """

    texts: set[str] = field(default_factory=set)
    whole: bool = True
    room: int = _MOST

    @property
    def holds_numbers(self) -> bool:
        """Whether numbers of persons stand in them."""
        return any(find(text) for text in self.texts)

    def add(self, body: bytes, depth: int = 0) -> None:
        """Look into a file; into a packed one too, also where it lies in another."""
        if not body.startswith(_ZIP):
            self._add_text(body)
            return
        try:
            with zipfile.ZipFile(BytesIO(body)) as packed:
                for member in packed.infolist():
                    self.texts.add(member.filename)
                    self._add_member(packed, member, depth)
        except _NOT_A_ZIP:
            # What could be read was.
            self.whole = False

    def _add_member(self, packed: zipfile.ZipFile, member: zipfile.ZipInfo, depth: int) -> None:
        with packed.open(member) as file:
            is_packed = file.read(len(_ZIP)) == _ZIP
        if is_packed and depth == _DEEPEST:
            self.whole = False
        elif is_packed:
            self.add(self._unpacked(packed, member), depth + 1)
        elif member.filename.lower().endswith(_READ):
            text = self._unpacked(packed, member)
            self._add_text(text)
            self._add_text(re.sub(rb"<[^>]*>", b"", _ENDS.sub(b"\n", text)))

    def _unpacked(self, packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
        with packed.open(member) as file:
            body = file.read(self.room)
            self.whole = self.whole and not file.read(1)
        self.room -= len(body)
        return body

    def _add_text(self, content: bytes) -> None:
        """As it stands, and as a reader sees it: numbers are torn apart by tags and entities."""
        for each in {content, _INLINE.sub(b"", content)}:
            for text in _decoded(each):
                self.texts |= {text, html.unescape(_TAG.sub("\n", text))}
        if b"\0" in content and not content.startswith(_BINARY):
            self.texts |= {content.decode(codec, "replace") for codec in ("utf-16-le", "utf-16-be")}


def look_into(content: bytes | None, *told: str) -> Inside:
    """What stands in content, and in what is told beside it; None is what could not be unpacked."""
    inside = Inside(set(told), whole=content is not None)
    inside.add(content or b"")
    return inside


def body_of(head: bytes, body: bytes, limit: int = LONGEST) -> bytes | None:
    """The content of an answer, unpacked; None where it is longer than `limit` or packed in a way
    that nobody asked for. What was cut within its packing is given as far as it goes.
    """
    packed = (header(head, b"content-encoding") or "identity").strip().lower()
    if packed == "identity" or not body:
        return body if len(body) <= limit else None
    if packed not in ("gzip", "x-gzip", "deflate"):
        return None
    wbits = 16 + zlib.MAX_WBITS
    if packed == "deflate":
        # Servers send both what the standard says (zlib) and what they think it says (raw).
        wbits = zlib.MAX_WBITS if body[0] & 0x0F == 8 else -zlib.MAX_WBITS
    plain, rest = b"", body
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(wbits)
        try:
            plain += member.decompress(rest, limit - len(plain) + 1)
        except zlib.error:
            return None
        if len(plain) > limit:
            return None
        rest = member.unused_data
        if rest[:2] != _GZIP:  # nothing, or padding
            return plain
    return None


class Door:
    """Tells which captures may leave. It remembers what it was asked of a version."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._versions: dict[int, Why | None] = {}

    def why_not(self, capture_id: int, look: Callable[[], Inside]) -> Why | None:
        """What keeps a capture here; None where nothing does. `look` is asked last."""
        if capture_withdrawn(self._connection, capture_id) is not None:
            return "withdrawn"
        seen = self._connection.execute(_seen_in(capture_id)).all()
        read = {self._of_version(version, part, is_read) for version, part, is_read in seen}
        if "personal" in read:
            return "personal"
        inside = look()
        if inside.holds_numbers:
            return "personal"
        return None if inside.whole and not read & {"unseen"} else "unseen"

    def _of_version(self, version_id: int, part: str, is_read: bool) -> Why | None:
        if version_id not in self._versions:
            numbers = personal_in_version(self._connection, version_id)
            unseen: Why | None = None if is_read or part == "page" else "unseen"
            self._versions[version_id] = "personal" if numbers else unseen
        return self._versions[version_id]


def _seen_in(capture_id: int) -> sa.Select[int, str, bool]:
    """The versions that were seen in the bytes of a capture, wherever these were."""
    own, same, v = captures.alias("own"), captures.alias("same"), versions.c
    return (
        sa.select(v.id, v.part, sa.exists().where(readings.c.version_id == v.id))
        .select_from(own)
        .join(same, same.c.payload_digest == own.c.payload_digest)
        .join(observations, observations.c.capture_id == same.c.id)
        .join(versions, v.id == observations.c.version_id)
        .where(own.c.id == capture_id)
        .distinct()
        .order_by(v.id)
    )


def _decoded(content: bytes) -> list[str]:
    try:
        return [content.decode("utf-8")]
    except UnicodeDecodeError:
        codecs = ("utf-8",) if content.startswith(_BINARY) else ("utf-8", "gb18030")
        return [content.decode(codec, "replace") for codec in codecs]
