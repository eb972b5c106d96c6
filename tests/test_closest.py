"""Which known names are suggested for an unknown one."""

import time
from collections.abc import Sequence
from itertools import chain, islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.catalog import closest as module
from mirrorlist.catalog.closest import FEW_NAMES, MOST_STEPS, ClosestNames

NAMES = ClosestNames(
    [
        "rawhide",
        "rawhide-debug",
        "rawhide-source",
        "fedora-43",
        "fedora-44",
        "fedora-debug-44",
        "updates-released-f43",
        "updates-released-f44",
        "epel-9",
        "epel-10",
        "epel-debug-10",
    ]
)


@pytest.mark.parametrize(
    ("name", "best"),
    [
        pytest.param("rawhid", "rawhide", id="cut short"),
        pytest.param("rawhidde", "rawhide", id="one letter more"),
        pytest.param("rahwide", "rawhide", id="letters swapped"),
        pytest.param("RAWHIDE", "rawhide", id="another case"),
        pytest.param("fedora44", "fedora-44", id="a hyphen missing"),
        pytest.param(
            "fedora-45", "fedora-43", id="a version that there is not: the first of equals"
        ),
        pytest.param("updates-released-44", "updates-released-f44", id="a letter missing"),
        pytest.param("epel10", "epel-10", id="epel"),
    ],
)
def test_best(name: str, best: str) -> None:
    """The name that people meant comes first."""
    assert NAMES.find(name, 10)[0] == best


def test_a_known_name() -> None:
    """A known name stands for itself alone: it is the arch that is unknown."""
    assert NAMES.find("rawhide", 10) == ["rawhide"]


@pytest.mark.parametrize("name", ["", "zzz", "日本", "?"])
def test_nothing_alike(name: str) -> None:
    """A name that shares nothing with any has no suggestion."""
    assert NAMES.find(name, 10) == []


@pytest.mark.parametrize("most", [0, 1, 3, 10])
def test_most(most: int) -> None:
    """No more names are given than asked for, the best of them."""
    assert NAMES.find("rawhide-debug-44", most) == NAMES.find("rawhide-debug-44", 11)[:most]
    assert len(NAMES.find("rawhide-debug-44", most)) == min(most, 6) or most == 10


def test_no_names() -> None:
    """Where nothing is known nothing is suggested."""
    assert ClosestNames([]).find("rawhide", 10) == []


def test_order_and_repeats_of_names_do_not_matter() -> None:
    """The same names in any order, however often, give the same suggestions."""
    names = ["b-11", "a-11", "b-11", "c-11"]
    assert ClosestNames(names).find("x-11", 9) == ["a-11", "b-11", "c-11"]
    assert ClosestNames(reversed(names)).find("x-11", 9) == ["a-11", "b-11", "c-11"]


@given(st.lists(st.text(max_size=12), max_size=20), st.text(max_size=12))
def test_any_names(names: list[str], name: str) -> None:
    """Suggestions are known names, each once, and a known name finds itself."""
    found = ClosestNames(names).find(name, 10)
    assert set(found) <= set(names)
    assert len(found) == len(set(found)) <= 10
    assert name not in names or found == [name]


def _groups(name: str) -> set[str]:
    padded = f"  {name.lower()} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}


def _due(names: Sequence[str], name: str, most: int, steps: int = MOST_STEPS) -> list[str]:
    """Return by definition which names are closest: by Dice's coefficient, equal ones by name."""
    if name in names:
        return [name]
    with_group = {
        group: [one for one in sorted(set(names)) if group in _groups(one)]
        for group in _groups(name)
    }
    rarest = sorted(with_group, key=lambda group: (len(with_group[group]), group))
    sharing = [*islice(chain.from_iterable(map(with_group.__getitem__, rarest)), steps)]
    scores = {
        one: 2 * sharing.count(one) / (len(_groups(name)) + len(_groups(one))) for one in sharing
    }
    return sorted(scores, key=lambda one: (-scores[one], one))[:most]


def _alike(rng: Random) -> str:
    return "".join(rng.choices("ab-1", k=rng.randint(1, 9)))


@pytest.mark.parametrize("few", [0, 20, FEW_NAMES])
@pytest.mark.parametrize("steps", [0, 20, MOST_STEPS])
def test_closest_by_definition(monkeypatch: pytest.MonkeyPatch, few: int, steps: int) -> None:
    """However the shared groups are counted, what is found is what the definition says."""
    monkeypatch.setattr(module, "MOST_STEPS", steps)
    monkeypatch.setattr(module, "FEW_NAMES", few)
    rng = Random(f"{few} {steps}")
    for _ in range(60):
        names = [_alike(rng) for _ in range(rng.randrange(40))]
        name, most = _alike(rng), rng.choice([0, 1, 2, 10, 50])
        assert ClosestNames(names).find(name, most) == _due(names, name, most, steps)


@pytest.mark.parametrize(
    ("name", "more", "less"),
    [
        pytest.param("bba", "bbcccbc", "b", id="some of its groups"),
        pytest.param("aabaa", "aabab", "aa", id="all of its groups"),
    ],
)
def test_a_tie_with_fewer_groups(name: str, more: str, less: str) -> None:
    """Of two names that are equally close, the first one is found, even if it shares less."""
    assert ClosestNames([more, less]).find(name, 1) == [less]
    assert ClosestNames([more, f"{less}-"]).find(name, 1) == [more]


@pytest.mark.parametrize("count", [FEW_NAMES, FEW_NAMES + 1])
def test_numbers_of_names(count: int) -> None:
    """The same names are found on both sides of the limit above which steps are counted."""
    names = [f"{number:03}-{number % 7}" for number in range(count)]
    for name in ("033-x", "5-5", "51-1"):
        assert ClosestNames(names).find(name, 10) == _due(names, name, 10)


@pytest.mark.parametrize("groups", [254, 255, 256, 300])
def test_long_names(groups: int) -> None:
    """Names may share more groups than a byte can count."""
    long = "".join(chr(0x4E00 + number) for number in range(groups - 1))
    names = [long, long[:-1], long[1:], "short"]
    assert len(_groups(long)) == groups
    assert ClosestNames(names).find(f"{long}x", 10) == [long, long[:-1], long[1:]]


def test_a_long_unknown_name() -> None:
    """A name may have more known groups than a byte can count, some of each known name."""
    letters = [chr(0x4E00 + number) for number in range(400)]
    names = ["".join(letters[at : at + 20]) for at in range(0, 400, 20)]
    for length in (60, 253, 256, 400):
        name = "".join(letters[:length])
        assert ClosestNames(names).find(name, 3) == _due(names, name, 3)


def test_cost_is_bounded() -> None:
    """A look costs about the same among 60,000 alike names as among few."""
    names = ClosestNames(f"fedora-{number:05}" for number in range(60000))
    started = time.process_time()
    for _ in range(100):
        names.find("fedora-x", 10)
    # About 0.01 s; without a bound on the steps it takes more than 3 s.
    assert time.process_time() - started < 1
