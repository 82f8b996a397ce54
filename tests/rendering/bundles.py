"""zip and rar files as they come, and as somebody hostile would make them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

F_UTF8 = 0x800


def zipped(members: Mapping[str, bytes], codec: str = "utf-8", packing: int = 8) -> bytes:
    """A zip; with `codec` gb18030 the names are written so, without the flag for UTF-8."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, body in members.items():
            archive.writestr(Named(name, codec), body, packing)
    return buffer.getvalue()


class Named(zipfile.ZipInfo):
    """An entry whose name keeps its bytes and its slashes."""

    def __init__(self, name: str, codec: str) -> None:
        super().__init__("name")
        self.filename = name
        self._codec = codec

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802
        flag = F_UTF8 if self._codec == "utf-8" and not self.filename.isascii() else 0
        return self.filename.encode(self._codec), self.flag_bits | flag


def locked(archive: bytes) -> bytes:
    """The zip with every member marked as encrypted."""
    body = bytearray(archive)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = body.find(mark)
        while at >= 0:
            body[at + place] |= 1
            at = body.find(mark, at + 4)
    return bytes(body)


def rar(members: Mapping[str, bytes], method: int = 0, locked: bool = False) -> bytes:
    """A RAR 5 archive whose members are stored, or (`method` 1 to 5) said to be compressed."""
    out = [b"Rar!\x1a\x07\x01\x00"]
    if locked:
        out.append(_block(4, vint(0) + vint(0) + b"\x0f" + bytes(16)))
        return b"".join(out) + bytes(64)
    out.append(_block(1, vint(0)))
    for name, body in members.items():
        encoded = name.encode()
        fields = (
            vint(0x04) + vint(len(body)) + vint(0x20) + struct.pack("<I", zlib.crc32(body))
            + vint(method << 7) + vint(0) + vint(len(encoded)) + encoded
        )  # fmt: skip
        out += [_block(2, fields, len(body)), body]
    out.append(_block(5, vint(0)))
    return b"".join(out)


def _block(kind: int, fields: bytes, data: int | None = None) -> bytes:
    head = vint(kind) + (vint(0) if data is None else vint(2) + vint(data)) + fields
    sized = vint(len(head)) + head
    return struct.pack("<I", zlib.crc32(sized)) + sized


def vint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
