"""What stands in a WARC record is what went over the wire, to the byte."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.capture.captures import payload
from storage.capture.warc import read_record
from storage.database import make_engine
from storage.schema import attempts, captures, warc_files
from tests.crawling import Operator

NOT_THERE = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
HOME = "http://www.xjsmgq.gov.cn/"

# Case, order, repeated fields, white space, a folded line, a line without a colon, bytes of GBK.
STRANGE = (
    b"HTTP/1.1 200 \xba\xc3\xb5\xc4 Fine, thanks\r\n"
    b"x-lower: 1\r\nX-UPPER:2\r\nSet-Cookie: a=1\r\nset-cookie:   b=2  \r\n"
    b"Content-Disposition: attachment; filename=\xb1\xa8\xb8\xe6.doc\r\n"
    b"X-Folded: one\r\n\ttwo\r\nno colon here\r\n"
)
LF_ONLY = b"HTTP/1.0 200 OK\nServer: old\nContent-Length: 5\n\n"


@pytest.fixture(params=["sqlite"])
def dialect(request: pytest.FixtureRequest) -> str:
    """What goes over the wire does not ask which database there is; test_crawl has both."""
    return str(request.param)


@contextmanager
def serving(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that answers the home page with these bytes and hangs up; the requests for it."""
    asked: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                head = b""
                while b"\r\n\r\n" not in head and (heard := connection.recv(65536)):
                    head += heard
                if not head:
                    continue
                home = head.startswith(b"GET " + HOME.encode() + b" ")
                if home:
                    asked.append(head)
                with suppress(OSError):  # who was told enough hangs up
                    connection.sendall(answer if home else NOT_THERE)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def crawl(tmp_path: Path, database_url: str, answer: bytes) -> tuple[Operator, list[bytes]]:
    with serving(answer) as (url, asked):
        operator = Operator(tmp_path, url, database_url)
        operator.crawl("urumqi_districts", portals="shuimogou")
    return operator, asked


def records(operator: Operator) -> list[tuple[bytes, bytes, bytes]]:
    """(request head, response head, body) of every capture of the home page."""
    engine = make_engine(operator.database_url, writing=False)
    query = (
        sa.select(warc_files.c.name, captures.c.id, captures.c.warc_offset, captures.c.warc_length)
        .join(warc_files, warc_files.c.id == captures.c.warc_file_id)
        .where(captures.c.url == HOME)
        .order_by(captures.c.id)
    )
    found = []
    with engine.connect() as connection:
        for row in connection.execute(query):
            path = operator.home / "warc" / row.name
            headers, head, _ = read_record(path, row.warc_offset)
            _, asked, _ = read_record(path, row.warc_offset + row.warc_length)
            assert "WARC-Gongkai-Head" not in headers
            found.append((asked, head, payload(engine, operator.home / "warc", row.id)))
    engine.dispose()
    return found


def attempts_of(database_url: str) -> list[str]:
    """The outcomes of the attempts at the home page."""
    engine = make_engine(database_url, writing=False)
    query = sa.select(attempts.c.outcome).where(attempts.c.url == HOME).order_by(attempts.c.id)
    with engine.connect() as connection:
        told = list(connection.execute(query).scalars())
    engine.dispose()
    return told


@pytest.mark.parametrize(
    ("head", "sent", "body"),
    [
        (STRANGE + b"Content-Length: 5\r\n\r\n", b"hello", b"hello"),
        (LF_ONLY, b"hello", b"hello"),
        (b"HTTP/1.1 200\r\n\r\n", b"until the end", b"until the end"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-After: 1\r\n\r\n",
            b"3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: x\r\n\r\n",
            b"hello",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n",
            b"\x1f\x8bno",
            b"\x1f\x8bno",
        ),
    ],
    ids=["strange", "lf only", "no reason, no length", "chunked", "broken gzip"],
)
def test_heads_and_body_are_kept_to_the_byte(
    tmp_path: Path, database_url: str, head: bytes, sent: bytes, body: bytes
) -> None:
    operator, asked = crawl(tmp_path, database_url, head + sent)
    (request, response, kept) = records(operator)[0]
    assert response == head
    assert kept == body
    assert request == asked[0]


def test_a_continue_before_the_answer_is_no_part_of_it(tmp_path: Path, database_url: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    operator, _ = crawl(tmp_path, database_url, b"HTTP/1.1 100 Continue\r\n\r\n" + head + b"ok")
    assert records(operator)[0][1:] == (head, b"ok")


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf", b"half"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf", b"half"),
    ],
)
def test_what_came_of_a_truncated_answer_is_kept_as_evidence(
    tmp_path: Path, database_url: str, answer: bytes, kept: bytes
) -> None:
    operator, asked = crawl(tmp_path, database_url, answer)
    assert [body for _, _, body in records(operator)] == [kept] * 3
    assert len(asked) == 3
    assert attempts_of(database_url) == ["truncated"] * 3


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"", "reset"),
        (b"HTTP/1.1 200 OK\r\nServer: half a he", "reset"),
        (b"garbage\r\n\r\n", "failed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", "failed"),
        (b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n", "too_large"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Many: xxxxxxxxxxxx\r\n" * 20_000 + b"\r\n", "too_large"),
    ],
)
def test_what_is_no_answer_leaves_a_row_each_time(
    tmp_path: Path, database_url: str, answer: bytes, outcome: str
) -> None:
    operator, asked = crawl(tmp_path, database_url, answer)
    assert attempts_of(database_url) == [outcome] * len(asked) == [outcome] * 3
    assert operator.ask("runs")[0]["state"] == "incomplete"


@pytest.mark.parametrize(
    ("head", "sent", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"x" * 300, b""),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 300_000, b"x" * 100_000),
    ],
    ids=["declared", "endless"],
)
def test_what_is_too_large_is_kept_as_far_as_it_came(
    tmp_path: Path, database_url: str, head: bytes, sent: bytes, kept: bytes
) -> None:
    with serving(head + sent) as (url, _):
        operator = Operator(tmp_path, url, database_url)
        operator.crawl("urumqi_districts", "-s", "DOWNLOAD_MAXSIZE=100000", portals="shuimogou")
    ((_, response, body),) = records(operator)
    assert response == head
    assert body.startswith(kept)
    assert len(body) < 250_000
    assert attempts_of(database_url) == ["too_large"]


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (gzip.compress(bytes(20_000_000)), "too_large"),
        (gzip.compress(b"page" * 1000)[:-20], "truncated"),
        (gzip.compress(b"page" * 1000)[:-9] + b"xxxxxxxxx", "truncated"),
    ],
    ids=["bomb", "cut", "damaged"],
)
def test_what_is_wrong_with_the_compression_is_told_and_the_bytes_are_kept(
    tmp_path: Path, database_url: str, body: bytes, outcome: str
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    operator, asked = crawl(tmp_path, database_url, head + body)
    assert {kept for _, _, kept in records(operator)} == {body}
    assert attempts_of(database_url) == [outcome] * len(asked)
