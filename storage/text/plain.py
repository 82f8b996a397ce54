"""What portals wrote, as text that cannot pass for something else where people read it."""

from __future__ import annotations

import re
import unicodedata

_BLANK = re.compile(r"\s+")


def plain(text: str, longest: int) -> str:
    """One line without control characters or marks that turn the direction of writing.

    >>> plain("a title\\n[9] \\x1b[31mforged", 12)
    'a title [9]…'
    """
    kept = "".join(
        " " if char.isspace() else char
        for char in text
        if char.isspace() or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
    )
    folded = _BLANK.sub(" ", kept).strip()
    return folded if len(folded) <= longest else folded[: longest - 1] + "…"
