"""The secret of a site, by which an address becomes a mark: a number that does not tell it.

For each day a key of its own is derived, so nobody can compare the marks of two days, and without
the secret nobody can test whether an address is among the marks of a day. Servers of one site have
one secret: then an address that several of them saw is counted once.

A mark is the SipHash-2-4 of the address (Aumasson, Bernstein, SipHash: a fast short-input PRF,
INDOCRYPT 2012), of many addresses at once: blake2b would take 0.8 us for each, and this takes 0.2.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mirrorlist.errors import StartError
from snapshot.file.seal import read_key

Words = NDArray[np.uint64]

BLOCK_BYTES = 16
"""How an address is given: a number of this many bytes, the highest first; 0 for no address."""

# The initial state of SipHash, and what its end mixes in: the length of the message is in the
# highest byte of its last word, which is empty otherwise.
_BEGIN = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_LAST_WORD, _FINISH = np.uint64(BLOCK_BYTES << 56), np.uint64(0xFF)
# A sketch takes positive integers of 64 bits with a sign.
_POSITIVE = np.uint64((1 << 63) - 1)


class SiteKey:
    """The secret of a site; `id` is the key's public name."""

    def __init__(self, secret: bytes) -> None:
        """Take the secret."""
        self._secret = secret
        self.id = hashlib.blake2b(b"id", key=secret, digest_size=6).hexdigest()

    def marks(self, day: int, blocks: bytes) -> Words:
        """Return the marks of addresses on a day, which is given by its first second.

        The mark of no address is 0. Takes about 0.2 us an address.
        """
        key = hashlib.blake2b(str(day).encode(), key=self._secret, digest_size=16).digest()
        words = np.frombuffer(blocks, "<u8").astype(np.uint64).reshape(-1, 2)
        found = siphash(key, words) & _POSITIVE
        found[~words.any(axis=1)] = 0
        return found


def siphash(key: bytes, messages: Words) -> Words:
    """Return the SipHash-2-4 of messages of two words each."""
    low, high = (int.from_bytes(half, "little") for half in (key[:8], key[8:]))
    begin = zip(_BEGIN, (low, high, low, high), strict=True)
    state = [np.full(len(messages), one ^ half, np.uint64) for one, half in begin]
    for word in (messages[:, 0], messages[:, 1], _LAST_WORD):
        state[3] ^= word
        _round(state)
        _round(state)
        state[0] ^= word
    state[2] ^= _FINISH
    for _ in range(4):
        _round(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _round(state: list[Words]) -> None:
    """Mix the state once, in place: SipRound, with its sums and turns in the paper's order."""
    for first, second, turn, then in (
        (0, 1, 13, 32),
        (2, 3, 16, 0),
        (0, 3, 21, 0),
        (2, 1, 17, 32),
    ):
        state[first] += state[second]
        state[second] = _turned(state[second], turn) ^ state[first]
        if then:
            state[first] = _turned(state[first], then)


def _turned(words: Words, bits: int) -> Words:
    return (words << np.uint64(bits)) | (words >> np.uint64(64 - bits))


def site_key(path: Path | None, folder: Path) -> SiteKey:
    """Return the key in a file, or else one that is made in a folder and kept there.

    Raises DataFileError or StartError.
    """
    return SiteKey(read_key(path or _own(folder / ".key")))


def _own(path: Path) -> Path:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return path
    except OSError as error:
        raise StartError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(32).hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        # An empty one would be refused at each start.
        os.unlink(path)
        raise StartError(f"{path}: cannot be written: {error.strerror}") from error
    return path
