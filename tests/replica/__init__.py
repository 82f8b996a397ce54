"""A synthetic world of nine portals behind a forward proxy on loopback; see docs/replica.md."""

from tests.replica.model import Edit, Expected, ExpectedAttachment
from tests.replica.proxy import Entry, Replica
from tests.replica.world import World

__all__ = ["Edit", "Entry", "Expected", "ExpectedAttachment", "Replica", "World"]
