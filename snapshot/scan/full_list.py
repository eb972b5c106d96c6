"""A full file list (`fullfiletimelist-*`): a row for each file, directory and link of a tree.

A row is TIME, TYPE, SIZE and PATH between tabs. The rows stand in a section [Files], and the last
line is [End]. A list of rows alone, without sections, is read too.

The list is read once, in blocks, and each block is split as a whole: there is no statement of
Python for a field, and none for a file.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from snapshot.file.errors import ListingError
from snapshot.file.wholefile import open_regular
from snapshot.scan.inventory import Directory, Inventory, is_64_bits
from snapshot.scan.list_file import BLOCK, stamp

_CUT = "it was cut short, or is being written; what is in the database stays"
_MOST_LINE = 1 << 20
# Another line with a bracket is the second half of a name with a line feed.
_HEADER = re.compile(r"\[\w[\w ]*\]")
_PLAIN = {"f", "d", "l", "d-", "f-", "l-"}


def read_full_list(path: Path, inventory: Inventory, prefix: str = "", known: str = "") -> str:
    """Read a list into an inventory, and return the list's digest; raises ListingError.

    If any path begins with `prefix`, only those are read, without it. `known` is the digest, if it
    was made just before.
    """
    digest = None if known else hashlib.sha256()
    before = stamp(path)
    rows = _Rows(inventory, prefix)
    try:
        for block in _blocks(path, digest):
            rows.add(block)
    except OSError as error:
        raise ListingError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ListingError(f"{path}: not a full file list: {error}") from error
    if stamp(path) != before:
        raise ListingError(f"{path}: it changed while it was read; scan again")
    if not rows.count:
        raise ListingError(f"{path}: not a row of a file or directory in it: {_CUT}")
    if rows.sections and not (rows.ended and rows.begun):
        raise ListingError(f"{path}: no [{'End' if rows.begun else 'Files'}] in it: {_CUT}")
    inventory.finish()
    return digest.hexdigest() if digest else known


def _blocks(path: Path, digest: "hashlib._Hash | None") -> Iterator[str]:
    """Yield a file's text in blocks of whole lines."""
    rest, is_begun, has_returns = b"", False, False
    with open_regular(path) as file:
        while block := file.read(BLOCK):
            if digest:
                digest.update(block)
            whole, feed, block = block.rpartition(b"\n")
            if feed:
                text = rest + whole + feed
                if not is_begun:
                    # Sent as text by some program: scan-primary-mirror reads such a list, too.
                    is_begun, has_returns = True, text.partition(b"\n")[0].endswith(b"\r")
                if has_returns:
                    text = text.replace(b"\r\n", b"\n")
                yield text.decode("utf-8", "surrogateescape")
                rest = b""
            rest += block
            if len(rest) > _MOST_LINE:
                raise ValueError("a line does not end")
    if rest:
        raise ListingError(f"{path}: the last line has no end: {_CUT}")


class _Rows:
    """Takes blocks of lines, and gives the inventory what is in their rows."""

    def __init__(self, inventory: Inventory, prefix: str) -> None:
        self._inventory = inventory
        self._prefix = prefix
        self._cut = self._is_dotted = False
        self.count = 0
        self.sections = self.begun = self.ended = False
        self._in_files = True

    def add(self, text: str) -> None:
        """Read a block, which may hold the ends of sections."""
        if text[:1] == "[" or "\n[" in text or not self._in_files:
            text = self._files_of(text)
        if text:
            self._rows(text)

    def _files_of(self, text: str) -> str:
        kept = []
        for part in _parts(text):
            header, _, rest = part.partition("\n")
            if _HEADER.fullmatch(header):
                part = rest
                self.sections = True
                self._in_files = header == "[Files]"
                if self._in_files and self.ended:
                    raise ValueError("a second list begins after [End]")
                self.begun = self.begun or self._in_files
                self.ended = self.ended or header == "[End]"
            if self._in_files:
                kept.append(part)
        return "".join(kept)

    def _rows(self, text: str) -> None:
        # Empty lines stand between sections.
        text = text.strip("\n") + "\n"
        if text == "\n":
            return
        if not self.count:
            # `find .` writes paths with this before them; the first row is that of the topdir.
            self._is_dotted = any("\t./" in line for line in text.split("\n", 2)[:2])
        if self._is_dotted:
            text = text.replace("\t./", "\t")
        fields = text.replace("\n", "\t").split("\t")
        fields.pop()
        kinds = fields[1::4]
        # A path with a tab in it shifts all that follows, so the types are no longer types.
        if len(fields) % 4 or text.count("\n") != len(kinds) or not _PLAIN.issuperset(kinds):
            fields = _by_line(text)
            kinds = fields[1::4]
        times, sizes, paths = fields[0::4], fields[2::4], fields[3::4]
        self.count += len(paths)
        if self._prefix and not self._cut and self._has_prefix(text):
            self._begin_cutting()
        if not text.isascii() or "\0" in text:
            _keep_text(self._inventory, times, kinds, sizes, paths)
        start = 0
        while start < len(paths):
            parent = _parent(paths[start])
            part = slice(start, _end_of_run(paths, start, parent))
            self._run(parent, times[part], kinds[part], sizes[part], paths[part])
            start = part.stop

    def _run(
        self, parent: str, times: list[str], kinds: list[str], sizes: list[str], paths: list[str]
    ) -> None:
        """Take rows that follow each other in one directory."""
        if kinds.count("f") != len(kinds):
            self._special(times, kinds, paths)
            files = [i for i, kind in enumerate(kinds) if kind[0] == "f"]
            if not files:
                return
            times, sizes, paths = ([of[i] for i in files] for of in (times, sizes, paths))
        directory = self._directory(parent)
        if directory is not None:
            start = len(parent) + 1 if parent else 0
            directory.add(paths, sizes, times, start)

    def _special(self, times: list[str], kinds: list[str], paths: list[str]) -> None:
        for time, kind, path in zip(times, kinds, paths, strict=True):
            if kind[0] == "d":
                found = self._directory("" if path == "." else path.removesuffix("/"))
                if found is not None:
                    found.ctime, found.readable = _seconds(time), "-" not in kind
            elif kind[0] == "l":
                self._link(path)
            elif kind[0] != "f":
                self._inventory.leave_out(path, f"neither a file nor a directory, but {kind}")

    def _link(self, path: str) -> None:
        if not self._cut or path.startswith(self._prefix):
            self._inventory.link(path[len(self._prefix) if self._cut else 0 :])

    def _directory(self, path: str) -> Directory | None:
        if self._cut:
            if f"{path}/" == self._prefix:
                path = ""
            elif not path.startswith(self._prefix):
                return None
            else:
                path = path[len(self._prefix) :]
        return self._inventory.directory(path)

    def _has_prefix(self, text: str) -> bool:
        return f"\t{self._prefix}" in text or f"\t{self._prefix[:-1]}\n" in text

    def _begin_cutting(self) -> None:
        """Forget what was read before the first path with the prefix."""
        self._cut = True
        fresh = self._inventory.directories
        top = fresh[""]
        top.files, top.packages, top.pages = [], 0, 0
        fresh.clear()
        fresh[""] = top


def _seconds(time: str) -> int:
    found = int(time)
    if not is_64_bits(found):
        raise ValueError(f"the time {time} is out of range")
    return found


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _end_of_run(paths: list[str], start: int, parent: str) -> int:
    """Return where the rows end that follow each other in one directory.

    A few looks find the end, and three passes in C prove that all rows before it are the
    directory's; a look at each row would take four times as long.
    """
    inside, step = start, 1
    while (beyond := inside + step) < len(paths) and _parent(paths[beyond]) == parent:
        inside, step = beyond, step * 2
    beyond = min(beyond, len(paths))
    while beyond - inside > 1:
        middle = (inside + beyond) // 2
        if _parent(paths[middle]) == parent:
            inside = middle
        else:
            beyond = middle
    if _is_run(paths[start:beyond], f"{parent}/" if parent else ""):
        return beyond
    # Rows of other directories stand between.
    return next((i for i in range(start, beyond) if _parent(paths[i]) != parent), beyond)


def _is_run(paths: list[str], prefix: str) -> bool:
    # What is between two texts that begin in one way begins so, too; then no name may have a slash.
    return (
        min(paths).startswith(prefix)
        and max(paths).startswith(prefix)
        and "".join(paths).count("/") == len(paths) * prefix.count("/")
    )


def _parts(text: str) -> Iterator[str]:
    """Cut a text before each line that begins a section."""
    start = 0
    while (end := text.find("\n[", start)) >= 0:
        yield text[start : end + 1]
        start = end + 1
    yield text[start:]


def _by_line(text: str) -> list[str]:
    """Return the fields of lines of which some are not rows, or have tabs in their path."""
    fields: list[str] = []
    for line in text.split("\n"):
        row = line.split("\t", 3)
        # Lines with fewer columns are no rows: other programs ignore them as well.
        if len(row) == 4 and row[1]:
            fields += row
    return fields


def _keep_text(inventory: Inventory, *columns: list[str]) -> None:
    """Leave out rows whose path is not UTF-8 or has a NUL: the database holds text."""
    paths = columns[3]
    bad = [i for i, path in enumerate(paths) if not _is_text(path)]
    for i in reversed(bad):
        why = "has a NUL, so no file can have this name" if "\0" in paths[i] else "is not UTF-8"
        inventory.leave_out(paths[i], f"the name {why}")
        for column in columns:
            del column[i]


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in path
