"""Which known names are suggested for an unknown one."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.catalog.closest import ClosestNames

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


def test_cost_is_bounded() -> None:
    """A look costs about the same among 60,000 alike names as among few."""
    names = ClosestNames(f"fedora-{number:05}" for number in range(60000))
    started = time.process_time()
    for _ in range(100):
        names.find("fedora-x", 10)
    # About 0.01 s; without a bound on the steps it takes more than 3 s.
    assert time.process_time() - started < 1
