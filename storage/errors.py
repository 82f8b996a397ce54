"""Our failures, drawn as a tree. Every message names the thing and the cure, on one line.

StorageError
├── SettingsError           an environment variable cannot be used as it stands
├── DirectoryError          a folder cannot be made or written
├── DiskNearlyFull          what is asked for could not be kept
├── DatabaseError
│   ├── DatabaseUnavailable   nobody answers, or it stayed locked for too long
│   ├── NotAnArchive          something else lives at this address
│   ├── SchemaTooOld          this checkout is newer than the database
│   ├── SchemaTooNew          this checkout is older than the database
│   └── PortalBusy            another machine is crawling the same portal
├── WarcError
│   ├── WarcNotWritten        the disk refused; nothing half-written is left
│   └── WarcNotReadable       a record is not where its row says, or not what it was
├── ManifestBroken          the chain of the manifest cannot be continued
├── BadQuestion             a question asks for what cannot be: a date, a basis, a cell, a cursor
├── SearchNotReady          the index of words does not hold the archive yet
└── NotInArchive            an organ, a report or a capture that the archive does not hold
    └── Withdrawn             it holds it, and shows it to nobody
"""

from __future__ import annotations


class StorageError(Exception):
    """Root of everything the archive refuses to do; `archive` prints it as one line."""


class SettingsError(StorageError):
    """Raised when an environment variable cannot be used as it stands."""


class DirectoryError(StorageError):
    """Raised when a folder cannot be made or written."""


class DiskNearlyFull(StorageError):
    """Raised before a request when too little room is left to keep an answer."""


class DatabaseError(StorageError):
    """Raised when the database cannot be used."""


class DatabaseUnavailable(DatabaseError):
    """Raised when the database does not answer or stays locked."""


class NotAnArchive(DatabaseError):
    """Raised when the address leads to something that is no archive of ours."""


class SchemaTooOld(DatabaseError):
    """Raised when the database has an older schema than this checkout."""


class SchemaTooNew(DatabaseError):
    """Raised when the database has a schema this checkout does not know."""


class PortalBusy(DatabaseError):
    """Raised when another process holds the lock of `portal` in the database."""

    def __init__(self, message: str, portal: str) -> None:
        super().__init__(message)
        self.portal = portal


class WarcError(StorageError):
    """Raised when bytes cannot be kept or got back."""


class WarcNotWritten(WarcError):
    """Raised when a record could not be made durable; the file ends at its last whole record."""


class WarcNotReadable(WarcError):
    """Raised when a record is not where its row says, or its digest differs."""


class ManifestBroken(StorageError):
    """Raised when an entry of the manifest was changed, moved or taken away."""


class BadQuestion(StorageError):
    """Raised when a question asks for what cannot be; the message says what could."""


class SearchNotReady(StorageError):
    """Raised when the index of words was not made yet, or by another rule."""


class NotInArchive(StorageError):
    """Raised when a question names something the archive does not hold."""


class Withdrawn(NotInArchive):
    """Raised when a question names what was withdrawn; the message says when and why."""


class WithdrawalRefused(StorageError):
    """Raised when a withdrawal has no reason, no author, or nothing to withdraw or restore."""


class CorrectionRefused(StorageError):
    """Raised when a correction has no cell, no evidence, or nothing to correct."""
