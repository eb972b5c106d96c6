"""How packed files begin, and what unpacks them: shared by all that reads repodata or logs."""

import sys
from importlib import import_module
from typing import Any, Protocol

GZIP, XZ, BZIP2, ZSTD = b"\x1f\x8b", b"\xfd7zXZ\0", b"BZh", b"\x28\xb5\x2f\xfd"
"""How a file begins that is packed in each of these ways."""


class Decompressor(Protocol):
    """What bz2, lzma and zstd have alike, of one frame."""

    @property
    def eof(self) -> bool:
        """Whether the frame has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing comes without more data."""

    @property
    def unused_data(self) -> bytes:
        """What stands behind the frame."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return what comes of further data, up to a length."""


def zstd() -> Any:
    """Return the module for zstd, which Python has since 3.14."""
    return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def is_of_zstd(error: Exception) -> bool:
    """Return whether zstd's library raised this error; it is loaded for its files alone."""
    return type(error).__name__ == "ZstdError"
