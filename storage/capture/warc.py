"""The bytes: WARC 1.1, one gzip member a record, durable before anyone points to them.

The records are written here and read through warcio. Not written through it because warcio
percent-encodes a header that is not ASCII (a GBK file name becomes mojibake) and hashes with
SHA-1; a record is a dozen lines and a block. `warcio check` verifies what stands here.

A file is called `<time>-<run>-<serial>.warc.gz`, so that names sort by time, and has `.open`
appended while it is written. It is then a whole WARC file all the same: readers and `warcio check`
take it as it is, but whoever ships files away must wait until it is sealed. The writer holds a lock
on it, so a file that a dead run left open is told from one in use, cut behind its last whole
exchange and sealed by the next run.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

from storage.errors import WarcNotReadable, WarcNotWritten

logger = logging.getLogger(__name__)

Header: TypeAlias = tuple[str, str]

_OPEN = ".open"
_ROTATE_AT = 1 << 30
# 9 takes 0.2 ms longer a page than 6 and saves 3 %, for bytes that are kept for ever.
_GZIP_LEVEL = 9
_GZIP = 16 + zlib.MAX_WBITS
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
# How the records begin that are followed by the record of their request.
_ANSWERS = (b"WARC/1.1\r\nWARC-Type: response", b"WARC/1.1\r\nWARC-Type: revisit")
IDENTICAL = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
NOT_MODIFIED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
# Which row of `attempts` a record belongs to: a start after a crash finds its way back by it.
ATTEMPT = "WARC-Gongkai-Attempt"
# What that attempt came to: some of it can only be said while the crawl is there.
OUTCOME = "WARC-Gongkai-Outcome"


def digest(data: bytes) -> str:
    """`sha256:<hex>`, the one form used in records and rows."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def new_record_id() -> str:
    """A WARC-Record-ID, angle brackets included."""
    return f"<urn:uuid:{uuid4()}>"


def warc_date(moment: datetime) -> str:
    """`2020-03-06T06:38:00.000000Z`; always with microseconds, so that equal moments are equal."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Original:
    """The earlier record that already holds a payload."""

    url: str
    date: datetime
    record_id: str


@dataclass(frozen=True, slots=True)
class Tls:
    """How a connection was secured: `tls/1.3`, the cipher suite, and the leaf certificate's
    digest (`sha256:<hex>` of its DER).
    """

    protocol: str
    cipher: str
    certificate: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answered request as it went over the wire.

    Heads are the first line, the headers and the blank line, to the byte; `body` is as received
    apart from chunking, still content-encoded. `ip` and `protocol` (`http/1.1`) may be unknown.
    `reconstructed`: the heads were put together again from parsed headers. `truncated` says why
    the body ends before its end, in the words of WARC-Truncated: length, time or disconnect.
    """

    url: str
    request_head: bytes
    request_body: bytes
    response_head: bytes
    body: bytes
    status: int
    ip: str | None
    protocol: str
    reconstructed: bool
    tls: Tls | None = None
    truncated: str | None = None


def exchange_records(
    exchange: Exchange,
    attempt_id: int,
    outcome: str,
    date: datetime,
    record_id: str,
    payload_digest: str,
    original: Original | None,
) -> list[bytes]:
    """The response (a revisit when `original` holds the payload) and its request.

    Raises ValueError for a head that does not end with its first blank line.
    """
    for head in (exchange.request_head, exchange.response_head):
        found = _BLANK_LINE.search(head)
        if found is None or found.end() != len(head):
            raise ValueError(f"a head must end with its one blank line: {head[:200]!r}")
    common = [("WARC-Date", warc_date(date)), ("WARC-Target-URI", exchange.url)]
    common += _connection(exchange)
    common.append((ATTEMPT, str(attempt_id)))
    kind, profile = _profile(original, exchange.status)
    response = [("WARC-Record-ID", record_id), *common, ("WARC-Payload-Digest", payload_digest)]
    response.append((OUTCOME, outcome))
    if exchange.truncated:
        response.append(("WARC-Truncated", exchange.truncated))
    answered = exchange.response_head + (b"" if original else exchange.body)
    request = [("WARC-Record-ID", new_record_id()), *common, ("WARC-Concurrent-To", record_id)]
    asked = exchange.request_head + exchange.request_body
    return [
        _record(kind, [*response, *profile], "application/http; msgtype=response", answered),
        _record("request", request, "application/http; msgtype=request", asked),
    ]


class WarcWriter:
    """Appends records to files of about `rotate_at` bytes. Not thread safe: its owner locks.

    Raises WarcNotWritten when the disk refuses; the file then ends at its last whole record and
    the writer may be used again.
    """

    def __init__(
        self, directory: Path, run_id: int, warcinfo: Mapping[str, str], rotate_at: int = _ROTATE_AT
    ) -> None:
        self._directory = directory
        self._run_id = run_id
        self._warcinfo = warcinfo
        self._rotate_at = rotate_at
        self._serial = 0
        self._file: int | None = None
        self._path = directory
        self._end = 0

    def append(self, records: Sequence[bytes]) -> tuple[str, list[int]]:
        """Make the records durable; the file's (sealed) name and each record's offset."""
        if self._file is not None and self._end >= self._rotate_at:
            self.close()
        if self._file is None:
            self._open()
        offsets = [self._end]
        for record in records[:-1]:
            offsets.append(offsets[-1] + len(record))
        self._write(b"".join(records))
        return self._path.name.removesuffix(_OPEN), offsets

    def close(self) -> None:
        """Seal the file in hand, if any."""
        if self._file is None:
            return
        self._let_go()
        try:
            _seal(self._path)
        except OSError as error:
            raise _not_written(self._path, error) from error

    def _open(self) -> None:
        self._serial += 1
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{self._run_id:06d}-{self._serial:05d}.warc.gz"
        self._path = self._directory / (name + _OPEN)
        self._end = 0
        try:
            with _locked(self._directory):
                self._file = os.open(self._path, _CREATE, 0o600)
                fcntl.flock(self._file, fcntl.LOCK_EX)
            _sync_directory(self._directory)
        except OSError as error:
            self._cut_back()
            raise _not_written(self._path, error) from error
        self._write(_warcinfo_record(name, self._warcinfo))

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError as error:
            self._cut_back()
            raise _not_written(self._path, error) from error
        self._end += len(data)

    def _cut_back(self) -> None:
        """To the last whole record; a file without any is taken away.

        If the disk refuses even that, the file is left to `seal_leftovers` and a new one begins.
        """
        if self._file is None:
            return
        try:
            os.ftruncate(self._file, self._end)
            if self._end:
                return
            self._path.unlink()
        except OSError:
            logger.warning("%s could not be cut back to %d bytes", self._path, self._end)
        self._let_go()

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def seal_leftovers(directory: Path) -> list[Path]:
    """Seal the files that dead runs left open, cut behind their last whole record.

    Returns the sealed files. A file some live run is writing is left alone. Raises WarcNotWritten.
    """
    try:
        with _locked(directory):
            leftovers = sorted(directory.glob(f"*{_OPEN}"))
            return [path for path in map(_seal_leftover, leftovers) if path]
    except OSError as error:
        raise _not_written(directory, error) from error


def locate(directory: Path, name: str) -> Path:
    """Where the file of this name lies, sealed or still open. Raises WarcNotReadable."""
    for path in (directory / name, directory / (name + _OPEN)):
        if path.exists():
            return path
    raise WarcNotReadable(
        f"{directory / name} is missing: bring it back from where it was moved, or set GONGKAI_HOME"
    )


def records(path: Path, offset: int = 0) -> Iterator[tuple[int, int, dict[str, str], bytes]]:
    """Offset, length, WARC headers and block of every record from `offset` on.

    Raises WarcNotReadable at the first that is torn.
    """
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    try:
        with path.open("rb") as file:
            file.seek(offset)
            found = ArchiveIterator(file, no_record_parse=True)
            for record in found:
                headers, block = dict(record.rec_headers.headers), record.raw_stream.read()
                start = found.get_record_offset()
                yield start, found.get_record_length(), headers, block
    except (OSError, ArchiveLoadFailed, zlib.error) as error:
        raise _torn(path, offset, error) from error


def read_record(path: Path, offset: int) -> tuple[dict[str, str], bytes, bytes]:
    """One record: its WARC headers, the HTTP head with its blank line, and the body.

    For a record that is no HTTP message the head is empty. Raises WarcNotReadable.
    """
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    try:
        with path.open("rb") as file:
            file.seek(offset)
            record = next(ArchiveIterator(file, no_record_parse=True), None)
            if record is None:
                raise WarcNotReadable(f"{path} has no record at {offset}: bring back a whole copy")
            headers = dict(record.rec_headers.headers)
            block = record.raw_stream.read()
    except (OSError, ArchiveLoadFailed, zlib.error) as error:
        raise _torn(path, offset, error) from error
    if len(block) != int(headers.get("Content-Length", -1)):
        raise WarcNotReadable(f"{path} ends within the record at {offset}: bring back a whole copy")
    if not headers.get("Content-Type", "").startswith("application/http"):
        return headers, b"", block
    return headers, *split(block)


def _connection(exchange: Exchange) -> list[Header]:
    """How the exchange was carried: fields of WARC 1.1 and of its community's proposals."""
    fields: list[Header] = []
    if exchange.ip:
        fields.append(("WARC-IP-Address", exchange.ip))
    if exchange.protocol:
        fields.append(("WARC-Protocol", exchange.protocol))
    if exchange.tls:
        fields.append(("WARC-Protocol", exchange.tls.protocol))
        fields.append(("WARC-Cipher-Suite", exchange.tls.cipher))
        fields.append(("WARC-Gongkai-Certificate", exchange.tls.certificate))
    if exchange.reconstructed:
        # Order, case or the reason phrase may differ from what went over the wire.
        fields.append(("WARC-Gongkai-Head", "reconstructed"))
    return fields


def _profile(original: Original | None, status: int) -> tuple[str, list[Header]]:
    """The record type, and for a revisit what replay tools need to find the payload."""
    if original is None:
        return "response", []
    return "revisit", [
        ("WARC-Profile", NOT_MODIFIED if status == 304 else IDENTICAL),
        ("WARC-Refers-To", original.record_id),
        ("WARC-Refers-To-Target-URI", original.url),
        ("WARC-Refers-To-Date", warc_date(original.date)),
    ]


def _warcinfo_record(name: str, fields: Mapping[str, str]) -> bytes:
    headers = [
        ("WARC-Record-ID", new_record_id()),
        ("WARC-Date", warc_date(datetime.now(UTC))),
        ("WARC-Filename", name),
    ]
    block = "".join(f"{field}: {value}\r\n" for field, value in fields.items()).encode()
    return _record("warcinfo", headers, "application/warc-fields", block)


def _record(kind: str, headers: Sequence[Header], content_type: str, block: bytes) -> bytes:
    """One gzip member. Raises ValueError for a line break in a header."""
    lines = [
        ("WARC-Type", kind),
        *headers,
        ("WARC-Block-Digest", digest(block)),
        ("Content-Type", content_type),
        ("Content-Length", str(len(block))),
    ]
    for name, value in lines:
        if "\r" in value or "\n" in value:
            raise ValueError(f"a line break in {name}: {value!r}")
    head = "WARC/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
    gzip = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    return gzip.compress(head.encode() + block + b"\r\n\r\n") + gzip.flush()


def split(block: bytes) -> tuple[bytes, bytes]:
    """The block of an HTTP record as head, with its blank line, and body."""
    found = _BLANK_LINE.search(block)
    end = found.end() if found else len(block)
    return block[:end], block[end:]


def _seal_leftover(path: Path) -> Path | None:
    with path.open("r+b") as file:
        if not _try_lock(file.fileno()):
            return None
        end = _whole_length(file.fileno())
        os.ftruncate(file.fileno(), end)
        os.fsync(file.fileno())
    if end:
        return _seal(path)
    path.unlink()
    return None


def _seal(path: Path) -> Path:
    sealed = path.with_name(path.name.removesuffix(_OPEN))
    path.rename(sealed)
    _sync_directory(path.parent)
    return sealed


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keeps a file from being taken for a leftover between its making and its own lock."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _sync_directory(directory: Path) -> None:
    """A new or renamed file is durable only when its folder is."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _whole_length(handle: int) -> int:
    """The end of the last whole exchange: an answer whose request is torn is torn itself."""
    good = position = 0
    member, begun = zlib.decompressobj(_GZIP), b""
    with suppress(zlib.error):
        while rest := os.read(handle, 1 << 16):
            while rest:
                content = member.decompress(rest)
                begun += content[: len(_ANSWERS[0]) - len(begun)]
                used = len(rest) - len(member.unused_data)
                position += used
                rest = rest[used:]
                if member.eof:
                    good = good if begun.startswith(_ANSWERS) else position
                    member, begun = zlib.decompressobj(_GZIP), b""
    return good


def _torn(path: Path, offset: int, error: Exception) -> WarcNotReadable:
    return WarcNotReadable(
        f"{path} has no whole record at {offset} ({str(error).strip()}): "
        "bring the file back from a copy"
    )


def _not_written(path: Path, error: OSError) -> WarcNotWritten:
    return WarcNotWritten(
        f"cannot write {path} ({error.strerror}): make room or make the folder writable, "
        "then start the run again"
    )
