"""How figures, and texts of strangers, are said to people, on pages and in lines."""

import unicodedata

_UNITS = (("d", 86400), ("h", 3600), ("min", 60))


def duration(seconds: float | None) -> str:
    """Return seconds in the largest unit of which there are two: `5 s`, `3 min`, `2 h`, `4 d`."""
    if seconds is None:
        return "unknown"
    for unit, length in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def visible(text: str) -> str:
    """Return what a stranger typed without the characters that a browser would obey.

    These are control characters, those that turn the direction of text, and unassigned ones.
    """
    return "".join(
        f"\\u{ord(one):04x}"
        if unicodedata.category(one)[0] == "C" or one in "\u2028\u2029"
        else one
        for one in text
    )


def number(value: float) -> str:
    """Return a number with groups of digits; one that is not whole and below ten with a decimal."""
    return f"{value:.1f}" if 0 < value < 10 and value != round(value) else f"{value:,.0f}"
