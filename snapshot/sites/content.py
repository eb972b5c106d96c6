"""Reads what a primary or a mirror gave for a file: its sum, and the time that it tells."""

import hashlib
import re
from datetime import UTC, datetime
from email.utils import mktime_tz, parsedate_tz

from msgspec import Struct

from snapshot.sites.repomd import MOST_SECONDS, read_repomd

_MOST_TIME_BYTES = 4 << 10
_MOST_LINES = 60
_PAGE = (b"<!doctype html", b"<html")
_SECONDS = re.compile(r"\d{9,11}(\.\d+)?")
_HALF_DAY = re.compile(r"\b[AP]M\b", re.IGNORECASE)
_FIELD = re.compile(r"date:\s*(.+)", re.IGNORECASE)


class Content(Struct, frozen=True):
    """What a file says; `timestamp` in seconds since 1970, or None if it tells no time."""

    sha256: str
    timestamp: int | None
    error: str | None = None
    """Why it is not a file of its kind: another file in the place of a repomd.xml, or a page."""
    is_time: bool = False
    """Whether it is a time or trace file, which is judged by its time and not by its sum."""
    primary: tuple[str, int | None] | None = None
    """The list of packages that a repomd.xml names, relative to the repository; and its size."""


class Reader:
    """Reads files, and each of them once, because most mirrors give the same."""

    def __init__(self) -> None:
        """Begin with no file."""
        self._known: dict[tuple[str, bool], Content] = {}

    def read(self, data: bytes, is_repomd: bool) -> Content:
        """Return what a repomd.xml or a file of another kind says."""
        sha256 = hashlib.sha256(data).hexdigest()
        found = self._known.get((sha256, is_repomd))
        if found is None:
            found = (_repomd if is_repomd else _file)(sha256, data)
            self._known[sha256, is_repomd] = found
        return found


def _repomd(sha256: str, data: bytes) -> Content:
    try:
        found = read_repomd(data)
        return Content(sha256, found.timestamp, primary=found.primary)
    except ValueError as error:
        return Content(sha256, None, str(error))


def _file(sha256: str, data: bytes) -> Content:
    if not data.strip():
        return Content(sha256, None, "an empty file")
    if data[:200].lstrip().lower().startswith(_PAGE):
        return Content(sha256, None, "a web page")
    lines = data[: 64 << 10].decode("utf-8", "replace").splitlines()[:_MOST_LINES]
    first = find_time(next((line for line in lines if line.strip()), ""))
    if first is not None and len(data) <= _MOST_TIME_BYTES:
        return Content(sha256, first, is_time=True)
    fields = (_FIELD.match(line) for line in lines)
    times = (find_time(found[1]) for found in fields if found)
    return Content(sha256, next((time for time in times if time is not None), None))


def find_time(text: str) -> int | None:
    """Return the time that a line tells, in seconds since 1970: a number, a date, ISO 8601."""
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return int(float(text))
    # The standard library reads the date of a 12-hour clock, and overlooks the half of the day.
    if _HALF_DAY.search(text) or len(text) > 80:
        return None
    try:
        date = datetime.fromisoformat(text)
        return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())
    except ValueError:
        pass
    try:
        parts = parsedate_tz(text)
        found = mktime_tz(parts) if parts else None
        return found if found is not None and abs(found) <= MOST_SECONDS else None
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
