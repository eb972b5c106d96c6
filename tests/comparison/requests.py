"""The requests of the comparison, from a seed: every parameter alone, in pairs, and more."""

from collections.abc import Iterator
from itertools import combinations, product
from random import Random
from urllib.parse import quote

from msgspec.structs import replace

from mirrorlist.replay.request import Parameters, Request, as_query
from tests.comparison import network
from tests.comparison.data import IMAGE

_PATHS = (
    "pub/linux",
    "pub/linux/40/x86_64/os",
    "/pub//linux/40/x86_64/os/",
    "pub/linux/40/x86_64/os/repodata/repomd.xml",
    "pub/linux/40/x86_64/os/repodata/other.xml",
    f"pub/linux/40/x86_64/iso/{IMAGE}",
    "pub/linux/40/x86_64/iso",
    "pub/linux/four",
    "pub/linux/five",
    "pub/linux/five/five",
    "pub/linux/rsync",
    "pub/linux/private",
    "pub/linux/c++/libstdc++/libstdc++.rpm",
    f"pub/linux/c++/libstdc++/{IMAGE}",
    "pub/extras",
    "pub/extras/9/x86_64/repodata/repomd.xml",
    "pub/linux/nested/a",
    "some.iso",
)
_REPOSITORIES = (
    ("linux-40", "x86_64"),
    ("linux-40", "aarch64"),
    ("linux-latest", "x86_64"),
    ("linux-stable", "x86_64"),
    ("linux-source-40", "x86_64"),
    ("latest-source", "source"),
    ("updates-40", "x86_64"),
    ("extras-9", "x86_64"),
    ("sparse", "x86_64"),
    ("bare", "x86_64"),
    ("old-39-again", "x86_64"),
    ("c++", "x86_64"),
)
_FAILING = (
    *(
        (("repo", repo), ("arch", arch))
        for repo, arch in (
            ("old-39", "x86_64"),
            ("old-39", "aarch64"),
            ("old", "x86_64"),
            ("unknown", "x86_64"),
            ("linux-40", "unknown"),
            ("linux-40", "x86_64/"),
            ("lost", "x86_64"),
            ("broken", "x86_64"),
            ("homeless", "x86_64"),
            ("timeless", "x86_64"),
            ("c++", "aarch64"),
            ("a:b", "c;d"),
            ("x" * 129, "x86_64"),
            ("x" * 257, "x86_64"),
            ("", "x86_64"),
            ("", ""),
        )
    ),
    *((("path", path),) for path in ("pub/nowhere/x", "no/such/file.iso", "pub/linux/x/y", "")),
    (("path", "pub/linux/40/x86_64/os/repodata"),),
    (("path", "p/" * 1025),),
    (),
    (("repo", "linux-40"),),
    (("arch", "x86_64"),),
    (("repo", None), ("arch", None)),
    (("repo", "linux-40=old"), ("arch", "x86_64=")),
    (("countme", "3"),),
    (("repo", "source"),),
    (("path", "pub/linux/four"), ("repo", "linux-40"), ("arch", "x86_64")),
    (("path", "pub/linux/four"), ("repo", "anything"), ("arch", "at-all")),
    (("repo", "old-39"), ("arch", "x86_64"), ("repo", "linux-40")),
    (("repo", "linux-40"), ("arch", "x86_64"), ("countme", "3"), ("infra", "$infra")),
)
# What is different on purpose, and wherever it stands.
_DIFFERENT: tuple[Parameters, ...] = (
    *(
        (("repo", repo), ("arch", "x86_64"))
        for repo in ("nobody", "outside", "blank", "umlaut", "upper", "amp", "slash", "bare")
    ),
    *(
        (("path", f"pub/linux/{path}"),)
        for path in (
            *("nobody", f"nobody/{IMAGE}", "slash", "amp", "lux", f"lux/{IMAGE}", "nested/b"),
            *(f"nested/b/{IMAGE}", "limited", f"limited/{IMAGE}", "nobody/repodata/repomd.xml"),
        )
    ),
    (("path", "pub/outside"),),
    (("path", "pub/outside/repodata/repomd.xml"),),
)
_ENCODED = (
    "repo=linux%2D40&arch=x86_64",
    "repo=linux-40&arch=%7886_64",
    "path=pub%2Flinux%2Ffour",
    "path=%2Fpub%2Flinux%2F40%2Fx86_64%2Fos%2Frepodata%2Frepomd.xml",
    "path=pub/linux/c%2B%2B/libstdc%2B%2B",
    "repo=linux-40&arch=x86_64&country=D%45,fr",
    "repo=linux-40&arch=x86_64&country=DE%2CFR",
    "repo=linux-40&arch=x86_64&protocol=http%73",
    "repo=linux-40&arch=x86_64&protocol=https%2Chttp",
    "repo=linux-40&arch=x86_64&netblock=%31",
    "repo=linux-40&arch=x86_64&ip=198%2E18.1.7",
    "repo=linux-40&arch=x86_64&ip=2001%3Adb8%3A1%3A%3A7",
    "repo=linux%0A&arch=x86_64",
    "repo=linux-40&arch=%00",
    "path=pub/linux%7F",
    "path=%C2%85",
    "path=%FF",
    "path=pub/linux/100%",
    "repo=%zz&arch=x86_64",
    "repo=linux-40&arch=x86_64&country=%0D%0A",
    "repo=linux-40&arch=x86_64&countme=%00",
)
# Values of the options. Some are known differences wherever they stand, so they stand once.
_VALUES: dict[str, tuple[str | None, ...]] = {
    "country": (
        *("DE", "US", "JP,BR", "FR,DE,FR", "ES", "ES,BE", "KE", "AQ", "ZZ", "XK", "TR", ""),
        *("global", "DE,global", "ES,global", "de", "us,DE,Us", "Global", "pe", ",", "NZ,", None),
    ),
    "protocol": (
        *("https", "http", "rsync", "ftp", "https,http", "http,https,rsync", "https,gopher"),
        *("http,http", "https,", "gopher", "", "HTTPS", "Http,RSYNC", "http://", None),
    ),
    "netblock": ("1", "0", "", "11", None),
    "redirect": ("1", "0", "", None),
    "time": ("1", "0", "", None),
}
_RARE = {"de", "us,DE,Us", "Global", "pe", ",", "NZ,", "XK", "HTTPS", "Http,RSYNC", "http://"}
_MANY = (
    ("country", ",".join(["DE"] * 32)),
    ("country", ",".join(["DE"] * 33)),
    ("protocol", ",".join(["http"] * 32)),
    ("protocol", ",".join(["http"] * 33)),
    ("ip", "1" * 257),
    ("country", "D" * 257),
    ("time", "1" * 257),
)
_JUNK = ("junk", "198.18.1", "198.18.1.7:80", "::g", "1.2.3.4.5", "[::1]", "999.1.1.1")
_FORWARDED = (
    "198.18.1.7, {}",
    "10.0.0.1, {}",
    "junk, {}",
    "{}, 10.0.0.1",
    "{},192.168.1.1",
    "{}, 10.1.1.1, 127.0.0.1",
    "198.18.1.7,{}",
    " {} ",
    "junk",
    "{}, junk",
    "",
    "{}, caf\xe9",
)
_WITH_PORT = ("198.18.1.7:4711", "[2001:db8:1::7]", "[2001:db8:1::7]:4711")
_OTHERS = (
    "/",
    "/foo/mirrorlist",
    "/some/deep/metalink",
    "//metalink",
    "/mirrorlist/",
    "/metalinks",
    "/xmirrorlist",
    "/favicon.ico",
)
_ENDPOINTS = ("/mirrorlist", "/metalink")
_STAND_INS = [address for group in network.STAND_INS.values() for address in group]


def clients() -> dict[str, list[str]]:
    """Return the addresses of clients by what is known of them."""
    return {
        "country IPv4": list(network.CLIENT4.values()),
        "country IPv6": list(network.CLIENT6.values()),
        "netblock": [*network.NETBLOCK4, *network.NETBLOCK6],
        "ASN": [*network.ASN4, *network.ASN6],
        "unknown": [network.NOBODY4, network.NOBODY6],
        "overridden": list(network.OVERRIDDEN),
        "seen differently": _STAND_INS,
    }


def requests(seed: int, count: int) -> list[Request]:
    """Return distinct requests: the systematic ones, then random ones until there are `count`."""
    rng = Random(seed)
    found = dict.fromkeys(_systematic(rng))
    while len(found) < count:
        found.setdefault(_random(rng))
    return list(found)


def _systematic(rng: Random) -> Iterator[Request]:
    yield from _targets(rng)
    yield from _alone(rng)
    yield from _near(rng)
    yield from _pairs(rng)
    yield from _different(rng)
    for endpoint in _ENDPOINTS:
        yield from (Request("failing", endpoint, as_query(pairs)) for pairs in _FAILING)
        yield from (Request("encoded", endpoint, query) for query in _ENCODED)
        yield from _addresses(endpoint, rng)
        yield from (_with(endpoint, _target(rng), (pair,), "limits") for pair in _MANY)
        query = "repo=linux-40&arch=x86_64"
        for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
            yield Request("methods and paths", endpoint, query, method=method)
    yield from (Request("methods and paths", path, "repo=linux-40&arch=x86_64") for path in _OTHERS)


def _targets(rng: Random) -> Iterator[Request]:
    """Every target on both endpoints, and every client for one target on both."""
    targets = [*_all_targets(), (("path", quote("pub/linux/c++")),)]
    for endpoint, target in product(_ENDPOINTS, targets):
        for group in ("country IPv4", "country IPv6", "netblock", "ASN"):
            yield _from(rng.choice(clients()[group]), _with(endpoint, target, (), "targets"), rng)
    for endpoint, addresses in product(_ENDPOINTS, clients().values()):
        for address in addresses:
            target = (("repo", "linux-40"), ("arch", rng.choice(("x86_64", "aarch64"))))
            yield _from(address, _with(endpoint, target, (), "clients"), rng)


def _alone(rng: Random) -> Iterator[Request]:
    for endpoint, (name, values) in product(_ENDPOINTS, _VALUES.items()):
        for value in values:
            plain = _with(endpoint, _target(rng), ((name, value),), "alone")
            yield from (_from(_client(rng), plain, rng) for _ in range(2))


def _near(rng: Random) -> Iterator[Request]:
    """Every value of netblock= from clients who are near somebody."""
    near = [*network.NETBLOCK4[1:3], network.NETBLOCK6[1], network.ASN4[0], network.ASN6[1]]
    target: Parameters = (("repo", "linux-40"), ("arch", "x86_64"))
    for value, address in product(_VALUES["netblock"], near):
        plain = _with(rng.choice(_ENDPOINTS), target, (("netblock", value),), "near")
        yield _from(address, plain, rng)


def _pairs(rng: Random) -> Iterator[Request]:
    for first, second in combinations(_VALUES, 2):
        for one, other in product(_VALUES[first], _VALUES[second]):
            if not (one in _RARE and other in _RARE):
                options = [(first, one), (second, other)]
                rng.shuffle(options)
                yield _with(rng.choice(_ENDPOINTS), _target(rng), tuple(options), "pairs", rng)
    for (name, values), addresses in product(_VALUES.items(), clients().values()):
        for value in values:
            plain = _with(rng.choice(_ENDPOINTS), _target(rng), ((name, value),), "pairs")
            yield _from(rng.choice(addresses), plain, rng, always_ip=True)


def _different(rng: Random) -> Iterator[Request]:
    for endpoint, target in product(_ENDPOINTS, _DIFFERENT):
        plain = _with(endpoint, target, (), "different")
        for _ in range(3):
            yield _from(_client(rng), plain, rng)
        yield _with(endpoint, target, (("protocol", "http"),), "different")
        yield _with(endpoint, target, (("country", rng.choice(("LU", "FR", "JP"))),), "different")
    for target in _DIFFERENT:
        yield _with("/mirrorlist", target, (("redirect", "1"),), "different")
    for code in (*("FR", "JP", "CA", "DE", "BE"), "LU"):
        for directory in ("limited", "lux"):
            path = (("path", f"pub/linux/{directory}"),)
            yield _from(network.CLIENT4[code], _with("/mirrorlist", path, (), "different"), rng)


def _addresses(endpoint: str, rng: Random) -> Iterator[Request]:
    plain = _with(endpoint, (("repo", "linux-40"), ("arch", "x86_64")), (), "addresses")
    for text in _JUNK:
        yield replace(plain, query=f"{plain.query}&ip={text}")
    for address in (network.CLIENT4["FR"], network.CLIENT6["JP"], network.NETBLOCK4[1]):
        for form in _FORWARDED:
            yield replace(plain, forwarded=form.format(address))
        yield replace(plain, query=f"{plain.query}&ip=", forwarded=address)
    yield from (replace(plain, forwarded=entry) for entry in _WITH_PORT)
    # ip= wins over the header, but near hosts are not for strangers.
    for address in (network.CLIENT4["BR"], *network.NETBLOCK4, *network.ASN4):
        query = f"{plain.query}&ip={address}"
        yield replace(plain, query=query, forwarded=network.CLIENT4["FR"])


def _all_targets() -> list[Parameters]:
    repositories = [(("repo", repo), ("arch", arch)) for repo, arch in _REPOSITORIES]
    return [*repositories, *((("path", path),) for path in _PATHS)]


def _target(rng: Random) -> Parameters:
    # Half of all requests are for the repository that nearly all hosts carry.
    plain: Parameters = (("repo", "linux-40"), ("arch", "x86_64"))
    return plain if rng.random() < 0.5 else rng.choice(_all_targets())


def _client(rng: Random) -> str:
    groups = clients()
    return rng.choice(groups[rng.choice(list(groups))])


def _with(
    path: str, target: Parameters, options: Parameters, kind: str, rng: Random | None = None
) -> Request:
    request = Request(kind, path, as_query([*target, *options]))
    return request if rng is None else _from(_client(rng), request, rng)


def _from(address: str, request: Request, rng: Random, always_ip: bool = False) -> Request:
    if always_ip or rng.random() < 0.5:
        return replace(request, query=f"{request.query}&ip={address}")
    return replace(request, forwarded=address)


def _random(rng: Random) -> Request:
    """Return any target of any client with up to three options."""
    names = rng.sample(list(_VALUES), rng.randint(0, 3))
    options = tuple((name, rng.choice(_VALUES[name])) for name in names)
    return _with(rng.choice(_ENDPOINTS), rng.choice(_all_targets()), options, "random", rng)
