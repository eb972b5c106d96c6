"""The sample of mutants: equal for equal seeds, never of a type, and met by its own tests first."""

from pathlib import Path

from tests.mutants import ROOT, drawn, mutants, near_tests

SOURCE = 'def double(number: int | None = 2) -> "str | int":\n    return (number or 1) * 2\n'


def test_a_seed_draws_the_same() -> None:
    """Equal seeds draw equal mutants, and another seed draws others, each at a place of its own."""
    first, again, other = (drawn(8, seed, "lists/text.py") for seed in (1, 1, 2))
    assert first == again != other
    assert len({(one.start_pos, one.operator_name) for one in first}) == 8
    assert {one.module_path for one in first} == {Path("mirrorlist/lists/text.py")}


def test_types_are_left_alone() -> None:
    """Defaults and expressions are mutated, annotations are not: nothing runs them."""
    places = {one.start_pos for place in mutants(Path("x.py"), SOURCE) for one in place}
    assert {line for line, _ in places} == {1, 2}
    assert all(line == 2 or column == SOURCE.index("2") for line, column in places)


def test_the_tests_of_a_module() -> None:
    """A mutant meets the tests that import its module, and the contract."""
    found = near_tests(Path("mirrorlist/lists/text.py"))
    assert found[-1] == "tests/test_contract.py"
    assert len(found) > 1
    assert all((ROOT / name).is_file() for name in found)
