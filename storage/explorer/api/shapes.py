"""The JSON Schema of what a question returns, read from its types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from inspect import getdoc
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

Schema = dict[str, Any]

_PLAIN: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    Any: {},
    object: {},
}


class Shapes:
    """Schemas of types; those of TypedDicts stand once, in `components`."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def of(self, kind: Any) -> Schema:
        """The schema of a type. Raises TypeError for one that JSON has nothing for."""
        if is_typeddict(kind):
            return self._named(kind)
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        origin, args = get_origin(kind), get_args(kind)
        if origin in (Annotated, Required, NotRequired):
            return self.of(args[0])
        if origin is Literal:
            return {"enum": list(args)}
        if origin in (Union, UnionType):
            return self._any(args)
        if origin in (list, Sequence) or (origin is tuple and args[1:] == (...,)):
            return {"type": "array", "items": self.of(args[0])}
        if origin is tuple:
            items = [self.of(each) for each in args]
            return {"type": "array", "prefixItems": items, "minItems": len(args), "items": False}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(args[1])}
        raise TypeError(f"no JSON Schema for {kind}")

    def fields(self, kind: Any) -> Schema:
        """The schema of a TypedDict itself: an object with these fields and no others."""
        hints = get_type_hints(kind, include_extras=True)
        properties = {name: self.of(each) for name, each in hints.items()}
        # `__required_keys__` does not see NotRequired where annotations are texts.
        required = [
            name
            for name, each in hints.items()
            if get_origin(each) is not NotRequired and name not in kind.__optional_keys__
        ]
        return {
            "type": "object",
            "description": " ".join((getdoc(kind) or "").split()),
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }

    def _named(self, kind: Any) -> Schema:
        name = f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"
        if name not in self.components:
            # Before its fields are read: a shape may hold itself.
            self.components[name] = {}
            self.components[name] = self.fields(kind)
        return {"$ref": f"#/components/schemas/{name}"}

    def _any(self, args: tuple[Any, ...]) -> Schema:
        schemas = [self.of(each) for each in args]
        plain = [each["type"] for each in schemas if set(each) == {"type"}]
        if len(plain) == len(schemas):
            return {"type": list(dict.fromkeys(plain))}
        return {"anyOf": schemas}
