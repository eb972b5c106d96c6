"""What the section `newest` holds: the files to mirror, by the number of their directory.

Source: docs/snapshot-format.md#newest.
"""

from collections.abc import Iterable, Mapping

import msgspec

from snapshot.file.errors import OutputError
from snapshot.file.model import Directory
from snapshot.file.reader import MAX_NEWEST_BYTES


def numbered(found: Mapping[str, str], directories: Iterable[Directory]) -> dict[int, str]:
    """Return the files to mirror by the number of their directory; raises OutputError over a limit.

    A reader would refuse the whole snapshot.
    """
    names = enumerate(directory.name for directory in directories)
    numbers = {number: files for number, name in names if (files := found.get(name)) is not None}
    size = len(msgspec.msgpack.encode(numbers))
    if size > MAX_NEWEST_BYTES:
        raise OutputError(
            f"--newest: {size:,} bytes of file names, more than the limit of {MAX_NEWEST_BYTES:,}:"
            " export without --newest, and let partial mirrors use `packages slim`"
        )
    return numbers
