"""The demo's sites in Asia, Africa and Oceania; a comment says what is odd about a host."""

from snapshot.demo.host import ALL, FULL, WEB, WIDE, DemoHost, DemoSite

ASIA = (
    DemoSite(
        "JAIST",
        (DemoHost("ftp.jaist.example", "JP", 10000, ALL, base="/pub/Linux", asn=65537),),
    ),
    DemoSite("Kobe Laboratory", (DemoHost("ftp.kobe-lab.example", "JP", 10000, WIDE),)),
    DemoSite(
        "Hokuto Network",
        (
            DemoHost("mirror.hokuto.example", "JP", 1000, lacks=("releases/42", "updates/42")),
            # Private, for its own ASN and for a peer's.
            DemoHost(
                "fedora.hokuto.example", "JP", 1000, private=True, asn=65540, peer_asns=(65544,)
            ),
        ),
    ),
    DemoSite(
        "Haidian Open Source",
        (DemoHost("mirrors.haidian.example", "CN", 20000, WIDE, WEB, asn=65538),),
    ),
    DemoSite(
        "Jianghan University",
        # For its own country only.
        (DemoHost("mirrors.jianghan.example", "CN", 5000, countries_allowed=("CN",)),),
    ),
    DemoSite("Formosa Net", (DemoHost("ftp.formosa.example", "TW", 5000, asn=65539),)),
    DemoSite("Hangang", (DemoHost("ftp.hangang.example", "KR", 2000),)),
    DemoSite(
        "Deccan Hosting",
        # Public, with a peer ASN.
        (
            DemoHost(
                "mirror.deccan.example",
                "IN",
                2000,
                peer_asns=(65545,),
                stale=("development", "updates"),
            ),
        ),
    ),
    DemoSite("Merlion", (DemoHost("download.merlion.example", "SG", 10000, protocols=WEB),)),
)


AFRICA_AND_OCEANIA = (
    DemoSite(
        "Gauteng University",
        (
            DemoHost("ftp.gauteng.example", "ZA", 5000, WIDE, base="/pub", asn=65542),
            DemoHost("mirror.gauteng.example", "ZA", None, protocols="http rsync"),
        ),
    ),
    DemoSite("Savanna", (DemoHost("mirror.savanna.example", "KE", 100, lacks=("development",)),)),
    DemoSite(
        "Southern Cross",
        (
            DemoHost("mirror.southerncross.example", "AU", 10000, FULL, base="/pub", asn=65543),
            # Metered: for Australia and New Zealand only.
            DemoHost("metered.southerncross.example", "AU", 500, countries_allowed=("AU", "NZ")),
        ),
    ),
    DemoSite("Kiwinet", (DemoHost("mirror.kiwinet.example", "NZ", 1000),)),
)
