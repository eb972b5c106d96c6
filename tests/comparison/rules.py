"""All known differences: how each is checked, by its row in docs/protocol.md."""

from tests.comparison import adjusting, rewriting
from tests.comparison.compare import Rule

RULES = (
    # What a request means. In this order: a value is decoded before it is read.
    Rule("percent-encoding in values", rewriting.decoded),
    Rule("an empty element in `country=`", rewriting.countries_without_blanks),
    Rule(
        "country names in the heading",
        rewriting.countries_in_capitals,
        adjusting.countries_in_capitals,
    ),
    Rule("`protocol=HTTPS`", rewriting.protocols_in_lower_case, adjusting.protocol_as_asked),
    Rule("X-Forwarded-For", rewriting.believed),
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
    # How an answer is given.
    Rule("methods other than GET and HEAD", adjust=adjusting.other_method),
    Rule("values that are too long or cannot be decoded", adjust=adjusting.not_understood),
    Rule("junk in X-Forwarded-For or `ip=`", adjust=adjusting.junk_address),
    Rule("junk in X-Forwarded-For or `ip=`", adjust=adjusting.crashed_by_header),
    Rule("unknown repository", adjust=adjusting.unknown_repository),
    Rule("a directory in no category, or on no host", adjust=adjusting.no_host),
    Rule("Content-Type of a mirrorlist error", adjust=adjusting.type_of_errors),
    Rule("what is repeated of a request", adjust=adjusting.repeated_text),
    Rule("`Using ASN N`", adjust=adjusting.asn_of_nobody),
    Rule("country names in the heading", adjust=adjusting.countries_once),
    Rule("`&`, `<`, quotes in a URL or name", adjust=adjusting.escaped),
    Rule("names with blanks or non-ASCII characters", adjust=adjusting.quoted),
    Rule("a slash at the end of a host's URL", adjust=adjusting.without_double_slashes),
    Rule("hashes in upper case", adjust=adjusting.hashes_in_lower_case),
)

NOT_COMPARED = {
    "netblocks": "a row that ends the incumbent's export cannot be in common data",
}
"""Rows of docs/protocol.md that the comparison cannot show, and why."""
