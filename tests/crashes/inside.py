"""Inside a crawler that is to die: what stands in its environment is done to it before it begins.

The product knows nothing of this. Functions of its `storage` modules are wrapped so that the
process kills itself at a chosen call, constants are set, and the clock is moved.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime as _TrueDatetime  # noqa: N812
from importlib import import_module
from itertools import count
from types import ModuleType, SimpleNamespace
from typing import Any

ORDERS = "GONGKAI_CRASH"


class _AnyDatetime(type):
    """What the true clock has made is a datetime for who asks the wrong one."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _TrueDatetime)


@dataclass(frozen=True)
class Orders:
    """What is to happen to a crawler.

    `at` is the place, `storage.capture.warc:os.fsync`: a module, and a path in it. `when` it dies:
    before or after the `nth` call, or half-way, when half of what the call was to write is written;
    or `hang`: that call never returns. `seen` counts only calls whose arguments show this text.
    `constants`: values by place. `clock`: seconds by which it goes wrong.
    """

    at: str = ""
    when: str = "after"
    nth: int = 1
    seen: str = ""
    constants: Mapping[str, Any] = field(default_factory=dict)
    clock: float = 0.0

    def environment(self) -> dict[str, str]:
        return {ORDERS: json.dumps(asdict(self))}


def obey() -> None:
    """Do what the environment orders; nothing where it orders nothing."""
    if ORDERS not in os.environ:
        return
    orders = Orders(**json.loads(os.environ[ORDERS]))
    if orders.clock:
        _move_clock(orders.clock)  # before anything of the product has taken the clock's name
    for place, value in orders.constants.items():
        owner, name = _find(place)
        setattr(owner, name, tuple(value) if isinstance(value, list) else value)
    if orders.at:
        owner, name = _find(orders.at)
        setattr(owner, name, _deadly(getattr(owner, name), orders))


def _find(place: str) -> tuple[Any, str]:
    """The object that has the last name of a path. A module in a module is made the latter's own:
    nobody else's `os` is touched.
    """
    module, _, path = place.partition(":")
    *inner, name = path.split(".")
    owner: Any = import_module(module)
    for step in inner:
        found = getattr(owner, step)
        if isinstance(found, ModuleType):
            found = SimpleNamespace(**vars(found))
            setattr(owner, step, found)
        owner = found
    return owner, name


def _deadly(function: Callable[..., Any], orders: Orders) -> Callable[..., Any]:
    calls = count(1)

    def called(*arguments: Any, **named: Any) -> Any:
        if orders.seen not in repr(arguments) or next(calls) != orders.nth:
            return function(*arguments, **named)
        if orders.when == "hang":
            threading.Event().wait()
        if orders.when == "after":
            function(*arguments, **named)
        elif orders.when == "half":
            handle, data = arguments
            function(handle, data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("nobody outlives this")

    return called


def _move_clock(seconds: float) -> None:
    true_time, wrong_by = time.time, datetime.timedelta(seconds=seconds)

    class Wrong(_TrueDatetime, metaclass=_AnyDatetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return _TrueDatetime.now(tz) + wrong_by

    # mypy: neither is a name to assign to.
    setattr(time, "time", lambda: true_time() + seconds)  # noqa: B010
    setattr(datetime, "datetime", Wrong)  # noqa: B010
