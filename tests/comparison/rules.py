"""All known differences: how each is checked, by its row in docs/protocol.md."""

from mirrorlist.replay.compare import Rule
from mirrorlist.replay.rules import OF_ANSWERS, OF_REQUESTS
from tests.comparison import rewriting

RULES = (
    # What a request means.
    *OF_REQUESTS,
    Rule("`ip=` from a stranger", rewriting.without_near_tiers),
    Rule(
        "mapped, 6to4, Teredo addresses",
        rewriting.stand_in("tunnelled", rewriting.logged_as_ipv4),
    ),
    Rule("netblock_country", rewriting.stand_in("netblock_country", rewriting.logged_as_asked)),
    Rule("peer ASNs", rewriting.stand_in("peer ASN", rewriting.of_the_peer_asn)),
    Rule("allowed countries", rewriting.to_twin("limited", rewriting.twin_of_limited)),
    Rule("directory in several categories", rewriting.to_twin("nested/a", lambda _: "nested/b")),
    Rule(
        "a host whose URLs are all private or unusable",
        rewriting.to_twin("lux", lambda _: "lux-twin"),
    ),
    Rule("country_continent_redirect", rewriting.asked_of_spain),
    Rule(
        "country_continent_redirect",
        rewriting.stand_in("continent redirect", rewriting.logged_from_kosovo),
    ),
    # How an answer is given, with a stricter rule for ASNs: these data say who has which.
    *(rule for rule in OF_ANSWERS if rule.what != "`Using ASN N`"),
    Rule("`Using ASN N`", adjust=rewriting.asn_of_nobody),
)

NOT_COMPARED = {
    "a continent for a country that the CSV lacks (BQ CW SS SX XK)": "the CSV is the data's",
    "a host's country that does not exist": "both would have to be given such a host",
    "odd URLs of hosts (user, query, other schemes, other spellings)": "no host there has one",
    "netblocks wider than /16 (IPv6 /32)": "one such row moves every client of the comparison",
    "`path=` of a package, a path with `.meta4`, the digest in a redirect": (
        "the data that both can have are without sums of packages"
    ),
    "`pieces` in the metalink of a file that is not `repomd.xml`": (
        "the meaning that is compared has the sums of whole files"
    ),
    "netblocks": "a row that ends mirrorlist-server's export cannot be in common data",
}
"""Rows of docs/protocol.md that the comparison cannot show, and why."""
