"""What of a page or a file counts as its content: the digest two observations are compared by.

The rules are versioned: a page or file that differs only in what its rule leaves out is the same
version, seen again. docs/versions.md says what each leaves out.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from crawler.documents.canonical import ole, ooxml, page, pdf
from crawler.documents.canonical.base import MAX_BODY, Content, NotUnderstood
from crawler.documents.canonical.page import RULE, digest

__all__ = ["RULE", "RULES", "RULE_BYTES", "Canonical", "digest", "digest_file"]

RULE_BYTES = "bytes/1"
RULES = (page.RULE, ooxml.RULE, pdf.RULE, ole.RULE, RULE_BYTES)

_KINDS = (ooxml, pdf, ole)


class Canonical(NamedTuple):
    """sha256 (hex) of a file's content, and the rule that says what its content is."""

    digest: str
    rule: str


def digest_file(body: bytes) -> Canonical:
    """The content of a file, its kind told by its bytes.

    What no rule understands (another kind, damaged, encrypted, too large) counts as its bytes.
    Never raises.
    """
    kind = next((kind for kind in _KINDS if body.startswith(kind.MAGIC)), None)
    if kind is not None and len(body) <= MAX_BODY:
        content = Content(kind.RULE)
        try:
            kind.feed(body, content)
        except NotUnderstood:
            pass
        else:
            return Canonical(content.digest(), kind.RULE)
    return Canonical(hashlib.sha256(body).hexdigest(), RULE_BYTES)
