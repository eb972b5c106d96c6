"""URLs and bodies.

Source: docs/protocol.md#the-urls-of-a-host, docs/protocol.md#the-text-list and
docs/protocol.md#the-metalink.
"""

from tests.contract.case import META4, METALINK, TEXT, Case
from tests.contract_world import GERMAN, JAPANESE, NOBODY
from tests.factories import SHA256

_SCHEMES = "/mirrorlist?path=pub/linux/schemes"
_BOOT = "/metalink?path=pub/linux/schemes/boot.iso"
_LIMITED = "path=pub/linux/limited"
_ALL_HASHES = ("md5", "sha1", "sha256", "sha512")


def _urls(*hosts: str, path: str = "schemes/") -> set[str]:
    return {
        f"{protocol}://{host}/{path}" for protocol, _, host in (h.partition(" ") for h in hosts)
    }


def _linux(protocol: str, host: int) -> str:
    return f"{protocol} host{host}.example/linux"


_GET_AND_GO = "http host31.example/get&go/linux"

URLS = (
    Case(
        "one URL a host: the first https, http or ftp",
        _SCHEMES,
        urls=_urls(
            _linux("http", 1),
            _linux("ftp", 21),
            _linux("http", 22),
            _linux("https", 23),
            _GET_AND_GO,
        ),
    ),
    Case(
        "in the order of their ids",
        f"/mirrorlist?{_LIMITED}",
        JAPANESE,
        urls=("https://host18.example/linux/limited/",),
    ),
    Case(
        "metalink: all of them, rsync too",
        _BOOT,
        tiers=({1, 9, 21, 22, 23, 31},),
        urls=_urls(
            *(_linux(p, 1) for p in ("http", "https", "rsync")),
            _linux("rsync", 9),
            *(_linux(p, 21) for p in ("ftp", "http", "https")),
            _linux("http", 22),
            _linux("https", 23),
            _GET_AND_GO,
            path="schemes/boot.iso",
        ),
    ),
    Case(
        "metalink: in the order of their ids",
        "/metalink?path=pub/linux/limited/boot.iso&country=de",
        JAPANESE,
        urls=tuple(
            f"{protocol}://host18.example/linux/limited/boot.iso"
            for protocol in ("rsync", "https", "http")
        ),
    ),
    Case(
        "protocol=https",
        f"{_SCHEMES}&protocol=https",
        urls=_urls(_linux("https", 1), _linux("https", 21), _linux("https", 23)),
    ),
    Case(
        "protocol= in any case",
        f"{_SCHEMES}&protocol=HTTPS",
        urls=_urls(_linux("https", 1), _linux("https", 21), _linux("https", 23)),
    ),
    Case(
        "protocol=rsync in a text list",
        f"{_SCHEMES}&protocol=rsync",
        urls=_urls(_linux("rsync", 1), _linux("rsync", 9)),
    ),
    Case(
        "protocol=https,http: two URLs a host, in the order of their ids",
        f"/mirrorlist?{_LIMITED}&protocol=http,https",
        JAPANESE,
        urls=("https://host18.example/linux/limited/", "http://host18.example/linux/limited/"),
    ),
    Case(
        "as many URLs as distinct names",
        f"{_SCHEMES}&protocol=http,http,http",
        urls=_urls(_linux("http", 1), _linux("http", 21), _linux("http", 22), _GET_AND_GO),
    ),
    Case(
        "names of no protocol count as names",
        f"/mirrorlist?{_LIMITED}&protocol=http,gopher",
        JAPANESE,
        urls=("http://host18.example/linux/limited/",),
    ),
    Case(
        "protocol= in a metalink",
        f"{_BOOT}&protocol=ftp,https",
        urls=_urls(
            _linux("https", 1),
            _linux("ftp", 21),
            _linux("https", 21),
            _linux("https", 23),
            path="schemes/boot.iso",
        ),
    ),
    Case(
        "a Metalink 4 has the same URLs",
        f"{_BOOT}.meta4&protocol=https,http&country=es",
        content_type=META4,
        file="boot.iso",
        hashes=("md5", "sha-1", "sha-256", "sha-512"),
        urls=(
            "http://host21.example/linux/schemes/boot.iso",
            "https://host21.example/linux/schemes/boot.iso",
        ),
        contains=(f'<hash type="sha-256">{SHA256}</hash>', '<url location="es" priority="1">http'),
        lacks=("mm0", "preference", "pubdate"),
    ),
    Case(
        "a Metalink 4 of a file without checksums",
        "/metalink?path=pub/linux/schemes/README.meta4",
        status=404,
        error="pub/linux/schemes/README not found or has not metalink",
    ),
    Case(
        "a Metalink 4 of no file",
        "/metalink?path=pub/linux/schemes/.meta4",
        status=404,
        error="pub/linux/schemes/.meta4 not found or has not metalink",
    ),
    Case(
        "in a text list, .meta4 is part of a file's name",
        "/mirrorlist?path=pub/linux/schemes/boot.iso.meta4&country=es&protocol=http",
        urls=("http://host21.example/linux/schemes/boot.iso.meta4",),
    ),
    Case(
        "an unknown protocol is nothing, and said",
        f"{_SCHEMES}&protocol=gopher",
        status=404,
        error="error: no host has a URL of pub/linux/schemes with protocol gopher (protocol=)",
    ),
    Case(
        "an unknown protocol is nothing in a metalink, and said",
        f"{_BOOT}&protocol=gopher",
        status=404,
        error="error: no host has a URL of pub/linux/schemes with protocol gopher (protocol=)",
        tiers=(),
    ),
    Case(
        "protocol as asked, repeats kept",
        f"{_SCHEMES}&protocol=FTP,ftp,Ftp&country=es",
        heading="# path = pub/linux/schemes country = ES protocol = FTP,ftp,Ftp",
        urls=("ftp://host21.example/linux/schemes/",),
    ),
    Case(
        "a mirror's URL with &, escaped in a metalink",
        f"{_BOOT}&country=de",
        contains=("http://host31.example/get&amp;go/linux/schemes/boot.iso",),
        lacks=("get&go",),
    ),
    Case(
        "a mirror's URL with &, as it is in a text list",
        f"{_SCHEMES}&country=de",
        contains=("\nhttp://host31.example/get&go/linux/schemes/\n",),
    ),
)


def _redirect(
    name: str,
    query: str,
    location: str | None,
    peer: str = NOBODY,
    error: str | None = None,
    digest: str | None = None,
) -> Case:
    return Case(
        f"redirect: {name}",
        f"/mirrorlist?{query}&redirect=1",
        peer,
        body=(error or "").encode(),
        status=302 if location else 404,
        content_type=TEXT,
        location=location,
        digest=digest,
    )


REDIRECTS = (
    _redirect(
        "first http or https URL of the first host",
        _LIMITED,
        "https://host18.example/linux/limited/",
        JAPANESE,
    ),
    _redirect(
        "an ftp-first host",
        "path=pub/linux/schemes&country=es",
        "http://host21.example/linux/schemes/",
    ),
    _redirect(
        "a file",
        "path=pub/linux/schemes/boot.iso&country=es",
        "http://host21.example/linux/schemes/boot.iso",
        digest="sha-256=:LCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCw=:",
    ),
    _redirect(
        "a file without checksums",
        "path=pub/linux/schemes/README&country=es",
        "http://host21.example/linux/schemes/README",
    ),
    _redirect(
        "passes over hosts without http and https",
        "path=pub/linux/schemes&country=nl,it",
        "http://host22.example/linux/schemes/",
    ),
    _redirect(
        "within protocol=",
        f"{_LIMITED}&protocol=http",
        "http://host18.example/linux/limited/",
        JAPANESE,
    ),
    _redirect(
        "only rsync wanted",
        f"{_LIMITED}&protocol=rsync",
        None,
        JAPANESE,
        "error: no host has a URL of pub/linux/limited with protocol http or https, which a"
        " redirect needs and protocol rsync (protocol=)",
    ),
    _redirect(
        "nobody allowed",
        _LIMITED,
        None,
        GERMAN,
        "error: no host has pub/linux/limited for clients from DE",
    ),
    _redirect(
        "a name with blanks",
        "path=pub/linux/with%20blank/a+b%26c&country=de&protocol=https",
        "https://host1.example/linux/with%20blank/a+b&c/",
    ),
    Case(
        "redirect: nothing for a metalink",
        "/metalink?repo=rolling&arch=x86_64&redirect=1",
        content_type=METALINK,
        file="repomd.xml",
    ),
    Case(
        "redirect: an error stays one",
        "/mirrorlist?repo=x&arch=y&redirect=1",
        status=404,
        starts="# repo = x arch = y \n",
    ),
    Case(
        "redirect: is logged",
        "/mirrorlist?repo=rolling&arch=x86_64&redirect=1",
        GERMAN,
        status=302,
        location="http://host1.example/linux/rolling/repodata/",
        log=f"IP: {GERMAN}; COUNTRY: DE; REPO: rolling; ARCH: x86_64",
    ),
)

BODIES = (
    Case(
        "heading: everything in its order",
        "/mirrorlist?path=pub/linux/near&protocol=http,https&time",
        "192.0.2.5",
        heading="# path = pub/linux/near Using preferred netblock Using ASN 64500 country = DE"
        " country = FR country = global protocol = http,https",
        creation_time=True,
    ),
    Case(
        "heading: a country whose hosts an earlier tier has listed",
        "/mirrorlist?path=pub/linux/private&netblock=1",
        "192.0.2.5",
        heading="# path = pub/linux/private Using preferred netblock Using ASN 64500"
        " country = global ",
        tiers=({6},),
    ),
    Case(
        "heading: a country all of whose hosts are in the netblock tier",
        "/mirrorlist?path=pub/linux/near&ip=198.51.100.4",
        "20.30.40.50",
        heading="# path = pub/linux/near Using preferred netblock country = JP country = global ",
        tiers=({12, 13}, {11}, {10}, {1, 3, 16, 17}),
    ),
    Case(
        "metalink: file details",
        "/metalink?repo=linux-40&arch=x86_64",
        file="repomd.xml",
        timestamps=("1700000001",),
        sizes=("4001",),
        hashes=_ALL_HASHES,
    ),
    Case(
        "metalink: unknown timestamp, size and hashes are left out",
        "/metalink?repo=sparse&arch=x86_64",
        file="repomd.xml",
        timestamps=(None,),
        sizes=(None,),
        hashes=("sha256",),
        lacks=("<size>", "timestamp", "alternates"),
    ),
    Case(
        "metalink: alternates, newest first",
        "/metalink?repo=alternates&arch=x86_64",
        file="repomd.xml",
        timestamps=("3000", "2000", "1000"),
        sizes=("30", None, "10"),
        hashes=_ALL_HASHES,
        contains=("cc" * 32, "bb" * 32, "aa" * 32),
    ),
    Case(
        "metalink: neither alternates for one version nor pieces of a repomd.xml",
        "/metalink?repo=linux-40&arch=x86_64",
        lacks=("alternate", "<pieces"),
    ),
    Case(
        "metalink: a file that is not a repomd.xml is one piece",
        _BOOT,
        contains=(f'type="sha256"><hash piece="0">{SHA256}</hash></pieces>',),
    ),
    Case(
        "metalink: public hosts are not marked",
        "/metalink?repo=linux-40&arch=x86_64",
        private=set(),
    ),
    Case(
        "metalink: the host's country upper case",
        "/metalink?repo=linux-40&arch=x86_64",
        locations={1: "DE", 2: "DE", 3: "FR", 4: "US", 5: "JP", 9: "NL"},
        tiers=({1, 2, 3, 4, 5, 9},),
    ),
    Case(
        "metalink: time changes nothing",
        "/metalink?repo=linux-40&arch=x86_64&time=1",
        tiers=({1, 2, 3, 4, 5, 9},),
        lacks=("creation",),
    ),
)


def _logged(name: str, target: str, log: str, status: int = 200, peer: str = GERMAN) -> Case:
    return Case(f"log: {name}", target, peer, status=status, log=log)


_LINE = f"IP: {GERMAN}; COUNTRY: DE; "

LOG = (
    _logged(
        "a mirrorlist",
        "/mirrorlist?repo=rolling&arch=x86_64",
        _LINE + "REPO: rolling; ARCH: x86_64",
    ),
    _logged(
        "a metalink",
        "/metalink?repo=linux-latest&arch=x86_64",
        _LINE + "REPO: linux-latest; ARCH: x86_64",
    ),
    _logged(
        "path= beside repo and arch",
        "/mirrorlist?path=pub/linux&repo=a%3Bb&arch=c",
        _LINE + "REPO: a?b; ARCH: c",
    ),
    _logged(
        "source rule beside path=",
        "/mirrorlist?path=pub/linux&repo=my-source&arch=c",
        _LINE + "REPO: my-source; ARCH: source",
    ),
    _logged(
        "an unknown country",
        "/mirrorlist?repo=rolling&arch=x86_64",
        f"IP: {NOBODY}; COUNTRY: N/A; REPO: rolling; ARCH: x86_64",
        peer=NOBODY,
    ),
    _logged(
        "an empty list",
        "/mirrorlist?repo=rolling&arch=x86_64&protocol=",
        _LINE + "REPO: rolling; ARCH: x86_64",
        status=404,
    ),
    _logged(
        "a redirect to nowhere",
        "/mirrorlist?repo=rolling&arch=x86_64&protocol=rsync&redirect",
        _LINE + "REPO: rolling; ARCH: x86_64",
        status=404,
    ),
    _logged("not a path alone", "/mirrorlist?path=pub/linux", ""),
    _logged("not a path with repo alone", "/mirrorlist?path=pub/linux&repo=rolling", ""),
    _logged("not an unknown repository", "/mirrorlist?repo=x&arch=y", "", status=404),
    _logged("not a bad request", "/mirrorlist?repo=rolling&arch=x86_64&ip=x", "", status=400),
    _logged(
        "not an unknown path beside a repository",
        "/mirrorlist?path=x/y&repo=rolling&arch=x86_64",
        "",
        status=404,
    ),
)
