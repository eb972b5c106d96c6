"""The line of each key and value of a TOML text."""

import tomllib
from collections.abc import Iterator

import pytest

from snapshot.sites.positions import find_positions, line_of
from tests.small_sites import mirror, site_text

TEXT = '''\
# "a comment" = [
top.dotted = 1
[site]
name = "x [ # y"   # a comment
[[mirror]]
name = """a
b = [
"""
urls = [ "a", # [
  'b]',
  ["c", "d"],
]
when = 1979-05-27 07:32:00
number = -1.5e3
here = { a = 1, "b c" = [1, 2] }
[mirror.trees]
"ki t" = ["u"]
[[mirror]]
name = \'\'\'c = 1
\'\'\'
[[mirror.part]]
key = "\\"]"
[[mirror.part]]
key = 2
'''


def _paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _paths(part, (*path, key))
    if isinstance(value, list):
        for at, part in enumerate(value):
            yield from _paths(part, (*path, at))


@pytest.mark.parametrize("text", [TEXT, site_text(mirror("a"), mirror("b"))])
def test_everything_has_a_line(text: str) -> None:
    """Each key, table and element that tomllib reads has a line, and nothing else has."""
    assert {*find_positions(text)} == {*_paths(tomllib.loads(text))}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top", "dotted"), 2),
        (("site", "name"), 4),
        (("mirror", 0), 5),
        (("mirror", 0, "urls", 1), 10),
        (("mirror", 0, "urls", 2, 1), 11),
        (("mirror", 0, "number"), 14),
        (("mirror", 0, "here", "b c", 1), 15),
        (("mirror", 0, "trees", "ki t", 0), 17),
        (("mirror", 1, "name"), 19),
        (("mirror", 1, "part", 1, "key"), 24),
        (("mirror", 1, "missing", 7), 18),
        (("nowhere",), 1),
    ],
)
def test_the_line(path: tuple[str | int, ...], line: int) -> None:
    """It is that of the path, or of the nearest table around it."""
    assert line_of(find_positions(TEXT), path) == line
