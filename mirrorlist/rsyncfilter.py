"""What changed since a mirror's last run, as rsync takes it: the classic filter, or directories.

Source: rsync-filter-2009.txt. A pure function of the catalog and the request: it takes as long
as there are changed directories to write, and is never to be called where lists are answered.
"""

import re
import weakref
from collections import OrderedDict
from collections.abc import Iterable
from email.utils import formatdate, parsedate_to_datetime

from msgspec import Struct

from mirrorlist.catalog import Catalog
from mirrorlist.changed import Changed
from mirrorlist.errors import BadQuery
from mirrorlist.filterquery import FilterQuery, asked_form, parse_filter_query
from mirrorlist.pathglob import PathGlob
from snapshot.errors import SnapshotError
from snapshot.text import is_noise

MAX_AGE = 60
# Bodies that are kept: mirrors that ran after the same export ask for the same.
KEPT_BYTES, KEPT_ANSWERS = 8 << 20, 256
_WILDCARD = re.compile(r"[*?\[]")
_SPECIAL = re.compile(r"[*?\[\\]")
# rsync 3.2.5 and later takes the backslash for an escape where it checks what it is sent, and
# ends the whole run.
_UNLISTABLE = re.compile(r"\\[*?\[]")
_FIRST, _INCLUDES = "# rsync --exclude-from=(this file)\n", "# includes\n"
_REST = "# excludes\n- *\n# end of list\n"
# The last second that an HTTP date can say.
_LAST_DATE = 253_402_300_799


class FilterAnswer(Struct, frozen=True):
    """Status, headers and body of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Held(Struct, frozen=True):
    """What a client says it has: If-None-Match and If-Modified-Since, None if it did not."""

    tag: str | None = None
    date: str | None = None


class _Listed(Struct, frozen=True):
    """A body, how many changed directories it lists, and how many it cannot."""

    body: bytes
    count: int
    left_out: int


class RsyncFilter:
    """Answers filter requests; keeps one catalog's changes and the bodies asked for last."""

    def __init__(self) -> None:
        """Begin with nothing; the first request of a catalog compiles its changes."""
        # Not to keep a catalog that was swapped out.
        self._of: weakref.ref[Catalog] | None = None
        self._changed: Changed | None = None
        self._kept: OrderedDict[object, _Listed] = OrderedDict()
        self.kept_bytes = 0

    @property
    def kept_answers(self) -> int:
        """How many bodies are kept."""
        return len(self._kept)

    def answer(self, catalog: Catalog, raw_query: bytes, held: Held) -> FilterAnswer:
        """Return the answer to a request; not for two threads at once."""
        try:
            changed = self._compiled(catalog)
            query = parse_filter_query(raw_query, catalog.categories)
        except BadQuery as error:
            return _refusal(error.status, str(error), asked_form(raw_query))
        except SnapshotError:
            return _plain(500, "# no changes can be listed at the moment\n")
        if not all(changed.has_change_times(one) for one in query.categories):
            # Without a rule: who uses it all the same makes a full run.
            return _plain(404, "# no change times are known here: make a full run\n")
        headers = _headers(catalog, changed)
        if _is_current(held, headers):
            return FilterAnswer(304, headers, b"")
        listed = self._listed(changed, query)
        headers["X-Mirrorlist-Directories"] = str(listed.count)
        if listed.left_out:
            headers["X-Mirrorlist-Left-Out"] = str(listed.left_out)
        return FilterAnswer(200, {"Content-Type": "text/plain", **headers}, listed.body)

    def _compiled(self, catalog: Catalog) -> Changed:
        if self._changed is None or self._of is None or self._of() is not catalog:
            self._changed = Changed(catalog.snapshot)
            self._of = weakref.ref(catalog)
            self._kept.clear()
            self.kept_bytes = 0
        return self._changed

    def _listed(self, changed: Changed, query: FilterQuery) -> _Listed:
        places = {one: changed.place(one, query.since) for one in query.categories}
        # Two times between which nothing changed have the same answer.
        key = tuple(places.items()), query.prefix, query.form, query.select, query.noise
        found = self._kept.pop(key, None)
        if found is None:
            names = [name for one, place in places.items() for name in changed.names(one, place)]
            found = _write(_chosen(names, query), query.form)
            self.kept_bytes += len(found.body)
        self._kept[key] = found
        while self.kept_bytes > KEPT_BYTES or len(self._kept) > KEPT_ANSWERS:
            _, oldest = self._kept.popitem(last=False)
            self.kept_bytes -= len(oldest.body)
        return found


def _refusal(status: int, text: str, form: str) -> FilterAnswer:
    """Say what is wrong in a list that transfers nothing."""
    listed = f"{text}\n" if form == "files" else f"{_FIRST}{text}\n{_INCLUDES}{_REST}"
    return _plain(status, listed)


def _plain(status: int, text: str) -> FilterAnswer:
    headers = {"Content-Type": "text/plain", "Cache-Control": "no-store"}
    return FilterAnswer(status, headers, text.encode())


def _headers(catalog: Catalog, changed: Changed) -> dict[str, str]:
    headers = {
        "Cache-Control": f"public, max-age={MAX_AGE}",
        # Of one address the content and the cursor decide everything.
        "ETag": f'"{catalog.id}-{changed.cursor}"',
        "X-Mirrorlist-Cursor": str(changed.cursor),
        "X-Mirrorlist-History": str(changed.since),
    }
    if 0 <= changed.cursor <= _LAST_DATE:
        headers["Last-Modified"] = formatdate(changed.cursor, usegmt=True)
    return headers


def _is_current(held: Held, headers: dict[str, str]) -> bool:
    """Return whether the client has this very answer (RFC 9110 section 13.2.2)."""
    if held.tag is not None:
        tags = [tag.strip().removeprefix("W/") for tag in held.tag.split(",")]
        return "*" in tags or headers["ETag"] in tags
    if held.date is None or "Last-Modified" not in headers:
        return False
    try:
        date = parsedate_to_datetime(held.date)
        return parsedate_to_datetime(headers["Last-Modified"]).timestamp() <= date.timestamp()
    except (ValueError, OverflowError):
        return False


def _chosen(names: Iterable[str], query: FilterQuery) -> list[str]:
    """Return the names below the prefix, without it, that the query selects, sorted by bytes."""
    if not query.noise:
        names = [name for name in names if not is_noise(name)]
    if query.prefix:
        start = query.prefix + "/"
        names = [
            name[len(start) :] for name in names if name.startswith(start) or name == query.prefix
        ]
    if query.select:
        globs = [PathGlob(glob) for glob in query.select]
        names = [name for name in names if any(glob.matches(name) for glob in globs)]
    # Characters sort as their bytes in UTF-8 do.
    return sorted(names)


def _write(names: list[str], form: str) -> _Listed:
    if form == "files":
        lines = [_file_line(name) for name in names if not _UNLISTABLE.search(name)]
        return _Listed("".join(lines).encode(), len(lines), len(names) - len(lines))
    rules = "".join(_rules(name) for name in _with_parents(names))
    return _Listed(f"{_FIRST}{_INCLUDES}{rules}{_REST}".encode(), len(names), 0)


def _file_line(name: str) -> str:
    # A first # or ; begins a comment if rsync reads the list on the side that has the files.
    if not name:
        return "./\n"
    return f"./{name}/\n" if name[0] in "#;" else f"{name}/\n"


def _with_parents(names: Iterable[str]) -> list[str]:
    found: set[str] = set()
    for name in names:
        found.add(name)
        parent = name.rpartition("/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return sorted(found)


def _rules(name: str) -> str:
    """Return both rules of a directory; the prefix itself has the empty name.

    rsync takes a backslash for an escape only in a pattern that has a wildcard.
    """
    if not _SPECIAL.search(name):
        return f"+ {name}/\n+ {name}/*\n"
    escaped = _SPECIAL.sub(r"\\\g<0>", name)
    return f"+ {escaped if _WILDCARD.search(name) else name}/\n+ {escaped}/*\n"
