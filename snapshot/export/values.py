"""Converts values of a database to the types that their columns should have.

"In SQLite, the datatype of a value is associated with the value itself, not with its container"
(https://sqlite.org/datatype3.html). So a column may hold what a dump of PostgreSQL or a spreadsheet
wrote: `t` and `f` for booleans, `7.0` for a whole number. For Python every text that is not empty
is true, so values are converted before a rule sees them.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import get_args

TRUE = ("1", "1.0", "t", "true", "y", "yes", "on")
FALSE = ("0", "0.0", "f", "false", "n", "no", "off")
_FLAGS = {**dict.fromkeys(TRUE, True), **dict.fromkeys(FALSE, False), "": None}
_WHOLE = re.compile(r"([+-]?[0-9]{1,19})(?:\.0*)?")
# The integers of PostgreSQL and SQLite end here; a SQLite column may hold more as REAL or text.
_BEYOND = 1 << 63
_TIMES = frozenset(("ctime", "timestamp"))


def reader_of(column: str, kind: object) -> Callable[[object], object]:
    """Return the function that converts the values of a column; `kind` is its type in the row.

    It raises ValueError for a flag that is neither true nor false. Any other value that does not
    fit is returned unchanged, so that the rules about rows report it.
    """
    types = get_args(kind) or (kind,)
    if bool in types:
        return as_flag
    if int in types:
        return as_time if column in _TIMES else as_number
    return as_text


def as_flag(value: object) -> bool | None:
    """Return a boolean however it is written; None for NULL and an empty text."""
    if value is None or isinstance(value, bool):
        return value
    text = as_text(value)
    if isinstance(value, float) and value.is_integer():
        text = str(int(value))
    known = text.strip().lower() if isinstance(text, str) else None
    if known not in _FLAGS:
        raise ValueError(f"{value!r:.40} is neither true nor false")
    return _FLAGS[known]


def as_number(value: object) -> object:
    """Return a whole number of 64 bits however it is written, None for an empty text."""
    if type(value) is int or value is None:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < _BEYOND:
        return int(value)
    text = as_text(value)
    if not isinstance(text, str):
        return value
    text = text.strip()
    found = _WHOLE.fullmatch(text)
    if found and abs(int(found[1])) < _BEYOND:
        return int(found[1])
    return value if text else None


def as_time(value: object) -> object:
    """Return seconds since 1970 for a number or a date; a date without a zone is UTC."""
    found = as_number(value)
    if isinstance(found, float) and abs(found) < 1 << 53:
        return int(found)
    if not isinstance(found, str):
        return found
    try:
        moment = datetime.fromisoformat(found.strip())
    except ValueError:
        try:
            return int(float(found)) if abs(float(found)) < 1 << 53 else found
        except (ValueError, OverflowError):
            return found
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def as_text(value: object) -> object:
    """Return bytes and integers as text, with surrogates for bytes that are not UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value) if type(value) is int else value
