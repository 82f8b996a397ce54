"""The registry: one TOML file a portal; the file stem is the portal's stable key."""

from crawler.portals.lives import Life, load_lives
from crawler.portals.registry import Portal, Registry, Seed, host_of, load

__all__ = ["Life", "Portal", "Registry", "Seed", "host_of", "load", "load_lives"]
