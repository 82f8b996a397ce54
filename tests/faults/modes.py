"""Every failure mode: what the server does, what its attempts are called, what the WARC holds.

A mode is one function: its name is the mode's, its docstring what the server does (docs/faults.md
shows it), its result the act played for one request. Acts are bytes, so that the judge can hold
the archive against them.
"""

from __future__ import annotations

import gzip
import re
import tomllib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Kept = Literal["whole", "disconnect", "length", "time", "nothing"]
End = Literal["open", "close", "reset", "stall", "drip"]

# What the run of the replica tells the crawler, so that a limit is met in moments.
MAXSIZE = 200_000  # bytes, as DOWNLOAD_MAXSIZE
TIMEOUT = 1.0  # seconds, as DOWNLOAD_TIMEOUT
REDIRECTS = 5  # as REDIRECT_MAX_TIMES

HTML = "Content-Type: text/html; charset=utf-8"


@dataclass(frozen=True)
class Act:
    """What is sent for one request, in this order: `before`, `head`, `wire`, `after`; then `end`.

    `head` is the answer's, to the byte; empty where no whole head is sent. `body` is what an
    archive should hold of it, `wire` the same as sent, in pieces (None: the body in one). `end`:
    keep the connection `open`, `close` it, `reset` it, `stall` until the client gives up, or `drip`
    a byte now and then until it does.
    """

    head: bytes = b""
    body: bytes = b""
    wire: tuple[bytes, ...] | None = None
    before: bytes = b""
    after: bytes = b""
    end: End = "open"
    confirmed: bytes = b""  # what a 304 says is still good
    leads_to: str = ""  # an address that the crawler must refuse to ask


@dataclass(frozen=True)
class Place:
    """An address of the faulty portal: the `number`-th of a `mode`, after `hop` redirects."""

    mode: str
    number: int
    title: str
    hop: int = 0
    validator: str = ""  # what the request's If-None-Match asks about

    def path(self, hop: int) -> str:
        return path_of(self.mode, self.number) + f"?hop={hop}"

    @property
    def report(self) -> bytes:
        """The report that would stand here if nothing went wrong."""
        return text("report", title=self.title, number=str(self.number)).encode()


@dataclass(frozen=True)
class Mode:
    """`outcomes` are those of the first request, and of the redirects after it, if any.

    `refused` is that of the address it leads to, which is never asked. `kept` is what the WARC
    holds: the `whole` answer; its beginning, with WARC-Truncated `disconnect`, `length` or `time`;
    or `nothing`. After `times` failures an address answers as it should.
    """

    name: str
    does: str
    outcomes: tuple[str, ...]
    kept: Kept
    refused: str
    times: int
    play: Callable[[Place], Act]

    @property
    def good(self) -> bool:
        """Whether it is a page: these stand between two failures."""
        return self.outcomes == ("ok",)

    def outcome(self, hop: int) -> str:
        return self.outcomes[min(hop, len(self.outcomes) - 1)]


MODES: dict[str, Mode] = {}


def path_of(mode: str, number: int) -> str:
    return f"/nb/{mode}/{number}.htm"


@cache
def _texts() -> dict[str, str]:
    return tomllib.loads((Path(__file__).parent / "pages.toml").read_text("utf-8"))


def text(name: str, **words: str) -> str:
    """A page of pages.toml with its places filled; scripts have braces of their own."""
    page = _texts()[name].lstrip()
    for word, value in words.items():
        page = page.replace("{" + word + "}", value)
    return page


def mode(
    *outcomes: str, kept: Kept = "whole", refused: str = "", times: int = 99
) -> Callable[[Callable[[Place], Act]], Callable[[Place], Act]]:
    """Make a function a failure mode; see Mode."""

    def register(play: Callable[[Place], Act]) -> Callable[[Place], Act]:
        does = " ".join((play.__doc__ or "").split()).removesuffix(".")
        name = play.__name__
        MODES[name] = Mode(name, does, outcomes, kept, refused, times, play)
        return play

    return register


def head(status: str, *fields: str, version: str = "HTTP/1.1") -> bytes:
    return "".join(f"{line}\r\n" for line in (f"{version} {status}", *fields, "")).encode("latin-1")


def sized(status: str, body: bytes, *fields: str) -> Act:
    """An ordinary answer."""
    return Act(head(status, *fields, f"Content-Length: {len(body)}"), body)


def page(status: str, name: str) -> Act:
    return sized(status, text(name, status=status).encode(), HTML)


def chunks(body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


def redirect(to: str, status: str = "302 Found") -> Act:
    return sized(status, b"", f"Location: {to}")


# --- answers that are strange and whole --------------------------------------------------------


@mode("ok")
def plain(place: Place) -> Act:
    """A report page, as it should be."""
    return sized("200 OK", place.report, HTML)


@mode("ok")
def validated(place: Place) -> Act:
    """A report page with ETag and Last-Modified; asked again with the ETag, it answers 304."""
    fields = (f'ETag: "fault-{place.number}"', "Last-Modified: Wed, 31 Jan 2024 02:00:00 GMT")
    if place.validator == f'"fault-{place.number}"':
        return Act(head("304 Not Modified", *fields), confirmed=place.report)
    return sized("200 OK", place.report, HTML, *fields)


@mode("ok")
def chunked(place: Place) -> Act:
    """Chunks with an extension and a trailer."""
    body = place.report
    wire = b"".join(chunks(body, 100)).replace(b"\r\n", b";name=value\r\n", 1)
    fields = (HTML, "Transfer-Encoding: chunked", "Trailer: X-Sum")
    return Act(head("200 OK", *fields), body, (wire, b"0\r\nX-Sum: 1\r\n\r\n"))


@mode("ok")
def chunked_in_drops(place: Place) -> Act:
    """Chunks of 30 bytes, cut anywhere between two packets."""
    body = place.report[:600]
    wire = b"".join(chunks(body, 30)) + b"0\r\n\r\n"
    pieces = tuple(wire[start : start + 37] for start in range(0, len(wire), 37))
    return Act(head("200 OK", HTML, "Transfer-Encoding: chunked"), body, pieces)


@mode("ok")
def gzipped(place: Place) -> Act:
    """A body in gzip, with its length."""
    body = gzip.compress(place.report, mtime=0)
    return sized("200 OK", body, HTML, "Content-Encoding: gzip")


@mode("ok")
def gzipped_chunked(place: Place) -> Act:
    """A body in gzip, in chunks."""
    body = gzip.compress(place.report, mtime=0)
    fields = (HTML, "Content-Encoding: gzip", "Transfer-Encoding: chunked")
    return Act(head("200 OK", *fields), body, (*chunks(body, 200), b"0\r\n\r\n"))


@mode("ok")
def deflated(place: Place) -> Act:
    """A body in bare deflate, as old servers send it, without the frame of the standard."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = packer.compress(place.report) + packer.flush()
    return sized("200 OK", body, HTML, "Content-Encoding: deflate")


@mode("ok")
def called_gzip(place: Place) -> Act:
    """A plain page that calls itself gzip."""
    return sized("200 OK", place.report, HTML, "Content-Encoding: gzip")


@mode("ok")
def strange_head(place: Place) -> Act:
    """Header names in any case, twice, folded, without a colon, and bytes of GBK."""
    body = place.report
    fields = (
        b"HTTP/1.1 200 OK\r\nx-lower: 1\r\nX-UPPER:2\r\nSet-Cookie: a=1\r\nset-cookie:   b=2  \r\n"
        b"Content-Disposition: inline; filename=\xb1\xa8\xb8\xe6.htm\r\n"
        b"X-Folded: one\r\n\ttwo\r\nno colon here\r\n"
        b"content-TYPE: text/html;charset=UTF-8\r\nCONTENT-length: %d\r\n\r\n"
    )
    return Act(fields % len(body), body)


@mode("ok")
def old_http(place: Place) -> Act:
    """HTTP/1.0 without a length: the body ends with the connection."""
    return Act(head("200 OK", HTML, version="HTTP/1.0"), place.report, end="close")


@mode("ok")
def bare_newlines(place: Place) -> Act:
    """A head whose lines end in LF alone."""
    act = sized("200 OK", place.report, HTML)
    return Act(act.head.replace(b"\r\n", b"\n"), act.body)


@mode("ok")
def odd_reason(place: Place) -> Act:
    """A reason phrase in GBK, of four words."""
    act = sized("200 OK", place.report, HTML)
    return Act(act.head.replace(b"OK", b"\xba\xc3 \xb5\xc4 all is well", 1), act.body)


@mode("ok")
def no_reason(place: Place) -> Act:
    """A status line that ends with the number."""
    act = sized("200 OK", place.report, HTML)
    return Act(act.head.replace(b" OK", b"", 1), act.body)


@mode("ok")
def interim(place: Place) -> Act:
    """100 Continue and 103 Early Hints before the answer."""
    act = sized("200 OK", place.report, HTML)
    before = head("100 Continue") + head("103 Early Hints", "Link: </a.css>; rel=preload")
    return Act(act.head, act.body, before=before)


@mode("ok")
def wrong_charset(place: Place) -> Act:
    """A page in GBK that head and page call UTF-8."""
    body = place.report.decode().encode("gbk")
    return sized("200 OK", body, HTML)


@mode("ok")
def more_than_said(place: Place) -> Act:
    """Bytes after the declared end of the body; they belong to no answer."""
    act = sized("200 OK", place.report, HTML)
    return Act(act.head, act.body, after=b"<p>more</p>")


@mode("redirect", "ok")
def moved(place: Place) -> Act:
    """301 to a report page."""
    if place.hop == 0:
        return redirect(place.path(1), "301 Moved Permanently")
    return sized("200 OK", place.report, HTML)


@mode("redirect", "redirect", "redirect", "redirect", "ok")
def moved_often(place: Place) -> Act:
    """301, 302, 307, 308, then a report page."""
    statuses = ("301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent")
    if place.hop < len(statuses):
        return redirect(place.path(place.hop + 1), statuses[place.hop])
    return sized("200 OK", place.report, HTML)


# --- refusals ----------------------------------------------------------------------------------


@mode("client_error")
def not_found(place: Place) -> Act:
    """404 with a web server's page."""
    return page("404 Not Found", "plain")


@mode("client_error")
def forbidden(place: Place) -> Act:
    """403 with a web server's page."""
    return page("403 Forbidden", "plain")


@mode("client_error")
def gone(place: Place) -> Act:
    """410."""
    return page("410 Gone", "plain")


@mode("client_error")
def too_many(place: Place) -> Act:
    """429 that names no time."""
    return page("429 Too Many Requests", "plain")


@mode("server_error")
def broken(place: Place) -> Act:
    """500."""
    return page("500 Internal Server Error", "plain")


@mode("server_error")
def bad_gateway(place: Place) -> Act:
    """502."""
    return page("502 Bad Gateway", "plain")


@mode("server_error")
def busy(place: Place) -> Act:
    """503 with Retry-After: 0."""
    body = text("plain", status="503").encode()
    return sized("503 Service Unavailable", body, HTML, "Retry-After: 0")


@mode("server_error", times=1)
def busy_for_a_second(place: Place) -> Act:
    """503 with Retry-After: 1; the next answer is the report."""
    body = text("plain", status="503").encode()
    return sized("503 Service Unavailable", body, HTML, "Retry-After: 1")


# --- redirects that lead nowhere ---------------------------------------------------------------


@mode("redirect_loop")
def loop_to_itself(place: Place) -> Act:
    """302 to the same address."""
    return redirect(path_of(place.mode, place.number))


@mode("redirect", "redirect_loop")
def loop_of_two(place: Place) -> Act:
    """302 to a second address, which leads back to the first."""
    return redirect(place.path(1) if place.hop == 0 else path_of(place.mode, place.number))


@mode(*["redirect"] * REDIRECTS, "redirect_loop")
def endless_redirects(place: Place) -> Act:
    """302 to a new address every time."""
    return redirect(place.path(place.hop + 1) + "&longer=" + "x" * place.hop)


@mode("redirect", refused="out_of_scope")
def off_the_registry(place: Place) -> Act:
    """302 to a host of no portal."""
    to = f"http://mirror.example{path_of(place.mode, place.number)}"
    return Act(redirect(to).head, leads_to=to)


@mode("redirect", refused="out_of_scope")
def into_the_house(place: Place) -> Act:
    """302 to an address of a private network."""
    to = f"http://10.0.0.1{path_of(place.mode, place.number)}"
    return Act(redirect(to).head, leads_to=to)


@mode("redirect", "soft_404")
def home_again(place: Place) -> Act:
    """302 to the home page."""
    return redirect("/")


# --- bodies that are not whole -----------------------------------------------------------------


@mode("truncated", kept="disconnect")
def cut_length(place: Place) -> Act:
    """Half of the declared length, then the end of the connection."""
    act = sized("200 OK", place.report, HTML)
    return Act(act.head, act.body[: len(act.body) // 2], end="close")


@mode("truncated", kept="disconnect")
def cut_chunks(place: Place) -> Act:
    """Two chunks and half of a third, then the end of the connection."""
    body = place.report[:250]
    wire = b"".join(chunks(body[:200], 100)) + b"64\r\n" + body[200:]
    return Act(head("200 OK", HTML, "Transfer-Encoding: chunked"), body, (wire,), end="close")


@mode("truncated", kept="disconnect")
def no_last_chunk(place: Place) -> Act:
    """Every chunk but the empty one that ends a body."""
    body = place.report
    wire = b"".join(chunks(body, 500))
    return Act(head("200 OK", HTML, "Transfer-Encoding: chunked"), body, (wire,), end="close")


@mode("truncated")
def cut_gzip(place: Place) -> Act:
    """A whole body that holds half of a gzip stream."""
    body = gzip.compress(place.report, mtime=0)
    return sized("200 OK", body[: len(body) // 2], HTML, "Content-Encoding: gzip")


@mode("truncated")
def partial(place: Place) -> Act:
    """206 with a part of the page that nobody asked for."""
    body = place.report
    span = f"Content-Range: bytes 0-99/{len(body)}"
    return sized("206 Partial Content", body[:100], HTML, span)


@mode("truncated", kept="disconnect")
def reset_in_body(place: Place) -> Act:
    """Half of the body, then a TCP reset."""
    act = sized("200 OK", place.report, HTML)
    return Act(act.head, act.body[: len(act.body) // 2], end="reset")


@mode("timeout", kept="time", times=1)
def stall_in_body(place: Place) -> Act:
    """Half of the body, then silence."""
    act = sized("200 OK", place.report, HTML)
    return Act(act.head, act.body[: len(act.body) // 2], end="stall")


# --- too much ----------------------------------------------------------------------------------


@cache
def _flood() -> tuple[bytes, ...]:
    line = "<p>此行无穷无尽。</p>\n".encode()
    return (line * 2000,) * 200


@mode("too_large", kept="length")
def large_by_its_word(place: Place) -> Act:
    """A declared length over the limit."""
    fields = (HTML, "Content-Length: 70000000")
    return Act(head("200 OK", *fields), _flood()[0], end="close")


@mode("too_large", kept="length")
def endless(place: Place) -> Act:
    """A body without a length that does not end."""
    body = b"".join(_flood())
    return Act(head("200 OK", HTML, "Connection: close"), body, _flood(), end="close")


@mode("too_large", kept="length")
def endless_chunks(place: Place) -> Act:
    """Chunks without end."""
    body = b"".join(_flood())
    wire = tuple(b"".join(chunks(piece, 8192)) for piece in _flood())
    return Act(head("200 OK", HTML, "Transfer-Encoding: chunked"), body, wire, end="close")


@cache
def _bomb() -> bytes:
    return gzip.compress(b"<p>0</p>" * (MAXSIZE * 10), mtime=0)


@mode("too_large")
def bomb(place: Place) -> Act:
    """A gzip body of a few kilobytes that unpacks to ten times the limit."""
    return sized("200 OK", _bomb(), HTML, "Content-Encoding: gzip")


@mode("too_large", kept="nothing")
def long_line(place: Place) -> Act:
    """A header line of 20 000 bytes."""
    return Act(before=head("200 OK", HTML, "X-Long: " + "x" * 20_000), end="close")


@mode("too_large", kept="nothing")
def huge_head(place: Place) -> Act:
    """A head of a megabyte, in lines of 8000 bytes."""
    fields = (f"X-Huge-{number}: {'x' * 8000}" for number in range(125))
    return Act(before=head("200 OK", HTML, *fields), end="close")


@mode("too_large", kept="nothing")
def many_fields(place: Place) -> Act:
    """Twenty thousand short header fields."""
    fields = (f"X-{number}: of twenty thousand" for number in range(20_000))
    return Act(before=head("200 OK", HTML, *fields), end="close")


# --- no answer ---------------------------------------------------------------------------------


@mode("reset", kept="nothing")
def reset_at_once(place: Place) -> Act:
    """A TCP reset in place of an answer."""
    return Act(end="reset")


@mode("reset", kept="nothing")
def silence(place: Place) -> Act:
    """The connection ends without a byte."""
    return Act(end="close")


@mode("reset", kept="nothing")
def cut_head(place: Place) -> Act:
    """The connection ends within the head."""
    return Act(before=sized("200 OK", place.report, HTML).head[:40], end="close")


@mode("reset", kept="nothing")
def interim_alone(place: Place) -> Act:
    """100 Continue, and the connection ends."""
    return Act(before=head("100 Continue"), end="close")


@mode("failed", kept="nothing")
def garbage(place: Place) -> Act:
    """Bytes that are no HTTP."""
    return Act(before=b"SSH-2.0-OpenSSH_9.2\r\n\x00\x01\x02\r\n\r\n", end="close")


@mode("timeout", kept="nothing", times=1)
def slow_head(place: Place) -> Act:
    """A header line that grows by a byte every tenth of a second."""
    return Act(before=b"HTTP/1.1 200 OK\r\nX-Slow: ", end="drip")


@mode("timeout", kept="nothing", times=1)
def no_answer(place: Place) -> Act:
    """The connection stays open, and nothing comes."""
    return Act(end="stall")


# --- walls and notices -------------------------------------------------------------------------


@mode("blocked")
def wall_521(place: Place) -> Act:
    """521 with a script that sets a cookie and loads the page again."""
    return page("521", "script_521")


@mode("blocked")
def wall_412(place: Place) -> Act:
    """412 with scripts only."""
    return page("412 Precondition Failed", "script_412")


@mode("blocked")
def wall_468(place: Place) -> Act:
    """468 with a check of the browser."""
    return page("468", "script_468")


@mode("blocked")
def challenge(place: Place) -> Act:
    """200 with a script that sets a cookie and loads the page again."""
    return page("200 OK", "challenge")


@mode("blocked")
def firewall(place: Place) -> Act:
    """403 with the page of a web application firewall."""
    return page("403 Forbidden", "firewall")


@mode("maintenance")
def closed(place: Place) -> Act:
    """200 with a notice that the site is being maintained."""
    return page("200 OK", "maintenance")


@mode("maintenance")
def closed_503(place: Place) -> Act:
    """503 with the same notice."""
    return page("503 Service Unavailable", "maintenance")


@mode("soft_404")
def missing(place: Place) -> Act:
    """200 with a page that says the page is not there."""
    return page("200 OK", "missing")


@mode("shell")
def shell(place: Place) -> Act:
    """200 with a page that is made by scripts."""
    return page("200 OK", "shell")


@mode("empty")
def empty(place: Place) -> Act:
    """200 without a body."""
    return sized("200 OK", b"", HTML)


@mode("empty")
def blank(place: Place) -> Act:
    """200 with white space."""
    return sized("200 OK", b" \r\n\t \r\n" * 20, HTML)


@mode("bad_encoding")
def noise(place: Place) -> Act:
    """200 with bytes that are text in no encoding."""
    body = zlib.compress(place.report * 3, 9)[2:] * 3
    return sized("200 OK", body, HTML)


# --- answers that break the protocol -----------------------------------------------------------


@mode("not_modified")
def unasked_304(place: Place) -> Act:
    """304 to a request without a condition."""
    return Act(head("304 Not Modified"))


@mode("failed", kept="disconnect")
def two_lengths(place: Place) -> Act:
    """Two Content-Lengths that differ."""
    body = place.report
    fields = (HTML, f"Content-Length: {len(body)}", "Content-Length: 7")
    return Act(head("200 OK", *fields), body, end="close")


# --- before the request goes out, and around it ------------------------------------------------


@dataclass(frozen=True)
class TunnelMode:
    """A failure of the way to an https host: there is no exchange, and nothing to keep."""

    name: str
    does: str
    outcome: str
    answer: bytes  # to CONNECT; empty: none
    handshake: bytes = b""  # in place of a TLS handshake


_ESTABLISHED = head("200 Connection established")
TUNNEL_MODES = {
    mode.name: mode
    for mode in (
        TunnelMode("tls_garbage", "CONNECT, then bytes that are no TLS", "tls", _ESTABLISHED,
                   b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        TunnelMode("tls_alert", "CONNECT, then a fatal TLS alert", "tls", _ESTABLISHED,
                   b"\x15\x03\x03\x00\x02\x02\x28"),
        TunnelMode("tls_silence", "CONNECT, then the end of the connection", "reset", _ESTABLISHED),
        TunnelMode("no_tunnel", "502 to CONNECT", "proxy",
                   head("502 Bad Gateway", "Content-Length: 0")),
    )
}  # fmt: skip


def parse(target: str) -> tuple[str, int, int] | None:
    """Mode, number and hop of an address; None for one of the portal's own pages."""
    found = re.fullmatch(r"/nb/(\w+)/(\d+)\.htm(?:\?hop=(\d+).*)?", target)
    return (found[1], int(found[2]), int(found[3] or 0)) if found else None
