"""The PROXY protocol's header: what it says, where it ends, and what is not one."""

import struct
from functools import partial
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.web.capacity import NO_POLICY, Policy
from mirrorlist.web.proxied import ProxiedProtocol
from mirrorlist.web.proxyheader import (
    MOST_BYTES,
    MOST_LINE_BYTES,
    SIGNATURE,
    NotAHeader,
    ProxyHeader,
    read_header,
)
from mirrorlist.web.states import UNKNOWN_CLIENT
from tests.connection import Connection, Wire

TCP4, TCP6, UNIX, UDP4, UNSPECIFIED = 0x11, 0x21, 0x31, 0x12, 0x00
LOCAL, PROXY = 0x20, 0x21


def version_2(
    family: int, block: bytes, command: int = PROXY, length: int | None = None, more: bytes = b""
) -> bytes:
    """Return a header of version 2; `more` are its TLVs."""
    size = len(block + more) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, family, size) + block + more


V4 = IPv4Address("198.51.100.7").packed + IPv4Address("192.0.2.1").packed + b"\x12\x67\x0b\xb8"
V6 = IPv6Address("2001:db8::7").packed + IPv6Address("::1").packed + b"\x12\x67\x0b\xb8"
TLVS = b"\x04\x00\x03abc" + b"\x20\x00\x05\0\0\0\0\0"

GOOD = {
    "v1 TCP4": (b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 3000\r\n", "198.51.100.7", 4711),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::7 ::1 4711 3000\r\n", "2001:db8::7", 4711),
    "v1 port 0": (b"PROXY TCP4 198.51.100.7 192.0.2.1 0 65535\r\n", "198.51.100.7", 0),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", None, 0),
    "v1 UNKNOWN with more": (b"PROXY UNKNOWN ffff:: ::1 1 2\r\n", None, 0),
    "v1 longest": (
        b"PROXY UNKNOWN " + b" ".join([b"f" * 39] * 2) + b" 65535 65535\r\n",
        None,
        0,
    ),
    "v2 TCP4": (version_2(TCP4, V4), "198.51.100.7", 4711),
    "v2 TCP6": (version_2(TCP6, V6), "2001:db8::7", 4711),
    "v2 TLVs": (version_2(TCP4, V4, more=TLVS), "198.51.100.7", 4711),
    "v2 longest": (version_2(TCP4, V4, more=bytes(MOST_BYTES - 28)), "198.51.100.7", 4711),
    "v2 Unix": (version_2(UNIX, bytes(216)), None, 0),
    "v2 UDP": (version_2(UDP4, V4), None, 0),
    "v2 unspecified": (version_2(UNSPECIFIED, b""), None, 0),
    "v2 unspecified with more": (version_2(UNSPECIFIED, b"what", more=TLVS), None, 0),
}
LOCALS = {
    "alone": version_2(UNSPECIFIED, b"", LOCAL),
    "with an address": version_2(TCP4, V4, LOCAL),
    "with what nobody knows": version_2(0x77, b"what", LOCAL),
}
BAD = {
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "line ends": b"\r\n\r\nGET",
    "lower case": b"proxy TCP4 198.51.100.7 192.0.2.1 1 2\r\n",
    "another word": b"PROXIES",
    "no family": b"PROXY \r\n",
    "UDP": b"PROXY UDP4 198.51.100.7 192.0.2.1 1 2\r\n",
    "two blanks": b"PROXY TCP4  198.51.100.7 192.0.2.1 1 2\r\n",
    "a word more": b"PROXY TCP4 198.51.100.7 192.0.2.1 1 2 3\r\n",
    "a word less": b"PROXY TCP4 198.51.100.7 192.0.2.1 1\r\n",
    "IPv6 for IPv4": b"PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
    "IPv4 for IPv6": b"PROXY TCP6 198.51.100.7 192.0.2.1 1 2\r\n",
    "a zone": b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    "leading zeros": b"PROXY TCP4 198.051.100.7 192.0.2.1 1 2\r\n",
    "no address": b"PROXY TCP4 client 192.0.2.1 1 2\r\n",
    "a target that is no address": b"PROXY TCP4 198.51.100.7 server 1 2\r\n",
    "a port of letters": b"PROXY TCP4 198.51.100.7 192.0.2.1 http 2\r\n",
    "a large port": b"PROXY TCP4 198.51.100.7 192.0.2.1 65536 2\r\n",
    "a port with zeros": b"PROXY TCP4 198.51.100.7 192.0.2.1 01 2\r\n",
    "a signed port": b"PROXY TCP4 198.51.100.7 192.0.2.1 +1 2\r\n",
    "LF alone": b"PROXY TCP4 198.51.100.7 192.0.2.1 1 2\n\r\n",
    "UNKNOWN and LF": b"PROXY UNKNOWN \nGET / HTTP/1.1\r\n",
    "not ASCII": b"PROXY UNKNOWN \xff\r\n",
    "NUL": b"PROXY UNKNOWN \0\r\n",
    "a line one too long": b"PROXY UNKNOWN " + b"x" * (MOST_LINE_BYTES - 15) + b"\r\n",
    "a line without an end": b"PROXY UNKNOWN " + b"x" * MOST_LINE_BYTES,
    "version 1 in binary": version_2(TCP4, V4, 0x11),
    "version 3": version_2(TCP4, V4, 0x31),
    "an unknown command": version_2(TCP4, V4, 0x22),
    "an unknown family": version_2(0x41, V4),
    "an unknown transport": version_2(0x13, V4),
    "IPv4 cut short": version_2(TCP4, V4[:11]),
    "IPv6 cut short": version_2(TCP6, V6[:35]),
    "Unix cut short": version_2(UNIX, bytes(215)),
    "one byte too long": version_2(TCP4, V4, more=bytes(MOST_BYTES - 27)),
    "much too long": version_2(TCP4, V4, length=0xFFFF),
    "a local one that is too long": version_2(0, b"", LOCAL, length=0xFFFF),
    "a signature that ends otherwise": SIGNATURE[:-1] + b"\r",
}


@pytest.mark.parametrize(("data", "address", "port"), GOOD.values(), ids=GOOD)
def test_good_headers(data: bytes, address: str | None, port: int) -> None:
    """A header is read once it is whole, and what follows it is not its own."""
    expected = ProxyHeader(len(data), address, port)
    assert read_header(data) == expected
    assert read_header(data + b"GET / HTTP/1.1\r\n\r\n") == expected
    for end in range(len(data)):
        assert read_header(data[:end]) is None


@pytest.mark.parametrize("data", LOCALS.values(), ids=LOCALS)
def test_the_proxy_itself(data: bytes) -> None:
    """LOCAL is the proxy's own connection, whatever address stands in it."""
    assert read_header(data) == ProxyHeader(len(data), is_local=True)


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_not_a_header(data: bytes) -> None:
    """Anything that is not exactly a header is refused, and never waited for without end."""
    with pytest.raises(NotAHeader):
        read_header(data)


@given(
    st.one_of(st.binary(), st.binary().map(SIGNATURE.__add__), st.binary().map(b"PROXY ".__add__))
)
def test_any_bytes(data: bytes) -> None:
    """Any bytes are a header, the beginning of one, or refused; too many are never waited for."""
    try:
        found = read_header(data)
    except NotAHeader:
        return
    assert found is None or found.size <= len(data)


async def echo(scope: dict[str, object], receive: object, send: object) -> None:
    """Answer with the client's address and the X-Forwarded-For lines."""
    headers = scope["headers"]
    assert isinstance(headers, list)
    body = repr((scope["client"], [value for name, value in headers if b"for" in name])).encode()
    assert callable(send)
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


ASK = b"GET /x HTTP/1.1\r\nX-Forwarded-For: 192.0.2.5\r\n\r\n"


def is_proxy(peer: str | None) -> bool:
    """Tell whether a peer is the one proxy here."""
    return peer == "127.0.0.1"


def connected(peer: str = "127.0.0.1", policy: Policy = NO_POLICY) -> Connection:
    """Connect to a listener that takes PROXY headers."""
    make = partial(ProxiedProtocol, policy=policy, is_proxy=is_proxy)
    return Connection(make, echo, Wire((peer, 9)))


@given(st.sampled_from(sorted(GOOD)), st.lists(st.integers(1, 40), min_size=1, max_size=300))
def test_split_at_random(name: str, sizes: list[int]) -> None:
    """However a header and what follows are split, the same client asks the same."""
    data, address, port = GOOD[name]
    client = UNKNOWN_CLIENT if address is None else (address, port)
    connection = connected()
    rest = data + ASK + ASK
    for size in sizes:
        piece, rest = rest[:size], rest[size:]
        if piece:
            connection.protocol.data_received(piece)
    if rest:
        connection.send(rest)
    connection.turn()
    bodies = [part.rpartition(b"\r\n\r\n")[2] for part in connection.wire.written.split(b"HTTP/")]
    assert bodies[1:] == [repr((client, [b"192.0.2.5"])).encode()] * 2
    connection.close()


@pytest.mark.parametrize("data", LOCALS.values(), ids=LOCALS)
def test_a_health_check(data: bytes) -> None:
    """What the proxy asks for itself comes from the proxy's address."""
    connection = connected()
    connection.send(data + ASK)
    assert b"('127.0.0.1', 9)" in connection.wire.written
    connection.close()


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_trusted_proxy_must_say_whose_it_is(data: bytes) -> None:
    """Anything but a header from a trusted proxy is refused, counted, and answered by nobody."""
    counted: list[int] = []
    connection = connected(policy=Policy(refused=counted.append))
    connection.send(data + ASK)
    assert connection.statuses == counted == [400]
    assert b"PROXY header" in connection.wire.written
    connection.ends_within(2.0, ASK)
    connection.close()


@pytest.mark.parametrize("data", [GOOD["v1 TCP4"][0], GOOD["v2 TCP6"][0], *LOCALS.values()])
def test_a_stranger_must_not(data: bytes) -> None:
    """A header from anybody else is not one: a plain 400, and no request behind it is answered."""
    connection = connected("198.51.100.9")
    connection.send(data + ASK)
    assert connection.statuses == [400]
    assert b"PROXY header" not in connection.wire.written
    connection.close()
    plain = connected("198.51.100.9")
    plain.send(ASK)
    assert b"('198.51.100.9', 9)" in plain.wire.written
    plain.close()


def test_only_one_header() -> None:
    """A second header, as a client behind the proxy could send it, is a bad request."""
    connection = connected()
    connection.send(GOOD["v1 TCP4"][0] + GOOD["v1 UNKNOWN"][0] + ASK)
    assert connection.statuses == [400]
    connection.close()
