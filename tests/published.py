"""A file that is published again and again, with another world each time."""

from pathlib import Path

import msgspec

from snapshot.file.model import SnapshotData
from tests.small_worlds import Mirror, small_data


def world(number: int, read: int = 1000) -> SnapshotData:
    """Return a world of its own for each number."""
    return msgspec.structs.replace(small_data((Mirror(bandwidth=number),), {}), read=read)


def put(path: Path, content: bytes | bytearray) -> None:
    """Publish a file: written beside, renamed."""
    part = path.with_name("part")
    part.write_bytes(content)
    part.rename(path)
