"""Answers on the wire: JSON, strong ETags, 304, HEAD.

An ETag is the digest of the body. The archive's state would be cheaper to hold against, but no few
figures tell it: a withdrawal, a correction or another parser changes what is answered without a new
capture. What is withdrawn must be gone at the next question, so a cache may keep an answer and has
to ask each time whether it still stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from storage.explorer.api.problems import Refusal

MEDIA_TYPE = "application/json"


def json_response(request: Request, body: Mapping[str, Any], links: Mapping[str, str]) -> Response:
    """`body`, or that the client has it; `links` go into the header too."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    headers = {"ETag": f'"{sha256(text).hexdigest()[:32]}"', "Cache-Control": "no-cache"}
    if links:
        headers["Link"] = ", ".join(f'<{to}>; rel="{rel}"' for rel, to in links.items())
    if _has(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        headers["Content-Length"] = str(len(text))
        text = b""
    return Response(text, media_type=MEDIA_TYPE, headers=headers)


def check_accept(request: Request) -> None:
    """Raises Refusal where the client wants no JSON."""
    accepted = request.headers.get("accept", "")
    if not accepted.strip():
        return
    for each in accepted.split(","):
        media, *more = (part.strip().lower() for part in each.split(";"))
        quality = next((part[2:] for part in more if part.startswith("q=")), "1")
        if media in (MEDIA_TYPE, "application/*", "*/*") and quality.strip("0.") != "":
            return
    raise Refusal("not-acceptable", accept=accepted)


def _has(asked: str, etag: str) -> bool:
    tags = [each.strip().removeprefix("W/") for each in asked.split(",")]
    return etag in tags or tags == ["*"]
