"""A host name that leads into a private network is not asked: whoever holds a name may point it
anywhere, at a router or a database of the operator's own too.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import urlsplit

from scrapy.resolver import CachingThreadedResolver, dnscache
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from crawler.fetching.pace import from_environment
from storage.schedule.manners import is_public


class PrivateAddress(DNSLookupError):
    """Raised when a host's name leads to an address that is not of the open net."""


class GuardedResolver(CachingThreadedResolver):
    """Scrapy's resolver, which refuses a name when any of its addresses is not public.

    The proxy's own name may be private. GONGKAI_ALLOW_LOOPBACK=1 lets loopback through: for tests
    against a server on this machine only. What was found is kept for the whole process, so that
    the address that was looked at is the one that is connected to.
    """

    def __init__(self, reactor: ReactorBase, cache_size: int, timeout: float) -> None:
        super().__init__(reactor, cache_size, timeout)
        self._proxy = urlsplit(from_environment().proxy).hostname
        self._loopback = os.environ.get("GONGKAI_ALLOW_LOOPBACK") == "1"

    def getHostByName(  # noqa: N802  # Twisted's name
        self, name: str, timeout: Sequence[int] = ()
    ) -> Deferred[str]:
        if name in dnscache:
            return succeed(dnscache[name])
        reactor: Any = self.reactor
        found = deferToThreadPool(reactor, reactor.getThreadPool(), socket.gethostbyname_ex, name)
        found.addTimeout(self.timeout, reactor)
        chosen = found.addCallbacks(self._choose, _unknown, (name,), {}, (name,))
        return chosen.addCallback(self._cache_result, name) if dnscache.limit else chosen

    def _choose(self, found: tuple[str, list[str], list[str]], name: str) -> str:
        _, _, addresses = found
        for address in addresses:
            if name != self._proxy and not self._may_be_asked(address):
                raise PrivateAddress(f"{name} leads to {address}, which is no public address")
        return addresses[0]

    def _may_be_asked(self, address: str) -> bool:
        return is_public(address) or (self._loopback and ipaddress.ip_address(address).is_loopback)


async def look_up(host: str) -> None:
    """Look a host's address up. Raises PrivateAddress; a name that is not found raises nothing.

    The connection would tell only that there is no such host: Twisted has no other word there.
    """
    from twisted.internet import reactor

    resolver: Any = reactor
    try:
        await maybe_deferred_to_future(resolver.resolve(host))
    except PrivateAddress:
        raise
    except DNSLookupError:
        return


def _unknown(failure: Failure, name: str) -> NoReturn:
    raise DNSLookupError(f"address {name!r} not found: {failure.getErrorMessage()}")
