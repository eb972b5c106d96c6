"""Whose address counts: docs/protocol.md#whose-address-counts.

The finer rules of the header are in test_client.py; here is what they do to an answer.
"""

from tests.contract.case import LOOPBACK, Case
from tests.contract_world import GERMAN, GERMAN6, JAPANESE, NOBODY

_NEAR = "/mirrorlist?path=pub/linux/near"
_WORLD = "/mirrorlist?path=pub/linux/world"
# What a client in Germany gets who is in no netblock and no ASN.
_FROM_GERMANY = ({1}, {3, 16}, {13, 17})
# What the network of host 6 gets: it alone may see host 6.
_FROM_HOST_6 = ({6}, *_FROM_GERMANY)
# The network is in an ASN of host 6 too: the heading tells the two tiers apart.
_HEADING_OF_HOST_6 = (
    "# path = pub/linux/near Using preferred netblock Using ASN 64500"
    " country = DE country = FR country = global "
)
_FROM_NOWHERE = ({1, 3, 13, 16, 17},)
_INSIDE_6 = "192.0.2.5"
_JAPAN = ({5}, {28}, {20, 25, 26, 27, 29})
_REPOSITORY = "repo=linux-40&arch=x86_64"


def _log(address: str, country: str) -> str:
    return f"IP: {address}; COUNTRY: {country}; REPO: linux-40; ARCH: x86_64"


BELIEVED = (
    Case("the peer", _NEAR, peer=GERMAN, tiers=_FROM_GERMANY),
    Case("the peer by IPv6", _NEAR, peer=GERMAN6, tiers=_FROM_GERMANY),
    Case("no peer at all, as on a Unix socket", _NEAR, peer=None, tiers=_FROM_NOWHERE),
    Case("a trusted proxy's header", _NEAR, LOOPBACK, (GERMAN,), tiers=_FROM_GERMANY),
    Case("a trusted proxy's netblock client", _NEAR, LOOPBACK, (_INSIDE_6,), tiers=_FROM_HOST_6),
    Case("a stranger's header", _NEAR, NOBODY, (_INSIDE_6,), tiers=_FROM_NOWHERE),
    Case(
        "what a stranger wrote left of it",
        _NEAR,
        LOOPBACK,
        (f"{_INSIDE_6}, {NOBODY}",),
        tiers=_FROM_NOWHERE,
    ),
    Case(
        "walked over trusted proxies",
        _NEAR,
        LOOPBACK,
        (f"{_INSIDE_6}, {GERMAN}, 10.1.2.3, 192.168.0.1",),
        tiers=_FROM_GERMANY,
    ),
    Case(
        "header lines joined in order",
        _NEAR,
        LOOPBACK,
        (_INSIDE_6, GERMAN, "10.1.2.3"),
        tiers=_FROM_GERMANY,
    ),
    Case("an entry with a port", _NEAR, LOOPBACK, (f"{GERMAN}:4711",), tiers=_FROM_GERMANY),
    Case("an entry with brackets", _NEAR, LOOPBACK, (f"[{GERMAN6}]",), tiers=_FROM_GERMANY),
    Case(
        "an entry with brackets and a port",
        _NEAR,
        LOOPBACK,
        (f"[{GERMAN6}]:80",),
        tiers=_FROM_GERMANY,
    ),
    Case(
        "all trusted: the left-most",
        f"/mirrorlist?{_REPOSITORY}",
        LOOPBACK,
        ("10.0.0.7, 10.0.0.8",),
        log=_log("10.0.0.7", "N/A"),
    ),
    Case(
        "a junk header",
        f"/mirrorlist?{_REPOSITORY}",
        LOOPBACK,
        ("unknown",),
        log=_log(LOOPBACK, "N/A"),
    ),
    Case(
        "junk behind a trusted proxy",
        f"/mirrorlist?{_REPOSITORY}",
        LOOPBACK,
        (f"{GERMAN}, junk, 10.0.0.1",),
        log=_log(LOOPBACK, "N/A"),
    ),
    Case(
        "a header that is not ASCII",
        f"/mirrorlist?{_REPOSITORY}",
        LOOPBACK,
        ("1.2.3.4é",),
        log=_log(LOOPBACK, "N/A"),
    ),
    Case(
        "an empty header", f"/mirrorlist?{_REPOSITORY}", LOOPBACK, ("",), log=_log(LOOPBACK, "N/A")
    ),
    Case("a mapped peer", f"/mirrorlist?{_REPOSITORY}", f"::ffff:{GERMAN}", log=_log(GERMAN, "DE")),
    Case(
        "an IPv6 peer in the log",
        f"/mirrorlist?{_REPOSITORY}",
        "2001:DB8:DE:0:0::1",
        log=_log(GERMAN6, "DE"),
    ),
)

WISHES = (
    Case(
        "ip= of a trusted peer is believed whole",
        f"{_NEAR}&ip={_INSIDE_6}",
        LOOPBACK,
        tiers=_FROM_HOST_6,
    ),
    Case(
        "ip= wins over the header's address",
        f"{_WORLD}&ip={JAPANESE}",
        LOOPBACK,
        (GERMAN,),
        tiers=_JAPAN,
    ),
    Case("ip= of a stranger moves the country", f"{_WORLD}&ip={JAPANESE}", GERMAN, tiers=_JAPAN),
    Case(
        "ip= of a stranger does not move the netblock",
        f"{_NEAR}&ip={_INSIDE_6}",
        NOBODY,
        tiers=_FROM_GERMANY,
        heading="# path = pub/linux/near country = DE country = FR country = global ",
    ),
    Case(
        "ip= of a stranger does not move the ASN",
        f"{_NEAR}&ip=198.51.100.130",
        NOBODY,
        tiers=_FROM_NOWHERE,
    ),
    Case(
        "ip= leaves a stranger in his own netblock",
        f"{_NEAR}&ip={JAPANESE}",
        _INSIDE_6,
        tiers=({6}, {13}, {1, 3, 16, 17}),
    ),
    Case(
        "ip= of a stranger behind a trusted proxy",
        f"{_NEAR}&ip={_INSIDE_6}",
        LOOPBACK,
        (NOBODY,),
        tiers=_FROM_GERMANY,
    ),
    Case(
        "ip= in the log",
        f"/mirrorlist?{_REPOSITORY}&ip={JAPANESE}",
        GERMAN,
        log=_log(JAPANESE, "JP"),
    ),
    Case("ip= by IPv6", f"{_NEAR}&ip=2001:db8:6::9", LOOPBACK, tiers=({14}, {1, 3, 13, 16, 17})),
    Case(
        "ip= percent-encoded",
        f"{_NEAR}&ip=2001%3Adb8%3A6%3A%3A9",
        LOOPBACK,
        tiers=({14}, {1, 3, 13, 16, 17}),
    ),
    Case("ip= mapped", f"{_NEAR}&ip=::ffff:{_INSIDE_6}", LOOPBACK, tiers=_FROM_HOST_6),
    *(
        Case(
            f"ip={junk} is junk",
            f"{_NEAR}&ip={junk}",
            status=400,
            error=f"# ip=: not an address: {shown}",
            log="",
        )
        for junk, shown in (
            ("mirror.example", "mirror.example"),
            ("1.2.3", "1.2.3"),
            ("1.2.3.4.5", "1.2.3.4.5"),
            ("256.1.1.1", "256.1.1.1"),
            ("01.2.3.4", "01.2.3.4"),
            ("1.2.3.4/32", "1.2.3.4/32"),
            ("1.2.3.4,5.6.7.8", "1.2.3.4,5.6.7.8"),
            ("[2001:db8::1]", "?2001?db8??1?"),
            ("2001:db8::1::2", "2001?db8??1??2"),
            ("%201.2.3.4", "?1.2.3.4"),
            ("%D9%A1.2.3.4", "?.2.3.4"),
        )
    ),
)

TUNNELS = (
    Case(
        "6to4 has the country of its IPv4",
        "/mirrorlist?path=pub/linux/five",
        "2002:c633:6401::1",
        tiers=({1, 2}, {3, 22, 23}),
    ),
    Case(
        "Teredo has the country of its inverted IPv4",
        "/mirrorlist?path=pub/linux/five",
        # 198.51.100.1 is c6336401; inverted 39cc9bfe.
        "2001:0:4136:e378:8000:63bf:39cc:9bfe",
        tiers=({1, 2}, {3, 22, 23}),
    ),
    Case(
        "6to4 in a netblock by its IPv4",
        _NEAR,
        "2002:c000:205::1",
        tiers=_FROM_HOST_6,
        heading=_HEADING_OF_HOST_6,
    ),
    Case(
        "Teredo in a netblock by its IPv4",
        _NEAR,
        "2001:0:4136:e378:8000:63bf:3fff:fdfa",
        tiers=_FROM_HOST_6,
        heading=_HEADING_OF_HOST_6,
    ),
    Case(
        "6to4 in a netblock by its literal address",
        _NEAR,
        "2002:c633:6402::9",
        tiers=({14}, {3, 16}, {1}, {13, 17}),
    ),
    Case(
        "the literal netblock comes first",
        _NEAR,
        "2002:141e:2832::1",
        tiers=({14}, {17}, {1, 3, 13, 16}),
    ),
    # 198.51.100.130 is c6336482.
    Case(
        "6to4 has the ASN of its IPv4", _NEAR, "2002:c633:6482::1", tiers=({15, 16}, {1, 3, 13, 17})
    ),
    Case("6to4 in netblock_country by its IPv4", _WORLD, "2002:cb00:710a::1", tiers=_JAPAN),
    Case("a mapped address in a netblock", _NEAR, f"::ffff:{_INSIDE_6}", tiers=_FROM_HOST_6),
    Case(
        "a mapped address is trusted by its IPv4",
        _NEAR,
        "::ffff:10.0.0.1",
        (_INSIDE_6,),
        tiers=_FROM_HOST_6,
        live=True,
    ),
)
