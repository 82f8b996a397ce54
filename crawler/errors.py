"""Our failures, drawn as a tree. Every message names the thing and the cure.

GongkaiError
├── ConfigurationError     what the operator set cannot be used (exit code 2)
│   ├── RegistryError      a portal's file is wrong: names file and key
│   ├── ContactError       a live crawl without someone to write to
│   ├── PaceError          GONGKAI_PACE where it is not allowed
│   ├── ReplicaError       a rehearsal whose replica does not answer
│   └── BusyError          another process is crawling the same portal (exit code 6)
├── NothingDue             the schedule asks for nothing now: no failure (exit code 0)
└── SourceError            a source cannot be had: no such file, no such capture
    └── Unreadable         its bytes open as no document: names the rule of crawler/words.toml
"""

from __future__ import annotations

from crawler.words import said


class GongkaiError(Exception):
    """Raised when gongkai cannot go on; the message is one line and ends with the cure."""


class ConfigurationError(GongkaiError):
    """Raised when a setting, a file or the environment of the operator cannot be used."""


class RegistryError(ConfigurationError):
    """Raised when a portal's TOML file is malformed or holds an unknown key, code or CMS."""


class ContactError(ConfigurationError):
    """Raised when a live crawl would start without a contact."""


class PaceError(ConfigurationError):
    """Raised when the pace is changed although the requests would reach real portals."""


class ReplicaError(ConfigurationError):
    """Raised when a rehearsal's proxy does not answer."""


class BusyError(ConfigurationError):
    """Raised when another process is crawling one of the portals: the one whose key is `portal`."""

    def __init__(self, message: str, portal: str) -> None:
        super().__init__(message)
        self.portal = portal


class NothingDue(GongkaiError):
    """Raised in place of a run that would ask for nothing."""


class SourceError(GongkaiError):
    """Raised when a source file or capture cannot be had."""


class Unreadable(SourceError):
    """Raised by a reader for bytes that open as no document: torn, encrypted, a bomb, unknown.

    `rule` and `facts` as in crawler/words.toml; the archive keeps them as a finding. A library's
    own failure on hostile bytes becomes `Unreadable("damaged", kind=…, why=…)`.
    """

    def __init__(self, rule: str, **facts: str) -> None:
        super().__init__(said(rule, facts).en)
        self.rule = rule
        self.facts = facts
