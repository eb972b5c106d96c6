"""The data behind the plots as CSV."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mirrorlist.status.admin import Reply
from mirrorlist.status.cells import csv_text

if TYPE_CHECKING:
    from snapshot.stats.views import Days, Sums, Trend, Unknown

_TYPE = "text/csv; charset=utf-8"
REST = "(rest)"
"""The name of what has no layer of its own."""


def trend(found: "Trend") -> Reply:
    """Return a plot: a row for each step and layer."""
    rows = (
        (step.first.date(), step.end.date(), REST if one is found.rest else one.name, count)
        for one in found.all
        for step, count in zip(found.steps, one.requests, strict=True)
    )
    return _made("trend", ("from", "before", found.by, "requests"), rows)


def sums(found: "Sums") -> Reply:
    """Return a table of sums."""
    rows = ((*one.values, one.requests) for one in found.lines)
    return _made("sums", (found.by, "requests"), rows)


def days(found: "Days") -> Reply:
    """Return distinct addresses by day, and by a label if there is one."""
    rows = ((one.day, *one.values, one.addresses) for one in found.rows)
    by = (found.by,) if found.by else ()
    return _made("addresses", ("day", *by, "addresses"), rows)


def unknown(found: "Iterable[Unknown]") -> Reply:
    """Return unknown repositories."""
    rows = ((one.repo, one.requests, one.days, one.last) for one in found)
    return _made("unknown", ("repo", "requests", "days", "last"), rows)


def _made(name: str, head: Iterable[str], rows: Iterable[Iterable[object]]) -> Reply:
    headers = (
        ("content-disposition", f'attachment; filename="{name}.csv"'),
        ("x-content-type-options", "nosniff"),
    )
    return Reply(200, csv_text(head, rows, "\r\n").encode(), _TYPE, headers)
