"""What a worker says of itself: which snapshot and GeoIP data it serves, and what it refused."""

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
"""After how long without a beat a worker does not answer."""


class ServedFile(StrEnum):
    """A file that is taken into use while serving."""

    SNAPSHOT = "snapshot"
    GEOIP = "geoip"


class Served(Struct, frozen=True):
    """A snapshot in use; times in seconds since 1970, UTC."""

    id: str
    """Which snapshot."""
    format: str
    """The version of its format."""
    built: int
    """When its file was written."""
    read: int
    """When its database was read."""
    hosts: int
    """How many hosts it has."""
    directories: int
    """How many directories."""
    repositories: int
    """How many repositories."""


class RefusedFile(Struct, frozen=True):
    """A file that was not taken into use; it stands until one of its kind is."""

    at: float
    """When it was refused."""
    source: ServedFile
    """What it would have replaced."""
    reason: str
    """Why it was refused."""
    stands: bool = True
    """Whether no good file of its kind has come since."""


class WorkerState(Struct, frozen=True):
    """What a worker serves; times in seconds since 1970, UTC; the newest refusal comes first.

    `geoip_built` is None where that is unknown; `taken` is when the snapshot was taken into use.
    `silent` is what others see: for how many seconds its event loop has not told that it runs.
    """

    process: int
    """Its process id."""
    started: float
    """When it started."""
    snapshot: Served
    taken: float
    """When it took the snapshot into use."""
    geoip: str
    """The GeoIP data in use."""
    geoip_built: int | None
    """When they were built; null where that is unknown."""
    swaps: int = 0
    """How many snapshots it has taken into use while serving."""
    refusals: tuple[RefusedFile, ...] = ()
    silent: float = 0.0
    """For how many seconds its event loop has not told that it runs."""

    @property
    def is_silent(self) -> bool:
        """Whether it answers nobody: it hangs or was stopped."""
        return self.silent > SILENT_SECONDS


class WorkerReport:
    """Tells, in a worker's slot, how the worker is; whoever swaps files calls it."""

    def __init__(self, slot: Slot, catalog: Catalog, geo: Geo, now: float) -> None:
        """Tell what the worker begins with; `now` is in seconds since 1970, UTC."""
        self._slot = slot
        self._tell(WorkerState(os.getpid(), now, served(catalog), now, _cut(geo.name), geo.built))

    def swapped(self, catalog: Catalog, now: float) -> None:
        """Tell, and count, that another snapshot was taken into use."""
        self._slot.add(Count.SWAPS)
        self._change(
            ServedFile.SNAPSHOT,
            snapshot=served(catalog),
            taken=now,
            swaps=self.state.swaps + 1,
        )

    def swapped_geoip(self, geo: Geo) -> None:
        """Tell that other GeoIP data were taken into use."""
        self._change(ServedFile.GEOIP, geoip=_cut(geo.name), geoip_built=geo.built)

    def settled(self, source: ServedFile) -> None:
        """Tell that the file of a source is once more the one in use."""
        self._change(source)

    def refused(self, source: ServedFile, reason: str, now: float) -> None:
        """Tell, and count, that a file was refused, and why; what was before it goes on."""
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
    """Return how the workers that live say they are, and for how long they have been silent."""
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
    """Return what is said of a catalog in use."""
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
    # The room for all that a worker says is bounded.
    return text.encode(errors="replace")[:MOST_TEXT_BYTES].decode(errors="ignore")


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
