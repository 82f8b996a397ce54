"""Under what type and name a file leaves: none that a browser opens or a desktop runs."""

from __future__ import annotations

import re
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import quote, unquote, urlsplit

from storage.care.personal import find, masked

UNKNOWN = "application/octet-stream"
_OLE, _ZIP = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04"
_OFFICE = "application/vnd.openxmlformats-officedocument"
# Extension → how such a file begins, and its type. Any other name ends in `.bin`.
_TYPES: dict[str, tuple[tuple[bytes, ...], str]] = {
    "pdf": ((b"%PDF-",), "application/pdf"),
    "docx": ((_ZIP,), f"{_OFFICE}.wordprocessingml.document"),
    "xlsx": ((_ZIP,), f"{_OFFICE}.spreadsheetml.sheet"),
    "pptx": ((_ZIP,), f"{_OFFICE}.presentationml.presentation"),
    "zip": ((_ZIP,), "application/zip"),
    "doc": ((_OLE,), "application/msword"),
    "xls": ((_OLE,), "application/vnd.ms-excel"),
    "ppt": ((_OLE,), "application/vnd.ms-powerpoint"),
    "wps": ((_OLE,), "application/vnd.ms-works"),
    "rar": ((b"Rar!\x1a\x07",), "application/vnd.rar"),
    "rtf": ((b"{\\rtf",), "application/rtf"),
    "jpg": ((b"\xff\xd8\xff",), "image/jpeg"),
    "jpeg": ((b"\xff\xd8\xff",), "image/jpeg"),
    "png": ((b"\x89PNG\r\n\x1a\n",), "image/png"),
    "gif": ((b"GIF87a", b"GIF89a"), "image/gif"),
}
_IMAGES = {"image/jpeg", "image/png", "image/gif"}
_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?:$|[. ])")
_LONGEST = 80
# What the standard library raises of one that is torn, locked or packed in an unknown way.
_NOT_A_ZIP = (
    zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError,
)  # fmt: skip
# Of a packed file, unpacked, so much is looked through for numbers of persons.
_MOST_XML = 32_000_000
# A packed file in a packed file in a packed file is looked into; nobody delivers more.
_DEEPEST = 2
_MARKED, _PLAIN = (".xml", ".htm", ".html"), (".txt", ".csv", ".rtf")


def image_type(body: bytes) -> str | None:
    """The type of a picture by its first bytes; never SVG, which is a document."""
    found = (kind for begins, kind in _TYPES.values() if body.startswith(begins))
    return next((kind for kind in found if kind in _IMAGES), None)


def is_file(body: bytes) -> bool:
    """Whether the bytes begin as a file of a known kind does."""
    return any(body.startswith(begins) for begins, _ in _TYPES.values())


def file_type(name: str, body: bytes) -> str:
    """The type for a safe name; unknown where name and bytes disagree."""
    begins, kind = _TYPES.get(name.rpartition(".")[2].lower(), ((), UNKNOWN))
    return kind if begins and body.startswith(begins) else UNKNOWN


def safe_name(name: str) -> str:
    """A file name that is one: no folder, no control or direction mark, one known extension, no
    device of Windows, not hidden, numbers of persons covered, at most 80 characters.

    >>> safe_name("../../报告\\u202efdp.exe"), safe_name("a.pdf.js"), safe_name("CON.pdf")
    ('报告fdp_exe.bin', 'a_pdf_js.bin', '_CON.pdf')
    """
    name = masked(unicodedata.normalize("NFC", name)).replace("*", "x")
    name = re.split(r"[/\\]", name)[-1]
    kept = "".join(" " if sign.isspace() else sign for sign in name if _is_plain(sign))
    kept = re.sub(r"[<>:\"|?%;=&$`']", "_", kept).strip(" .")
    stem, dot, extension = kept.rpartition(".")
    if not dot or extension.lower() not in {*_TYPES, "bin"}:
        stem, extension = kept, "bin"
    stem = re.sub(r"\.+", "_", stem).strip(" _")[:_LONGEST].strip() or "file"
    return f"{'_' if _RESERVED.match(stem) else ''}{stem}.{extension.lower()}"


def name_in(url: str) -> str:
    """The last part of an address' path, as people read it."""
    return unquote(urlsplit(url).path.rpartition("/")[2], errors="replace")


def disposition(name: str) -> str:
    """Content-Disposition of a safe name: ASCII for all, and the name itself as RFC 5987 says.

    >>> disposition("报告 1.pdf")
    'attachment; filename="__ 1.pdf"; filename*=UTF-8\\'\\'%E6%8A%A5%E5%91%8A%201.pdf'
    """
    fallback = "".join(sign if sign.isascii() else "_" for sign in name)
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"


def holds_numbers(body: bytes) -> bool:
    """Whether numbers of persons stand in the text of a file that can be looked into without a
    reader: plain text and RTF, and the texts and names within a packed file, also one in another.
    """
    if body.startswith(_ZIP):
        return any(find(text) for text in _texts_packed(body, _Room()))
    return any(find(text) for text in _texts_of(body))


def _is_plain(sign: str) -> bool:
    return sign.isspace() or unicodedata.category(sign) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def _texts_of(body: bytes) -> list[str]:
    """As plain text, in every way that a reader's editor may take it."""
    if is_file(body) and not body.startswith(b"{\\rtf"):
        return []
    codecs = ("utf-8", "gb18030", *(("utf-16-le", "utf-16-be") if b"\0" in body else ()))
    return [body.decode(codec, "replace") for codec in codecs]


@dataclass(slots=True)
class _Room:
    """How many unpacked bytes may still be looked at, of a file with all that is packed in it."""

    left: int = _MOST_XML

    def read(self, packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
        with packed.open(member) as file:
            body = file.read(self.left)
        self.left -= len(body)
        return body


def _texts_packed(body: bytes, room: _Room, depth: int = 0) -> list[str]:
    texts: list[str] = []
    try:
        with zipfile.ZipFile(BytesIO(body)) as packed:
            for member in packed.infolist():
                texts.append(member.filename)
                with packed.open(member) as file:
                    is_packed = file.read(len(_ZIP)) == _ZIP
                if is_packed and depth < _DEEPEST:
                    texts += _texts_packed(room.read(packed, member), room, depth + 1)
                elif member.filename.lower().endswith(_MARKED):
                    # Within a paragraph markup parts nothing; between paragraphs and cells it does.
                    marked = room.read(packed, member)
                    parted = re.sub(rb"</(?:w:p|a:p|c|row|si)>", b"\n", marked)
                    texts.append(re.sub(rb"<[^>]*>", b"", parted).decode("utf-8", "replace"))
                elif member.filename.lower().endswith(_PLAIN):
                    texts += _texts_of(room.read(packed, member))
    except _NOT_A_ZIP:
        # Torn or locked: what could be read was.
        return texts
    return texts
