"""The key that snapshots are sealed with, so that a server refuses a foreign one.

The hashes in a snapshot are what clients check unsigned metadata against: who can put a file in
its place decides what is installed (docs/threat-model.md).
"""

import hashlib
from pathlib import Path

from snapshot.file.errors import DataFileError
from snapshot.file.wholefile import MOST_TEXT_BYTES, read_regular

# 128 bits as hexadecimal digits; a shorter text is rather a password than a key.
MIN_KEY_BYTES = 32


def read_key(path: Path) -> bytes:
    """Return the key that a file holds, as 64 bytes; raises DataFileError.

    White space around the text does not count, so that an editor's line end does no harm.
    """
    try:
        text = read_regular(path, MOST_TEXT_BYTES).strip()
    except OSError as error:
        raise DataFileError(f"{path}: the key cannot be read: {error.strerror}") from error
    if len(text) < MIN_KEY_BYTES:
        raise DataFileError(
            f"{path}: a key has at least {MIN_KEY_BYTES} bytes, not {len(text)};"
            f" make one: (umask 077; openssl rand -hex 32 > {path})"
        )
    if not text.strip(b"\0"):
        # What a disk has in the place of a file that it lost.
        raise DataFileError(
            f"{path}: not a secret: it has nothing but zeros;"
            f" make one: (umask 077; openssl rand -hex 32 > {path})"
        )
    return hashlib.blake2b(text).digest()
