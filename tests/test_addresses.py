"""A name that leads into a private network is not asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from scrapy.resolver import dnscache
from twisted import internet
from twisted.internet.defer import Deferred, execute
from twisted.internet.error import DNSLookupError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from crawler.fetching import addresses
from crawler.fetching.addresses import GuardedResolver, PrivateAddress


class Reactor(Clock):
    """As much of one as a resolver needs."""

    def getThreadPool(self) -> None:  # noqa: N802  # Twisted's name
        return None


def resolver() -> GuardedResolver:
    return GuardedResolver(Reactor(), 100, 60.0)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look up without a thread, and forget afterwards."""
    monkeypatch.setattr(
        addresses, "deferToThreadPool", lambda _, __, work, name: execute(work, name)
    )
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    monkeypatch.delenv("http_proxy", raising=False)
    yield
    for name in list(dnscache):
        del dnscache[name]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Name → addresses, in place of the DNS."""
    known: dict[str, list[str]] = {}

    def look_up(name: str) -> tuple[str, list[str], list[str]]:
        if name not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return name, [], known[name]

    monkeypatch.setattr(socket, "gethostbyname_ex", look_up)
    return known


def resolved(name: str) -> Any:
    """The address, or the exception."""
    found: list[Any] = []
    answer: Deferred[str] = resolver().getHostByName(name)
    answer.addBoth(found.append)
    (result,) = found
    return result.value if isinstance(result, Failure) else result


def test_a_public_address_is_asked(names: dict[str, list[str]]) -> None:
    names["a.gov.cn"] = ["202.100.1.1", "202.100.1.2"]
    assert resolved("a.gov.cn") == "202.100.1.1"


@pytest.mark.parametrize("private", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "224.0.0.1"])
def test_one_private_address_among_public_ones_is_enough(
    names: dict[str, list[str]], private: str
) -> None:
    names["a.gov.cn"] = ["202.100.1.1", private]
    error = resolved("a.gov.cn")
    assert isinstance(error, PrivateAddress)
    assert private in str(error)
    assert "a.gov.cn" not in dnscache


def test_what_was_looked_at_is_what_is_connected_to(names: dict[str, list[str]]) -> None:
    names["a.gov.cn"] = ["202.100.1.1"]
    assert resolved("a.gov.cn") == "202.100.1.1"
    names["a.gov.cn"] = ["10.0.0.1"]
    assert resolved("a.gov.cn") == "202.100.1.1"


def test_an_unknown_name_is_no_private_address(names: dict[str, list[str]]) -> None:
    error = resolved("nowhere.gov.cn")
    assert isinstance(error, DNSLookupError)
    assert not isinstance(error, PrivateAddress)
    assert "nowhere.gov.cn" in str(error)


def test_the_proxys_own_name_may_be_private(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    names |= {"proxy.example": ["10.0.0.1"], "a.gov.cn": ["10.0.0.1"]}
    assert resolved("proxy.example") == "10.0.0.1"
    assert isinstance(resolved("a.gov.cn"), PrivateAddress)


def test_loopback_is_let_through_for_tests_and_nothing_else_is(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names |= {"replica.example": ["127.0.0.1"], "a.gov.cn": ["10.0.0.1"]}
    assert isinstance(resolved("replica.example"), PrivateAddress)
    monkeypatch.setenv("GONGKAI_ALLOW_LOOPBACK", "1")
    assert resolved("replica.example") == "127.0.0.1"
    assert isinstance(resolved("a.gov.cn"), PrivateAddress)


def test_looking_up_tells_private_addresses_only(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Reactor()
    fake.resolve = resolver().getHostByName  # type: ignore[attr-defined]
    monkeypatch.setattr(internet, "reactor", fake, raising=False)
    monkeypatch.setattr(addresses, "maybe_deferred_to_future", _awaited)
    names |= {"a.gov.cn": ["10.0.0.1"], "b.gov.cn": ["202.100.1.1"]}
    with pytest.raises(PrivateAddress):
        asyncio.run(addresses.look_up("a.gov.cn"))
    asyncio.run(addresses.look_up("b.gov.cn"))
    asyncio.run(addresses.look_up("nowhere.gov.cn"))


async def _awaited(deferred: Deferred[str]) -> str:
    return await deferred.asFuture(asyncio.get_running_loop())
