"""Bars as SVG paths: small, without a script, coloured by the page's style."""

from collections.abc import Sequence

from msgspec import Struct

HEIGHT = 100
# A bar is ten units wide; this many are filled.
STEP, _FILLED = 10, 8
_NICE = (1, 2, 5, 10)
FINE = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
"""Round numbers for a high chart, of which more is filled."""


class Chart(Struct, frozen=True):
    """Bars of one or several layers, one path a layer; `top` is the value at the upper edge."""

    width: int
    top: float
    paths: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Whether no bar has any height."""
        return not any(self.paths)


def bars(
    values: Sequence[Sequence[float]],
    room: int,
    least: float = 0,
    edges: Sequence[float] = _NICE,
) -> Chart:
    """Return a chart of bars, the newest at the right; each has its layers from below.

    The upper edge is at least at `least`, even if all bars are lower.
    """
    top = nice(max([least, *map(sum, values)]), edges)
    offset = (room - len(values)) * STEP
    paths = [""] * max((len(layers) for layers in values), default=0)
    for number, layers in enumerate(values):
        below = 0.0
        for layer, value in enumerate(layers):
            paths[layer] += _rectangle(offset + number * STEP, below, value, top)
            below += value
    return Chart(room * STEP, top, paths)


def nice(most: float, edges: Sequence[float] = _NICE) -> float:
    """Return a round number that is at least `most`."""
    unit = 1.0
    while unit * edges[-1] < most:
        unit *= 10
    return next(unit * step for step in edges if unit * step >= most)


def _rectangle(left: int, below: float, value: float, top: float) -> str:
    if value <= 0:
        return ""
    # A thin layer of a high bar stays visible.
    height = max(0.5, round(value / top * HEIGHT, 1))
    y = round(HEIGHT - below / top * HEIGHT - height, 1)
    return f"M{left} {y:g}h{_FILLED}v{height:g}h-{_FILLED}z"
