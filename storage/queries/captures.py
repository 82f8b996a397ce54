"""What is a capture: what was asked and answered, where its bytes lie, whose report is it?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

import sqlalchemy as sa

from storage.capture import warc
from storage.care.leaving import leaves, personal_in
from storage.care.withdrawals import capture_withdrawn
from storage.errors import NotInArchive, WarcNotReadable
from storage.schema import attempts, captures, observations, organs, warc_files
from storage.schema import shown_aliases as aliases
from storage.schema import shown_reports as reports
from storage.schema import shown_versions as versions
from storage.settings import Settings

# Beyond it databases raise instead of finding nothing.
_MOST = 2**31 - 1
# Outcomes of an attempt that got what stands at the address, or where to look for it.
_WELL = ("ok", "not_modified", "redirect")


class Record(TypedDict):
    """The WARC record that holds a payload: a capture's own, or for a revisit an earlier one's."""

    capture_id: int
    url: str
    fetched_at: str
    warc_file: str
    offset: int
    length: int
    record_id: str


class Whose(TypedDict):
    """The report that a capture shows. `version_id`, `part` and `name` are null where its address
    is one of the report's and no version was seen in this answer.
    """

    division_code: str
    organ: str
    year: int
    kind: str
    version_id: int | None
    part: str | None
    name: str | None
    title: str


class CaptureView(TypedDict):
    """One answer that was kept.

    Headers are pairs of name and value in their order, as served (latin-1); empty where `error`
    says why the record cannot be read and what to do. `size` is in bytes, `offset` and `length` lie
    in the WARC file, `held_by` is the record with the bytes. `masked` counts the numbers of persons
    that are covered in address and headers, by kind. Of a withdrawn capture nothing is told but
    since when and why (`withdrawn`).
    """

    id: int
    url: str | None
    fetched_at: str | None
    status: int | None
    content_type: str | None
    size: int | None
    payload_digest: str | None
    request_headers: list[list[str]]
    response_headers: list[list[str]]
    request_line: str | None
    status_line: str | None
    warc_file: str | None
    offset: int | None
    length: int | None
    record_id: str | None
    revisit_of: int | None
    held_by: Record | None
    run_id: int | None
    portal: str | None
    purpose: str | None
    outcome: str | None
    report: Whose | None
    withdrawn: str | None
    masked: dict[str, int]
    error: str | None


@leaves
def captured(connection: sa.Connection, settings: Settings, capture_id: int) -> CaptureView:
    """A capture with the heads of its record. Raises NotInArchive."""
    row = _row(connection, capture_id) if capture_id <= _MOST else None
    if row is None:
        raise NotInArchive(f"there is no capture {capture_id}: `archive history` lists them")
    stone = capture_withdrawn(connection, capture_id)
    if stone is not None:
        return _tombstone(capture_id, stone)
    asked, answered, error = _heads(settings, row)
    request_line, request_headers = lines_of(asked)
    status_line, response_headers = lines_of(answered)
    told = (row.url, request_line, status_line, *request_headers, *response_headers)
    return CaptureView(
        id=row.id,
        url=row.url,
        fetched_at=row.fetched_at.isoformat(),
        status=row.status,
        content_type=row.content_type,
        size=row.size,
        payload_digest=row.payload_digest,
        request_headers=request_headers,
        response_headers=response_headers,
        request_line=request_line,
        status_line=status_line,
        warc_file=row.file,
        offset=row.warc_offset,
        length=row.warc_length,
        record_id=row.record_id,
        revisit_of=row.revisit_of,
        held_by=_held_by(connection, row),
        run_id=row.run_id,
        portal=row.portal,
        purpose=row.purpose,
        outcome=row.outcome,
        report=_whose(connection, row),
        withdrawn=None,
        masked={str(kind): count for kind, count in personal_in(told).items()},
        error=error,
    )


@leaves
def nearest_capture(connection: sa.Connection, *, url: str, near: datetime) -> int | None:
    """The capture of an address that lies nearest to a moment: of those that were answered well,
    else of all; None where it was never captured. `http` and `https` are one.
    """
    c, a = captures.c, attempts.c
    told = url.partition("#")[0]
    scheme, _, rest = told.partition("://")
    other = {"http": "https", "https": "http"}.get(scheme, scheme)
    at = c.url.in_([told, f"{other}://{rest}"])
    for wanted in (a.outcome.in_(_WELL), sa.true()):
        query = sa.select(c.id, c.fetched_at).join(attempts, a.id == c.attempt_id).where(at, wanted)
        before = query.where(c.fetched_at <= near).order_by(c.fetched_at.desc(), c.id.desc())
        after = query.where(c.fetched_at > near).order_by(c.fetched_at, c.id)
        found = [
            row
            for each in (before, after)
            if (row := connection.execute(each.limit(1)).one_or_none()) is not None
        ]
        if found:
            return int(min(found, key=lambda row: abs(row.fetched_at - near)).id)
    return None


def lines_of(head: bytes) -> tuple[str | None, list[list[str]]]:
    """The first line of an HTTP head and its fields in their order; a folded field is one.

    >>> lines_of(b"HTTP/1.1 200 OK\\r\\nA: b\\r\\n c\\r\\n\\r\\n")
    ('HTTP/1.1 200 OK', [['A', 'b c']])
    """
    first, *rest = head.decode("latin-1").replace("\r\n", "\n").rstrip("\n").split("\n")
    fields: list[list[str]] = []
    for line in rest:
        if line[:1] in (" ", "\t") and fields:
            fields[-1][1] = f"{fields[-1][1]} {line.strip()}"
        else:
            name, _, value = line.partition(":")
            fields.append([name.strip(), value.strip()])
    return first or None, fields


def _row(connection: sa.Connection, capture_id: int) -> sa.Row[Any] | None:
    a = attempts.c
    query = (
        sa.select(captures, warc_files.c.name.label("file"))
        .add_columns(a.run_id, a.portal, a.purpose, a.outcome)
        .join(attempts, a.id == captures.c.attempt_id)
        .join(warc_files, warc_files.c.id == captures.c.warc_file_id)
        .where(captures.c.id == capture_id)
    )
    return connection.execute(query).one_or_none()


def _held_by(connection: sa.Connection, row: sa.Row[Any]) -> Record | None:
    """None where what holds the payload was withdrawn."""
    holder = row if row.revisit_of is None else _row(connection, row.revisit_of)
    if holder is None or (holder is not row and capture_withdrawn(connection, holder.id)):
        return None
    return Record(
        capture_id=holder.id,
        url=holder.url,
        fetched_at=holder.fetched_at.isoformat(),
        warc_file=holder.file,
        offset=holder.warc_offset,
        length=holder.warc_length,
        record_id=holder.record_id,
    )


def _heads(settings: Settings, row: sa.Row[Any]) -> tuple[bytes, bytes, str | None]:
    """The heads of request and response, and why there are none.

    The request's record follows that of its answer: both were written at once.
    """
    directory = settings.warc_directory
    try:
        path = warc.locate(directory, row.file)
        found, answered, _ = warc.read_record(path, row.warc_offset)
        _is_meant(found, "WARC-Record-ID", row, directory)
        follows, asked, _ = warc.read_record(path, row.warc_offset + row.warc_length)
        _is_meant(follows, "WARC-Concurrent-To", row, directory)
    except WarcNotReadable as error:
        # Where the archive lies on this machine is nobody's business.
        return b"", b"", str(error).replace(f"{directory}/", "")
    return asked, answered, None


def _is_meant(headers: dict[str, str], field: str, row: sa.Row[Any], directory: Path) -> None:
    if headers.get(field) != row.record_id:
        raise WarcNotReadable(
            f"{directory}/{row.file} has another record than {row.record_id} at "
            f"{row.warc_offset}: bring the file back from a copy"
        )


def _whose(connection: sa.Connection, row: sa.Row[Any]) -> Whose | None:
    """By what was seen in it, the page first; else by its address."""
    v, r, o = versions.c, reports.c, organs.c
    whose = (o.division_code, o.name.label("organ"), r.year, r.kind)
    seen = (
        sa.select(*whose, v.id, v.part, v.name, v.title)
        .select_from(observations)
        .join(versions, v.id == observations.c.version_id)
        .join(reports, r.id == v.report_id)
        .join(organs, o.id == r.organ_id)
        .where(observations.c.capture_id == row.id)
        .order_by(v.part.desc(), v.id)
        .limit(1)
    )
    at = (
        sa.select(*whose, sa.null(), sa.null(), sa.null(), aliases.c.title)
        .select_from(aliases)
        .join(reports, r.id == aliases.c.report_id)
        .join(organs, o.id == r.organ_id)
        .where(aliases.c.url == row.url)
        .order_by(aliases.c.id)
        .limit(1)
    )
    found = connection.execute(seen).one_or_none() or connection.execute(at).one_or_none()
    if found is None:
        return None
    division_code, organ, year, kind, version_id, part, name, title = found
    return Whose(
        division_code=division_code,
        organ=organ,
        year=year,
        kind=kind,
        version_id=version_id,
        part=part,
        name=name,
        title=title,
    )


def _tombstone(capture_id: int, sentence: str) -> CaptureView:
    return CaptureView(
        id=capture_id,
        url=None,
        fetched_at=None,
        status=None,
        content_type=None,
        size=None,
        payload_digest=None,
        request_headers=[],
        response_headers=[],
        request_line=None,
        status_line=None,
        warc_file=None,
        offset=None,
        length=None,
        record_id=None,
        revisit_of=None,
        held_by=None,
        run_id=None,
        portal=None,
        purpose=None,
        outcome=None,
        report=None,
        withdrawn=sentence,
        masked={},
        error=None,
    )
