"""How figures are said to people."""

import pytest

from mirrorlist.process.wording import duration, number


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (9000, "2 h"),
        (9001, "3 h"),
        (172800, "2 d"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    """Times are said in the unit of which there are at least two."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.25, "0.2"), (7, "7"), (9.96, "10.0"), (1234.5, "1,234")]
)
def test_numbers(value: float, text: str) -> None:
    """Small numbers have a decimal, large ones groups of digits."""
    assert number(value) == text
