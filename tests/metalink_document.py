"""Reads a metalink as a strict client would: by namespaces, asserting every rule of its form."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

METALINK = "{http://www.metalinker.org/}"
MM0 = "{http://fedorahosted.org/mirrormanager}"
HASHES = ["md5", "sha1", "sha256", "sha512"]
PUBDATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r" \d{4} \d\d:\d\d:\d\d GMT"
)


@dataclass(frozen=True)
class Version:
    """One version of the file: None where the document says nothing; hashes in their order.

    `piece` is the type and the sum of the only piece, which is as long as the file.
    """

    timestamp: str | None
    size: str | None
    hashes: tuple[tuple[str, str], ...]
    piece: tuple[str, str] | None = None


@dataclass(frozen=True)
class Link:
    """One `url` element."""

    url: str
    protocol: str
    location: str
    preference: int
    private: bool


@dataclass(frozen=True)
class Document:
    """What a metalink says; an error has a comment and no name."""

    pubdate: str
    comment: str | None
    name: str | None
    versions: tuple[Version, ...]
    links: tuple[Link, ...]


def read_metalink(body: bytes) -> Document:
    """Return what a document says; every deviation from the form fails an assertion."""
    text = body.decode()
    assert text.startswith('<?xml version="1.0" encoding="utf-8"?>\n<metalink ')
    # Old yum looks for the prefix, not for the namespace.
    assert ' xmlns:mm0="http://fedorahosted.org/mirrormanager"' in text
    root = ElementTree.fromstring(body, ElementTree.XMLParser(target=_with_comments()))
    assert root.tag == METALINK + "metalink"
    attributes = dict(root.attrib)
    pubdate = attributes.pop("pubdate")
    assert PUBDATE.fullmatch(pubdate)
    assert attributes == {"version": "3.0", "type": "dynamic", "generator": "mirrormanager"}
    assert len(root) == 1, "an error has one comment, a list one element files"
    if _is_comment(root[0]):
        return Document(pubdate, _comment(root[0]), None, (), ())
    (file,) = _only(root[0], METALINK + "files")
    return _file(pubdate, file)


def _with_comments() -> ElementTree.TreeBuilder:
    return ElementTree.TreeBuilder(insert_comments=True)


def _only(parent: Element, tag: str) -> list[Element]:
    assert parent.tag == tag
    assert not parent.attrib
    return list(parent)


def _is_comment(element: Element) -> bool:
    # Its tag is the function that makes comments, which the types do not know of.
    tag: object = element.tag
    return tag is ElementTree.Comment


def _comment(element: Element) -> str:
    text = element.text or ""
    assert text.startswith(" ")
    assert text.endswith("\n")
    assert "--" not in text
    return text[1:-1]


def _file(pubdate: str, file: Element) -> Document:
    assert file.tag == METALINK + "file"
    assert list(file.attrib) == ["name"]
    *about, resources = file
    alternates = []
    if about[-1].tag == MM0 + "alternates":
        alternates = _only(about.pop(), MM0 + "alternates")
        assert alternates, "alternates without an alternate"
    versions = [about, *(_only(alternate, MM0 + "alternate") for alternate in alternates)]
    links = _links(resources)
    return Document(pubdate, None, file.get("name"), tuple(map(_version, versions)), links)


def _version(children: list[Element]) -> Version:
    *known, verification = children
    texts = {child.tag: child.text for child in known}
    order = [tag for tag in (MM0 + "timestamp", METALINK + "size") if tag in texts]
    assert [child.tag for child in known] == order
    hashes = _only(verification, METALINK + "verification")
    piece = None
    if hashes and hashes[-1].tag == METALINK + "pieces":
        piece = _piece(hashes.pop(), texts[METALINK + "size"])
    for element in hashes:
        assert element.tag == METALINK + "hash"
        assert list(element.attrib) == ["type"]
        assert re.fullmatch("[0-9a-f]+", element.text or "")
    kinds = [element.attrib["type"] for element in hashes]
    assert kinds == [kind for kind in HASHES if kind in kinds], "order of hashes"
    return Version(
        texts.get(MM0 + "timestamp"),
        texts.get(METALINK + "size"),
        tuple((element.attrib["type"], element.text or "") for element in hashes),
        piece,
    )


def _piece(pieces: Element, size: str | None) -> tuple[str, str]:
    assert pieces.tag == METALINK + "pieces"
    assert set(pieces.attrib) == {"length", "type"}
    assert pieces.attrib["length"] == size
    (element,) = pieces
    assert element.tag == METALINK + "hash"
    assert element.attrib == {"piece": "0"}
    return pieces.attrib["type"], element.text or ""


def _links(resources: Element) -> tuple[Link, ...]:
    assert resources.tag == METALINK + "resources"
    assert resources.attrib == {"maxconnections": "1"}
    return tuple(map(_link, resources))


def _link(element: Element) -> Link:
    assert element.tag == METALINK + "url"
    attributes, url = dict(element.attrib), element.text or ""
    # Names behind rsync are raw, and may have blanks, but not at their end.
    assert url == url.strip()
    assert url.startswith("rsync:") or not re.search(r"\s", url)
    private = attributes.pop(MM0 + "private", None)
    assert private in (None, "True")
    assert set(attributes) == {"protocol", "type", "location", "preference"}
    protocol = attributes["protocol"]
    assert attributes["type"] == protocol == url.partition("://")[0]
    preference = int(attributes["preference"])
    return Link(url, protocol, attributes["location"], preference, private is not None)


def assert_preferences_fall(hosts: list[object], links: tuple[Link, ...]) -> None:
    """Assert 100 for the first host, one less for each further one, never below 1.

    `hosts` are the hosts of the links, link by link; the links of one host stand together.
    """
    order = list(dict.fromkeys(hosts))
    expected = [max(1, 100 - order.index(host)) for host in hosts]
    assert [link.preference for link in links] == expected
    assert [order.index(host) for host in hosts] == sorted(order.index(host) for host in hosts)
