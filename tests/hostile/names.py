"""What is wrong with a download, as a browser takes it."""

from __future__ import annotations

import re
import unicodedata

from tests.browsing import Browser

_TYPES = {"application/pdf", "application/octet-stream"}
_NEVER = ("set-cookie", "refresh", "link", "location", "access-control-allow-origin")


def wrong_with(chromium: Browser, address: str) -> str:
    """Empty where it comes as an attachment, with a known type and a name that is only a name."""
    tab = chromium.page()
    answer = chromium.context.request.get(address)
    if answer.status == 403:
        # Numbers of persons stand in it: nothing leaves.
        return ""
    if answer.status != 200:
        return f"answered {answer.status}"
    said = answer.headers.get("content-disposition", "")
    if not said.startswith("attachment; "):
        return f"is not an attachment: {said!r}"
    if answer.headers["content-type"] not in _TYPES:
        return f"comes as {answer.headers['content-type']!r}"
    if found := [name for name in _NEVER if name in answer.headers]:
        return f"hands on {found}"
    with tab.expect_download() as coming:
        tab.evaluate("address => { location.href = address }", address)
    name = coming.value.suggested_filename
    coming.value.cancel()
    tab.close()
    return "" if is_safe(name) else f"is called {name!r}"


def is_safe(name: str) -> bool:
    """
    >>> is_safe("报告.pdf"), is_safe("../a.pdf"), is_safe("a.pdf.exe"), is_safe("a\\u202efdp.bin")
    (True, False, False, False)
    """
    return (
        re.fullmatch(r"[^./\\:*?\"<>|;$`&]+\.(?:pdf|bin)", name) is not None
        and len(name) < 100
        and not name.startswith((" ", "-"))
        and not any(unicodedata.category(sign).startswith("C") for sign in name)
        and re.match(r"(?i)(?:con|nul|aux|prn|com\d|lpt\d)\b", name) is None
        and "13900001000" not in name
    )
