"""Checks answers, single ones and wrk's counts: a measurement of wrong answers is an error."""

from math import sqrt
from xml.etree import ElementTree

from loadtest.common.mix import ALL_REFUSED, MOST_REFUSED
from loadtest.common.wrk import Load

_NAMESPACE = "{http://www.metalinker.org/}"
_DISABLED = b"repo disabled"


def answer_fault(target: str, status: int, body: bytes) -> str | None:
    """Return why a client cannot use an answer, or None."""
    expected = 302 if "&redirect=" in target else 200
    if status != expected:
        return f"status {status}"
    if expected == 302:
        return None
    return _metalink_fault(body) if target.startswith("/metalink") else _text_fault(body)


def _metalink_fault(body: bytes) -> str | None:
    try:
        document = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        return f"no XML: {error}"
    if document.find(f".//{_NAMESPACE}file[@name='repomd.xml']") is None:
        return None if _DISABLED in body else "no repomd.xml"
    return None if document.find(f".//{_NAMESPACE}url") is not None else "no URL in the metalink"


def _text_fault(body: bytes) -> str | None:
    lines = body.splitlines()
    if _DISABLED in body or any(b"://" in line for line in lines if not line.startswith(b"#")):
        return None
    return "no URL in the list"


def refusals(kind: str) -> float:
    """Return which share of a mix's requests may be refused."""
    return 1.0 if kind in ALL_REFUSED else MOST_REFUSED


def most_refused(requests: int) -> float:
    """Return how many refusals a mix may get by chance: the mean plus five standard deviations."""
    return requests * MOST_REFUSED + 5 * sqrt(requests * MOST_REFUSED)


def load_fault(found: Load, share: float) -> str | None:
    """Return what is wrong with a load, or None: `share` of its requests may be refused."""
    if not found.requests:
        return "no request was answered"
    if found.failed:
        return f"{found.failed} of {found.requests} requests failed"
    if share == 1.0 and found.refused != found.requests:
        return f"{found.requests - found.refused} of {found.requests} requests were not refused"
    if share < 1.0 and found.refused > (most_refused(found.requests) if share else 0):
        return f"{found.refused} of {found.requests} requests were refused"
    return None
