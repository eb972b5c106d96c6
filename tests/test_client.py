"""Which address is believed, grouped by situation as in uvicorn's own tests of proxy headers."""

import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.errors import BadQuery, OptionError
from mirrorlist.request.client import NOBODY, SIGNED, Trust, _entries
from mirrorlist.request.defaults import DEFAULT_TRUSTED

STRANGER = "203.0.113.7"
STRANGER6 = "2001:db8::7"
PROXY = "10.0.0.1"
OTHER = "198.51.100.9"
UNKNOWN = "0.0.0.0"
OURS = ("192.0.2.0/24", "2001:db8:aaaa::/48")


def _believed(
    peer: str | None,
    *forwarded: str | bytes,
    trusted: tuple[str, ...] = DEFAULT_TRUSTED,
    wish: str = "",
) -> tuple[str, str, str]:
    """Return the addresses for the near tiers and for the country, and the source."""
    lines = [line if isinstance(line, bytes) else line.encode() for line in forwarded]
    client = Trust(trusted).believe(peer, lines, wish)
    return str(client.near), str(client.geo), client.source


def _from(address: str, source: str) -> tuple[str, str, str]:
    return address, address, source


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        pytest.param(STRANGER, STRANGER, id="IPv4"),
        pytest.param(STRANGER6, STRANGER6, id="IPv6"),
        pytest.param("::ffff:203.0.113.7", STRANGER, id="mapped IPv6"),
        pytest.param("fe80::1%eth0", "fe80::1", id="IPv6 with a zone"),
        pytest.param(None, "127.0.0.1", id="Unix socket"),
    ],
)
def test_no_header(peer: str | None, expected: str) -> None:
    """Without a header the peer is the client."""
    assert _believed(peer) == _from(expected, "peer")


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(OTHER, id="an address"),
        pytest.param("10.0.0.9", id="a trusted address"),
        pytest.param(f"{OTHER}, {PROXY}", id="a list"),
        pytest.param("junk", id="junk"),
    ],
)
@pytest.mark.parametrize(
    "peer",
    [
        pytest.param(STRANGER, id="IPv4"),
        pytest.param(STRANGER6, id="IPv6"),
        pytest.param("11.0.0.0", id="just outside 10/8"),
        pytest.param("9.255.255.255", id="just below 10/8"),
        pytest.param("172.32.0.0", id="just outside 172.16/12"),
        pytest.param("fec0::1", id="just outside fe80::/10"),
    ],
)
def test_never_trust_a_stranger(peer: str, header: str) -> None:
    """A header from a peer that is no trusted proxy is not looked at."""
    assert _believed(peer, header) == _from(peer, "peer")


@pytest.mark.parametrize(
    "proxy",
    [
        pytest.param(proxy, id=proxy)
        for proxy in (
            "127.0.0.1",
            "127.255.255.255",
            "::1",
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.255.1",
            "169.254.1.1",
            "fc00::1",
            "fdff::1",
            "fe80::1%eth0",
            "::ffff:10.0.0.1",
        )
    ],
)
def test_default_trust(proxy: str) -> None:
    """By default loopback, private and link-local networks are trusted, mapped ones too."""
    assert _believed(proxy, OTHER) == _from(OTHER, "x-forwarded-for")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(OTHER, OTHER, id="one entry"),
        pytest.param(f"1.1.1.1, {OTHER}", OTHER, id="what a stranger wrote is left of him"),
        pytest.param(f"10.9.9.9, {OTHER}", OTHER, id="even a trusted address"),
        pytest.param(f"junk, {OTHER}", OTHER, id="even junk"),
        pytest.param(f"{OTHER}, 10.0.0.2, 192.168.3.4", OTHER, id="walked over proxies"),
        pytest.param(f"1.1.1.1,{OTHER},10.0.0.2", OTHER, id="walked no further"),
        pytest.param("10.0.0.3, 10.0.0.2", "10.0.0.3", id="all trusted: the left-most"),
        pytest.param("10.0.0.3", "10.0.0.3", id="one trusted"),
        pytest.param("  \t198.51.100.9  ", OTHER, id="blanks around"),
        pytest.param(f"{OTHER} ,\t10.0.0.2", OTHER, id="blanks around the comma"),
    ],
)
def test_trusted_chain(header: str, expected: str) -> None:
    """A trusted proxy's list is walked from the right, over trusted addresses."""
    assert _believed(PROXY, header) == _from(expected, "x-forwarded-for")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(f"{OTHER}:1", OTHER, id="IPv4 with a port"),
        pytest.param(f"{OTHER}:65535, 10.0.0.1:80", OTHER, id="ports along the walk"),
        pytest.param(f"[{STRANGER6}]", STRANGER6, id="IPv6 in brackets"),
        pytest.param(f"[{STRANGER6}]:443", STRANGER6, id="IPv6 in brackets with a port"),
        pytest.param(STRANGER6, STRANGER6, id="IPv6 bare"),
        pytest.param("2001:DB8:0:0::7", STRANGER6, id="IPv6 written otherwise"),
        pytest.param("2001:db8::1:443", "2001:db8::1:443", id="no port without brackets"),
        pytest.param("[::ffff:203.0.113.7]:80", STRANGER, id="mapped in brackets"),
        pytest.param("::ffff:10.0.0.5", "10.0.0.5", id="mapped and trusted"),
        pytest.param(f"{STRANGER6}, [fc00::1]:80", STRANGER6, id="walked over brackets"),
        pytest.param("fe80::9%eth1", "fe80::9", id="a zone"),
    ],
)
def test_ports_and_brackets(header: str, expected: str) -> None:
    """An entry may carry a port or brackets."""
    assert _believed(PROXY, header) == _from(expected, "x-forwarded-for")


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="empty"),
        pytest.param("  ", id="blank"),
        pytest.param("unknown", id="a word"),
        pytest.param("_hidden", id="an obfuscated name"),
        pytest.param("proxy.example", id="a host name"),
        pytest.param("1.2.3", id="three numbers"),
        pytest.param("1.2.3.4.5", id="five numbers"),
        pytest.param("1.2.3.256", id="a number too large"),
        pytest.param("1.2.3.4:", id="a port without digits"),
        pytest.param("1.2.3.4:http", id="a port of letters"),
        pytest.param("[2001:db8::1", id="a bracket open"),
        pytest.param("2001:db8::1]", id="a bracket closed"),
        pytest.param("[]", id="brackets alone"),
        pytest.param(":80", id="a port alone"),
        pytest.param("2001:db8::1::2", id="two gaps"),
        pytest.param("1.2.3.4 5.6.7.8", id="a blank between"),
        pytest.param("for=1.2.3.4", id="the Forwarded syntax"),
        pytest.param(b"\xff\xfe1.2.3.4", id="no ASCII"),
        pytest.param("\uff11.2.3.4".encode(), id="wide digits"),
        pytest.param(b"1.2.3.4\x00", id="NUL"),
        pytest.param("\n", id="line feed"),
        pytest.param(f"{OTHER}, junk", id="junk on the right"),
        pytest.param(f"{OTHER}, junk, 10.0.0.2", id="junk along the walk"),
        pytest.param("x" * 16000, id="very long"),
        pytest.param("," * 5000, id="commas"),
    ],
)
def test_junk(header: str | bytes) -> None:
    """Behind a header with junk where it must be read is a stranger, near nothing."""
    assert _believed(PROXY, header) == (UNKNOWN, PROXY, "unknown")


def test_a_peer_that_is_no_address() -> None:
    """A peer that cannot be read is in no trusted network: its header and ip= open nothing."""
    client = Trust().believe("not-an-address", [b"192.0.2.5"], "198.51.100.1")
    assert not client.is_ours
    assert str(client.near) == "0.0.0.0"
    assert str(client.geo) == "198.51.100.1"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param((OTHER, "10.0.0.2"), OTHER, id="walked over the last line"),
        pytest.param(("1.1.1.1", OTHER), OTHER, id="the last line's stranger"),
        pytest.param(("1.1.1.1, 10.0.0.3", f"{OTHER}, 10.0.0.2"), OTHER, id="lists"),
        pytest.param(("10.0.0.4", "10.0.0.3, 10.0.0.2"), "10.0.0.4", id="all trusted"),
        pytest.param((OTHER, "10.0.0.2", "10.0.0.3", "10.0.0.5"), OTHER, id="many lines"),
    ],
)
def test_several_header_lines(lines: tuple[str, ...], expected: str) -> None:
    """All header lines are joined in their order, as one list."""
    assert _believed(PROXY, *lines) == _from(expected, "x-forwarded-for")


@pytest.mark.parametrize(
    ("peer", "header", "expected"),
    [
        pytest.param("192.0.2.9", OTHER, OTHER, id="a proxy of ours"),
        pytest.param("2001:db8:aaaa::9", OTHER, OTHER, id="a proxy of ours by IPv6"),
        pytest.param("192.0.2.9", f"1.1.1.1, {OTHER}, 192.0.2.8", OTHER, id="walked over ours"),
        pytest.param("192.0.2.9", f"{OTHER}, 10.0.0.2", "10.0.0.2", id="not over private ones"),
    ],
)
def test_replaced_default(peer: str, header: str, expected: str) -> None:
    """Networks of the operator's replace the default."""
    assert _believed(peer, header, trusted=OURS) == _from(expected, "x-forwarded-for")


@pytest.mark.parametrize("peer", ["10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "fc00::1"])
def test_replaced_default_trusts_nobody_else(peer: str) -> None:
    """With a replaced default, headers of private peers and of loopback are not believed."""
    assert _believed(peer, OTHER, trusted=OURS) == _from(peer, "peer")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        pytest.param("192.0.2.77/24", "192.0.2.1", "192.0.3.1", id="host bits"),
        pytest.param("192.0.2.1", "192.0.2.1", "192.0.2.2", id="a bare address"),
        pytest.param("192.0.2.0/255.255.255.0", "192.0.2.9", "192.0.3.9", id="a netmask"),
        pytest.param("0.0.0.0/0", "8.8.8.8", "2001:db8::1", id="all of IPv4"),
        pytest.param("::/0", "2001:db8::1", "8.8.8.8", id="all of IPv6"),
    ],
)
def test_networks(text: str, inside: str, outside: str) -> None:
    """A trusted network is given as a network or an address of one family."""
    assert _believed(inside, OTHER, trusted=(text,)) == _from(OTHER, "x-forwarded-for")
    assert _believed(outside, OTHER, trusted=(text,)) == _from(outside, "peer")


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.0/33", "", "10.0.0", "10.0.0.0/8/8"])
def test_no_network(text: str) -> None:
    """A text that is not a network is refused at the start, with the option and its value."""
    with pytest.raises(OptionError, match=re.escape(f"--trusted-proxy {text}: not a network")):
        Trust(["10.0.0.0/8", text])


@pytest.mark.parametrize(
    ("peer", "lines", "trusted", "near"),
    [
        pytest.param(STRANGER, (), DEFAULT_TRUSTED, STRANGER, id="a stranger"),
        pytest.param(STRANGER6, (), DEFAULT_TRUSTED, STRANGER6, id="a stranger by IPv6"),
        pytest.param(PROXY, (STRANGER,), DEFAULT_TRUSTED, STRANGER, id="one behind a proxy"),
        pytest.param(STRANGER, (PROXY,), DEFAULT_TRUSTED, STRANGER, id="one with a false header"),
        pytest.param(PROXY, (f"10.9.9.9, {STRANGER}",), DEFAULT_TRUSTED, STRANGER, id="both"),
        pytest.param(PROXY, (), OURS, PROXY, id="a private peer, replaced default"),
        pytest.param("192.0.2.1", ("10.0.0.9",), OURS, "10.0.0.9", id="private, behind ours"),
        pytest.param(PROXY, (), DEFAULT_TRUSTED, OTHER, id="a trusted peer"),
        pytest.param("127.0.0.1", (), DEFAULT_TRUSTED, OTHER, id="loopback"),
        pytest.param("127.0.0.1", (), OURS, OTHER, id="loopback, replaced default"),
        pytest.param("::1", (), OURS, OTHER, id="loopback by IPv6, replaced default"),
        pytest.param(PROXY, ("10.0.0.9",), DEFAULT_TRUSTED, "10.0.0.9", id="all trusted"),
        pytest.param("192.0.2.9", (), OURS, OTHER, id="a proxy of ours"),
        pytest.param(None, (), OURS, OTHER, id="a Unix socket"),
    ],
)
def test_wish(
    peer: str | None, lines: tuple[str, ...], trusted: tuple[str, ...], near: str
) -> None:
    """ip= always moves the country; the near tiers only for a trusted proxy's own request."""
    believed = _believed(peer, *lines, trusted=trusted, wish=OTHER)
    assert believed == (near, OTHER, "ip=")


@pytest.mark.parametrize(
    "wish",
    ["junk", "1.2.3", "1.2.3.4:80", "[::1]", " 1.2.3.4", "1.2.3.4,1.2.3.5", "٣.2.3.4", "a" * 256],
)
@pytest.mark.parametrize("peer", [STRANGER, "127.0.0.1"])
def test_junk_wish(peer: str, wish: str) -> None:
    """An ip= that is not an address is refused from any client."""
    with pytest.raises(BadQuery, match=r"^# ip=: not an address: "):
        _believed(peer, wish=wish)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((line,), id=name)
        for name, line in {
            "an address": OTHER,
            "a trusted one": "10.0.0.9",
            "the proxy itself": PROXY,
            "loopback": "127.0.0.1",
            "loopback by IPv6": "[::1]:80",
            "loopback, mapped": "::ffff:127.0.0.1",
            "a zone": "fe80::1%eth0",
            "only trusted ones": "10.0.0.9, 192.168.1.1, 127.0.0.1",
            "a public one, then private ones": f"{OTHER}, 10.0.0.9",
            "nothing": "",
            "blanks": " \t ",
            "commas": " , ,",
            "unknown": "unknown",
            "obfuscated": "_hidden",
            "junk on the right": f"{OTHER}, junk",
            "junk in the middle": f"{OTHER}, junk, 10.0.0.9",
            "junk on the left": f"junk, {OTHER}",
            "an open bracket": "[::1",
            "a port alone": ":80",
            "too many": ", ".join(["10.0.0.9"] * 40),
            "what another header says": SIGNED[0].decode(),
        }.items()
    ]
    + [pytest.param(("", "10.0.0.9"), id="two lines"), pytest.param(("", ""), id="two empty ones")],
)
@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        pytest.param(PROXY, DEFAULT_TRUSTED, id="a trusted proxy"),
        pytest.param("127.0.0.1", DEFAULT_TRUSTED, id="loopback"),
        pytest.param("::1", DEFAULT_TRUSTED, id="loopback by IPv6"),
        pytest.param(None, DEFAULT_TRUSTED, id="a Unix socket"),
        pytest.param("127.0.0.1", OURS, id="loopback that is no proxy"),
        pytest.param("192.0.2.9", OURS, id="a proxy of ours"),
        pytest.param("8.8.8.8", ("0.0.0.0/0", "::/0"), id="everybody is trusted"),
        pytest.param(None, OURS, id="a Unix socket that is no proxy"),
    ],
)
def test_never_ours_with_a_header(
    peer: str | None, trusted: tuple[str, ...], lines: tuple[str, ...]
) -> None:
    """A trusted proxy that names no client asks for itself; a client it names is a stranger."""
    trust = Trust(trusted)
    assert trust.believe(peer, [], "").is_ours
    sent = [line.encode() for line in lines]
    found = trust.believe(peer, sent, "")
    assert not found.is_ours
    wished = trust.believe(peer, sent, "192.0.2.77")
    assert (wished.near, wished.is_ours) == (found.near, False)


@pytest.mark.parametrize(
    ("peer", "near"),
    [("192.0.2.9", UNKNOWN), (None, "127.0.0.1"), (STRANGER, STRANGER)],
)
def test_who_is_only_signed_is_near_nobody(peer: str | None, near: str) -> None:
    """Behind a proxy that names no client, no client gets the hosts near the proxy."""
    found = Trust(OURS).believe(peer, SIGNED, "")
    assert (str(found.near), found.is_ours) == (near, False)
    assert str(Trust(OURS).believe(peer, SIGNED, OTHER).near) == near


@pytest.mark.parametrize("peer", ["not-an-address", "", "10.0.0.1, 10.0.0.2", "localhost"])
def test_nobody_is_trusted_by_accident(peer: str) -> None:
    """A peer without an address is a stranger, also where all addresses are trusted."""
    found = Trust(("0.0.0.0/0", "::/0")).believe(peer, [OTHER.encode()], "192.0.2.77")
    assert (str(found.near), found.is_ours) == (UNKNOWN, False)
    assert not Trust(("0.0.0.0/0",)).is_proxy(peer)


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", PROXY, STRANGER, None])
def test_none_trusts_nobody(peer: str | None) -> None:
    """With `none` neither a proxy, nor loopback, nor a Unix socket is believed or ours."""
    trust = Trust((NOBODY,))
    for lines in ([], [OTHER.encode()], [b"junk"]):
        found = trust.believe(peer, lines, "")
        assert (str(found.near), found.source) == (peer or "127.0.0.1", "peer")
        assert not found.is_ours
        assert str(trust.believe(peer, lines, OTHER).near) == (peer or "127.0.0.1")


@pytest.mark.parametrize("networks", [("none", "10.0.0.0/8"), ("10.0.0.0/8", "none"), ("None",)])
def test_none_stands_alone(networks: tuple[str, ...]) -> None:
    """`none` beside a network, or written otherwise, is refused."""
    with pytest.raises(OptionError, match="--trusted-proxy "):
        Trust(networks)


@pytest.mark.parametrize(("count", "believed"), [(31, OTHER), (32, UNKNOWN), (3000, UNKNOWN)])
def test_limit_of_the_walk(count: int, believed: str) -> None:
    """A walk looks at 32 entries and not at one more, in one line or in many."""
    proxies = ["10.0.0.9"] * count
    assert _believed(PROXY, ", ".join([OTHER, *proxies]))[0] == believed
    assert _believed(PROXY, OTHER, *proxies)[0] == believed
    assert _believed(PROXY, f"{OTHER}{',' * count}")[0] == believed


@pytest.mark.parametrize(("zone", "believed"), [(37, "fe80::1"), (38, UNKNOWN)])
def test_limit_of_an_entry(zone: int, believed: str) -> None:
    """An entry may be 64 bytes long, and not one byte more."""
    entry = f"[fe80:0:0:0:0:0:0:1%{'z' * zone}]:65535"
    assert len(entry) == 64 + zone - 37
    assert _believed(PROXY, f"{entry},10.0.0.9")[0] == believed


def test_the_walk_stops_where_it_is_decided() -> None:
    """What stands left of the decision is not looked at, however much it is."""
    entries = _entries([b"left,left", b"a, b ,"])
    assert list(islice(entries, 3)) == [b"", b"b", b"a"]
    assert list(entries) == [b"left", b"left"]


@given(st.one_of(st.none(), st.ip_addresses().map(str)), st.lists(st.binary(max_size=60)))
def test_any_header(peer: str | None, lines: list[bytes]) -> None:
    """Whatever stands in the header, somebody is believed and nothing is raised."""
    client = Trust().believe(peer, lines, "")
    assert (client.near == client.geo) or client.source == "unknown"
    assert client.source in ("peer", "x-forwarded-for", "unknown")
    assert not (lines and client.is_ours)


@given(
    st.lists(st.ip_addresses().map(str), min_size=1, max_size=6),
    st.ip_addresses(v=4, network="20.0.0.0/8").map(str),
    st.lists(st.ip_addresses(v=4, network="10.0.0.0/8").map(str), max_size=4),
)
def test_the_last_stranger_is_the_client(
    left: list[str], stranger: str, proxies: list[str]
) -> None:
    """Nothing that stands left of the last address that is not trusted changes the client."""
    header = ", ".join([*left, stranger, *proxies])
    assert _believed(PROXY, header) == _from(stranger, "x-forwarded-for")


@pytest.mark.parametrize("peer", ["10.0.0.1", "10.1.0.1", "10.5.0.1", "2001:db8::1"])
def test_networks_within_networks(peer: str) -> None:
    """A proxy's network that lies within another one takes nothing from it."""
    trusted = ("10.0.0.0/8", "10.1.0.0/16", "10.2.3.4/32", "2001:db8::/32", "2001:db8:5::/48")
    assert Trust(trusted).is_proxy(peer)
    assert not Trust(trusted).is_proxy("11.0.0.0")
    assert not Trust(trusted).is_proxy("2001:db9::")
