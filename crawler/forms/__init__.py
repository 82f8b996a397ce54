"""PARSE 2: documents → cells of a statutory form, with states, checks and findings."""

import hashlib
from pathlib import Path

from crawler.forms.definition import Form, FormError, forms
from crawler.forms.nesting import nested
from crawler.forms.reading import read

__all__ = ["PARSER", "Form", "FormError", "forms", "nested", "read"]


def _version() -> str:
    """Of everything a reading follows from: whoever changes a label has another parser."""
    sources = Path(__file__).parents[1]
    digest = hashlib.sha256((sources / "words.toml").read_bytes())
    for room in ("cms", "documents", "forms"):
        for path in sorted((sources / room).rglob("*")):
            if path.suffix in (".py", ".toml"):
                digest.update(path.read_bytes())
    return f"forms/{digest.hexdigest()[:12]}"


# What made a reading; the archive keeps it with each.
PARSER = _version()
