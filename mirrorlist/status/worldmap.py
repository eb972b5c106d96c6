"""A map of the world whose countries are coloured by their requests.

The shapes are Natural Earth's, in the public domain; `scripts/world-map` wrote world.json.
"""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from msgspec import Struct

CLASSES = 6
"""Colours, each for twice to ten times the requests of the one before."""


class World(Struct, frozen=True):
    """Shapes by country code: paths, or for small countries the middle; names of all codes."""

    width: int
    height: int
    paths: Mapping[str, str]
    middles: Mapping[str, Sequence[int]]
    names: Mapping[str, str]


class Country(Struct, frozen=True):
    """A country on the map; `path` is empty for a dot. `shade` 0 is without requests."""

    code: str
    name: str
    requests: int
    share: float
    shade: int
    path: str
    middle: Sequence[int]


class Shade(Struct, frozen=True):
    """A colour of the legend: at least this many requests, and at most that many."""

    shade: int
    least: int
    most: int


class Map(Struct, frozen=True):
    """A map with its legend; `elsewhere` are requests from no place on the map."""

    width: int
    height: int
    countries: Sequence[Country]
    shades: Sequence[Shade]
    elsewhere: int


@cache
def world() -> World:
    """Return the shapes, which are read once."""
    text = (files("mirrorlist.status") / "world.json").read_text(encoding="utf-8")
    return World(**json.loads(text))


def country_name(code: str) -> str:
    """Return the English name of a country, or the code if it has no name."""
    return world().names.get(code, code)


def drawn(requests: Mapping[str, int]) -> Map:
    """Return a map of requests by country code."""
    shapes = world()
    placed = {
        code: n for code, n in requests.items() if code in shapes.paths or code in shapes.middles
    }
    most, whole = max(placed.values(), default=0), sum(requests.values())
    countries = [
        Country(
            code,
            country_name(code),
            count,
            100 * count / whole if whole else 0.0,
            shade_of(count, most),
            shapes.paths.get(code, ""),
            shapes.middles.get(code, ()),
        )
        # Dots come last, so no country covers them.
        for code, count in (
            *((code, placed.get(code, 0)) for code in shapes.paths),
            *((code, count) for code, count in placed.items() if code in shapes.middles),
        )
    ]
    elsewhere = whole - sum(placed.values())
    return Map(shapes.width, shapes.height, countries, _legend(countries), elsewhere)


def shade_of(count: int, most: int) -> int:
    """Return the colour of a count: 0 for none, else 1 to CLASSES by its magnitude.

    Requests differ by thousands between countries, so the scale is logarithmic: three decimal
    places below the largest is the lightest.
    """
    if count <= 0 or most <= 0:
        return 0
    return max(1, CLASSES + math.ceil(math.log10(count / most) * CLASSES / 3 - 1e-9))


def _legend(countries: Sequence[Country]) -> list[Shade]:
    found: dict[int, list[int]] = {}
    for one in countries:
        found.setdefault(one.shade, []).append(one.requests)
    return [
        Shade(shade, min(counts), max(counts)) for shade, counts in sorted(found.items()) if shade
    ]
