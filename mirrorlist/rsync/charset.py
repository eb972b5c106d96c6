"""Sets of characters in a glob, `[a-z]` and `[!abc]`, by the rules of Python's fnmatch."""

from msgspec import Struct


class CharSet(Struct, frozen=True):
    """Characters by single ones and by ranges, or all but these; never a slash."""

    single: frozenset[str]
    ranges: tuple[tuple[str, str], ...]
    inverted: bool

    def __contains__(self, character: str) -> bool:
        """Return whether a character is in the set."""
        is_in = character in self.single or any(
            low <= character <= high for low, high in self.ranges
        )
        return is_in is not self.inverted and character != "/"

    @property
    def size(self) -> int:
        """How many steps a look takes at most."""
        return 1 + len(self.ranges)


def parse_set(glob: str, index: int) -> tuple[CharSet, int] | None:
    """Return the set that begins at a bracket, and where it ends; None if it never does."""
    begin = index + 1
    inner = begin + (glob[begin : begin + 1] == "!")
    # A bracket that comes first is one of the characters.
    end = glob.find("]", inner + (glob[inner : inner + 1] == "]"))
    if end < 0:
        return None
    inverted = inner > begin
    single, ranges = _parts(_chunks(glob, begin, inner, end))
    return CharSet(single, ranges, inverted), end + 1


def _chunks(glob: str, begin: int, inner: int, end: int) -> list[str]:
    """Return what stands between hyphens that make ranges."""
    chunks, look = [], inner + 1
    begin = inner
    while (hyphen := glob.find("-", look, end)) >= 0:
        chunks.append(glob[begin:hyphen])
        begin, look = hyphen + 1, hyphen + 3
    if begin < end or not chunks:
        chunks.append(glob[begin:end])
    else:
        # A last hyphen is a character.
        chunks[-1] += "-"
    return chunks


def _parts(chunks: list[str]) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    """Return the single characters and the ranges; a range that ends before it begins is empty."""
    single: set[str] = set()
    ranges = []
    for index, chunk in enumerate(chunks):
        # The ends of ranges stand at the inner ends of chunks.
        single.update(chunk[index > 0 : len(chunk) - (index < len(chunks) - 1)])
        if index:
            low, high = chunks[index - 1][-1], chunk[0]
            if low <= high:
                ranges.append((low, high))
    return frozenset(single), tuple(ranges)
