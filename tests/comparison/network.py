"""The clients of the comparison: networks with countries and ASNs, for both servers alike.

All addresses are of the ranges for documentation and benchmarks, so none belongs to anybody.
"""

from ipaddress import ip_address, ip_network
from pathlib import Path

from tests.mmdb import country, write_mmdb

# 198.18.N.0/24 and 2001:db8:N::/48 are the Nth country's. No host is in ES, PE, KE, AQ, AP, XK.
_LISTED = "DE FR NL GB PL TR ES LU US CA MX BR AR PE JP CN KR AU NZ ZA KE AQ AP XK BE"
COUNTRIES = _LISTED.split()
CONTINENTS = {
    **dict.fromkeys("DE FR NL GB PL ES LU BE".split(), "EU"),  # noqa: SIM905
    **dict.fromkeys("US CA MX".split(), "NA"),  # noqa: SIM905
    **dict.fromkeys("BR AR PE".split(), "SA"),  # noqa: SIM905
    **dict.fromkeys("JP CN KR TR".split(), "AS"),  # noqa: SIM905
    **dict.fromkeys("AU NZ".split(), "OC"),  # noqa: SIM905
    **dict.fromkeys("ZA KE".split(), "AF"),  # noqa: SIM905
    "AQ": "AN",
}
CLIENT4 = {code: f"198.18.{place}.7" for place, code in enumerate(COUNTRIES, 1)}
CLIENT6 = {code: f"2001:db8:{place:x}::7" for place, code in enumerate(COUNTRIES, 1)}
NOBODY4, NOBODY6 = "198.19.255.1", "2001:db8:ffff::1"

# Where hosts have their netblocks and ASNs.
NEAR_COUNTRIES = {
    "203.0.113.0/24": "DE",
    "192.0.2.0/24": "US",
    "198.51.100.0/24": "KR",
    "2001:db8:ff00::/40": "DE",
    "2001:db8:f000::/40": "US",
}
ASN_LINES = """\
192.0.2.0/24 64501
192.0.2.0/25 64500
192.0.2.64/26 64502
192.0.2.128/27 64507
198.51.100.0/25 64503
198.51.100.128/25 64504
203.0.113.200/29 64500
203.0.113.220/30 64505
2001:db8:f000::/48 64500
2001:db8:f001::/48 64501
2001:db8:f002::/48 64507
"""
NETBLOCK4 = ("203.0.113.5", "203.0.113.70", "203.0.113.71", "203.0.113.140", "203.0.113.202")
NETBLOCK6 = ("2001:db8:ff00::1", "2001:db8:ff00:1::9", "2001:db8:ff00:1::5", "2001:db8:ff01::1")
ASN4 = ("192.0.2.5", "192.0.2.70", "192.0.2.130", "203.0.113.221", "198.51.100.5", "198.51.100.130")
ASN6 = ("2001:db8:f000::5", "2001:db8:f002::5")

# netblock_country in the order of its rows. mirrorlist-server takes the first that matches, and a
# row with a mask ends its search for everybody whom the rows before did not match.
NETBLOCK_COUNTRY = (
    ("198.19.1.0/24", "JP"),
    ("198.19.2.0/24", "BR"),
    ("198.19.2.128/25", "ZA"),
    ("2001:db8:c000::/48", "AU"),
    ("198.19.3.0/24", "fr"),
    ("198.19.4.0/255.255.255.0", "NZ"),
    ("198.19.5.0/24", "CA"),
)
OVERRIDDEN = ("198.19.1.7", "198.19.2.7", "2001:db8:c000::7")
CONTINENT_REDIRECTS = (("TR", "EU"), ("XK", "EU"))

# A client whom the two see differently on purpose, and one whom theirs sees as we see him.
STAND_INS = {
    "netblock_country": {
        "198.19.2.200": CLIENT4["ZA"],
        "198.19.4.7": CLIENT4["NZ"],
        "198.19.5.7": CLIENT4["CA"],
    },
    "netblock_country in lower case": {"198.19.3.7": CLIENT4["FR"]},
    "peer ASN": {"192.0.2.200": "192.0.2.7", "2001:db8:f001::5": "2001:db8:f000::7"},
    "continent redirect": {CLIENT4["XK"]: CLIENT4["ES"], CLIENT6["XK"]: CLIENT6["ES"]},
    "tunnelled": {
        "::ffff:198.18.1.7": "198.18.1.7",
        "::ffff:203.0.113.70": "203.0.113.70",
        "2002:c612:207::1": "198.18.2.7",
        "2002:c000:205::1": "192.0.2.5",
        "2001:0:4136:e378:8000:63bf:39ed:f0f8": "198.18.15.7",
    },
}


def write_files(folder: Path) -> tuple[Path, Path, Path]:
    """Write the mmdb of countries, the file of ASNs and the CSV of continents; return the paths."""
    geoip = folder / "GeoLite2-Country.mmdb"
    write_mmdb(geoip, {network: country(code) for network, code in _networks().items()})
    asns, continents = folder / "global_netblocks.txt", folder / "country_continent.csv"
    asns.write_text(ASN_LINES)
    lines = [f"{code},{continent}\n" for code, continent in CONTINENTS.items()]
    # Laid over our own table, which has a continent for AP; mirrorlist-server knows no such line.
    lines.append("AP,--\n")
    continents.write_text("".join(['"iso 3166 country","continent code"\n', *lines]))
    return geoip, asns, continents


def country_of(address: str) -> str:
    """Return the country that a client counts for by our rules, or N/A."""
    overrides = {text: code.upper() for text, code in NETBLOCK_COUNTRY}
    return _longest(address, overrides) or _longest(address, _networks()) or "N/A"


def _networks() -> dict[str, str]:
    found = dict(NEAR_COUNTRIES)
    for place, code in enumerate(COUNTRIES, 1):
        found[f"198.18.{place}.0/24"] = found[f"2001:db8:{place:x}::/48"] = code
    return found


def _longest(address: str, networks: dict[str, str]) -> str | None:
    client = ip_address(address)
    around = [
        (network.prefixlen, code)
        for network, code in ((ip_network(text), code) for text, code in networks.items())
        if client in network
    ]
    return max(around)[1] if around else None
