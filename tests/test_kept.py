"""Things kept by a key: never over the bound, and what is in use stays."""

from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.catalog.kept import Kept

MOST = 100


def _kept() -> Kept[int, str]:
    return Kept(MOST, lambda key, value: len(value))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 60))))
def test_never_over_the_bound(asked: list[tuple[int, int]]) -> None:
    """Whatever is kept and asked for, the bytes are those of what is there, within the bound."""
    kept = _kept()
    for key, size in asked:
        if kept.find(key) is None:
            kept.keep(key, "x" * size)
        assert kept.bytes <= MOST
        both = [*kept.young.values(), *kept._old.values()]
        assert kept.bytes == sum(map(len, both))


def test_what_is_in_use_stays() -> None:
    """What is asked for now and then outlives any number of others; the others go."""
    kept = _kept()
    kept.keep(-1, "in use")
    for number in range(1000):
        kept.keep(number, "once")
        if not number % 5:
            assert kept.find(-1) == "in use"
    assert kept.find(0) is None
    assert len(kept) < 30


def test_what_is_too_large_is_not_kept() -> None:
    """What takes more than half of the bound would drive out all others."""
    kept = _kept()
    kept.keep(1, "small")
    assert kept.keep(2, "x" * (MOST // 2 + 1)) == "x" * (MOST // 2 + 1)
    assert (kept.find(1), kept.find(2)) == ("small", None)


def test_another_value_for_a_key() -> None:
    """A value that is kept twice, as by two threads at once, counts once."""
    kept = _kept()
    for _ in range(3):
        kept.keep(1, "same")
    assert (kept.bytes, len(kept), list(kept.values())) == (4, 1, ["same"])


def test_letting_go() -> None:
    """Afterwards nothing is kept."""
    kept = _kept()
    kept.keep(1, "one")
    kept.let_go()
    assert kept.bytes == 0
    assert len(kept) == 0
    kept.keep(2, "two")
    kept.clear()
    assert (len(kept), kept.bytes) == (0, 0)
