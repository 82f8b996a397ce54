"""The resources of the API, a module a group; a module here is found by standing here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from storage.explorer.api.declare import Endpoint


@cache
def endpoints() -> Sequence[Endpoint]:
    """Every resource, in the order of its path."""
    modules = (import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__))
    return sorted((each for module in modules for each in module.ENDPOINTS), key=lambda e: e.path)
