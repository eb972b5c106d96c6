"""Sets of characters in a glob, `[a-z]` and `[!abc]`, by the rules of Python's fnmatch."""

from msgspec import Struct


class CharSet(Struct, frozen=True):
    """Single characters and ranges of characters, or all others if `inverted`; never a slash."""

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
        """The number of steps that a test of a character takes at most."""
        return 1 + len(self.ranges)


def parse_set(glob: str, index: int) -> tuple[CharSet, int] | None:
    """Return the set whose opening bracket is at an index, and the index behind it.

    The result is None if the set has no end: then the bracket is an ordinary character.
    """
    begin = index + 1
    inner = begin + (glob[begin : begin + 1] == "!")
    # A closing bracket that comes first is one of the characters: `[]a]`.
    end = glob.find("]", inner + (glob[inner : inner + 1] == "]"))
    if end < 0:
        return None
    inverted = inner > begin
    single, ranges = _parts(_chunks(glob, begin, inner, end))
    return CharSet(single, ranges, inverted), end + 1


def _chunks(glob: str, begin: int, inner: int, end: int) -> list[str]:
    """Return the texts between the hyphens that make ranges: `ax` and `z0` of `[ax-z0]`."""
    chunks, search = [], inner + 1
    begin = inner
    while (hyphen := glob.find("-", search, end)) >= 0:
        chunks.append(glob[begin:hyphen])
        # The end of a range cannot begin another one: in `a-c-e` the second hyphen is a character.
        begin, search = hyphen + 1, hyphen + 3
    if begin < end or not chunks:
        chunks.append(glob[begin:end])
    else:
        # A hyphen at the end is a character.
        chunks[-1] += "-"
    return chunks


def _parts(chunks: list[str]) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    """Return the single characters and the ranges; a range that ends before it begins is empty."""
    single: set[str] = set()
    ranges = []
    for index, chunk in enumerate(chunks):
        # A range reaches from the last character of a chunk to the first one of the next chunk;
        # all others are single.
        single.update(chunk[index > 0 : len(chunk) - (index < len(chunks) - 1)])
        if index:
            low, high = chunks[index - 1][-1], chunk[0]
            if low <= high:
                ranges.append((low, high))
    return frozenset(single), tuple(ranges)
