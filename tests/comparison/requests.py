"""A seeded run of requests: each parameter alone and in pairs, every kind of client."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from random import Random
from urllib.parse import quote

from tests.comparison import data

REPOSITORIES = [
    "fedora-43",
    "updates-released-f43",
    "updates-testing-f43",
    "fedora-debug-43",
    "rawhide",
    "epel-9",
    "epel-10",
    "epel-latest",
    "fedora-source-43",
    "rawhide-source",
    "fedora-45",
    "fedora-rawhide",
    "updates-released-f45",
    "fedora-install-43",
    "corner-bare",
    "corner-versions",
]
UNKNOWN = ("fedora-99", "nothing", "fedora", "epel-source-9", "FEDORA-43")
# The incumbent's own trouble: each is a known difference.
ODD = ("corner-and", "corner-blank", "corner-outside")
ARCHES = ("x86_64", "aarch64", "source", "ppc64le", "mips")
_RELEASE = "pub/fedora/linux/releases/43/Everything/x86_64/os"
PATHS = (
    _RELEASE,
    f"{_RELEASE}/repodata",
    f"{_RELEASE}/repodata/repomd.xml",
    f"//{_RELEASE}//repodata///repomd.xml/",
    "pub/fedora/linux",
    "pub/epel",
    "pub/epel/9/Everything/x86_64/repodata/repomd.xml",
    "pub/alt",
    "pub/archive",
    "pub/corner",
    "pub/corner/versions/repodata/repomd.xml",
    "pub/corner/libstdc++.rpm",
    "pub/alt/iot/43/IoT/x86_64/iso",
    "pub/outside",
    "pub/nothing/here",
    "/",
    "",
    "repomd.xml",
)
COUNTRIES = [
    "DE",
    "de",
    "global",
    "US,JP",
    "DE,global",
    "BE",
    "be,AT",
    "AQ",
    "ZZ",
    "de,DE",
    "CN",
    "AU",
    "NZ,AU",
    "KE",
    "XX,YY",
    "BR,CL",
    "Global",
    "FR,de,NL,se",
    "EG",
    "global,CN",
]
PROTOCOLS = [
    "https",
    "http",
    "rsync",
    "ftp",
    "https,http",
    "http,https,rsync",
    "https,https",
    "gopher",
    "ftp,https,gopher",
]
# Neither is drawn often, as both are known differences wherever they stand.
ODD_PROTOCOLS = ("HTTPS", "Http,rsync")


@dataclass(frozen=True)
class Request:
    """A request to both servers."""

    target: str
    method: str = "GET"

    def replaced(self, old: str, new: str) -> "Request":
        """Return the request with other text in its query."""
        path, mark, query = self.target.partition("?")
        return Request(path + mark + query.replace(old, new), self.method)


Parameter = Callable[[Random], str]


def _countries(random: Random) -> str:
    return f"country={random.choice(COUNTRIES)}"


def _protocols(random: Random) -> str:
    return f"protocol={random.choice(PROTOCOLS)}"


PARAMETERS: dict[str, Parameter] = {
    "country": _countries,
    "no country": lambda random: "country=",
    "protocol": _protocols,
    "no protocol": lambda random: "protocol=",
    "protocol odd": lambda random: f"protocol={random.choice(ODD_PROTOCOLS)}",
    "netblock": lambda random: random.choice(["netblock=1", "netblock=0", "netblock=", "netblock"]),
    "redirect": lambda random: random.choice(["redirect=1", "redirect", "redirect=0"]),
    "time": lambda random: random.choice(["time=1", "time"]),
    "unknown": lambda random: random.choice(["countme=3", "infra=stock&content=x", "a=b", "="]),
}


def make_requests(count: int, seed: int) -> list[Request]:
    """Return so many different requests, the same for the same seed."""
    random = Random(seed)
    found = dict.fromkeys(_special())
    plans = _plans()
    while len(found) < count:
        for plan in plans:
            found[_request(random, plan)] = None
    return list(found)[:count]


def _plans() -> list[tuple[str, ...]]:
    alone = [(name,) for name in PARAMETERS]
    return [(), *alone, *combinations(PARAMETERS, 2)]


def _request(random: Random, plan: tuple[str, ...]) -> Request:
    kind = random.choice(["mirrorlist", "metalink"])
    parts = [_what(random), _client(random), *(PARAMETERS[name](random) for name in plan)]
    random.shuffle(parts)
    query = "&".join(part for part in parts if part)
    return Request(f"/{kind}?{query}")


def _what(random: Random) -> str:
    chance = random.random()
    if chance < 0.6:
        return f"repo={random.choice(REPOSITORIES)}&arch={random.choice(ARCHES[:2])}"
    if chance < 0.9:
        return f"path={random.choice(PATHS)}"
    return f"repo={random.choice((*REPOSITORIES, *UNKNOWN, *ODD))}&arch={random.choice(ARCHES)}"


def _client(random: Random) -> str:
    chance = random.random()
    if chance < 0.05:
        return random.choice(["", "ip="])
    if chance < 0.1:
        return f"ip={random.choice(data.TUNNELLED)}"
    pool = random.choice(
        [
            list(data.CLIENTS.values()),
            list(data.CLIENTS6.values()),
            list(data.NEAR),
            data.NEAR6,
            [data.NOBODY, data.NOBODY6],
        ]
    )
    return f"ip={random.choice(pool)}"


def _special() -> Iterator[Request]:
    for kind in ("mirrorlist", "metalink"):
        yield from (Request(f"/prefix/{kind}?{query}") for query in _special_queries())
        yield Request(f"/{kind}")
        yield Request(f"/{kind}?repo=fedora-43&arch=x86_64&ip=198.18.0.1", "POST")
    yield from (Request(path) for path in ("/", "/favicon.ico", "/mirrorlist/x", "/metalinks"))


def _special_queries() -> Iterator[str]:
    yield from ("repo=fedora-43", "arch=x86_64", "repo=&arch=", "country=DE", "path", "repo&arch")
    for repo in (*REPOSITORIES, *UNKNOWN, *ODD, "fedora-modular-38"):
        yield from (f"repo={repo}&arch={arch}" for arch in ARCHES)
        yield f"repo={quote(repo).replace('-', '%2D')}&arch=x86_64&ip=198.18.0.1"
    for path in PATHS:
        yield f"path={path}&ip=198.18.0.1"
        yield f"path={quote(path, safe='')}&ip=198.18.0.1"
    for ip in ("junk", "300.1.1.1", "1.2.3.4/24", "::g"):
        yield f"repo=fedora-43&arch=x86_64&ip={ip}"
    yield "repo=rawhide&repo=fedora-43&arch=x86_64&arch=aarch64&ip=198.18.0.1&ip=198.18.1.1"
    yield "repo=fedora-43&arch=x86_64&country=D%45"
    yield "repo=fedora-43&arch=x86_64&path=pub/epel"
