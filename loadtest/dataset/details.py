"""File details of the load test's tree: repomd.xml with alternates, images; and what follows.

What has to vary (times, sizes, hashes) is taken from a hash of seed and name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from loadtest.dataset.chance import HASHES, digest, vary
from loadtest.dataset.families import Stage, SubtreeContent
from loadtest.dataset.tree import REPODATA, Subtree

NOW = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
"""The data set's present, in Unix seconds: all its times are fixed."""

HOUR = 3600
DAY = 24 * HOUR
_RELEASE_CYCLE = 182 * DAY
_SINCE_RELEASE = 190 * DAY  # from the newest release until NOW
# There is a push a day, and docs/mirrormanager.md#how-long-file-details-are-kept.
_ALTERNATES = {Stage.UPDATES: 5, Stage.TESTING: 5, Stage.DEVELOPMENT: 5}
_MIB = 1 << 20

# How many images there are, and their size in MiB, by a component of the path.
_IMAGES = {
    "Server": (2, 2600),
    "Workstation": (1, 2400),
    "KDE": (1, 2700),
    "Spins": (9, 2200),
    "Labs": (6, 3900),
    "Cloud": (5, 530),
    "Silverblue": (1, 3300),
    "Kinoite": (1, 3700),
    "Container": (4, 90),
    "live-respins": (10, 2300),
    "IoT": (1, 3100),
    "Pinebook": (1, 1100),
}


@dataclass(frozen=True, slots=True)
class FileDetail:
    """One version of a file; timestamp in Unix seconds, size in bytes, hashes as hexadecimal."""

    directory: str
    filename: str
    timestamp: int
    size: int
    hashes: dict[str, str]


def composed(seed: int, subtree: Subtree) -> int:
    """Return when the current state of a subtree was made, in Unix seconds."""
    if subtree.daily:
        return NOW - HOUR - vary(seed, subtree.path, 8 * HOUR)
    released = NOW - _SINCE_RELEASE - int(subtree.age * _RELEASE_CYCLE)
    return released - vary(seed, subtree.path, 6 * DAY)


def changed(seed: int, subtree: Subtree, name: str) -> int:
    """Return a directory's ctime: packages of a daily subtree changed at any time before."""
    time = composed(seed, subtree)
    if name.endswith(f"/{REPODATA}"):
        return time + HOUR // 2
    return time - vary(seed, name, 21 * DAY if subtree.daily else HOUR)


def file_details(seed: int, subtree: Subtree) -> Iterator[FileDetail]:
    """Yield a subtree's file details; those of one file rise with time, as a scanner adds them."""
    return (
        _images(seed, subtree)
        if subtree.content is SubtreeContent.IMAGES
        else _repomd(seed, subtree)
    )


def _repomd(seed: int, subtree: Subtree) -> Iterator[FileDetail]:
    directory = f"{subtree.path}/{REPODATA}"
    alternates = _ALTERNATES.get(subtree.stage, 0) if subtree.daily else 0
    for age in range(alternates, -1, -1):
        timestamp = composed(seed, subtree) - age * DAY
        name = f"{directory}/repomd.xml as of {timestamp}"
        yield FileDetail(
            directory,
            "repomd.xml",
            timestamp,
            size=3000 + vary(seed, name, 3500),
            hashes={algorithm: digest(algorithm, seed, name) for algorithm in HASHES},
        )


def _images(seed: int, subtree: Subtree) -> Iterator[FileDetail]:
    variant = next(part for part in subtree.path.split("/") if part in _IMAGES)
    count, size = _IMAGES[variant]
    for number in range(1, count + 1):
        filename = f"Fedora-{variant}-{number}-{subtree.version}-1.{number}.{subtree.arch}.iso"
        yield FileDetail(
            subtree.path,
            filename,
            timestamp=composed(seed, subtree),
            size=size * _MIB + vary(seed, filename, 1 << 14) * 2048,
            # All that a checksum file says.
            hashes={"sha256": digest("sha256", seed, filename)},
        )
