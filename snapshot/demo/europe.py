"""The demo's sites in Europe; a comment says what is odd about a host."""

from snapshot.demo.host import ALL, FULL, WEB, WIDE, DemoHost, DemoSite
from snapshot.demo.tree import FEDORA

EUROPE = (
    DemoSite(
        "Universität Passau",
        (
            DemoHost(
                "mirror.uni-passau.example",
                "DE",
                10000,
                FULL,
                asn=64496,
                private_urls=("rsync://mirror.uni-passau.example/fedora-push",),
            ),
            # Private, for the campus, in both families of addresses.
            DemoHost(
                "fedora.intern.uni-passau.example",
                "DE",
                1000,
                private=True,
                netblocks=("192.0.2.0/26", "2001:db8:496::/48"),
            ),
        ),
    ),
    DemoSite(
        "TH Rheinland",
        (DemoHost("ftp.th-rheinland.example", "DE", 20000, ALL, "https http ftp rsync", "/pub"),),
    ),
    # A private site makes its hosts private; the netblock is written with a mask.
    DemoSite(
        "Nordwind GmbH",
        (
            DemoHost(
                "pakete.nordwind.example",
                "DE",
                1000,
                protocols="https",
                netblocks=("192.0.2.64/255.255.255.224",),
            ),
        ),
        private=True,
    ),
    DemoSite(
        "Hanse Hosting",
        (
            DemoHost("mirror.hanse.example", "DE", 40000, WIDE, "https", asn=64497),
            DemoHost("mirror2.hanse.example", "DE", 10000, stale=("development",)),
        ),
    ),
    DemoSite("Elbflorenz", (DemoHost("fedora.elbflorenz.example", "DE", None),)),
    DemoSite(
        "Circonflexe",
        (DemoHost("mirror.circonflexe.example", "FR", 10000, FULL, base="/pub", asn=64498),),
    ),
    # Inactive: the site's admins switched it off.
    DemoSite("Lyonix", (DemoHost("fedora.lyonix.example", "FR", 1000),), user_active=False),
    DemoSite(
        "Thames Mirror Service",
        (
            DemoHost("www.thames-mirror.example", "GB", 10000, ALL, asn=64499),
            # Inactive: MirrorManager's admins switched it off.
            DemoHost(
                "mirror.thames-mirror.example",
                "GB",
                1000,
                admin_active=False,
                disable_reason="Serves a login page instead of files.",
            ),
        ),
    ),
    DemoSite(
        "Polder Foundation",
        (
            DemoHost("ftp.polder.example", "NL", 20000, ALL, "https http ftp rsync", asn=64504),
            # Lower case, as some old rows have it.
            DemoHost("mirror.polder.example", "nl", 1000),
            # It has no public URL, so no client can be sent to it.
            DemoHost(
                "staging.polder.example",
                "NL",
                1000,
                (FEDORA,),
                "",
                private_urls=("rsync://staging.polder.example/fedora",),
            ),
        ),
    ),
    DemoSite(
        "Norrland Academic Computer Club",
        (DemoHost("ftp.norrland.example", "SE", 40000, ALL, base="/mirror", asn=64506),),
    ),
    DemoSite("Fjordnett", (DemoHost("no.fjordnett.example", "NO", 2000, WIDE),)),
    DemoSite("Dotnordic", (DemoHost("mirrors.dotnordic.example", "DK", 10000),)),
    DemoSite(
        "Moravia University",
        (
            DemoHost("ftp.fi.moravia.example", "CZ", 10000, FULL, base="/pub/linux", asn=64507),
            # It has no URL at all.
            DemoHost("mirror.moravia.example", "CZ", 1000, protocols=""),
        ),
    ),
    DemoSite("Wisła Net", (DemoHost("ftp.wisla.example", "PL", 5000, protocols=WEB),)),
    DemoSite(
        "Helvetia",
        (DemoHost("mirror.helvetia.example", "CH", 10000, WIDE, base="/ftp", asn=64508),),
    ),
    DemoSite(
        "Collider Laboratory",
        (
            # Private; its ASN does not count (asn_clients is off); the netblock has host bits.
            DemoHost(
                "linuxsoft.collider.example",
                "CH",
                10000,
                private=True,
                asn=65541,
                asn_clients=False,
                netblocks=("2001:db8:541::1/48",),
            ),
        ),
    ),
    DemoSite("Garda", (DemoHost("fedora.garda.example", "IT", 10000, asn=64509),)),
    DemoSite("Red Ibérica", (DemoHost("ftp.rediberica.example", "ES", 5000, base="/mirror"),)),
    # Inactive: MirrorManager's admins switched the site off.
    DemoSite("Tejo", (DemoHost("mirrors.tejo.example", "PT", 1000),), admin_active=False),
    DemoSite("Bosphorus Net", (DemoHost("mirror.bosphorus.example", "TR", 1000),)),
)
