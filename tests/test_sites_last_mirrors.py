"""What is offered of repositories that no mirror has as it should be."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.export.database import parse_url
from snapshot.sites.hosts import read_hosts
from snapshot.sites.reading import read_only
from tests.farm_sites import NEW, NOW, OLD, database, farm_site, probed
from tests.mirror_farm import Farm, run_farm
from tests.offered import offered
from tests.small_sites import publish_tree

X86 = "repo=baseos-9&arch=x86_64"
ARM = "repo=baseos-9&arch=aarch64"


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Mirrors that are right but for one repository, which is older than it may be."""
    publish_tree(tmp_path / "pub", OLD)
    shutil.copytree(tmp_path / "pub", tmp_path / "right")
    publish_tree(tmp_path / "pub", NEW, versions=("9",), arches=("x86_64",))
    with run_farm(tmp_path / "right") as farm:
        yield farm


def test_a_dead_mirror_beside_old_ones(tmp_path: Path, farm: Farm) -> None:
    """In a new site it leaves all lists, because old mirrors do less harm, until one is good."""
    farm.kinds["a"] = "reset"
    file = farm_site(tmp_path, farm, a=["a"], b=["b"], c=["c"])
    for _ in range(2):
        found = probed(file)
        assert (found["a"].offered, found["b"].verdicts) == (False, {"current": 3, "behind": 1})
        assert offered(file, X86) == offered(file, ARM) == {"b", "c"}
    farm.roots["a"] = tmp_path / "pub"
    del farm.kinds["a"]
    probed(file, NOW + 1)
    assert offered(file, X86) == {"a"}
    assert offered(file, ARM) == {"a", "b", "c"}


def test_a_dead_mirror_that_was_the_only_good_one(tmp_path: Path, farm: Farm) -> None:
    """It stays for what no other mirror has, and for nothing else, until it answers again."""
    farm.roots["a"] = tmp_path / "pub"
    file = farm_site(tmp_path, farm, a=["a"], b=["b"])
    probed(file)
    assert (offered(file, X86), offered(file, ARM)) == ({"a"}, {"a", "b"})
    farm.kinds["a"] = "reset"
    for _ in range(2):
        assert probed(file)["a"].failures >= 3
        assert (offered(file, X86), offered(file, ARM)) == ({"a"}, {"b"})
    with read_only(parse_url(database(file))) as connection:
        (state, _) = read_hosts(connection)
    assert (state.offered, len(state.not_offered)) == (["baseos-9 x86_64"], 3)
    assert state.why[0].startswith("no URL answers: ")
    del farm.kinds["a"]
    probed(file)
    assert (offered(file, X86), offered(file, ARM)) == ({"a"}, {"a", "b"})
    farm.kinds["a"] = "reset"
    farm.roots["b"] = tmp_path / "pub"
    assert not probed(file)["a"].offered
    assert (offered(file, X86), offered(file, ARM)) == ({"b"}, {"b"})
