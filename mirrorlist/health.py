"""What the server says of itself: live, ready, and the snapshot in use."""

from msgspec import Struct

from mirrorlist.service import Service


class SnapshotState(Struct, frozen=True):
    """The snapshot in use; times in seconds since 1970, UTC, age in seconds."""

    id: str
    format: str
    built: int
    read: int
    age: int


class Ready(Struct, frozen=True):
    """That a list can be answered, and from what."""

    ready: bool
    snapshot: SnapshotState
    geoip: str


def ready(service: Service) -> Ready:
    """Return the state of a service that has a catalog."""
    catalog = service.store.catalog
    snapshot, age = catalog.snapshot, catalog.age(service.clock())
    return Ready(
        ready=True,
        snapshot=SnapshotState(snapshot.id, snapshot.format, snapshot.built, snapshot.read, age),
        geoip=service.geo.name,
    )
