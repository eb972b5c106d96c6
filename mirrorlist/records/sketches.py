"""Distinct addresses by day, repository and arch: sketches that can be united.

A sketch knows no address, only marks (`sitekey`), and of these a few bits. HyperLogLog by
datasketches: Flajolet, Fusy, Gandouet, Meunier, HyperLogLog, AofA 2007.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from datasketches import hll_sketch, hll_union, tgt_hll_type
from numpy.typing import NDArray

from mirrorlist.lists.label import LABELS
from mirrorlist.records.sitekey import Words
from snapshot.stats.spool import KEY_BITS, SketchRow

MOST_SKETCHES = 4096
"""Addresses are counted for this many pairs of repository and arch at most: 10 MB."""
LOG_K = 12
"""A sketch has 2 to the power of this many registers: its standard error is 1.04/64, 1.6 %."""

_HLL = tgt_hll_type.HLL_4
_LABEL_SHIFT = sum(KEY_BITS[:-1])


class Sketches:
    """The sketches of a worker; not for two threads at once."""

    def __init__(self) -> None:
        """Begin without any."""
        self._kept: dict[tuple[int, str, str], hll_sketch] = {}

    def see(self, day: int, codes: NDArray[np.int64], marks: Words) -> None:
        """Count marks of a day; the codes say what they asked for."""
        has_mark = marks != 0
        numbers, marks = (codes[has_mark] >> _LABEL_SHIFT), marks[has_mark]
        # One sketch after the other: so each is in the processor's cache. And each mark once, for
        # all sketches at a time: most sketches see few.
        order = np.lexsort((marks, numbers))
        numbers, marks = numbers[order], marks[order]
        is_new = np.diff(numbers, prepend=-1) != 0
        is_first = is_new | (np.diff(marks, prepend=np.uint64(0)) != 0)
        numbers, marks = numbers[is_first], marks[is_first]
        bounds = np.flatnonzero(is_new[is_first]).tolist()
        for begin, end in pairwise([*bounds, len(numbers)]):
            label = LABELS.by_number(int(numbers[begin]))
            if label.has_repository:
                update = self._of(day, label.repository, label.arch).update
                for mark in marks[begin:end].tolist():
                    update(mark)

    def add(self, later: "Sketches") -> None:
        """Unite with others, which are then used up."""
        for key, sketch in later._kept.items():
            if key in self._kept:
                union = hll_union(LOG_K)
                union.update(self._kept[key])
                union.update(sketch)
                self._kept[key] = union.get_result(_HLL)
            elif len(self._kept) < MOST_SKETCHES:
                self._kept[key] = sketch

    def rows(self) -> Iterator[SketchRow]:
        """Yield them as they stand in a spool file."""
        for (day, repository, arch), sketch in self._kept.items():
            yield SketchRow(day, repository, arch, bytes(sketch.serialize_compact()))

    def _of(self, day: int, repository: str, arch: str) -> hll_sketch:
        """Return a sketch; beyond the limit it is one that is not kept."""
        key = day, repository, arch
        found = self._kept.get(key)
        if found is None:
            found = hll_sketch(LOG_K, _HLL)
            if len(self._kept) < MOST_SKETCHES:
                self._kept[key] = found
        return found
