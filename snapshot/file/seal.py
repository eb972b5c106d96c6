"""The key that snapshots are sealed with, so that a server refuses a foreign one.

Clients check unsigned metadata against the hashes in a snapshot: a person who can replace the
snapshot decides what clients install (docs/threat-model.md).
"""

import hashlib
from pathlib import Path

from snapshot.file.errors import DataFileError
from snapshot.file.wholefile import MOST_TEXT_BYTES, read_regular

# 128 bits as hexadecimal digits; a shorter text is probably a password, not a key.
MIN_KEY_BYTES = 32


def read_key(path: Path) -> bytes:
    """Return the key that a file holds, as 64 bytes; raises DataFileError.

    White space around the text is ignored, so that an editor's line end does no harm.
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
        # Zeros are what a file system may leave after a crash in the place of a file's content.
        raise DataFileError(
            f"{path}: not a secret: it has nothing but zeros;"
            f" make one: (umask 077; openssl rand -hex 32 > {path})"
        )
    return hashlib.blake2b(text).digest()
