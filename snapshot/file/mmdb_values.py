"""The values in an mmdb file, decoded within limits: texts, numbers, maps, lists, pointers.

https://maxmind.github.io/MaxMind-DB/#output-data-section. Pointers may make a record of any size
out of few bytes, so the number of values and the depth of their nesting are limited.
"""

import struct

# The largest records known (GeoIP2 Enterprise) have 200.
MOST_VALUES = 4096
_MOST_LEVELS = 32
_POINTER, _TEXT, _DOUBLE, _BYTES, _MAP, _INT32, _LIST, _FLAG, _FLOAT = 1, 2, 3, 4, 7, 8, 11, 14, 15
# The most bytes of each kind of unsigned integer.
_NUMBERS = {5: 2, 6: 4, 9: 8, 10: 16}
# The format adds these to a pointer of one, two, three and four bytes.
_BEYOND = (0, 2048, 526_336, 0)


class DamagedMmdb(ValueError):
    """A damaged mmdb file; the text says what is wrong with it."""


class Values:
    """A part of a file that holds values, which may point at each other."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        """Take the file's bytes and the limits of the part."""
        self._data, self._start, self._end = data, start, end
        self._left = 0

    def read(self, index: int) -> object:
        """Return the value at a place in the part; raises DamagedMmdb."""
        self._left = MOST_VALUES
        try:
            return self._value(self._start + index, _MOST_LEVELS)[0]
        except (IndexError, UnicodeDecodeError, struct.error) as error:
            raise DamagedMmdb("a record is damaged") from error

    def _value(self, at: int, levels: int) -> tuple[object, int]:
        self._left -= 1
        if self._left < 0 or not levels or at >= self._end:
            raise DamagedMmdb("a record is damaged")
        control = self._data[at]
        kind, at = control >> 5, at + 1
        if kind == _POINTER:
            return self._pointed(control, at, levels)
        if not kind:
            kind, at = 7 + self._data[at], at + 1
        size, at = self._size(control & 31, at)
        if kind == _MAP:
            return self._map(size, at, levels - 1)
        if kind == _LIST:
            return self._list(size, at, levels - 1)
        if kind == _FLAG:
            if size > 1:
                raise DamagedMmdb("a record is damaged")
            return bool(size), at
        if at + size > self._end:
            raise DamagedMmdb("a record is damaged")
        return _plain(kind, self._data[at : at + size]), at + size

    def _size(self, size: int, at: int) -> tuple[int, int]:
        if size < 29:
            return size, at
        more = size - 28
        beyond = (29, 285, 65_821)[more - 1]
        return beyond + int.from_bytes(self._data[at : at + more], "big"), at + more

    def _pointed(self, control: int, at: int, levels: int) -> tuple[object, int]:
        size = (control >> 3 & 3) + 1
        number = int.from_bytes(self._data[at : at + size], "big") + _BEYOND[size - 1]
        if size < 4:
            number += (control & 7) << 8 * size
        index = self._start + number
        # The format: a pointer must not point to another pointer.
        if index >= self._end or self._data[index] >> 5 == _POINTER:
            raise DamagedMmdb("a record is damaged")
        return self._value(index, levels)[0], at + size

    def _map(self, size: int, at: int, levels: int) -> tuple[dict[str, object], int]:
        found: dict[str, object] = {}
        for _ in range(size):
            key, at = self._value(at, levels)
            if not isinstance(key, str):
                raise DamagedMmdb("a record is damaged")
            found[key], at = self._value(at, levels)
        return found, at

    def _list(self, size: int, at: int, levels: int) -> tuple[list[object], int]:
        found = []
        for _ in range(size):
            value, at = self._value(at, levels)
            found.append(value)
        return found, at


def _plain(kind: int, data: bytes) -> object:
    if kind == _TEXT:
        return data.decode("utf-8")
    if kind in _NUMBERS and len(data) <= _NUMBERS[kind]:
        return int.from_bytes(data, "big")
    if kind == _INT32 and len(data) <= 4:
        return int.from_bytes(data, "big", signed=len(data) == 4)
    if kind == _DOUBLE:
        return struct.unpack(">d", data)[0]
    if kind == _FLOAT:
        return struct.unpack(">f", data)[0]
    if kind == _BYTES:
        return data
    raise DamagedMmdb("a record is damaged")
