"""The netblock and ASN tiers: docs/protocol.md#which-hosts-in-which-order."""

from tests.contract.case import Case, countries

_NEAR = "/mirrorlist?path=pub/linux/near"
_MANY = "/mirrorlist?path=pub/linux/many"
_LIMITED = "/mirrorlist?path=pub/linux/limited"

_IN_NETBLOCKS = "20.30.40.50"
_IN_AN_ASN = "198.51.100.130"


def _near(*used: str) -> str:
    return "".join(("# path = pub/linux/near ", *used))


NETBLOCK = (
    Case(
        "longest prefix first, equal ones together, private ones too",
        _NEAR,
        _IN_NETBLOCKS,
        tiers=({12, 13}, {11}, {10}, {17}),
        heading=_near("Using preferred netblock ", countries("US")),
    ),
    Case(
        "only the wider ones contain the client",
        _NEAR,
        "20.30.41.1",
        tiers=({11}, {10}, {1, 3, 13, 16, 17}),
    ),
    Case(
        "only the widest one contains the client",
        _NEAR,
        "20.30.255.255",
        tiers=({10}, {1, 3, 13, 16, 17}),
    ),
    Case(
        "just outside",
        _NEAR,
        "20.31.0.0",
        tiers=({1, 3, 13, 16, 17},),
        heading=_near(countries("global")),
    ),
    Case("IPv6", _NEAR, "2001:db8:6:ffff:ffff:ffff:ffff:ffff", tiers=({14}, {1, 3, 13, 16, 17})),
    Case("IPv6 just outside", _NEAR, "2001:db8:7::", tiers=({1, 3, 13, 16, 17},)),
    Case("a bare address", _NEAR, "20.30.200.7", tiers=({30}, {10}, {1, 3, 13, 16, 17})),
    Case("beside a bare address", _NEAR, "20.30.200.8", tiers=({10}, {1, 3, 13, 16, 17})),
    Case(
        "a netmask, host bits masked off",
        _LIMITED,
        "21.0.0.9",
        tiers=({18},),
        heading="# path = pub/linux/limited Using preferred netblock " + countries("global"),
    ),
    Case(
        "only hosts that carry the directory",
        _MANY,
        _IN_NETBLOCKS,
        tiers=({4}, {1, 2, 3, 5, 21, 22, 23}),
        heading="# path = pub/linux/many " + countries("US", "global"),
    ),
    Case(
        "netblock=1 leaves it on",
        f"{_NEAR}&netblock=1",
        _IN_NETBLOCKS,
        tiers=({12, 13}, {11}, {10}, {17}),
    ),
    *(
        Case(
            f"&{off} switches it off",
            f"{_NEAR}&{off}",
            _IN_NETBLOCKS,
            tiers=({17}, {1, 3, 13, 16}),
            heading=_near(countries("US", "global")),
        )
        for off in (
            "netblock=0",
            "netblock=",
            "netblock",
            "netblock=yes",
            "netblock=01",
            "netblock=1&netblock=0",
        )
    ),
    Case("country= switches it off", f"{_NEAR}&country=jp", _IN_NETBLOCKS, tiers=({13},)),
    Case(
        "country= in vain switches it off too",
        f"{_NEAR}&country=aq",
        _IN_NETBLOCKS,
        tiers=({17}, {1, 3, 13, 16}),
        heading=_near(countries("US", "global")),
    ),
    Case(
        "country= empty leaves it on",
        f"{_NEAR}&country=",
        _IN_NETBLOCKS,
        tiers=({12, 13}, {11}, {10}, {17}),
    ),
    Case(
        "private hosts are marked in a metalink",
        "/metalink?path=pub/linux/near/boot.iso",
        _IN_NETBLOCKS,
        tiers=({12, 13}, {11}, {10}, {17}),
        private={10, 11, 12},
        locations={10: "US", 13: "JP", 17: "US"},
    ),
    Case(
        "a host of a private site is private",
        "/metalink?path=pub/linux/near/boot.iso",
        "20.30.200.7",
        tiers=({30}, {10}, {1, 3, 13, 16, 17}),
        private={10, 30},
    ),
)

ASN = (
    Case(
        "the client's ASN, private hosts and peer ASNs too",
        _NEAR,
        _IN_AN_ASN,
        tiers=({15, 16}, {1, 3, 13, 17}),
        heading=_near("Using ASN 64510 ", countries("global")),
    ),
    Case("by IPv6", _NEAR, "2001:db8:a5::1", tiers=({15, 16}, {1, 3, 13, 17})),
    Case(
        "a more specific foreign prefix is a hole",
        _NEAR,
        "198.51.100.200",
        tiers=({1, 3, 13, 16, 17},),
        heading=_near(countries("global")),
    ),
    Case(
        "a peer ASN; asn_clients switches both off",
        _NEAR,
        "198.18.1.7",
        tiers=({16}, {1, 3, 13, 17}),
        heading=_near("Using ASN 64511 ", countries("global")),
    ),
    Case("a host's own ASN beside peer ASNs", _NEAR, "198.18.2.7", tiers=({16}, {1, 3, 13, 17})),
    Case(
        "only hosts that carry the directory",
        _MANY,
        _IN_AN_ASN,
        heading="# path = pub/linux/many " + countries("global"),
    ),
    Case(
        "with hosts that a list cannot show",
        f"{_NEAR}&protocol=ftp",
        _IN_AN_ASN,
        status=404,
        error="error: no host has a URL of pub/linux/near with protocol ftp (protocol=)",
    ),
    Case(
        "netblock=0 switches it off", f"{_NEAR}&netblock=0", _IN_AN_ASN, tiers=({1, 3, 13, 16, 17},)
    ),
    Case("country= switches it off", f"{_NEAR}&country=us", _IN_AN_ASN, tiers=({17},)),
    Case(
        "a host stands once, in its first tier",
        _NEAR,
        "192.0.2.5",
        tiers=({6}, {1}, {3, 16}, {13, 17}),
        heading=_near("Using preferred netblock Using ASN 64500 ", countries("DE", "FR", "global")),
    ),
    Case(
        "without a netblock in the ASN tier",
        _NEAR,
        "198.18.4.1",
        tiers=({6}, {1, 3, 13, 16, 17}),
        heading=_near("Using ASN 64500 ", countries("global")),
    ),
)
