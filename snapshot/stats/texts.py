"""Texts that a database can hold: characters that its encoding lacks are written as escapes.

A database in LATIN1 has no `\\u0436`, and clients ask for what they like. Without this, one such
name would keep a whole file out, and all behind it.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from snapshot.stats.cubes import Detail, Sums
from snapshot.stats.spool import SketchRow, UnknownRow

ALL = "utf-8"
"""The codec of databases that have all characters."""


def fit(text: str, codec: str) -> str:
    """Return a text with escapes, such as `\\u0436`, for what a codec does not have."""
    return text.encode(codec, "backslashreplace").decode(codec)


def fit_values(values: Mapping[str, Any], codec: str) -> dict[str, Any]:
    """Return the values of a statement's parameters, of which the texts fit."""
    return {k: fit(v, codec) if isinstance(v, str) else v for k, v in values.items()}


class Fitter(Struct):
    """Makes counts fit, adding those together that then have the same names."""

    codec: str
    escaped: int = 0
    """How many requests had names with escapes."""

    def detail(self, given: Detail) -> Detail:
        """Return requests by hour and labels."""
        self.escaped += sum(
            count
            for (_, values), count in given.items()
            if any(fit(one, self.codec) != one for one in values)
        )
        return self._summed(given)

    def sums(self, given: Sums) -> Sums:
        """Return the sums of a cube."""
        return Sums(given.cube, self._summed(given.requests))

    def _summed(self, given: Detail) -> dict[tuple[int, tuple[str, ...]], int]:
        found: dict[tuple[int, tuple[str, ...]], int] = {}
        for (second, values), count in given.items():
            at = second, tuple(fit(one, self.codec) for one in values)
            found[at] = found.get(at, 0) + count
        return found

    def unknown(self, row: UnknownRow) -> UnknownRow:
        """Return an unknown repository."""
        repo, arch = (fit(one, self.codec) for one in (row.repository, row.arch))
        return structs.replace(row, repository=repo, arch=arch)

    def sketch(self, secret: str, row: SketchRow) -> tuple[str, SketchRow]:
        """Return a sketch with the name of its secret."""
        repo, arch = (fit(one, self.codec) for one in (row.repository, row.arch))
        return fit(secret, self.codec), structs.replace(row, repository=repo, arch=arch)
