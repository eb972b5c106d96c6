"""Values as a database gives them, brought to the type that a column should have.

SQLite keeps in a column whatever somebody put there: a dump of PostgreSQL gives `t` and `f` for
booleans, a copy by a spreadsheet `7.0` for numbers. Python would take each text for true.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import get_args

TRUE = ("1", "1.0", "t", "true", "y", "yes", "on")
FALSE = ("0", "0.0", "f", "false", "n", "no", "off")
_FLAGS = {**dict.fromkeys(TRUE, True), **dict.fromkeys(FALSE, False), "": None}
_WHOLE = re.compile(r"([+-]?[0-9]{1,19})(?:\.0*)?")
# No database has larger ones: as REAL or text SQLite has them all the same.
_BEYOND = 1 << 63
_TIMES = frozenset(("ctime", "timestamp"))


def reader_of(column: str, kind: object) -> Callable[[object], object]:
    """Return what reads the values of a column, by the type that its row says it has.

    It raises ValueError for a flag that is neither true nor false; what else does not fit is
    returned as it is, for the rules about rows.
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
    """Return seconds since 1970 however they are written; a date has no zone, as it is UTC."""
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
    """Return text for bytes and numbers too, with surrogates for what is not UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value) if type(value) is int else value
