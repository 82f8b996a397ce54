"""Under what type and name a file leaves: none that a browser opens or a desktop runs."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, unquote, urlsplit

from storage.care.personal import masked

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


def _is_plain(sign: str) -> bool:
    return sign.isspace() or unicodedata.category(sign) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
