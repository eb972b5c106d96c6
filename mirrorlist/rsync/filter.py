"""The directories that changed since a mirror's last run: as the classic filter, or as a list.

Source: docs/protocol.md#what-changed-for-rsync. An answer depends on the catalog and the request
alone. Its time grows with the changed directories, so it is made in a thread and never on the event
loop. Between steps of about a millisecond it checks whether its client is still there; the event
loop runs in these pauses.
"""

import re
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from email.utils import formatdate, parsedate_to_datetime
from heapq import merge
from itertools import islice

from msgspec import Struct

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.errors import BadQuery
from mirrorlist.process.jobs import RETRY_SECONDS, Check, nobody_looks
from mirrorlist.rsync.changed import Changed
from mirrorlist.rsync.pathglob import PathGlobs
from mirrorlist.rsync.query import NEWEST, FilterQuery, asked_form, parse_filter_query
from snapshot.file.errors import SnapshotError
from snapshot.file.noise import is_noise

MAX_AGE = 60
# The bodies that are kept: mirrors that last ran after the same export ask for the same body.
KEPT_BYTES, KEPT_ANSWERS = 8 << 20, 256
# Requests for bodies that are not kept are counted for this many different ones.
MOST_COUNTED = 4096
# With `select=newest`, an answer has at most this many lines.
MOST_LINES = 250_000
# This many directories are handled between two checks whether the client is still there.
_STEP = 1024
# Roughly the memory of a kept answer beside its body and the texts of its query.
_KEY_BYTES = 1000
_WILDCARD = re.compile(r"[*?\[]")
_SPECIAL = re.compile(r"[*?\[\\]")
# "rsync from 3.2.5 on ends the whole run at a backslash before `*`, `?` or `[`": it takes the
# backslash for an escape when it checks names against the list.
_UNLISTABLE = re.compile(r"\\[*?\[]")
_FIRST, _INCLUDES = "# rsync --exclude-from=(this file)\n", "# includes\n"
_REST = "# excludes\n- *\n# end of list\n"
# The last second of 9999: the year of an HTTP date has four digits (RFC 9110 section 5.6.7).
_LAST_DATE = 253_402_300_799


class FilterAnswer(Struct, frozen=True):
    """The status, headers and body of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Held(Struct, frozen=True):
    """The answer that a client has already: If-None-Match and If-Modified-Since, None if absent."""

    tag: str | None = None
    date: str | None = None


class _FilterList(Struct):
    """A body, how many changed directories it lists, and how many it cannot list.

    `size` is how many bytes it takes if it is kept; `uses` is how often it was asked for.
    """

    body: bytes
    count: int
    left_out: int
    size: int = 0
    uses: int = 1


class RsyncFilter:
    """Answers filter requests; keeps the changes of one catalog, and the bodies used most."""

    def __init__(self) -> None:
        """Begin empty; the first request on a catalog compiles its changes."""
        # A weak reference: it does not keep a catalog in memory that was swapped out.
        self._of: weakref.ref[Catalog] | None = None
        self._changed: Changed | None = None
        self._kept: OrderedDict[object, _FilterList] = OrderedDict()
        self._asked: dict[int, int] = {}
        self.kept_bytes = 0

    @property
    def kept_answers(self) -> int:
        """How many bodies are kept."""
        return len(self._kept)

    def answer(
        self, catalog: Catalog, raw_query: bytes, held: Held, check: Check = nobody_looks
    ) -> FilterAnswer:
        """Return the answer to a request; only one thread at a time may call this.

        `check` is called between steps, and may end the work by raising.
        """
        try:
            return self._answer(catalog, raw_query, held, check)
        except BadQuery as error:
            return _refusal(error.status, str(error), asked_form(raw_query))
        except SnapshotError:
            return _plain(500, "# no changes can be listed at the moment\n")

    def _answer(self, catalog: Catalog, raw_query: bytes, held: Held, check: Check) -> FilterAnswer:
        query = parse_filter_query(raw_query, catalog.categories)
        changed = self._compiled(catalog)
        if not all(changed.has_change_times(one) for one in query.categories):
            # The body has no rule: rsync with such a filter makes a full run.
            return _plain(404, "# no change times are known here: make a full run\n")
        if query.newest and not changed.knows_newest:
            return _plain(404, "# the newest packages are not known here: make a full run\n")
        headers = _headers(catalog, changed)
        if _is_current(held, headers):
            return FilterAnswer(304, headers, b"")
        listed = self._listed(changed, query, check)
        headers["X-Mirrorlist-Directories"] = str(listed.count)
        if listed.left_out:
            headers["X-Mirrorlist-Left-Out"] = str(listed.left_out)
        return FilterAnswer(200, {"Content-Type": "text/plain", **headers}, listed.body)

    def _compiled(self, catalog: Catalog) -> Changed:
        if self._changed is None or self._of is None or self._of() is not catalog:
            self._changed = Changed(catalog.snapshot)
            self._of = weakref.ref(catalog)
            self._kept.clear()
            self._asked.clear()
            self.kept_bytes = 0
        return self._changed

    def _listed(self, changed: Changed, query: FilterQuery, check: Check) -> _FilterList:
        # The key has the index and not `since`, because all times between two changes have the same
        # answer.
        indexes = {one: changed.index(one, query.since) for one in query.categories}
        key = (
            tuple(indexes.items()),
            query.prefix,
            query.form,
            query.select,
            query.noise,
            query.newest,
        )
        found = self._kept.get(key)
        if found is not None:
            found.uses += 1
            self._kept.move_to_end(key)
            return found
        names = [name for one, index in indexes.items() for name in changed.names(one, index)]
        chosen = _chosen(names, query, check)
        if query.newest:
            found = _write_newest(chosen, query, changed, check)
        else:
            found = _write(chosen, query.form, check)
        found.size = _KEY_BYTES + len(query.prefix) + sum(map(len, query.select)) + len(found.body)
        found.uses = self._uses(key)
        self._keep(key, found)
        return found

    def _uses(self, key: object) -> int:
        """Return how often a body that is not kept was asked for, with this time."""
        # Only hashes are remembered: clients choose how long a key is.
        if len(self._asked) >= MOST_COUNTED:
            self._asked.clear()
        asked = hash(key)
        self._asked[asked] = uses = self._asked.get(asked, 0) + 1
        return uses

    def _keep(self, key: object, found: _FilterList) -> None:
        """Keep an answer where there is room, or instead of answers that are used less often.

        So a client with invented queries cannot drive out the answers that mirrors use.
        """
        leaving, room = [], KEPT_BYTES - self.kept_bytes - found.size
        slots = KEPT_ANSWERS - len(self._kept) - 1
        for other, one in sorted(self._kept.items(), key=lambda item: item[1].uses):
            if room >= 0 and slots >= 0:
                break
            if one.uses >= found.uses:
                return
            leaving.append(other)
            room, slots = room + one.size, slots + 1
        if room < 0 or slots < 0:
            return
        for other in leaving:
            self.kept_bytes -= self._kept.pop(other).size
        self._kept[key] = found
        self.kept_bytes += found.size


def busy(raw_query: bytes) -> FilterAnswer:
    """Return the answer where too many requests wait, or where the client closed its half."""
    text = f"# too many wait for such lists: ask again in {RETRY_SECONDS} s"
    found = _refusal(503, text, asked_form(raw_query))
    found.headers["Retry-After"] = str(RETRY_SECONDS)
    return found


def _refusal(status: int, text: str, form: str) -> FilterAnswer:
    """Return a mistake as a comment in a list that transfers nothing.

    A script that feeds the body to rsync unread must not start a full run by mistake.
    """
    listed = f"{text}\n" if form == "files" else f"{_FIRST}{text}\n{_INCLUDES}{_REST}"
    return _plain(status, listed)


def _plain(status: int, text: str) -> FilterAnswer:
    headers = {"Content-Type": "text/plain", "Cache-Control": "no-store"}
    return FilterAnswer(status, headers, text.encode())


def _headers(catalog: Catalog, changed: Changed) -> dict[str, str]:
    headers = {
        "Cache-Control": f"public, max-age={MAX_AGE}",
        # Snapshot and cursor decide all answers; an ETag is compared within one URL only.
        "ETag": f'"{catalog.id}-{changed.cursor}"',
        "X-Mirrorlist-Cursor": str(changed.cursor),
        "X-Mirrorlist-History": str(changed.since),
    }
    if 0 <= changed.cursor <= _LAST_DATE:
        headers["Last-Modified"] = formatdate(changed.cursor, usegmt=True)
    return headers


def _is_current(held: Held, headers: dict[str, str]) -> bool:
    """Return whether the client has this very answer.

    RFC 9110 section 13.1.3: "A recipient MUST ignore If-Modified-Since if the request contains an
    If-None-Match header field".
    """
    if held.tag is not None:
        # A quick test first: it keeps a header with thousands of foreign tags cheap.
        if headers["ETag"] not in held.tag and "*" not in held.tag:
            return False
        # If-None-Match uses the weak comparison (RFC 9110 section 13.1.2): W/ does not count.
        tags = [tag.strip().removeprefix("W/") for tag in held.tag.split(",")]
        return "*" in tags or headers["ETag"] in tags
    if held.date is None or "Last-Modified" not in headers:
        return False
    try:
        date = parsedate_to_datetime(held.date)
        return parsedate_to_datetime(headers["Last-Modified"]).timestamp() <= date.timestamp()
    except (ValueError, OverflowError):
        return False


def _chosen(names: Sequence[str], query: FilterQuery, check: Check) -> list[str]:
    """Return the names that the query selects, without its prefix, sorted by bytes."""
    chosen: list[str] = []
    pieces = []
    start = query.prefix and query.prefix + "/"
    for piece in _pieces(names, check):
        if not query.noise:
            piece = [name for name in piece if not is_noise(name)]
        if start:
            piece = [
                name[len(start) :]
                for name in piece
                if name.startswith(start) or name == query.prefix
            ]
        pieces.append(sorted(piece))
    # Python's order of characters is that of their bytes in UTF-8. Sorted pieces are merged step by
    # step, because sorting all names at once would hold up the event loop.
    ordered = merge(*pieces) if len(pieces) > 1 else iter(pieces[0] if pieces else ())
    globs = PathGlobs(query.select) if query.select else None
    while piece := list(islice(ordered, _STEP)):
        check()
        chosen += piece if globs is None else filter(globs.matches, piece)
    return chosen


def _write_newest(
    names: list[str], query: FilterQuery, changed: Changed, check: Check
) -> _FilterList:
    """Write directories; instead of one that has older packages, its other files."""
    start = query.prefix and query.prefix + "/"
    lines: list[str] = []
    left_out = 0
    for number, name in enumerate(names):
        files = changed.newest(f"{start}{name}".rstrip("/"))
        if files is not None or number % _STEP == 0:
            check()
        paths = [f"{name}/"] if files is None else [f"{name}/{file}" for file in files]
        listable = [path for path in paths if not _UNLISTABLE.search(path)]
        left_out += len(paths) - len(listable)
        lines += map(_line, listable)
        if len(lines) > MOST_LINES:
            raise BadQuery(
                f"# select={NEWEST}: more than {MOST_LINES:,} files: give a later since= or fewer"
                " categories="
            )
    return _FilterList("".join(lines).encode(), len(lines), left_out)


def _pieces(names: Sequence[str], check: Check) -> Iterator[list[str]]:
    """Yield names in pieces, with a check before each whether the client is still there."""
    for index in range(0, len(names), _STEP):
        check()
        yield list(names[index : index + _STEP])


def _write(names: list[str], form: str, check: Check) -> _FilterList:
    if form == "files":
        lines, count = [], 0
        for piece in _pieces(names, check):
            found = [_file_line(name) for name in piece if not _UNLISTABLE.search(name)]
            lines.append("".join(found).encode())
            count += len(found)
        return _FilterList(b"".join(lines), count, len(names) - count)
    rules = [f"{_FIRST}{_INCLUDES}".encode()]
    for piece in _pieces(_with_parents(names), check):
        rules.append("".join([_rules(name) for name in piece]).encode())
    return _FilterList(b"".join([*rules, _REST.encode()]), len(names), 0)


def _file_line(name: str) -> str:
    return _line(f"{name}/")


def _line(path: str) -> str:
    """Return the line of a file, or of a directory, which ends with a slash."""
    path = path.removeprefix("/") or "./"
    # "a name that begins with `#` or `;` has `./` in front": if the sending side reads the list, a
    # line that begins so is a comment there.
    return f"./{path}\n" if path[0] in "#;" else f"{path}\n"


def _with_parents(names: Iterable[str]) -> list[str]:
    """Return names and all directories above them, sorted; rsync enters no excluded directory."""
    found: set[str] = set()
    for name in names:
        found.add(name)
        parent = name.rpartition("/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return sorted(found)


def _rules(name: str) -> str:
    """Return both rules of a directory; the name of the prefix itself is empty."""
    # rsync takes a backslash for an escape only in a pattern that has a wildcard, so the first rule
    # of a name without one stays as it is; the second rule always ends with one.
    if not _SPECIAL.search(name):
        return f"+ {name}/\n+ {name}/*\n"
    escaped = _SPECIAL.sub(r"\\\g<0>", name)
    return f"+ {escaped if _WILDCARD.search(name) else name}/\n+ {escaped}/*\n"
