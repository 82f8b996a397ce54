"""A portal of the synthetic world, read from its TOML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.replica.model import Channel, Organ


@dataclass(frozen=True)
class Portal:
    """A portal: its hosts (the first is its own name for itself), organs and tree of channels."""

    key: str
    code: str
    name: str
    hosts: tuple[str, ...]
    https: bool
    robots: str | None
    masthead: str
    identifier: str
    sites: Mapping[str, Mapping[str, Any]]
    organs: tuple[Organ, ...]
    channels: tuple[Channel, ...]
    redirects: Mapping[str, str]
    busy: tuple[str, ...]
    miscoded: Mapping[str, str]
    baits: tuple[str, ...]
    strangers: tuple[Mapping[str, str], ...]

    @property
    def schemes(self) -> tuple[str, ...]:
        return ("http", "https") if self.https else ("http",)

    def children(self, key: str) -> list[Channel]:
        """The channels below the channel `key`, in the order of the file."""
        return [one for one in self.channels if one.under == key and one.kind != "hidden"]

    def line(self, channel: Channel) -> list[Channel]:
        """From the home page down to `channel`."""
        return list(self._upwards(channel))[::-1]

    def _upwards(self, channel: Channel) -> Iterator[Channel]:
        if channel.kind != "hidden":
            yield channel
        for above in self.channels:
            if above.key == channel.under:
                yield from self._upwards(above)
