"""All of the demo's sites and hosts, and what its clients' addresses stand for."""

from snapshot.demo.americas import NORTH_AMERICA, SOUTH_AMERICA
from snapshot.demo.elsewhere import AFRICA_AND_OCEANIA, ASIA
from snapshot.demo.europe import EUROPE
from snapshot.demo.host import DemoHost
from snapshot.demo.tree import FEDORA

SITES = NORTH_AMERICA + SOUTH_AMERICA + EUROPE + ASIA + AFRICA_AND_OCEANIA
"""All sites, in the order of their ids."""

ORPHANS = (DemoHost("orphan.example", "US", 100, (FEDORA,)),)
"""Unusable: hosts without a site."""

# The IPv6 prefix of an ASN has the ASN's last three digits in it.
_ASN_PREFIXES = (
    ("192.0.2.0/26", 64496),  # Universität Passau
    ("192.0.2.64/26", 64497),  # Hanse Hosting, with Nordwind behind it
    ("192.0.2.128/25", 64503),  # C3SL
    ("198.51.100.0/24", 64500),  # Prairie State University
    ("198.51.100.64/26", 64505),  # its students' homes: peer ASN of its private host
    ("198.51.100.128/26", 64510),  # a hole: rented to somebody without a host
    ("203.0.113.0/25", 65540),  # Hokuto Network
    ("203.0.113.64/27", 65551),  # a hole
    ("2001:db8:496::/48", 64496),
    ("2001:db8:497::/48", 64497),
    ("2001:db8:498::/48", 64498),
    ("2001:db8:499::/48", 64499),
    ("2001:db8:500::/48", 64500),
    ("2001:db8:500:ff::/64", 64510),  # a hole
    ("2001:db8:501::/48", 64501),
    ("2001:db8:502::/48", 64502),
    ("2001:db8:503::/48", 64503),
    ("2001:db8:504::/48", 64504),
    ("2001:db8:505::/48", 64505),
    ("2001:db8:506::/48", 64506),
    ("2001:db8:507::/48", 64507),
    ("2001:db8:508::/48", 64508),
    ("2001:db8:509::/48", 64509),
    ("2001:db8:511::/48", 64511),
    ("2001:db8:537::/48", 65537),
    ("2001:db8:538::/48", 65538),
    ("2001:db8:539::/48", 65539),
    ("2001:db8:540::/48", 65540),
    ("2001:db8:541::/48", 65541),
    ("2001:db8:542::/48", 65542),
    ("2001:db8:543::/48", 65543),
    ("2001:db8:544::/48", 65544),
    ("2001:db8:545::/48", 65545),
)

# Documentation addresses are in no country, so the database has to say one.
NETBLOCK_COUNTRIES = (
    ("203.0.113.128/25", "NZ"),
    ("203.0.113.192/255.255.255.192", "CL"),  # the longer prefix holds
    ("2001:db8:49::/48", "DE"),
    ("2001:db8:55::/48", "BR"),
    ("2001:db8:81::/48", "JP"),
)
"""Networks whose clients count for a country."""

# AP and EU are what some GeoIP data says when it knows no country.
CONTINENT_REDIRECTS = (("TR", "EU"), ("AP", "AS"), ("EU", "EU"))
"""Countries that count for another continent than the built-in table says."""


def demo_asn_lines() -> list[str]:
    """Return the lines `prefix ASN` for the demo's ASN file, without line ends."""
    return [f"{prefix} {asn}" for prefix, asn in _ASN_PREFIXES]
