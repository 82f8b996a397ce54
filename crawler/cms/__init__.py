"""Dialects: what a listing, an article and an attachment look like, one class a file."""

from crawler.cms.base import (
    Article,
    Cms,
    Link,
    Listing,
    Page,
    cms_by_key,
    parse_page,
    recognise,
)

__all__ = ["Article", "Cms", "Link", "Listing", "Page", "cms_by_key", "parse_page", "recognise"]
