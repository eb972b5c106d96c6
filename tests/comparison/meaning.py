"""What an answer means, whoever gave it: status, heading, links, file details."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

METALINK = "{http://www.metalinker.org/}"
MM0 = "{http://fedorahosted.org/mirrormanager}"

_HEADING = re.compile(
    r"(?P<subject># (?:path = .*?|repo = .*? arch = .*?) )"
    r"(?P<netblock>Using preferred netblock )?"
    r"(?:Using ASN (?P<asn>\d+) )?"
    r"(?P<countries>(?:country = \S* )*)"
    r"(?:protocol = (?P<protocol>.*))?"
)
_TIME = re.compile(r"# database creation time: \d+")


@dataclass(frozen=True)
class Reply:
    """An answer as it came, in the form in which it is recorded."""

    status: int
    type: str | None
    location: str | None
    body: str


@dataclass(frozen=True)
class Link:
    """A URL of the answer; a text list says nothing but the URL."""

    url: str
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Version:
    """What is said of one version of a file: tag or hash type, and value, in order."""

    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Meaning:
    """The parts of an answer that a client, or an admin who reads it, can notice."""

    status: int
    type: str | None
    location: str | None = None
    error: str | None = None
    subject: str | None = None
    netblock: bool = False
    asn: str | None = None
    countries: tuple[str, ...] = ()
    protocol: str | None = None
    time: bool = False
    file: str | None = None
    versions: tuple[Version, ...] = ()
    document: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()
    broken: bool = False


def read_meaning(reply: Reply) -> Meaning:
    """Return what an answer means."""
    if reply.type == "application/metalink+xml":
        return _metalink(reply)
    if reply.status == 302 or not reply.body:
        return Meaning(reply.status, reply.type, location=reply.location)
    lines = reply.body.split("\n")
    match = _HEADING.fullmatch(lines[0])
    if reply.status != 200 or not match:
        return Meaning(reply.status, reply.type, error=reply.body.rstrip("\n"))
    return _text_list(reply, match, lines[1:])


def _text_list(reply: Reply, match: re.Match[str], lines: list[str]) -> Meaning:
    has_time = bool(lines and _TIME.fullmatch(lines[0]))
    urls = lines[1:] if has_time else lines
    return Meaning(
        reply.status,
        reply.type,
        subject=match["subject"],
        netblock=bool(match["netblock"]),
        asn=match["asn"],
        countries=tuple(re.findall(r"country = (\S*) ", match["countries"])),
        protocol=match["protocol"],
        time=has_time,
        # A list ends with a line feed, so the last element is empty.
        links=tuple(map(Link, urls[:-1])),
        broken=urls[-1:] != [""],
    )


def _metalink(reply: Reply) -> Meaning:
    builder = ElementTree.TreeBuilder(insert_comments=True)
    try:
        root = ElementTree.fromstring(reply.body, ElementTree.XMLParser(target=builder))
    except ElementTree.ParseError:
        return Meaning(reply.status, reply.type, broken=True)
    document = tuple(sorted(item for item in root.items() if item[0] != "pubdate"))
    file = root.find(f"{METALINK}files/{METALINK}file")
    if file is None:
        comment = "".join(child.text or "" for child in root)
        return Meaning(reply.status, reply.type, error=comment.strip(), document=document)
    return Meaning(
        reply.status,
        reply.type,
        file=file.get("name"),
        document=document,
        versions=tuple(_version(one) for one in (file, *file.iter(MM0 + "alternate"))),
        links=tuple(
            Link(url.text or "", tuple(sorted(url.items())))
            for url in file.iterfind(f"{METALINK}resources/{METALINK}url")
        ),
    )


def _version(parent: Element) -> Version:
    facts = [
        (child.tag, child.text or "")
        for child in parent
        if child.tag in (MM0 + "timestamp", METALINK + "size")
    ]
    hashes = parent.iterfind(f"{METALINK}verification/{METALINK}hash")
    return Version((*facts, *((one.get("type", ""), one.text or "") for one in hashes)))
