"""The bytes: what is written can be read and checked by others, and a bad disk leaves no halves."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from storage.capture import warc
from storage.errors import WarcNotReadable, WarcNotWritten
from tests.databases import NOW, exchange


def records(body: bytes = b"body", **changes: object) -> list[bytes]:
    made = exchange(body, **changes)  # type: ignore[arg-type]
    return warc.exchange_records(made, 7, "ok", NOW, warc.new_record_id(), warc.digest(body), None)


def writer(directory: Path, **options: int) -> warc.WarcWriter:
    return warc.WarcWriter(directory, 7, {"software": "gongkai/test"}, **options)


def check(paths: Sequence[Path]) -> int:
    """What `warcio check` exits with."""
    checker = Checker(SimpleNamespace(inputs=[str(path) for path in paths], verbose=False))
    return int(checker.process_all())


def types(path: Path) -> list[str]:
    with path.open("rb") as file:
        return [record.rec_type for record in ArchiveIterator(file)]


def test_a_record_comes_back_to_the_byte(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200  Fine, thanks\r\nx-A: 1\r\nX-a: 2\r\nDate:x\r\n\r\n"
    body = b"\r\n\r\nfour line breaks first"
    out = writer(tmp_path)
    name, offsets = out.append(records(body, head=head, reconstructed=True))
    out.close()
    headers, got_head, got_body = warc.read_record(tmp_path / name, offsets[0])
    assert (got_head, got_body) == (head, body)
    assert headers["WARC-Type"] == "response"
    assert headers["WARC-Date"] == "2026-03-06T06:38:00.000000Z"
    assert headers["WARC-Payload-Digest"] == warc.digest(body)
    assert headers["WARC-IP-Address"] == "127.0.0.1"
    assert headers["WARC-Protocol"] == "http/1.1"
    assert headers["WARC-Gongkai-Head"] == "reconstructed"


def test_header_bytes_of_a_gbk_file_name_survive(tmp_path: Path) -> None:
    name = "报告.docx".encode("gbk")
    head = b'HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename="' + name + b'"\r\n\r\n'
    out = writer(tmp_path)
    file, offsets = out.append(records(head=head))
    out.close()
    assert warc.read_record(tmp_path / file, offsets[0])[1] == head
    assert check([tmp_path / file]) == 0


def test_the_request_follows_and_names_its_response(tmp_path: Path) -> None:
    out = writer(tmp_path)
    name, offsets = out.append(records())
    out.close()
    response, _, _ = warc.read_record(tmp_path / name, offsets[0])
    request, head, body = warc.read_record(tmp_path / name, offsets[1])
    assert request["WARC-Concurrent-To"] == response["WARC-Record-ID"]
    assert head.startswith(b"GET /info/3168/1.htm HTTP/1.1\r\n")
    assert body == b""


def test_every_file_begins_with_its_warcinfo_and_is_clean(tmp_path: Path) -> None:
    out = writer(tmp_path, rotate_at=1500)
    for number in range(6):
        out.append(records(os.urandom(200) + b"%d" % number))
    out.append(records(b"", status=404, head=b"HTTP/1.1 404 Not Found\r\n\r\n"))
    out.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) > 2
    assert all(path.name.endswith(f"-000007-{n:05}.warc.gz") for n, path in enumerate(files, 1))
    assert check(files) == 0
    for path in files:
        assert types(path)[0] == "warcinfo"
        assert set(types(path)[1:]) == {"response", "request"}


def test_the_checker_would_see_a_changed_byte(tmp_path: Path) -> None:
    tampered = records(b"body")
    digest = warc.digest(b"body")
    tampered[0] = warc.exchange_records(
        exchange(b"Body"), 7, "ok", NOW, warc.new_record_id(), digest, None
    )[0]
    out = writer(tmp_path)
    name, _ = out.append(tampered)
    out.close()
    assert check([tmp_path / name]) == 1


def test_an_open_file_is_marked_and_readable(tmp_path: Path) -> None:
    out = writer(tmp_path)
    name, offsets = out.append(records(b"here already"))
    assert [path.name for path in tmp_path.iterdir()] == [name + ".open"]
    path = warc.locate(tmp_path, name)
    assert warc.read_record(path, offsets[0])[2] == b"here already"
    assert check([path]) == 0
    out.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert warc.locate(tmp_path, name) == tmp_path / name


def test_a_full_disk_leaves_only_whole_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = writer(tmp_path)
    name, offsets = out.append(records(b"kept"))
    size = (tmp_path / (name + ".open")).stat().st_size

    room = 100

    def write(handle: int, data: memoryview) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.writev(handle, [data[:room]])
        room -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(WarcNotWritten, match=r"No space left on device.*make room"):
            out.append(records(os.urandom(1000)))
    assert (tmp_path / (name + ".open")).stat().st_size == size

    _, later = out.append(records(b"after room was made"))
    out.close()
    assert later[0] == size
    assert check([tmp_path / name]) == 0
    assert warc.read_record(tmp_path / name, offsets[0])[2] == b"kept"


def test_a_disk_full_from_the_start_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    out = writer(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(WarcNotWritten):
            out.append(records())
    assert not [path for path in tmp_path.iterdir() if path.stat().st_size]
    name, _ = out.append(records())
    out.close()
    assert check([tmp_path / name]) == 0


@pytest.mark.parametrize("torn", [1, 40, 200])
def test_a_file_of_a_dead_run_is_cut_and_sealed(tmp_path: Path, torn: int) -> None:
    dead = writer(tmp_path)
    name, _ = dead.append(records(b"whole"))
    dead._let_go()  # the process dies: its locks go with it
    path = tmp_path / (name + ".open")
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(records(os.urandom(2000))[0][:torn])

    assert warc.seal_leftovers(tmp_path) == [tmp_path / name]
    assert (tmp_path / name).stat().st_size == whole
    assert check([tmp_path / name]) == 0
    assert types(tmp_path / name) == ["warcinfo", "response", "request"]


def test_a_file_in_use_is_no_leftover(tmp_path: Path) -> None:
    live = writer(tmp_path)
    name, _ = live.append(records())
    assert warc.seal_leftovers(tmp_path) == []
    live.append(records(b"still mine"))
    live.close()
    assert check([tmp_path / name]) == 0


def test_an_empty_leftover_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "20260101T000000000000Z-000001-00001.warc.gz.open").touch()
    assert warc.seal_leftovers(tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_a_record_that_is_not_there_is_named(tmp_path: Path) -> None:
    out = writer(tmp_path)
    name, offsets = out.append(records(os.urandom(500)))
    out.close()
    path = tmp_path / name
    with pytest.raises(WarcNotReadable, match=r"no whole record|no record"):
        warc.read_record(path, offsets[0] + 3)
    with pytest.raises(WarcNotReadable, match="no record"):
        warc.read_record(path, path.stat().st_size)
    os.truncate(path, offsets[0] + 400)
    with pytest.raises(WarcNotReadable, match=r"within the record|no whole record"):
        warc.read_record(path, offsets[0])
    with pytest.raises(WarcNotReadable, match="is missing"):
        warc.locate(tmp_path, "gone.warc.gz")


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\nbody", b"", b"a\n\nb\n\n"]
)
def test_a_head_without_its_one_blank_line_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match="blank line"):
        records(head=head)


def test_a_line_break_cannot_be_smuggled_into_a_header() -> None:
    with pytest.raises(ValueError, match="line break in WARC-Target-URI"):
        records(url="http://a/\r\nWARC-Type: response")
