"""Reads the files whose content matters: from a tree, from a web server, or by rsync."""

import errno
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from snapshot.file.wholefile import read_regular
from snapshot.scan.checksums import files_to_read, read_metadata, unchanged
from snapshot.scan.config import CategorySettings, Settings
from snapshot.scan.inventory import Inventory, children
from snapshot.scan.unchanged import Entry, Read

if TYPE_CHECKING:
    from http.client import HTTPResponse

_THREADS = 8
# A server may take this many seconds for all of a file.
_WHOLE_SECONDS = 120
# A repomd.xml has some kilobytes, a checksum file at most some hundreds.
_MOST_BYTES = 16 << 20

Get = Callable[[str], bytes]


class Source(Protocol):
    """Where files are read; a file that cannot be read raises OSError."""

    def opened(self, paths: Sequence[str]) -> AbstractContextManager[Get]:
        """Give what reads each of these files."""


class Gathered(Struct):
    """What was read, by path, and which files could not be read."""

    read: dict[str, Read]
    pending: list[str]
    count: int


class LocalFiles:
    """Files in a tree on this machine."""

    def __init__(self, root: str) -> None:
        """Take the tree's folder."""
        self._root = Path(root)

    @contextmanager
    def opened(self, _: Sequence[str]) -> Iterator[Get]:
        """Give what reads files of the tree."""
        yield lambda path: read_regular(self._root / path, _MOST_BYTES)


class WebFiles:
    """Files on a web server."""

    def __init__(self, base: str, topdir: str) -> None:
        """Take `checksum_base`, below which the topdir is."""
        self._base, self._top = base, f"{topdir}/" if topdir else ""

    @contextmanager
    def opened(self, _: Sequence[str]) -> Iterator[Get]:
        """Give what fetches files."""
        # Imported here, because it takes a tenth of a second, and few scans need it.
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.parse import quote

        from snapshot.fetching import opened

        def get(path: str) -> bytes:
            try:
                with opened(self._base + quote(f"{self._top}{path}")) as answer:
                    return _body(answer)
            except HTTPError as error:
                error.close()
                raise
            except HTTPException as error:
                raise OSError(errno.EPROTO, f"the answer is not of HTTP: {error!r}") from error

        yield get


def _body(answer: "HTTPResponse") -> bytes:
    """Return the whole body of an answer, of a limited size and in a limited time."""
    body, end = bytearray(), time.monotonic() + _WHOLE_SECONDS
    while piece := answer.read1(1 << 16):
        body += piece
        if len(body) > _MOST_BYTES:
            raise OSError(errno.EFBIG, f"more than the limit of {_MOST_BYTES:,} bytes")
        if time.monotonic() > end:
            raise OSError(errno.ETIMEDOUT, f"not all of it in {_WHOLE_SECONDS} s")
    # What is left of the announced length.
    if answer.length:
        raise OSError(errno.EPROTO, f"it ended {answer.length:,} bytes early")
    return bytes(body)


class RsyncFiles:
    """Files on an rsync server, fetched by one run of rsync."""

    def __init__(self, url: str, options: tuple[str, str]) -> None:
        """Take the URL of the topdir and the options of the configuration."""
        self._url, self._options = url, options

    @contextmanager
    def opened(self, paths: Sequence[str]) -> Iterator[Get]:
        """Fetch the files, and give what reads them; a file that did not come is missing."""
        import subprocess
        from tempfile import TemporaryDirectory

        from snapshot.scan.rsync_listing import command, environment

        # Between line feeds, a name could not have one, nor begin with # or ;.
        names = "\0".join(paths).encode()
        with TemporaryDirectory(prefix="mirrorlist-scan-") as folder:
            options = ("--times", "--copy-links", f"--max-size={_MOST_BYTES}")
            given = ("--from0", "--files-from=-", self._url, folder)
            run = command(*self._options, *options, *given)
            subprocess.run(run, env=environment(), input=names, capture_output=True, check=False)
            with LocalFiles(folder).opened(paths) as get:
                yield get


def source_of(settings: Settings, category: CategorySettings, topdir: str) -> Source:
    """Return where the files of a category are read."""
    if category.type == "directory":
        return LocalFiles(category.url)
    if category.checksum_base is not None:
        return WebFiles(category.checksum_base, topdir)
    return RsyncFiles(category.url, (settings.common_rsync_options, category.options))


def gather(
    inventory: Inventory,
    known: Mapping[str, Read],
    source: Source,
    again: Callable[[str], bool] = lambda _: False,
) -> Gathered:
    """Read the files that changed, and those that `again` says, however they look.

    What cannot be read is reported, and stays as it was.
    """
    entries = list(files_to_read(inventory, children(inventory.directories)))
    read = {path: one for path, one in unchanged(entries, known).items() if not again(path)}
    todo = {_path(parent, entry): entry for parent, entry in entries}
    todo = {path: entry for path, entry in todo.items() if path not in read}
    pending: list[str] = []
    if todo:
        with source.opened(list(todo)) as get:
            for path, found in zip(todo, _each(_One(get), todo.items()), strict=True):
                if isinstance(found, Read):
                    read[path] = found
                else:
                    pending.append(path)
                    inventory.leave_out(path, f"cannot be read: {found}; its details stay")
                    if path in known:
                        read[path] = known[path]
    return Gathered(read, pending, len(todo) - len(pending))


def _each(read: "_One", items: Collection[tuple[str, Entry]]) -> "Iterator[Read | str]":
    """Read many files in threads, and one, as most scans do, without loading what threads need."""
    if len(items) == 1:
        return map(read, items)
    import threading
    from queue import Empty, SimpleQueue

    todo: SimpleQueue[tuple[int, tuple[str, Entry]]] = SimpleQueue()
    done: SimpleQueue[tuple[int, Read | str | Exception]] = SimpleQueue()

    def work() -> None:
        with suppress(Empty):
            while True:
                number, item = todo.get_nowait()
                done.put((number, _tried(read, item)))

    for one in enumerate(items):
        todo.put(one)
    # Not a pool: at a signal, its end would wait for servers that say nothing.
    for started in range(min(_THREADS, len(items))):
        try:
            threading.Thread(target=work, daemon=True, name="metadata").start()
        except RuntimeError:
            # The system refuses a thread: those that run read all, or this one does.
            if not started:
                work()
            break
    found: dict[int, Read | str] = {}
    while len(found) < len(items):
        number, result = done.get()
        if isinstance(result, Exception):
            raise result
        found[number] = result
    return iter([found[number] for number in range(len(items))])


def _tried(read: "_One", item: tuple[str, Entry]) -> "Read | str | Exception":
    try:
        return read(item)
    except Exception as error:
        return error


def _path(parent: str, entry: Entry) -> str:
    return f"{parent}/{entry[0]}" if parent else entry[0]


class _One:
    """Reads one file; in a thread."""

    def __init__(self, get: Get) -> None:
        self._get = get

    def __call__(self, item: tuple[str, Entry]) -> Read | str:
        path, entry = item
        try:
            return read_metadata(entry[0], entry, self._get(path))
        except (OSError, ValueError) as error:
            # A URLError has its reason in a field of its own.
            reason = getattr(error, "reason", error)
            return str(getattr(reason, "strerror", None) or reason)
