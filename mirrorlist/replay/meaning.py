"""Parses an answer, a text list or a metalink, into its meaning, which two servers can share."""

import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from itertools import groupby
from urllib.parse import urlsplit
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from msgspec import Struct
from msgspec.structs import replace

from mirrorlist.lists.metalink import CONTENT_TYPE

METALINK = "{http://www.metalinker.org/}"
MM0 = "{http://fedorahosted.org/mirrormanager}"

APART = "links of a host stand apart"
"""An entry of `Meaning.unsteady`: the answer names one host at two places."""

_HEADING = re.compile(
    r"(?P<target># (?:repo = [^ ]* arch = [^ ]*|path = [^ ]*) )"
    r"(?P<netblock>Using preferred netblock )?"
    r"(?:Using ASN (?P<asn>\d+) )?"
    r"(?P<countries>(?:country = [^ ]* )*)"
    r"(?:protocol = (?P<protocol>.*))?"
)
_TIME = re.compile(r"# database creation time: \d{9,11}")
_BARE_AMPERSAND = re.compile("&(?!(?:amp|lt|gt|quot|apos|#[0-9]+);)")


class SeenAnswer(Struct, frozen=True):
    """One answer as it came; `log` is the request log's line without its date, None if unseen.

    A status of 0 is a connection that ended without an answer.
    """

    status: int
    type: str | None = None
    location: str | None = None
    body: str = ""
    log: str | None = None


class Link(Struct, frozen=True):
    """One URL; a text list has nothing beside it."""

    url: str
    protocol: str = ""
    location: str = ""
    private: bool = False


class Version(Struct, frozen=True):
    """One version of a file, as the document says it; hashes in the document's order."""

    timestamp: str | None
    size: str | None
    hashes: tuple[tuple[str, str], ...]


class Heading(Struct, frozen=True):
    """A text list's first lines; countries are sorted, as their order is free."""

    target: str
    netblock: bool
    asn: str | None
    countries: tuple[str, ...]
    protocol: str | None
    time: bool


class Meaning(Struct, frozen=True):
    """What repeated answers to one request have in common, and how chance may change them.

    `tiers` are sets of hosts that follow each other in this order in every answer, as small as the
    answers allow. `redirects` has all Locations seen. `unsteady` names anything else that changed
    from one answer to the next. `for_other_countries` is how many hosts our side left out because
    they are for other countries.
    """

    status: int
    type: str | None
    error: str | None = None
    well_formed: bool = True
    heading: Heading | None = None
    document: dict[str, str] = {}
    versions: tuple[Version, ...] = ()
    links: dict[str, tuple[Link, ...]] = {}
    preferences: tuple[int, ...] = ()
    tiers: tuple[frozenset[str], ...] = ()
    redirects: frozenset[str] = frozenset()
    log: str | None = None
    unsteady: tuple[str, ...] = ()
    for_other_countries: int = 0

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts listed."""
        return frozenset(self.links)


class Single(Struct, frozen=True):
    """One answer's meaning, and its hosts in order."""

    meaning: Meaning
    order: tuple[str, ...]


def host_of(url: str) -> str:
    """Return the host's name in a URL."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def parse(answer: SeenAnswer) -> Single:
    """Return what one answer means; never raises, what cannot be read is an error text."""
    try:
        return _parse(answer)
    except Exception:
        # Numbers, dates and URLs may be anything, and each library fails in its own way.
        plain = Meaning(answer.status, answer.type, log=answer.log)
        return Single(replace(plain, error=answer.body, well_formed=False), ())


def _parse(answer: SeenAnswer) -> Single:
    plain = Meaning(answer.status, answer.type, log=answer.log)
    if answer.type == CONTENT_TYPE:
        return _metalink(answer, plain)
    if answer.location is not None:
        redirects = frozenset((answer.location,))
        return Single(replace(plain, redirects=redirects, error=answer.body), ())
    first, _, rest = answer.body.partition("\n")
    match = _HEADING.fullmatch(first)
    if answer.status != 200 or match is None or not answer.body.endswith("\n"):
        return Single(replace(plain, error=answer.body), ())
    lines = rest.split("\n")[:-1]
    time = bool(lines and _TIME.fullmatch(lines[0]))
    links = [Link(line) for line in lines[time:]]
    return _listed(replace(plain, heading=_heading(match, time)), links)


def _heading(match: re.Match[str], time: bool) -> Heading:
    countries = re.findall("country = ([^ ]*) ", match["countries"])
    return Heading(
        match["target"],
        match["netblock"] is not None,
        match["asn"],
        tuple(sorted(countries)),
        match["protocol"],
        time,
    )


def _metalink(answer: SeenAnswer, plain: Meaning) -> Single:
    try:
        root, well_formed = _root(answer.body), True
    except ElementTree.ParseError:
        try:
            root, well_formed = _root(_BARE_AMPERSAND.sub("&amp;", answer.body)), False
        except ElementTree.ParseError:
            return Single(replace(plain, error=answer.body, well_formed=False), ())
    document = {"root": root.tag, **root.attrib, "pubdate": _date_form(root.get("pubdate", ""))}
    plain = replace(plain, well_formed=well_formed, document=document)
    file = root.find(f"{METALINK}files/{METALINK}file")
    resources = root.find(f".//{METALINK}resources")
    if file is None or resources is None:
        comments = "".join(child.text or "" for child in root)
        return Single(replace(plain, error=comments.strip()), ())
    for element in (file, resources):
        kind = element.tag.removeprefix(METALINK)
        document |= {f"{kind} {key}": value for key, value in element.items()}
    versions = map(_version, [file, *file.iterfind(f"{MM0}alternates/{MM0}alternate")])
    urls = list(resources)
    return _listed(
        replace(plain, document=document, versions=tuple(versions)),
        [_link(url) for url in urls],
        [int(url.get("preference", "-1")) for url in urls],
    )


def _root(text: str) -> Element:
    builder = ElementTree.TreeBuilder(insert_comments=True)
    return ElementTree.fromstring(text, ElementTree.XMLParser(target=builder))


def _date_form(text: str) -> str:
    try:
        parsedate_to_datetime(text)
    except ValueError:
        return text
    return "a date as in a header" if text.endswith(" GMT") else text


def _version(element: Element) -> Version:
    hashes = element.iterfind(f"{METALINK}verification/{METALINK}hash")
    return Version(
        element.findtext(f"{MM0}timestamp"),
        element.findtext(f"{METALINK}size"),
        tuple((one.get("type", ""), one.text or "") for one in hashes),
    )


def _link(element: Element) -> Link:
    protocol = element.get("protocol", "")
    if element.get("type") != protocol:
        protocol += f" type {element.get('type')}"
    private = element.get(f"{MM0}private") == "True"
    return Link(element.text or "", protocol, element.get("location", ""), private)


def _listed(plain: Meaning, links: list[Link], preferences: Iterable[int] = ()) -> Single:
    """Return a list of links by host; a host whose links do not stand together is unsteady."""
    by_host: dict[str, tuple[Link, ...]] = {}
    unsteady: set[str] = set()
    for name, group in groupby(links, key=lambda link: host_of(link.url)):
        unsteady |= {APART} if name in by_host else set()
        by_host[name] = (*by_host.get(name, ()), *group)
    per_host = []
    for _, pairs in groupby(zip(links, preferences, strict=False), key=_host_of_pair):
        values = {preference for _, preference in pairs}
        per_host.append(values.pop() if len(values) == 1 else -1)
    listed = replace(
        plain, links=by_host, preferences=tuple(per_host), unsteady=tuple(sorted(unsteady))
    )
    return Single(listed, tuple(by_host))


def _host_of_pair(pair: tuple[Link, int]) -> str:
    return host_of(pair[0].url)
