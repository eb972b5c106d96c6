"""The listing of an rsync server: `rsync -r URL`, with its exit status and times in UTC."""

import hashlib
import os
import re
import shlex
import subprocess
import tempfile
from calendar import timegm
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import IO

from snapshot.file.errors import ListingError
from snapshot.scan.inventory import Inventory

_BLOCK = 1 << 20
_MOST_LINE = 1 << 20
# A server that sends nothing for this long has failed; without a limit rsync waits for ever.
_SILENT_SECONDS = 600
# Links and what is neither file nor directory have other first letters.
_ROW = re.compile(
    r"^([a-z-])([rwxsStT-]{9})[.+@]?\s+([\d,.]+) (?:(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)"
    # From the year 10000 on, the column is too narrow.
    r"|\d{5,}/[\d/]+ [\d:]+|\(time out of range\)) (.+)$",
    re.MULTILINE,
)
# rsync shows a byte that is not printable as \# and three octal digits.
_ESCAPE = re.compile(r"\\#([0-3][0-7]{2})")
_READABLE = re.compile("......r.[xt]")


def command(options: str, more: str, *arguments: str) -> list[str]:
    """Return an rsync command with the options of the configuration; raises ListingError."""
    try:
        given = [*shlex.split(options), *shlex.split(more)]
    except ValueError as error:
        raise ListingError(f"the rsync options of the configuration: {error}") from error
    # The configuration's own --timeout comes later, so it holds.
    return ["rsync", f"--timeout={_SILENT_SECONDS}", *given, *arguments]


def environment() -> dict[str, str]:
    """Return rsync's environment: it prints times of this machine's zone otherwise."""
    return {**os.environ, "TZ": "UTC", "LC_ALL": "C"}


def read_rsync(
    url: str,
    options: tuple[str, str],
    inventory: Inventory,
    tell: Callable[[int], None],
    paths: Sequence[str] = (),
) -> str:
    """Read an rsync URL into an inventory, and return the listing's digest; raises ListingError.

    A listing that rsync ends with another status than 0 is a failure, whatever it printed. With
    paths, each of them is listed alone, and its rows begin at the URL all the same.
    """
    digest = hashlib.blake2b(digest_size=16)
    # The server's greeting stands between the rows, and may look like them.
    found = ("-r", "--no-motd", "--no-human-readable", "--8-bit-output")
    if paths:
        # "./" is where the names of --relative begin.
        runs = [command(*options, *found, "-R", f"{url}./{path}/") for path in paths]
    else:
        runs = [command(*options, *found, url)]
    for run in runs:
        _list(run, inventory, digest, tell)
    inventory.finish()
    return digest.hexdigest()


def _list(
    run: list[str], inventory: Inventory, digest: hashlib.blake2b, tell: Callable[[int], None]
) -> None:
    url = run[-1]
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                run, env=environment(), stdin=subprocess.DEVNULL, stdout=-1, stderr=errors
            )
        except OSError as error:
            raise ListingError(f"rsync cannot be run: {error.strerror}") from error
        with process:
            assert process.stdout is not None
            try:
                count = 0
                for text in _blocks(process.stdout, digest):
                    count += _take(text, inventory)
                    tell(count)
            except BaseException as error:
                process.kill()
                if isinstance(error, ValueError):
                    raise ListingError(f"{url}: not a listing of rsync: {error}") from error
                raise
        if process.returncode:
            raise ListingError(_failed(url, process.returncode, errors))
    if not count:
        raise ListingError(f"{url}: the listing is empty; what is in the database stays")


def _failed(url: str, code: int, errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read(1 << 16).decode(errors="replace").strip().splitlines()
    why = f": {lines[0]}" if lines else ""
    return f"{url}: rsync ended with status {code}{why}; what is in the database stays"


def _blocks(output: IO[bytes], digest: hashlib.blake2b) -> Iterator[str]:
    rest = b""
    while block := output.read(_BLOCK):
        digest.update(block)
        end = block.rfind(b"\n") + 1
        if end:
            yield (rest + block[:end]).decode("utf-8", "surrogateescape")
            rest = block[end:]
        else:
            rest += block
        if len(rest) > _MOST_LINE:
            raise ValueError("a line does not end")
    if rest:
        yield rest.decode("utf-8", "surrogateescape")


def _take(text: str, inventory: Inventory) -> int:
    rows = _ROW.findall(text)
    for parent, found in groupby(rows, lambda row: row[9].rpartition("/")[0]):
        run = list(found)
        files = []
        for row in run:
            if row[0] == "-":
                files.append(row)
            else:
                _special(row, inventory)
        files = [row for row in files if _is_text(row[9], inventory)]
        directory = inventory.directory(_unescaped(parent)) if files else None
        if directory is not None:
            start = len(parent) + 1 if parent else 0
            directory.add(
                [_unescaped(row[9][start:]) for row in files],
                [_digits(row[2]) for row in files],
                [str(_seconds(row)) for row in files],
            )
    return len(rows)


def _special(row: tuple[str, ...], inventory: Inventory) -> None:
    kind, mode, path = row[0], row[1], row[9]
    if not _is_text(path, inventory):
        return
    if kind == "l":
        # A listing with --links has the target behind the name.
        inventory.link(_unescaped(path.partition(" -> ")[0]))
    elif kind != "d":
        inventory.leave_out(path, "neither a file nor a directory, which is left out")
    else:
        found = inventory.directory("" if path == "." else _unescaped(path))
        if found is not None:
            # A directory that has no time keeps that of the database.
            found.ctime = _seconds(row) if row[3] else None
            found.readable = bool(_READABLE.match(mode))


def _is_text(path: str, inventory: Inventory) -> bool:
    try:
        _unescaped(path).encode()
    except UnicodeEncodeError:
        inventory.leave_out(path, "the name is not UTF-8")
        return False
    return True


def _unescaped(text: str) -> str:
    if "\\#" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape").decode("latin-1")
    raw = _ESCAPE.sub(lambda found: chr(int(found[1], 8)), raw)
    return raw.encode("latin-1").decode("utf-8", "surrogateescape")


def _digits(size: str) -> str:
    return size.replace(",", "").replace(".", "")


def _seconds(row: tuple[str, ...]) -> int:
    if not row[3]:
        return 0
    hours, minutes, seconds = row[6], row[7], row[8]
    return _day(row[3], row[4], row[5]) + int(hours) * 3600 + int(minutes) * 60 + int(seconds)


@lru_cache(4096)
def _day(year: str, month: str, day: str) -> int:
    return timegm((int(year), int(month), int(day), 0, 0, 0))
