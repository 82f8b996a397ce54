"""One export: a folder that is there whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol, TypedDict, cast

import sqlalchemy as sa

from storage.errors import BadQuestion, DirectoryError, NotInArchive, SettingsError
from storage.evidence.manifest import FOLDER, read_chain
from storage.exports import formats as _formats
from storage.exports.source import Selection, Source, Version
from storage.schema import portals, runs
from storage.settings import Settings

# By this file an export is known again; it says what the others are.
ACCOUNT = "export.json"
_FORMAT = "gongkai-export/1"


class About(TypedDict):
    """What `export.json` says: which archive, which part of it, how much, which files."""

    export: str
    format: str
    archive: Version
    told_up_to: str
    wanted: dict[str, str | int | None]
    rows: dict[str, int]
    left_out: dict[str, int]
    files: dict[str, dict[str, str | int]]


class Format(Protocol):
    """A module of storage.exports.formats."""

    def write(self, folder: Path, source: Source) -> None:
        """Write its files into an empty folder."""


def formats() -> list[str]:
    """The formats there are."""
    return sorted(module.name for module in iter_modules(_formats.__path__))


def export(
    connection: sa.Connection, settings: Settings, name: str, out: Path, wanted: Selection
) -> About:
    """Write the folder `out`, in place of an earlier export or where nothing is.

    It tells of one moment, where the connection is of a `storage.database.consistent` engine; a
    transaction that it is in is ended first.

    Raises BadQuestion for a format there is not, SettingsError where its extra is missing,
    NotInArchive for an unknown portal, DirectoryError where it cannot be written.
    """
    form = _format(name)
    out = out.absolute()
    _check_free(out)
    # The seal first: a run that ends meanwhile must not seal rows that this moment does not see.
    version = version_of(settings)
    connection.rollback()
    _check_portal(connection, wanted.portal)
    source = Source(connection, settings, wanted, version, _moment(connection, version, wanted))
    half = out.with_name(f".{out.name}.{os.getpid()}.half")
    try:
        half.mkdir(parents=True)
        form.write(half, source)
        about = _about(name, source, half)
        said = json.dumps(about, ensure_ascii=False, indent=1) + "\n"
        (half / ACCOUNT).write_text(said, "utf-8")
        _put(half, out)
    except OSError as error:
        raise DirectoryError(
            f"cannot write {out} ({error.strerror or error}): make room or make its folder "
            "writable, then export again; nothing was left there"
        ) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return about


def _format(name: str) -> Format:
    if name not in formats():
        raise BadQuestion(f"the format {name}: it is one of {', '.join(formats())}")
    try:
        return cast(Format, import_module(f"{_formats.__name__}.{name}"))
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the format {name} needs the package {error.name}: "
            "install the extra with `pip install -e '.[export]'`"
        ) from error


def _check_portal(connection: sa.Connection, portal: str | None) -> None:
    known = connection.execute(sa.select(portals.c.key).order_by(portals.c.key)).scalars().all()
    if portal is not None and portal not in known:
        raise NotInArchive(f"the archive has no portal {portal}: it has {', '.join(known)}")


def _check_free(out: Path) -> None:
    """Nothing but an earlier export is replaced."""
    if not out.exists() and not out.is_symlink():
        return
    if out.is_dir() and not out.is_symlink():
        held = sorted(path.name for path in out.iterdir())
        if not held or _is_export(out / ACCOUNT):
            return
        raise DirectoryError(
            f"{out} holds something else ({held[0]}): name a folder that is empty or not there yet"
        )
    raise DirectoryError(f"{out} is no folder: name one that is empty or not there yet")


def _is_export(account: Path) -> bool:
    try:
        return bool(json.loads(account.read_bytes())["export"] == _FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _put(half: Path, out: Path) -> None:
    """In the place of what was there, which goes last."""
    if not out.exists():
        half.rename(out)
        return
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    out.rename(old)
    try:
        half.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old)


def version_of(settings: Settings) -> Version:
    """Which archive this is, by its newest seal."""
    head = read_chain(settings.home / FOLDER).head
    if head is None:
        return Version(manifest=None, sha256=None, sealed_at=None)
    return Version(manifest=head.name, sha256=head.digest, sealed_at=head.body["sealed_at"])


def _moment(connection: sa.Connection, version: Version, wanted: Selection) -> datetime:
    """Up to when the archive is told. Never now: the same archive is told alike tomorrow."""
    if wanted.as_of is not None:
        return wanted.as_of.at
    r = runs.c
    newest = connection.execute(
        sa.select(sa.func.max(sa.func.coalesce(r.ended_at, r.started_at)))
    ).scalar()
    moments = [] if newest is None else [_aware(newest)]
    if version["sealed_at"] is not None:
        moments.append(_aware(datetime.fromisoformat(version["sealed_at"])))
    return max(moments, default=datetime(1970, 1, 1, tzinfo=UTC))


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _about(name: str, source: Source, folder: Path) -> About:
    files: dict[str, dict[str, str | int]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            told: dict[str, Any] = {"bytes": path.stat().st_size, "sha256": digest}
            files[path.relative_to(folder).as_posix()] = told
    return About(
        export=_FORMAT,
        format=name,
        archive=source.version,
        told_up_to=source.at.isoformat(),
        wanted=source.wanted.told(),
        rows=dict(sorted(source.rows.items())),
        left_out=dict(sorted(source.left_out.items())),
        files=files,
    )
