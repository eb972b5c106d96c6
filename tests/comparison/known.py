"""The known differences: when an answer that is not ours is explained by one of them.

Most are rules about whole answers: with other data, or asked otherwise, we would say the same as
the incumbent. The others explain one field of an answer.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote

from mirrorlist.address import parse_address
from mirrorlist.query import echo
from tests.comparison import data
from tests.comparison.compare import Difference, compare
from tests.comparison.expected import Expected, Ours
from tests.comparison.meaning import Link, Meaning
from tests.comparison.requests import Request

PERCENT = "percent-encoding in values"
TUNNELS = "mapped, 6to4, Teredo addresses"
CASE = "`protocol=HTTPS`"
TYPE = "Content-Type of a mirrorlist error"
UNKNOWN = "unknown repository"
NOBODY = "a directory in no category, or on no host"
METHOD = "methods other than GET and HEAD"
JUNK = "junk in X-Forwarded-For or `ip=`"
COUNTRIES = "country names in the heading"
ASN = "`Using ASN N`"
ESCAPING = "`&`, `<`, quotes in a URL or name"
BLANKS = "names with blanks or non-ASCII characters"
SLASH = "a slash at the end of a host's URL"

KINDS = (
    *(PERCENT, TUNNELS, CASE, TYPE, UNKNOWN, NOBODY, METHOD),
    *(JUNK, COUNTRIES, ASN, ESCAPING, BLANKS, SLASH, *data.VARIANTS),
)


def _literal_percent(request: Request) -> Request:
    return request.replaced("%", "%25")


def _literal_address(request: Request) -> Request:
    for text in re.findall(r"(?<=[?&]ip=)[^&]*", request.target):
        address = parse_address(text)
        if address and (address.tunnelled != address or (":" in text and address.version == 4)):
            # The literal address is in no country and no network here.
            request = request.replaced(f"ip={text}", f"ip={data.NOBODY6}")
    return request


def _literal_protocol(request: Request) -> Request:
    for text in re.findall(r"(?<=[?&]protocol=)[^&]*", request.target):
        none = re.sub(r"[^,]*[A-Z][^,]*", "none", text)
        request = request.replaced(f"protocol={text}", f"protocol={none}")
    return request


REQUESTS: dict[str, Callable[[Request], Request]] = {
    PERCENT: _literal_percent,
    TUNNELS: _literal_address,
    CASE: _literal_protocol,
}


class Judge:
    """Says whether an answer of the incumbent is what we say, or differs as is known."""

    def __init__(self, ours: Ours, variants: Mapping[frozenset[str], Ours]) -> None:
        """Take our answers from the data, and from the data without what each difference is."""
        self._ours = ours
        self._variants = {frozenset[str](): ours, **variants}

    def judge(self, request: Request, found: Meaning) -> tuple[frozenset[str], list[Difference]]:
        """Return the known differences of an answer, and what none of them explains."""
        base = self._ours.expect(request)
        found = _normalised(found)
        first: tuple[frozenset[str], list[Difference]] | None = None
        for kinds, expected in self._readings(request, base):
            explained, left = _fields(request, expected, found)
            if not left:
                return kinds | explained, []
            first = first or (explained, left)
        assert first, "the request as it is was read"
        return first

    def _readings(self, request: Request, base: Expected) -> list[tuple[frozenset[str], Expected]]:
        """Return what the incumbent may say, the nearest to ours first."""
        changed = {
            kind: other
            for kind, change in REQUESTS.items()
            if (other := change(request)) != request
        }
        together = request
        for kind in changed:
            together = REQUESTS[kind](together)
        asked = [(frozenset[str](), request)]
        asked += [(frozenset((kind,)), other) for kind, other in changed.items()]
        if len(changed) > 1:
            asked.append((frozenset(changed), together))
        readings = [(frozenset[str](), base)]
        for kinds, other in asked:
            for data_kinds, ours in self._variants.items():
                if kinds or data_kinds:
                    expected = ours.expect(other)
                    heading = replace(expected.meaning, protocol=base.meaning.protocol)
                    readings.append((kinds | data_kinds, replace(expected, meaning=heading)))
        return sorted(readings, key=lambda reading: len(reading[0]))


def _normalised(meaning: Meaning) -> Meaning:
    """Let what is echoed be limited as ours is: that is about safety, not meaning."""
    if meaning.subject is None:
        return meaning
    return replace(meaning, subject=_echoed(meaning.subject))


def _echoed(subject: str) -> str:
    return " ".join(word if word in ("#", "=") else echo(word) for word in subject.split(" "))


def _fields(
    request: Request, expected: Expected, found: Meaning
) -> tuple[frozenset[str], list[Difference]]:
    """Return the known differences in single fields, and the differences left."""
    whole = _whole(request, expected.meaning, found)
    if whole:
        return whole, []
    kinds = set()
    for kind, change in _CHANGES.items():
        changed = change(expected, found)
        if changed != found:
            kinds.add(kind)
            found = changed
    differences = compare(expected, found)
    return (frozenset(kinds), []) if not differences else (frozenset(), differences)


def _whole(request: Request, wanted: Meaning, found: Meaning) -> frozenset[str]:
    """Return the known difference that is the whole answer."""
    if request.method not in ("GET", "HEAD") and wanted.status == 405:
        return frozenset((METHOD,))
    bad_address = (wanted.error or "").startswith("# ip=: not an address")
    if bad_address and found.status == 500 and "ip=" in request.target:
        return frozenset((JUNK,))
    if _nobody(wanted, found):
        return frozenset((NOBODY,))
    and_sign = "&" in "".join(link.url for link in found.links) or found.broken
    if found.broken and and_sign and "repo=corner-and" in request.target:
        return frozenset((ESCAPING,))
    return frozenset()


def _nobody(wanted: Meaning, found: Meaning) -> bool:
    told = ("is in no category", "no active host carries", "the repository has no metadata")
    if wanted.status != 404 or not any(text in (wanted.error or "") for text in told):
        return False
    empty = found.status == 200 and not found.links
    return empty or found.status == 500 or found.error == "error: invalid path"


def _typed(expected: Expected, found: Meaning) -> Meaning:
    is_error = expected.meaning.error is not None and found.error is not None
    plain = expected.meaning.type == "text/plain"
    return replace(found, type="text/plain") if is_error and plain and not found.type else found


def _unlisted(expected: Expected, found: Meaning) -> Meaning:
    mark = "error: invalid repo or arch"
    ours, theirs = expected.meaning.error or "", found.error or ""
    if mark in ours and mark in theirs:
        same = _echoed(theirs.partition("\n")[0]) == _echoed(ours.partition("\n")[0])
        head = theirs.partition(mark)[0].strip()
        if same or _echoed(head) == ours.partition(mark)[0].strip():
            return replace(found, error=ours)
    return found


def _upper(expected: Expected, found: Meaning) -> Meaning:
    # As written by the client, and once for each country asked that is on their continent.
    names = {name if name == "global" else name.upper() for name in found.countries}
    is_ours = sorted(names) == sorted(found.countries)
    return found if is_ours else replace(found, countries=tuple(names))


def _asn(expected: Expected, found: Meaning) -> Meaning:
    unused = expected.meaning.asn is None and found.asn == expected.client_asn
    return replace(found, asn=None) if unused else found


def _one_slash(expected: Expected, found: Meaning) -> Meaning:
    return _with_urls(found, lambda url: re.sub(r"(?<!:)//", "/", url))


def _encoded(expected: Expected, found: Meaning) -> Meaning:
    return _with_urls(found, lambda url: quote(url, safe="%/:?#[]@!$&'()*+,;=~"))


def _with_urls(found: Meaning, change: Callable[[str], str]) -> Meaning:
    location = found.location and change(found.location)
    links = tuple(Link(change(link.url), link.attributes) for link in found.links)
    return replace(found, location=location, links=links)


_CHANGES: dict[str, Callable[[Expected, Meaning], Meaning]] = {
    TYPE: _typed,
    UNKNOWN: _unlisted,
    COUNTRIES: _upper,
    ASN: _asn,
    SLASH: _one_slash,
    BLANKS: _encoded,
}
