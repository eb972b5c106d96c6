"""What a probe writes when the file was applied, or another probe ended, while it asked."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from snapshot.sites.getting import Limits
from snapshot.sites.load import load
from snapshot.sites.probe import ProbedAll, probe
from tests.mirror_farm import Farm, run_farm
from tests.small_sites import HEAD, applied, publish_tree, site_text, write

OLD, NEW, NOW = 1_790_000_000, 1_790_000_100, 1_800_000_000
PRIMARY, MIRRORS = "reading the primary", "asking the mirrors"


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Mirrors of a primary beside the file."""
    publish_tree(tmp_path / "pub", OLD)
    with run_farm(tmp_path / "pub") as farm:
        yield farm


def _apply(folder: Path, *mirrors: tuple[str, str], head: str = HEAD) -> Path:
    text = [f'[[mirror]]\nname = "{a}"\ncountry = "DE"\nurls = ["{b}"]\n' for a, b in mirrors]
    file = write(folder, site_text(*text, head=head))
    applied(f"sqlite:///{folder / 'm.db'}", file, prune=True, max_loss=100)
    return file


def _probe(
    file: Path, phase: str = "", meanwhile: Callable[[], object] = lambda: None
) -> ProbedAll:
    """Probe, and do something once while the probe asks."""
    todo = [meanwhile]

    def progress(now: str, done: int, total: int) -> None:
        if now == phase and done == total and todo:
            todo.pop()()

    about = (f"sqlite:///{file.parent / 'm.db'}", load(file).config, file.parent, "test")
    return probe(*about, progress, NOW, limits=Limits(pause=0))


def _rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "m.db")) as connection:
        return connection.execute(sql).fetchall()


def test_a_repository_that_is_gone(tmp_path: Path, farm: Farm) -> None:
    """What the primary gave of it is dropped, and the others are written."""
    mirrors = [("a", farm.url("a")), ("b", farm.url("b"))]
    file = _apply(tmp_path, *mirrors)
    less = HEAD.replace('["9", "10"]', '["10"]')
    found = _probe(file, PRIMARY, lambda: _apply(tmp_path, *mirrors, head=less))
    assert {one.repository: one.state for one in found.repositories} == {
        "baseos-9 x86_64": "failed",
        "baseos-9 aarch64": "failed",
        "baseos-10 x86_64": "new",
        "baseos-10 aarch64": "new",
    }
    assert found.repositories[0].reason == "an apply took it away meanwhile"
    assert [one.verdicts for one in found.mirrors] == [{"current": 2}] * 2
    assert len(_rows(tmp_path, "SELECT * FROM file_detail")) == 2


def test_another_url_with_the_same_number(tmp_path: Path, farm: Farm) -> None:
    """What a URL answered is not written to another one, to which SQLite gave its id."""
    farm.kinds["b"] = "html"
    good = ("a", farm.url("a"))
    file = _apply(tmp_path, good, ("b", farm.url("b")))
    ids = _rows(tmp_path, "SELECT id FROM host_category_url ORDER BY id")
    found = _probe(file, MIRRORS, lambda: _apply(tmp_path, good, ("b", farm.url("c"))))
    assert _rows(tmp_path, "SELECT id FROM host_category_url ORDER BY id") == ids
    assert [one.mirror for one in found.mirrors] == ["a"]
    assert _rows(tmp_path, "SELECT DISTINCT up2date FROM host_category_dir") == [(1,)]
    assert len(_rows(tmp_path, "SELECT * FROM mirrorlist_url")) == 1


def test_two_probes(tmp_path: Path, farm: Farm) -> None:
    """A probe that ends first has written its details, which stand there once."""
    file = _apply(tmp_path, ("a", farm.url("a")), ("b", farm.url("b")))
    found = _probe(file, PRIMARY, lambda: _probe(file))
    assert {one.state for one in found.repositories} == {"unchanged"}
    assert len(_rows(tmp_path, "SELECT * FROM file_detail")) == 4


def test_an_older_probe_that_ends_later(tmp_path: Path, farm: Farm) -> None:
    """It does not bring back what the primary had when it began."""
    file = _apply(tmp_path, ("a", farm.url("a")), ("b", farm.url("b")))

    def publish() -> None:
        publish_tree(tmp_path / "pub", NEW)
        _probe(file)

    found = _probe(file, PRIMARY, publish)
    reasons = {one.reason for one in found.repositories}
    assert reasons == {"another probe saw another state meanwhile"}
    assert {row[0] for row in _rows(tmp_path, "SELECT timestamp FROM file_detail")} == {NEW}
