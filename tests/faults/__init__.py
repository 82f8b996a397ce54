"""A portal at its worst: a forward proxy on loopback that fails in every way we could think of.

>>> from tests.faults import FaultReplica, Site
>>> with FaultReplica(Site(each=1)) as replica:
...     replica.url.startswith("http://127.0.0.1:"), replica.log
(True, [])
"""

from tests.faults.server import FaultReplica
from tests.faults.site import Site

__all__ = ["FaultReplica", "Site"]
