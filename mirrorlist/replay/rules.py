"""The known differences that any data may show, by their rows in docs/protocol.md."""

from mirrorlist.replay import adjusting, counting, rewriting
from mirrorlist.replay.compare import Rule

# The order matters: a value is decoded before another rule reads it.
OF_REQUESTS = (
    Rule("percent-encoding in values", rewriting.decoded),
    Rule(
        "blanks and empty elements in lists",
        rewriting.lists_without_blanks,
        adjusting.protocol_as_asked,
    ),
    Rule(
        "country names in the heading",
        rewriting.countries_in_capitals,
        adjusting.countries_in_capitals,
    ),
    Rule("`protocol=HTTPS`", rewriting.protocols_in_lower_case, adjusting.protocol_as_asked),
    Rule("X-Forwarded-For", rewriting.believed),
)
OF_ANSWERS = (
    Rule("methods other than GET and HEAD", adjust=adjusting.other_method),
    Rule("HEAD in the request log", adjust=adjusting.head_is_no_line),
    Rule("values that are too long or cannot be decoded", adjust=adjusting.not_understood),
    Rule("junk in X-Forwarded-For or `ip=`", adjust=adjusting.junk_address),
    Rule("junk in X-Forwarded-For or `ip=`", adjust=adjusting.crashed_by_header),
    Rule("unknown repository", adjust=adjusting.unknown_repository),
    Rule("a directory in no category, or on no host", adjust=adjusting.no_host),
    Rule("hosts that a list cannot show", adjust=counting.more_hosts),
    Rule("nobody has what is asked for", adjust=counting.nothing),
    Rule("Content-Type of a mirrorlist error", adjust=adjusting.type_of_errors),
    Rule("what is repeated of a request", adjust=adjusting.repeated_text),
    Rule("`Using ASN N`", adjust=adjusting.asn_not_listed),
    Rule("country names in the heading", adjust=adjusting.countries_once),
    Rule("`&`, `<`, quotes in a URL or name", adjust=adjusting.escaped),
    Rule("names with blanks or non-ASCII characters", adjust=adjusting.quoted),
    Rule("a slash at the end of a host's URL", adjust=adjusting.without_double_slashes),
    Rule("hashes in upper case", adjust=adjusting.hashes_in_lower_case),
)
RULES = (
    *OF_REQUESTS,
    Rule("mapped, 6to4, Teredo addresses", rewriting.by_ipv4),
    Rule("`ip=` from a stranger", rewriting.without_near_tiers),
    # Before the rules that need equal hosts.
    Rule("allowed countries", adjust=adjusting.hosts_for_others),
    *OF_ANSWERS,
)
