"""The tiers of countries and the global one: docs/protocol.md#which-hosts-in-which-order."""

from tests.contract.case import Case, countries
from tests.contract_world import (
    AMERICAN,
    BRITON,
    FRENCH,
    GERMAN,
    JAPANESE,
    KOREAN,
    NOBODY,
    OVERRIDDEN,
    OVERRIDDEN_INSIDE,
    TURK,
)

_NEAR = "/mirrorlist?path=pub/linux/near"
_MANY = "/mirrorlist?path=pub/linux/many"
_WORLD = "/mirrorlist?path=pub/linux/world"
_ALLOWED = "/mirrorlist?path=pub/linux/allowed"
_LIMITED = "/mirrorlist?path=pub/linux/limited"
_FOUR = "/mirrorlist?path=pub/linux/four"
_FIVE = "/mirrorlist?path=pub/linux/five"

_IN_NETBLOCKS = "20.30.40.50"


_EUROPE = countries("ES", "FR", "IT", "NL", "PL")

ASKED = (
    Case(
        "a country",
        f"{_MANY}&country=DE",
        tiers=({1, 2},),
        heading="# path = pub/linux/many country = DE ",
    ),
    Case(
        "a country in any case",
        f"{_MANY}&country=dE",
        tiers=({1, 2},),
        heading="# path = pub/linux/many country = DE ",
    ),
    Case(
        "countries, sorted and unique",
        f"{_MANY}&country=us,de,US,De",
        tiers=({1, 2, 4},),
        heading="# path = pub/linux/many country = DE country = US ",
    ),
    Case("whatever the client's country", f"{_MANY}&country=jp", GERMAN, tiers=({5},)),
    Case(
        "some countries without hosts",
        f"{_MANY}&country=gb,de,zz,",
        tiers=({1, 2},),
        heading="# path = pub/linux/many country = DE ",
    ),
    Case(
        "global is all public hosts",
        f"{_MANY}&country=global",
        GERMAN,
        tiers=({1, 2, 3, 4, 5, 21, 22, 23},),
        heading="# path = pub/linux/many country = global ",
    ),
    Case("global in any case", f"{_MANY}&country=Global", tiers=({1, 2, 3, 4, 5, 21, 22, 23},)),
    Case(
        "global and a country",
        f"{_MANY}&country=de,global",
        tiers=({1, 2, 3, 4, 5, 21, 22, 23},),
        heading="# path = pub/linux/many country = DE country = global ",
    ),
    Case(
        "no host in the country: its continent",
        f"{_MANY}&country=gb",
        AMERICAN,
        tiers=({1, 2, 3, 21, 22, 23},),
        heading="# path = pub/linux/many country = DE " + _EUROPE,
    ),
    Case(
        "no host in the countries: their continents",
        f"{_MANY}&country=gb,mx",
        tiers=({1, 2, 3, 4, 21, 22, 23},),
        heading="# path = pub/linux/many country = DE country = US " + _EUROPE,
    ),
    Case("nothing is added after a find, however few", f"{_MANY}&country=fr", GERMAN, tiers=({3},)),
    Case(
        "nothing is added after a find on the continent",
        f"{_MANY}&country=kr",
        GERMAN,
        tiers=({5},),
        heading="# path = pub/linux/many country = JP ",
    ),
    Case(
        "no host on the continent: the client's own tiers",
        f"{_MANY}&country=aq",
        GERMAN,
        tiers=({1, 2}, {3, 21, 22, 23}),
        heading="# path = pub/linux/many country = DE " + _EUROPE,
    ),
    Case(
        "a country that there is not: the client's own tiers",
        f"{_FOUR}&country=q1",
        GERMAN,
        tiers=({1, 2}, {3, 22}, {4, 5}),
    ),
    Case(
        "an absurd country",
        f"{_MANY}&country=%C3%9F%3C,germany",
        NOBODY,
        tiers=({1, 2, 3, 4, 5, 21, 22, 23},),
    ),
    Case(
        "only hosts with the protocol are found",
        f"{_MANY}&country=de&protocol=ftp",
        GERMAN,
        tiers=({21},),
        heading="# path = pub/linux/many "
        f"{countries('DE', 'ES', 'FR', 'IT', 'NL', 'PL')}protocol = ftp",
    ),
    Case(
        "only hosts with the protocol are found on the continent",
        f"{_MANY}&country=kr&protocol=ftp",
        tiers=({21},),
        heading=f"# path = pub/linux/many {countries('JP', 'global')}protocol = ftp",
    ),
    Case(
        "nobody has the protocol",
        f"{_MANY}&country=kr&protocol=gopher",
        status=404,
        error="error: no host has a URL of pub/linux/many with protocol gopher (protocol=)",
    ),
    Case(
        "hosts of no country cannot be asked for",
        f"{_WORLD}&country=,",
        KOREAN,
        tiers=({28}, {5}, {20, 25, 26, 27, 29}),
    ),
)

_ALL = {1, 2, 3, 4, 5, 21, 22, 23}

GEO = (
    Case(
        "country, then continent, weighted each",
        _FIVE,
        GERMAN,
        tiers=({1, 2}, {3, 22, 23}),
        heading="# path = pub/linux/five " + countries("DE", "FR", "IT", "PL"),
    ),
    Case("host countries are compared upper case", _FIVE, GERMAN, tiers=({1, 2}, {3, 22, 23})),
    Case(
        "no host in the country",
        _FIVE,
        BRITON,
        tiers=({1, 2, 3, 22, 23},),
        heading="# path = pub/linux/five " + countries("DE", "FR", "IT", "PL"),
    ),
    Case("the continent by redirect, of a client", _FIVE, TURK, tiers=({1, 2, 3, 22, 23},)),
    Case(
        "the continent by redirect, of a host",
        _WORLD,
        GERMAN,
        tiers=({29}, {5, 20, 25, 26, 27, 28}),
        heading="# path = pub/linux/world " + countries("TR", "global"),
    ),
    Case(
        "the old continent no longer counts",
        _WORLD,
        KOREAN,
        tiers=({28}, {5}, {20, 25, 26, 27, 29}),
        heading="# path = pub/linux/world " + countries("KR", "JP", "global"),
    ),
    Case(
        "an unknown country has no continent",
        _WORLD,
        NOBODY,
        tiers=({5, 20, 25, 26, 27, 28, 29},),
        heading="# path = pub/linux/world " + countries("global"),
    ),
    Case("five hosts are enough", _FIVE, GERMAN, tiers=({1, 2}, {3, 22, 23})),
    Case(
        "four are too few",
        _FOUR,
        GERMAN,
        tiers=({1, 2}, {3, 22}, {4, 5}),
        heading="# path = pub/linux/four " + countries("DE", "FR", "IT", "global"),
    ),
    Case(
        "counted after protocol=",
        f"{_FIVE}&protocol=http",
        GERMAN,
        tiers=({1, 2}, {3, 22}, {4}),
        heading="# path = pub/linux/five "
        + countries("DE", "FR", "IT", "PL", "global")
        + "protocol = http",
    ),
    Case(
        "netblock hosts count",
        _NEAR,
        _IN_NETBLOCKS,
        tiers=({12, 13}, {11}, {10}, {17}),
        heading="# path = pub/linux/near Using preferred netblock " + countries("US"),
    ),
    Case(
        "global stands in the heading even if it adds nobody",
        "/mirrorlist?path=pub/linux/weights",
        GERMAN,
        tiers=({34, 35},),
        heading="# path = pub/linux/weights " + countries("DE", "global"),
    ),
    Case(
        "netblock_country comes before GeoIP",
        _WORLD,
        OVERRIDDEN,
        tiers=({5}, {28}, {20, 25, 26, 27, 29}),
    ),
    Case(
        "netblock_country: the longest prefix",
        _WORLD,
        OVERRIDDEN_INSIDE,
        tiers=({25}, {5, 20, 26, 27, 28, 29}),
    ),
    Case(
        "netblock_country: a netmask", _WORLD, "198.18.5.77", tiers=({26}, {5, 20, 25, 27, 28, 29})
    ),
    Case(
        "netblock_country: a bare address",
        _WORLD,
        "198.18.6.1",
        tiers=({27}, {5, 20, 25, 26, 28, 29}),
    ),
    Case(
        "netblock_country: beside a bare address",
        _WORLD,
        "198.18.6.2",
        tiers=({5, 20, 25, 26, 27, 28, 29},),
    ),
    Case(
        "netblock_country in the log",
        "/mirrorlist?repo=linux-40&arch=x86_64",
        OVERRIDDEN,
        log=f"IP: {OVERRIDDEN}; COUNTRY: JP; REPO: linux-40; ARCH: x86_64",
    ),
    Case(
        "a host whose country is empty, in a metalink",
        "/metalink?path=pub/linux/world/boot.iso",
        JAPANESE,
        tiers=({5}, {28}, {20, 25, 26, 27, 29}),
        locations={20: "", 29: "TR"},
        private=set(),
    ),
    Case("NULL and zero bandwidth", "/mirrorlist?path=pub/linux/weights", tiers=({34, 35},)),
    Case(
        "always up to date without a crawl",
        "/mirrorlist?repo=epel-9&arch=x86_64",
        urls={"http://host1.example/epel/9/x86_64/", "https://host24.example/epel/9/x86_64/"},
    ),
    Case(
        "inactive, lagging and unlisted hosts never",
        "/metalink?path=pub/linux/many/boot.iso",
        GERMAN,
        tiers=({1, 2}, {3, 9, 21, 22, 23}),
        private=set(),
    ),
)

LIMITED = (
    Case("not in the country tier", _ALLOWED, GERMAN, tiers=({1}, {4, 19})),
    Case("in the global tier", _ALLOWED, FRENCH, tiers=({1}, {4, 19})),
    Case("not in the global tier", _ALLOWED, NOBODY, tiers=({1, 4},)),
    Case("offered to its own clients", _ALLOWED, JAPANESE, tiers=({1, 4, 18},)),
    Case("not in the tier of countries asked", f"{_ALLOWED}&country=us", AMERICAN, tiers=({4},)),
    Case("in the tier of countries asked", f"{_ALLOWED}&country=us", GERMAN, tiers=({4, 19},)),
    Case("not in the tier of continents asked", f"{_ALLOWED}&country=mx", AMERICAN, tiers=({4},)),
    Case("in the tier of continents asked", f"{_ALLOWED}&country=mx", FRENCH, tiers=({4, 19},)),
    Case("not among global asked", f"{_ALLOWED}&country=global", AMERICAN, tiers=({1, 4},)),
    Case(
        "a host that is not allowed is not found",
        f"{_LIMITED}&country=de",
        GERMAN,
        status=404,
        error="error: no host has pub/linux/limited for clients from DE",
    ),
    Case(
        "a host that is allowed is found",
        f"{_LIMITED}&country=de",
        JAPANESE,
        tiers=({18},),
        heading="# path = pub/linux/limited country = DE ",
    ),
    Case(
        "none allowed is said",
        _LIMITED,
        NOBODY,
        status=404,
        error="error: no host has pub/linux/limited for clients from N/A",
    ),
    Case(
        "none allowed, metalink",
        "/metalink?path=pub/linux/limited/boot.iso&country=fr",
        GERMAN,
        status=404,
        error="error: no host has pub/linux/limited for clients from DE",
        tiers=(),
    ),
    Case("a netblock is stronger", _LIMITED, "21.0.0.9", tiers=({18},)),
    Case(
        "an ASN is stronger",
        _LIMITED,
        "21.1.0.5",
        tiers=({18},),
        heading="# path = pub/linux/limited Using ASN 64513 " + countries("global"),
    ),
    Case("by the country of a stranger's ip=", f"{_LIMITED}&ip={JAPANESE}", GERMAN, tiers=({18},)),
    Case("by netblock_country", _LIMITED, OVERRIDDEN, tiers=({18},)),
)
