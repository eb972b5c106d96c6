"""What the users of `loadtest.locustfile` ask for, and what they make of an answer."""

import re
from xml.etree import ElementTree

from loadtest.mix import Data, Logged

LOG, SNAPSHOT = "LOADTEST_LOG", "LOADTEST_SNAPSHOT"
"""The environment variables that name a data set's request log and its snapshot."""

_NAMESPACE = "{http://www.metalinker.org/}"
_RELEASE = re.compile(r"updates-released-f(\d+)")


def known_only(data: Data) -> Data:
    """Return the data without requests for repositories that nobody has."""
    log = [one for one in data.log if (one.repo, one.arch) in data.homes]
    return Data(log, data.countries, data.directories, data.homes)


def newest(data: Data) -> list[Logged]:
    """Return the newest release's repositories, which a new system asks for."""
    found = [match for prefix, _ in data.homes if (match := _RELEASE.fullmatch(prefix))]
    release = max((int(match[1]) for match in found), default=0)
    wanted = (f"fedora-{release}", f"updates-released-f{release}")
    repositories = [Logged("", *pair) for pair in sorted(data.homes) if pair[0] in wanted]
    return repositories or [Logged("", *pair) for pair in sorted(data.homes)]


def fault(target: str, status: int, body: bytes) -> str | None:
    """Return why an answer is none that a client can use, or None."""
    if status != 200:
        return f"status {status}"
    if not target.startswith("/metalink"):
        return None if b"\nhttp" in body else "no URL in the list"
    try:
        document = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        return f"no XML: {error}"
    if document.find(f".//{_NAMESPACE}file[@name='repomd.xml']") is None:
        return None if b"repo disabled" in body else "no repomd.xml"
    if document.find(f".//{_NAMESPACE}url") is None:
        return "no URL in the metalink"
    return None
