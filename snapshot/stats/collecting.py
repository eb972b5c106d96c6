"""Takes spool files into the database, each batch exactly once, and removes the files.

A batch is noted in the transaction that adds it. So a collector that ends anywhere, and a file that
comes twice, change no sum: what is noted is passed over, and its file removed.
"""

import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from snapshot.file.errors import RefusedRows, SpoolError, UnreadableSpool
from snapshot.link import Link, Row, linked, temporary
from snapshot.stats import adding, spool
from snapshot.stats.cubes import details, hosts
from snapshot.stats.sketches import is_sketch
from snapshot.stats.spool import DAY_SECONDS, Batch
from snapshot.stats.tables import BATCHES_SINCE, SUBJECT, day_of, prepare, read_mark
from snapshot.stats.texts import fit

DAMAGED = "damaged"
"""The folder in a spool for files that cannot be used."""
PROGRAM = "mirrorlist stats"
# Of one transaction, about 300 MB of memory: more files go into the next.
_MOST_ROWS = 250_000
_NOT_BEFORE = 946_684_800  # 2000-01-01
_COLUMNS = {
    "source": "TEXT",
    "sequence": "BIGINT",
    "server": "TEXT",
    "begun": "BIGINT",
    "ended": "BIGINT",
    "requests": "BIGINT",
    "other": "BIGINT",
    "added": "BIGINT",
}
_NAMES = ", ".join(_COLUMNS)
_NOTE = f"""INSERT INTO stat_batch ({_NAMES}) SELECT {_NAMES} FROM new_batch WHERE true
    ON CONFLICT (source, sequence) DO NOTHING RETURNING source, sequence"""


class Collected(Struct):
    """What a collection did."""

    files: int = 0
    """The files whose batches are all in the database now."""
    batches: int = 0
    """The batches that were added."""
    again: int = 0
    """The batches that were passed over, because an earlier collection had added them."""
    requests: int = 0
    """The requests of the batches that were added."""
    other: int = 0
    """How many of them are in rows of OTHER, because a server had no room for their labels."""
    escaped: int = 0
    """How many of them have a name that the database's encoding lacks characters for."""
    set_aside: list[str] = []
    """A line for each file that could not be used, and was moved."""
    held: list[str] = []
    """A line for each file or spool that waits: it cannot be read now, or, damaged, be moved."""


class _File(Struct, frozen=True):
    path: Path
    batches: list[Batch]


def collect(spools: Sequence[Path], database: str, counted: Collected | None = None) -> Collected:
    """Add what is in some spools (folders or single files), and remove its files.

    Raises DatabaseError; then the files that are not in the database are still there, and
    `counted` has what was done before.
    """
    done = Collected() if counted is None else counted
    for portion in _portions(spools, done):
        try:
            _add(portion, database, done)
        except RefusedRows:
            # One of them is the trouble, and must not keep the others out for ever.
            for one in portion:
                _add_alone(one, database, done)
    return done


def _add(portion: list[_File], database: str, done: Collected) -> None:
    with linked(database, PROGRAM, create=True) as link:
        too_old = _take(link, portion, done)
    for one in too_old:
        why = f"{one.path}: is older than what is noted of batches: nobody could tell it is new"
        _set_aside(one.path, why, done)
    for one in portion:
        if one not in too_old:
            _remove(one.path)
            done.files += 1


def _add_alone(one: _File, database: str, done: Collected) -> None:
    try:
        _add([one], database, done)
    except RefusedRows as error:
        _set_aside(one.path, f"{one.path}: its counts are refused: {error}", done)


def _portions(spools: Sequence[Path], done: Collected) -> Iterator[list[_File]]:
    """Yield the files that can be used, a transaction's worth at a time, the oldest first."""
    portion: list[_File] = []
    rows = 0
    for path in waiting_files(spools, done.held):
        try:
            portion.append(_File(path, _usable(path)))
        except FileNotFoundError:
            # Another collector has taken it.
            continue
        except UnreadableSpool as error:
            done.held.append(str(error))
            continue
        except SpoolError as error:
            _set_aside(path, str(error), done)
            continue
        rows += sum(len(one.counts) + len(one.hosts) for one in portion[-1].batches)
        if rows > _MOST_ROWS:
            yield portion
            portion, rows = [], 0
    if portion:
        yield portion


def waiting_files(spools: Sequence[Path], held: list[str] | None = None) -> list[Path]:
    """Return the files in some spools, the oldest of each first; raises SpoolError.

    A spool that cannot be read keeps no other one waiting: `held` gets a line for each.
    """
    found: dict[Path, None] = {}
    troubles = []
    for one in spools:
        try:
            # Asked for first: a folder that cannot be entered is not a file that is missing.
            found |= dict.fromkeys(spool.files(one) if _is_folder(one) else [one])
        except OSError as error:
            troubles.append(f"{one}: cannot be read: {error.strerror}")
    if troubles and len(troubles) == len(spools):
        raise SpoolError(troubles[0])
    if held is not None:
        held.extend(troubles)
    return list(found)


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.stat().st_mode)


def _usable(path: Path) -> list[Batch]:
    """Return the batches of a file; raises SpoolError if the database could not take them."""
    batches = spool.read(path)
    last = time.time() + DAY_SECONDS
    for batch in batches:
        times = _times(batch)
        if times and not _NOT_BEFORE <= min(times) <= max(times) <= last:
            raise SpoolError(f"{path}: counts a time that cannot be: a clock was wrong")
        if not all(is_sketch(row.hll) for row in batch.sketches):
            raise SpoolError(f"{path}: is damaged: a sketch that is not one")
    return batches


def _times(batch: Batch) -> set[int]:
    hours = {row.hour for row in batch.counts} | {row.hour for row in batch.hosts}
    return hours | {row.day for row in batch.unknown} | {row.day for row in batch.sketches}


def _set_aside(path: Path, why: str, done: Collected) -> None:
    """Move a file to the folder for damaged files, and note a line about it."""
    folder = path.parent / DAMAGED
    try:
        folder.mkdir(exist_ok=True)
        os.rename(path, folder / path.name)
    except OSError as error:
        done.held.append(f"{why}, and cannot be moved to {folder}: {error.strerror}")
    else:
        done.set_aside.append(f"{why}; moved to {folder}")


def _take(link: Link, portion: list[_File], done: Collected) -> list[_File]:
    """Add the batches that are not noted yet, and note them; return files that are too old."""
    today = day_of(int(time.time()))
    days = {day_of(second) for one in portion for b in one.batches for second in _times(b)}
    prepare(link, days, adding.detailed(today))
    link.begin()
    link.wait_alone(SUBJECT)
    since = read_mark(link, BATCHES_SINCE) or 0
    too_old = [one for one in portion if any(b.ended < since for b in one.batches)]
    young = [one for one in portion if one not in too_old]
    batches = {(b.source, b.sequence): b for one in young for b in one.batches}
    fresh, escaped = _note(link, batches.values()), 0
    if fresh:
        content = _content([one for at, one in batches.items() if at in fresh])
        escaped = adding.write(link, content, today)
    link.end(commit=True)
    done.batches += len(fresh)
    done.again += sum(len(one.batches) for one in young) - len(fresh)
    done.requests += sum(batches[at].requests for at in fresh)
    done.other += sum(batches[at].other for at in fresh)
    done.escaped += escaped
    return too_old


def _content(batches: list[Batch]) -> adding.Content:
    return adding.Content(
        detail=details(batches),
        hosts=hosts(batches),
        unknown=tuple(row for one in batches for row in one.unknown),
        sketches=tuple((one.key, row) for one in batches for row in one.sketches),
    )


def _note(link: Link, batches: Iterable[Batch]) -> set[tuple[str, int]]:
    """Note batches, and return those that were not noted yet."""
    now = int(time.time())
    temporary(link, "new_batch", _COLUMNS, (_row(link, one, now) for one in batches))
    return {(source, sequence) for source, sequence in link.query(_NOTE)}


def _row(link: Link, one: Batch, now: int) -> Row:
    # A clock may have been far ahead.
    ended, server = min(one.ended, now), fit(one.server, link.safe_codec())
    return (one.source, one.sequence, server, one.begun, ended, one.requests, one.other, now)


def _remove(path: Path) -> None:
    """Remove a file; one that stays is passed over by the next collection."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SpoolError(
            f"{path}: is in the database, and cannot be removed: {error.strerror}"
        ) from error
