"""The file that a mirror's repomd.xml names: whether the mirror has it, and whole.

A mirror that is being updated may have the new repomd.xml already, and not yet what it names.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from snapshot.sites.content import Content
from snapshot.sites.state import CheckedFile

MISSING = (403, 404, 410, 451)
"""The statuses that say that a file is not there."""
_RANGE = re.compile(r"bytes (?:0-0|\*)/(\d{1,18})")


class Part(NamedTuple):
    """A file below a mirror's URL, and its size if that is known."""

    path: str
    name: str
    size: int | None

    def trouble(self, status: int, headers: Mapping[str, str]) -> str | None:
        """Return why an answer says that the file is not there or not whole.

        None if it is, and also if the answer does not tell: unknown is not bad.
        """
        if status in MISSING:
            return f"{self.name} is not there"
        size = _size(status, headers)
        if size is None or self.size is None or size == self.size:
            return None
        return f"{self.name} has {size:,} of {self.size:,} bytes"


class Way(NamedTuple):
    """How a file is asked for without getting it."""

    method: str
    headers: Mapping[str, str]


WAYS = (Way("HEAD", {}), Way("GET", {"Range": "bytes=0-0"}))
"""The second one is asked where the first one finds a trouble: some servers have no good HEAD."""


def part_of(file: CheckedFile, content: Content) -> Part | None:
    """Return the list of packages that a repomd.xml names; None if it names none below a URL."""
    if content.primary is None:
        return None
    name, size = content.primary
    if name.startswith("/") or ".." in name.split("/") or "://" in name or not quote(name):
        return None
    base = f"{file.directory}/"[len(file.topdir) + 1 :]
    return Part(base + name, name, size)


def _size(status: int, headers: Mapping[str, str]) -> int | None:
    if headers.get("Content-Encoding", "identity") != "identity":
        return None
    if status in (206, 416):
        found = _RANGE.fullmatch(headers.get("Content-Range", ""))
        return int(found[1]) if found else None
    length = headers.get("Content-Length", "")
    return int(length) if status == 200 and length.isdecimal() and len(length) < 19 else None
