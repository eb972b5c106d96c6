"""Rows as CSV that is safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable
from io import StringIO

# A cell that begins with one of these is a formula to a spreadsheet (OWASP, CSV Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_text(names: Iterable[str], rows: Iterable[Iterable[object]], end: str) -> str:
    """Return lines that end with `end`: the names, then the rows.

    A text that a spreadsheet would take for a formula has a `'` before it: repositories have the
    names that strangers ask for.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(names)
    writer.writerows([_cell(one) for one in row] for row in rows)
    return text.getvalue().encode("utf-8", "replace").decode()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
