"""The archive for programs: read-only JSON over the questions of storage.queries, /api/v1."""

from storage.explorer.api.access import Access
from storage.explorer.api.app import make_api

__all__ = ["Access", "make_api"]
