"""Scrapy believes a declared charset even when it is wrong; the bytes decide here."""

from __future__ import annotations

from scrapy import Request
from scrapy.http import Response, TextResponse

from crawler.documents.charset import decode


class EncodingMiddleware:
    """Gives every text answer the encoding its bytes are in."""

    def process_response(self, request: Request, response: Response) -> Response:
        if not isinstance(response, TextResponse) or not response.body:
            return response
        declared = response.headers.get("Content-Type", b"") or b""
        decoded = decode(response.body, _charset(declared.decode("latin-1")))
        return response.replace(encoding=decoded.used)


def _charset(content_type: str) -> str | None:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip(" \"'") or None
    return None
