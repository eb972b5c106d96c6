"""The lines of logs, counted: equal ends together, before any of them is taken apart.

A log has few different ends of lines, so it is read at the speed of regular expressions.
"""

from collections import Counter

from msgspec import Struct

from snapshot.stats.logforms import FORMS, Counted, Key, Reading

MOST_SHOWN = 5
"""As many lines that cannot be read are shown."""
MOST_BYTES_SHOWN = 200


class Raw(Struct):
    """The lines of some blocks, counted by what they have beside the address."""

    ends: list[Counter[Key]]
    """For each of the forms."""
    unread: int = 0
    """Lines that are torn or foreign."""
    shown: list[str] = []
    """Some of them."""

    def add(self, other: "Raw") -> None:
        """Add the lines of other blocks."""
        for mine, theirs in zip(self.ends, other.ends, strict=True):
            mine.update(theirs)
        self.unread += other.unread
        self.shown = [*self.shown, *other.shown][:MOST_SHOWN]


def nothing() -> Raw:
    """Return the sum of no block."""
    return Raw([Counter() for _ in FORMS])


def count(block: bytes | memoryview, reading: Reading) -> Raw:
    """Return what is in a block of whole lines."""
    has_end = bytes(block[-1:]) == b"\n"
    fed = b"".join((b"\n", memoryview(block)[: len(block) - has_end]))
    if b"\r" in fed:
        fed = fed.replace(b"\r\n", b"\n").removesuffix(b"\r")
    found = nothing()
    if len(fed) == 1:
        return found
    begin = fed[: 1 << 14]
    order = sorted(range(len(FORMS)), key=lambda n: -FORMS[n].count(begin, reading).total())
    first = order[0]
    found.ends[first] = FORMS[first].count(fed, reading)
    if found.ends[first].total() != fed.count(b"\n"):
        found.ends[first] = Counter()
        _one_by_one(fed, order, reading, found)
    return found


def take_apart(raw: Raw, reading: Reading) -> Counted:
    """Return what the counted ends of lines say."""
    found = Counted(unread=raw.unread, shown=[*raw.shown])
    for form, ends in zip(FORMS, raw.ends, strict=True):
        for end, requests in ends.items():
            if not form.read(end, requests, reading, found):
                found.unread += requests
                found.shown = [*found.shown, _show(end)][:MOST_SHOWN]
    return found


def _show(end: Key) -> str:
    shown = b" ".join(one for one in end if isinstance(one, bytes))
    return shown[:MOST_BYTES_SHOWN].decode("utf-8", "replace")


def _one_by_one(fed: bytes, order: list[int], reading: Reading, into: Raw) -> None:
    """Count a block in which some lines are of another form than most, or of none."""
    lines = fed[1:].split(b"\n")
    for n in order:
        left: list[bytes] = []
        good: list[bytes] = []
        for line in lines:
            one = FORMS[n].count(b"\n" + line, reading).total() == 1
            (good if one else left).append(line)
        if good:
            into.ends[n] = FORMS[n].count(b"\n" + b"\n".join(good), reading)
        lines = left
    into.unread += len(lines)
    into.shown = [line[:MOST_BYTES_SHOWN].decode("utf-8", "replace") for line in lines[:MOST_SHOWN]]
