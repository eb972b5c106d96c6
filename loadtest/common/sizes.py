"""How big a database is at a scale: 1 and 2.5 are the sizes mirrorlist-server was measured at."""

from dataclasses import dataclass
from math import ceil

SMALLEST, BIGGEST = 0.01, 2.5
"""The scales that work."""

# A small tree still needs enough hosts to have some of each kind.
_FEWEST_HOSTS = 24
# Both chosen so that scale 2.5 has what mirrorlist-server's bigger set has: a project with more
# mirrors has an older archive too, but not in proportion.
_DIRECTORY_EXPONENT = 0.751
_ROW_EXPONENT = 1.552


@dataclass(frozen=True, slots=True)
class Sizes:
    """The number of hosts; the least number of directories and rows of host_category_dir."""

    hosts: int
    directories: int
    host_category_dirs: int


def sizes(scale: float) -> Sizes:
    """Return the sizes at a scale from 0.01 to 2.5; raises ValueError outside of it."""
    if not SMALLEST <= scale <= BIGGEST:
        raise ValueError(f"scale {scale:g} is not between {SMALLEST:g} and {BIGGEST:g}")
    return Sizes(
        hosts=max(_FEWEST_HOSTS, ceil(430 * scale)),
        directories=ceil(16_414 * scale**_DIRECTORY_EXPONENT),
        host_category_dirs=ceil(2_340_000 * scale**_ROW_EXPONENT),
    )
