"""Plots and tables of the statistics, ready for a template: shapes, names, links, shares."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from mirrorlist.process.wording import number, visible
from mirrorlist.status import charts
from mirrorlist.status.worldmap import country_name

if TYPE_CHECKING:
    from snapshot.stats.periods import Period
    from snapshot.stats.questions import Step
    from snapshot.stats.views import Days, Layer, Sums, Trend

LABELS = {
    "release": "release",
    "repo": "repository",
    "arch": "arch",
    "country": "country",
    "client": "client",
    "countme": "age of the system",
    "status": "status",
    "tier": "tier of the first host",
    "kind": "kind of list",
    "family": "IP version",
}
"""Labels in their order on pages, with names for people; any other label has its own name."""
AGES = {
    "0": "not counted",
    "1": "first week",
    "2": "up to a month",
    "3": "up to half a year",
    "4": "older",
}
"""What the values of countme mean."""
OTHERS = "all others"
_COLOURS = 7
Link = Callable[[str, str], str | None]
"""Returns the page of a label's value, or None."""


class Key(Struct, frozen=True):
    """A line of a legend or table: a name, its page, its colour, its requests."""

    name: str
    url: str | None
    colour: str
    requests: int
    share: float


class Row(Struct, frozen=True):
    """The figures of a step, for the table behind a plot; `left` is where its bar begins."""

    name: str
    counts: Sequence[int]
    total: int
    left: int


class Plot(Struct, frozen=True):
    """A plot with its legend and the figures behind it."""

    title: str
    chart: charts.Chart
    keys: Sequence[Key]
    rows: Sequence[Row]
    ticks: Sequence[str]
    csv: str
    unit: str = "requests"
    note: str = ""

    @property
    def total(self) -> int:
        """The sum of all rows."""
        return sum(one.total for one in self.rows)


class Table(Struct, frozen=True):
    """Sums with their shares; `of` names what they are sums of."""

    title: str
    of: str
    keys: Sequence[Key]
    whole: int
    csv: str
    counted: str
    """What is counted: requests, or times that a host was named first."""


def trend_plot(title: str, found: "Trend", today: date, link: Link, csv: str) -> Plot:
    """Return a plot of a label over time."""
    steps = [_step_name(one) for one in found.steps]
    layers, ticks = found.all, _ticks(found.steps, today)
    return _plot(title, found.by, layers, found.rest is not None, steps, ticks, link, csv)


def days_plot(title: str, found: "Days", today: date, csv: str) -> Plot:
    """Return a plot of distinct addresses by day, in layers if they are by a label."""
    days = [str(date.fromordinal(n)) for n in _ordinals(found.period)]
    places = {day: n for n, day in enumerate(days)}
    layers: dict[str, list[int]] = {}
    for row in found.rows:
        name = row.values[0] if row.values else ""
        layers.setdefault(name, [0] * len(days))[places[row.day]] = row.addresses
    made = [_Counts(name, counts) for name, counts in layers.items()]
    made.sort(key=lambda one: (-one.total, one.name))
    has_rest = len(made) > _COLOURS
    if has_rest:
        rest = [sum(each) for each in zip(*(one.requests for one in made[_COLOURS:]), strict=True)]
        made = [*made[:_COLOURS], _Counts("", rest)]
    middle = days[len(days) // 2]
    ticks = [days[0], middle, "today" if days[-1] == str(today) else days[-1]]
    plot = _plot(title, found.by, made, has_rest, days, ticks, lambda label, value: None, csv)
    return Plot(plot.title, plot.chart, plot.keys, plot.rows, plot.ticks, csv, "addresses")


class _Counts(Struct, frozen=True):
    name: str
    requests: Sequence[int]

    @property
    def total(self) -> int:
        return sum(self.requests)


def _plot(
    title: str,
    by: str,
    layers: "Sequence[Layer | _Counts]",
    has_rest: bool,
    steps: Sequence[str],
    ticks: Sequence[str],
    link: Link,
    csv: str,
) -> Plot:
    whole = sum(one.total for one in layers)
    bars = [list(one) for one in zip(*(one.requests for one in layers), strict=True)]
    keys = [
        _key(by, one.name, one.total, whole, link, f"p{n}" if n < _COLOURS else "rest")
        for n, one in enumerate(layers)
    ]
    if has_rest:
        keys[-1] = Key(OTHERS, None, "rest", layers[-1].total, _share(layers[-1].total, whole))
    rows = [
        Row(name, counts, sum(counts), n * charts.STEP)
        for n, (name, counts) in enumerate(zip(steps, bars or [[]] * len(steps), strict=True))
    ]
    return Plot(title, charts.bars(bars, len(steps), edges=charts.FINE), keys, rows, ticks, csv)


def table(title: str, found: "Sums", link: Link, csv: str, counted: str = "Requests") -> Table:
    """Return a table of sums, the largest first."""
    keys = [
        _key(found.by, one.values[0], one.requests, found.whole, link, "p0") for one in found.lines
    ]
    if found.rest:
        keys.append(Key(OTHERS, None, "rest", found.rest, _share(found.rest, found.whole)))
    return Table(title, label_name(found.by), keys, found.whole, csv, counted)


def _key(by: str, value: str, count: int, whole: int, link: Link, colour: str) -> Key:
    return Key(value_name(by, value), link(by, value), colour, count, _share(count, whole))


def _share(count: int, whole: int) -> float:
    return 100 * count / whole if whole else 0.0


def in_order(labels: Sequence[str]) -> list[str]:
    """Return labels in their order on pages."""
    order = [*LABELS, *labels]
    return sorted(labels, key=order.index)


def label_name(label: str) -> str:
    """Return the name of a label for people."""
    return LABELS.get(label, label)


def value_name(label: str, value: str) -> str:
    """Return a label's value for people."""
    if label == "countme":
        return AGES.get(value, value)
    if label == "country":
        name = country_name(value)
        return name if name == value else f"{name} ({value})"
    if label == "family" and value in "46":
        return f"IPv{value}" if value else "none"
    return visible(value) or "none"


def change(percent: float | None) -> str:
    """Return a change for people, or nothing if there is nothing to compare with."""
    if percent is None:
        return ""
    rounded = round(percent, 1)
    sign = "+" if rounded > 0 else "\u2212" if rounded < 0 else "\u00b1"
    return (
        f"{sign}{number(abs(rounded))} %" if abs(rounded) < 1000 else f"{sign}{abs(rounded):,.0f} %"
    )


def compact(value: int) -> str:
    """Return a number to two or three digits, such as 24.4 M."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= size:
            return (
                f"{value / size:.3g} {unit}"
                if value < 999.5 * size
                else f"{value / size:,.0f} {unit}"
            )
    return str(value)


def _step_name(step: "Step") -> str:
    first, last = step.first.date(), date.fromordinal(step.end.date().toordinal() - 1)
    return str(first) if first == last else f"{first} to {last}"


def _ticks(steps: "Sequence[Step]", today: date) -> list[str]:
    firsts = [str(one.first.date()) for one in steps]
    last = steps[-1]
    is_now = last.first.date() <= today < last.end.date()
    end = ("today" if _step_name(last) == str(today) else "now") if is_now else firsts[-1]
    return [firsts[0], *([firsts[len(firsts) // 2]] if len(firsts) > 2 else []), end]


def _ordinals(period: "Period") -> range:
    return range(period.since.toordinal(), period.until.toordinal() + 1)
