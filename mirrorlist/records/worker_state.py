"""A worker's report of itself: the snapshot and GeoIP data that it serves, and refused files."""

import os
import time
from collections.abc import Callable
from enum import StrEnum

import msgspec
from msgspec import Struct

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.records.counts import Count, Counts, Slot
from mirrorlist.request.geo import Geo

MOST_REFUSALS = 5
MOST_TEXT_BYTES = 240
SILENT_SECONDS = 10.0
"""A worker counts as silent after these seconds without a beat."""


class ServedFile(StrEnum):
    """A file that is taken into use while serving."""

    SNAPSHOT = "snapshot"
    GEOIP = "geoip"


class Served(Struct, frozen=True):
    """A snapshot in use; times in seconds since 1970, UTC."""

    id: str
    """The snapshot's id."""
    format: str
    """The version of its format."""
    built: int
    """The time when its file was written."""
    read: int
    """The time when its database was read."""
    hosts: int
    """How many hosts it has."""
    directories: int
    """How many directories it has."""
    repositories: int
    """How many repositories it has."""


class RefusedFile(Struct, frozen=True):
    """A file that was not taken into use; it is reported until a good file of its kind comes."""

    at: float
    """The time when it was refused."""
    source: ServedFile
    """The kind of file: `snapshot` or `geoip`."""
    reason: str
    """Why it was refused."""
    stands: bool = True
    """Whether no good file of its kind has come since."""


class WorkerState(Struct, frozen=True):
    """A worker and the data that it serves; times in seconds since 1970, UTC.

    The newest refusal comes first. `silent` is not the worker's word, but seen by the reader.
    """

    process: int
    """Its process id."""
    started: float
    """The time when it started."""
    snapshot: Served
    taken: float
    """The time when it took the snapshot into use."""
    geoip: str
    """The GeoIP data in use."""
    geoip_built: int | None
    """The time when they were built; null if it is unknown."""
    swaps: int = 0
    """How many snapshots it has taken into use while serving."""
    refusals: tuple[RefusedFile, ...] = ()
    silent: float = 0.0
    """The seconds since the last beat of its event loop."""

    @property
    def is_silent(self) -> bool:
        """Whether the worker does not answer: it hangs or was stopped."""
        return self.silent > SILENT_SECONDS


class WorkerReport:
    """Writes a worker's state into its slot; the code that swaps files calls it."""

    def __init__(self, slot: Slot, catalog: Catalog, geo: Geo, now: float) -> None:
        """Report the data that the worker begins with; `now` is in seconds since 1970, UTC."""
        self._slot = slot
        self._tell(WorkerState(os.getpid(), now, served(catalog), now, _cut(geo.name), geo.built))

    def swapped(self, catalog: Catalog, now: float) -> None:
        """Report and count a snapshot that was taken into use."""
        self._slot.add(Count.SWAPS)
        self._change(
            ServedFile.SNAPSHOT,
            snapshot=served(catalog),
            taken=now,
            swaps=self.state.swaps + 1,
        )

    def swapped_geoip(self, geo: Geo) -> None:
        """Report GeoIP data that were taken into use."""
        self._change(ServedFile.GEOIP, geoip=_cut(geo.name), geoip_built=geo.built)

    def settled(self, source: ServedFile) -> None:
        """Report that the file of a source is again the one in use."""
        self._change(source)

    def refused(self, source: ServedFile, reason: str, now: float) -> None:
        """Report and count a refused file with the reason; the file before it stays in use."""
        self._slot.add(Count.SWAPS_REFUSED)
        latest = RefusedFile(now, source, _cut(reason))
        refusals = (latest, *self.state.refusals)[:MOST_REFUSALS]
        self._tell(msgspec.structs.replace(self.state, refusals=refusals))

    def _change(self, source: ServedFile, **changes: object) -> None:
        refusals = tuple(
            msgspec.structs.replace(one, stands=False) if one.source is source else one
            for one in self.state.refusals
        )
        self._tell(msgspec.structs.replace(self.state, refusals=refusals, **changes))

    def _tell(self, state: WorkerState) -> None:
        self.state = state
        self._slot.notice.write(msgspec.msgpack.encode(state))


def worker_states(counts: Counts, clock: Callable[[], float] = time.monotonic) -> list[WorkerState]:
    """Return the states of the workers that live, and for how long each has been silent."""
    states = []
    now, beats = clock(), counts.beats()
    for text in counts.notices():
        try:
            state = msgspec.msgpack.decode(text, type=WorkerState)
        except msgspec.DecodeError:
            continue
        if _lives(state.process):
            silent = round(max(0.0, now - beats.get(state.process, now)), 1)
            states.append(msgspec.structs.replace(state, silent=silent))
    return states


def served(catalog: Catalog) -> Served:
    """Return the report of a catalog in use."""
    snapshot = catalog.snapshot
    return Served(
        snapshot.id,
        snapshot.format,
        snapshot.built,
        snapshot.read,
        len(snapshot.hosts),
        snapshot.directory_count,
        len(snapshot.repositories),
    )


def _cut(text: str) -> str:
    # The memory for a worker's notice is bounded.
    return text.encode(errors="replace")[:MOST_TEXT_BYTES].decode(errors="ignore")


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
