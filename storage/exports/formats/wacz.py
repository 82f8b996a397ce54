"""WACZ, a file a portal and reporting year: pages and attachments as they were captured.

The records lie in it byte for byte as they were written. What is withdrawn, has a number of a
person in it or could not be looked into stays here, and is counted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections import Counter
from datetime import datetime
from io import BytesIO, TextIOWrapper
from itertools import groupby
from pathlib import Path
from typing import Any

from cdxj_indexer.main import CDXJIndexer

from storage.capture.warc import locate
from storage.care.leaving import shown
from storage.exports.sights import ORPHANS, Sight, capture, sights, why_not
from storage.exports.source import Source
from storage.queries.bytes import Door

_VERSION = "1.1.1"
# Of the zip format's beginning: the time of nothing.
_TIME = (1980, 1, 1, 0, 0, 0)


def write(folder: Path, source: Source) -> None:
    """`<portal>-<year>.wacz`, where anything of it may leave. Raises WarcNotReadable."""
    door = Door(source.connection)
    found = sights(source.connection, source.wanted)
    for (portal, year), group in groupby(found, key=lambda each: (each.portal, each.year)):
        left_out: Counter[str] = Counter()
        kept = _kept(source, door, list(group), left_out)
        source.left_out.update(left_out)
        source.rows["captures"] += len(kept)
        if kept:
            _write(folder, f"{portal}-{year}", source, kept, left_out)


def _kept(source: Source, door: Door, group: list[Sight], left_out: Counter[str]) -> list[Sight]:
    """What leaves; a revisit together with the capture that holds its payload, or not at all."""
    directory = source.settings.warc_directory
    kept: dict[int, Sight] = {}
    for sight in sorted(group, key=lambda each: (each.revisit_of is not None, each.capture_id)):
        why = why_not(door, directory, sight)
        if not why and sight.revisit_of is not None and sight.revisit_of not in kept:
            original = capture(source.connection, sight)
            if original is None or why_not(door, directory, original):
                why = ORPHANS
            else:
                kept[original.capture_id] = original
        if why:
            left_out[why] += 1
        else:
            kept[sight.capture_id] = sight
    return sorted(kept.values(), key=lambda each: (each.fetched_at, each.capture_id))


def _write(
    folder: Path, name: str, source: Source, kept: list[Sight], left_out: Counter[str]
) -> None:
    warc = folder / f"{name}.warc.gz"
    _records(warc, source.settings.warc_directory, kept)
    index, lines = _index(warc)
    with zipfile.ZipFile(folder / f"{name}.wacz", "w") as file:
        resources = [
            _add(file, f"archive/{warc.name}", warc),
            _add(file, "indexes/index.cdx.gz", lines),
            _add(file, "indexes/index.idx", index),
            _add(file, "pages/pages.jsonl", _pages(source, kept)),
        ]
        package = _dump(
            {
                "profile": "data-package",
                "title": f"gongkai {name}",
                "description": "Reports as captured. 按抓取原样保存的报告。",
                "created": f"{source.at:%Y-%m-%dT%H:%M:%SZ}",
                "wacz_version": _VERSION,
                "software": "gongkai",
                "archive": source.version,
                "left_out": dict(sorted(left_out.items())),
                "resources": resources,
            }
        )
        _add(file, "datapackage.json", package)
        digest = {"path": "datapackage.json", "hash": _digest(package)}
        _add(file, "datapackage-digest.json", _dump(digest))
    warc.unlink()


def _records(path: Path, directory: Path, kept: list[Sight]) -> None:
    """The gzip members, one behind the other."""
    with path.open("wb") as out:
        for sight in kept:
            with locate(directory, sight.file).open("rb") as file:
                file.seek(sight.offset)
                out.write(file.read(sight.length))


def _index(warc: Path) -> tuple[bytes, bytes]:
    """The index of the index, and the lines in compressed blocks."""
    first, lines = BytesIO(), BytesIO()
    text = TextIOWrapper(first, "utf-8", write_through=True)
    indexer = CDXJIndexer(
        text,
        [str(warc)],
        sort=True,
        post_append=True,
        compress=lines,
        lines=1024,
        digest_records=True,
        data_out_name="index.cdx.gz",
    )
    indexer.process_all()
    return first.getvalue(), lines.getvalue()


def _pages(source: Source, kept: list[Sight]) -> bytes:
    head = {"format": "json-pages-1.0", "id": "pages", "title": "报告 Reports"}
    told: list[dict[str, Any]] = [
        {
            "id": str(sight.capture_id),
            "url": sight.url,
            "ts": _second(sight.fetched_at),
            "title": sight.title,
        }
        for sight in kept
        if sight.part == "page"
    ]
    lines = [head, *shown(source.connection, told)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _second(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _add(file: zipfile.ZipFile, name: str, content: bytes | Path) -> dict[str, str | int]:
    """A member that is not compressed again, and its line in the data package."""
    member = zipfile.ZipInfo(name, _TIME)
    told = {"name": name.rpartition("/")[2].lower(), "path": name}
    if isinstance(content, bytes):
        file.writestr(member, content)
        return {**told, "hash": _digest(content), "bytes": len(content)}
    member.file_size = content.stat().st_size
    with content.open("rb") as source, file.open(member, "w") as out:
        shutil.copyfileobj(source, out)
    with content.open("rb") as source:
        digest = "sha256:" + hashlib.file_digest(source, "sha256").hexdigest()
    return {**told, "hash": digest, "bytes": member.file_size}


def _dump(said: dict[str, Any]) -> bytes:
    return (json.dumps(said, ensure_ascii=False, indent=1) + "\n").encode()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
