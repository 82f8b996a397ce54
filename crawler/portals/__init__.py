"""The registry: one TOML file a portal; the file stem is the portal's stable key."""

from crawler.portals.registry import Portal, Registry, Seed, load

__all__ = ["Portal", "Registry", "Seed", "load"]
