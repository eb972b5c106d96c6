"""The demo's sites in the Americas; a comment says what is odd about a host."""

from snapshot.demo.host import ALL, FULL, WEB, WIDE, DemoHost, DemoSite
from snapshot.demo.tree import CODECS, FEDORA

NORTH_AMERICA = (
    DemoSite(
        "Fedora Project",
        (
            DemoHost("dl.fedora.example", "US", 40000, ALL, base="/pub", always_up2date=True),
            DemoHost("cdn.fedora.example", "US", 40000, protocols="https", always_up2date=True),
            DemoHost("codecs.fedora.example", "US", 10000, (CODECS,), WEB, always_up2date=True),
        ),
    ),
    DemoSite(
        "Prairie State University",
        (
            DemoHost("mirror.prairie.example", "US", 10000, FULL, asn=64500),
            # Private, with no ASN of its own: found through its peer ASN only.
            DemoHost(
                "depot.prairie.example",
                "US",
                1000,
                protocols="https",
                private=True,
                peer_asns=(64505,),
            ),
        ),
    ),
    DemoSite(
        "Kernel Labs",
        (
            DemoHost(
                "mirrors.kernel-labs.example",
                "US",
                40000,
                ALL,
                asn=64501,
                # Unusable: it names no network.
                netblocks=("not a netblock/99",),
                # Unusable: somebody forgot the scheme.
                odd_urls=("mirrors.kernel-labs.example/fedora/linux",),
            ),
        ),
    ),
    DemoSite(
        "Peachtree Tech",
        (DemoHost("gtlib.peachtree.example", "US", 10000, ALL, base="/pub", asn=64511),),
    ),
    DemoSite(
        "North Country Community Network",
        (
            DemoHost(
                "mirror.northcountry.example",
                "US",
                1000,
                lacks=("releases/42",),
                stale=("updates/testing", "testing"),
            ),
        ),
    ),
    DemoSite(
        "Cascadia Hosting",
        (
            DemoHost("mirror.cascadia.example", "US", 20000, protocols="https"),
            DemoHost(
                "legacy.cascadia.example", "US", 2000, protocols="http", lacks=("development",)
            ),
        ),
    ),
    DemoSite(
        "Build Farm",
        (
            # Private, for one address: the farm's only way out.
            DemoHost(
                "cache.buildfarm.example",
                "US",
                1000,
                (FEDORA,),
                "http",
                private=True,
                netblocks=("192.0.2.100",),
            ),
        ),
    ),
    DemoSite(
        "Old Colony Internet",
        (
            # Inactive: the crawler gave up on it.
            DemoHost(
                "mirror.oldcolony.example",
                "US",
                500,
                user_active=False,
                disable_reason="Host was not reachable for 4 crawls in a row.",
            ),
        ),
    ),
    DemoSite(
        "Maple University",
        (
            DemoHost("mirror.maple.example", "CA", 5000, WIDE, base="/mirror", asn=64502),
            DemoHost("ftp.maple.example", "CA", 1000, protocols="ftp http", lacks=("development",)),
        ),
    ),
    DemoSite(
        "Universidad del Altiplano",
        (DemoHost("fedora.altiplano.example", "MX", 1000, stale=("releases/44", "updates/44")),),
    ),
)


SOUTH_AMERICA = (
    DemoSite(
        "C3SL",
        (
            # Public, and first choice of the universities behind it.
            DemoHost(
                "fedora.c3sl.example", "BR", 10000, FULL, asn=64503, netblocks=("192.0.2.128/25",)
            ),
        ),
    ),
    DemoSite(
        "Universidade Paulista",
        (
            DemoHost("mirror.paulista.example", "BR", 2000),
            # Private, in a part of C3SL's netblock: the longer prefix is first.
            DemoHost(
                "espelho.paulista.example", "BR", 1000, private=True, netblocks=("192.0.2.160/28",)
            ),
        ),
    ),
    DemoSite(
        "Redes do Brasil",
        (
            DemoHost("fedora.redes.example", "BR", 1000, stale=("updates",)),
            DemoHost("rsync.redes.example", "BR", 1000, protocols="rsync"),
        ),
    ),
    DemoSite("Pampa Libre", (DemoHost("fedora.pampa.example", "AR", 500, protocols="http"),)),
    # Everything it has is outdated, so its country has no usable host.
    DemoSite("Andes Red", (DemoHost("mirror.andes.example", "CL", 1000, stale=("",)),)),
)
