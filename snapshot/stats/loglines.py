"""The lines of logs, counted: equal ends together, before any of them is taken apart.

A log has few different ends of lines, so it is read at the speed of regular expressions.
"""

from collections import Counter
from typing import Any

from msgspec import Struct

from snapshot.stats.logforms import FORMS, Counted, Ends, Reading, count_lines

MOST_SHOWN = 5
"""As many lines that cannot be read are shown."""
MOST_BYTES_SHOWN = 200
_BEGIN_BYTES = 1 << 12


class Raw(Struct):
    """The lines of some blocks, counted by what they have beside the address."""

    ends: list[dict[str, Counter[Any]]]
    """For each of the forms, by the names of its Ends."""
    unread: int = 0
    """Lines that are torn or foreign."""
    shown: list[str] = []
    """Some of them."""

    def take(self, form: int, ends: Ends) -> None:
        """Count the lines of a form."""
        for name, each in ends.items():
            self.ends[form].setdefault(name, Counter()).update(each)

    def add(self, other: "Raw") -> None:
        """Add the lines of other blocks."""
        for mine, theirs in zip(self.ends, other.ends, strict=True):
            for name, counts in theirs.items():
                mine.setdefault(name, Counter()).update(counts)
        self.unread += other.unread
        self.shown = [*self.shown, *other.shown][:MOST_SHOWN]


def nothing() -> Raw:
    """Return the sum of no block."""
    return Raw([{} for _ in FORMS])


def count(block: bytes | memoryview, reading: Reading) -> Raw:
    """Return what is in a block of whole lines."""
    found = nothing()
    count_into(found, block, reading)
    return found


def count_into(found: Raw, block: bytes | memoryview, reading: Reading) -> None:
    """Add what is in a block of whole lines."""
    has_end = bytes(block[-1:]) == b"\n"
    fed = b"".join((b"\n", memoryview(block)[: len(block) - has_end]))
    if b"\r" in fed:
        fed = fed.replace(b"\r\n", b"\n").removesuffix(b"\r")
    if len(fed) == 1:
        return
    begin = fed[:_BEGIN_BYTES]
    order = sorted(range(len(FORMS)), key=lambda n: -_lines(FORMS[n].find(begin, reading)))
    ends = FORMS[order[0]].find(fed, reading)
    if _lines(ends) == count_lines(fed):
        found.take(order[0], ends)
    else:
        _one_by_one(fed, order, reading, found)


def _lines(ends: Ends) -> int:
    return sum(map(len, ends.values()))


def take_apart(raw: Raw, reading: Reading) -> Counted:
    """Return what the counted ends of lines say."""
    found = Counted(unread=raw.unread, shown=[*raw.shown])
    for form, by_name in zip(FORMS, raw.ends, strict=True):
        for name, ends in by_name.items():
            for end, requests in ends.items():
                if not form.read(name, end, requests, reading, found):
                    found.unread += requests
                    found.shown = [*found.shown, _show(end)][:MOST_SHOWN]
    return found


def _show(end: Any) -> str:
    parts = (end,) if isinstance(end, bytes) else end
    shown = b" ".join(one for one in parts if isinstance(one, bytes))
    return shown[:MOST_BYTES_SHOWN].decode("utf-8", "replace")


def _one_by_one(fed: bytes, order: list[int], reading: Reading, into: Raw) -> None:
    """Count a block in which some lines are of another form than most, or of none."""
    lines = fed[1:].split(b"\n")
    for n in order:
        left: list[bytes] = []
        good: list[bytes] = []
        for line in lines:
            one = _lines(FORMS[n].find(b"\n" + line, reading)) == 1
            (good if one else left).append(line)
        if good:
            into.take(n, FORMS[n].find(b"\n" + b"\n".join(good), reading))
        lines = left
    into.unread += len(lines)
    shown = [line[:MOST_BYTES_SHOWN].decode("utf-8", "replace") for line in lines[:MOST_SHOWN]]
    into.shown = [*into.shown, *shown][:MOST_SHOWN]
