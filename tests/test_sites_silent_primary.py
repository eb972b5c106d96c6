"""Mirrors are asked while the primary is silent, and nothing is held against them for it."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from snapshot.sites.judging import Verdict, combined, up_to_date
from tests.farm_sites import NEW, NOW, OLD, farm_site, probed
from tests.mirror_farm import Farm, run_farm
from tests.offered import answer_of, offered
from tests.small_sites import publish_tree


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Mirrors of a primary beside the file."""
    publish_tree(tmp_path / "pub", OLD)
    with run_farm(tmp_path / "pub") as farm:
        yield farm


def test_what_mirrors_have(tmp_path: Path, farm: Farm) -> None:
    """While the primary gives nothing, mirrors may die and come back, and none becomes stale."""
    for name in ("old", "catching"):
        shutil.copytree(tmp_path / "pub", tmp_path / name)
        farm.roots[name] = tmp_path / name
    publish_tree(tmp_path / "pub", NEW)
    names = ("a", "old", "catching", "next", "page", "empty", "dead")
    file = farm_site(tmp_path, farm, **{name: [name] for name in names})
    assert probed(file)["old"].verdicts == {"behind": 4}
    assert offered(file) == {"a", "next", "page", "empty", "dead"}
    known = tmp_path / "known"
    (tmp_path / "pub").rename(known)
    shutil.copytree(known, tmp_path / "catching", dirs_exist_ok=True)
    publish_tree(tmp_path / "next", NEW + 1)
    farm.main, farm.roots["next"], farm.roots["empty"] = known, tmp_path / "next", tmp_path / "no"
    farm.kinds.update(page="html", dead="reset")
    found = probed(file)
    assert {name: " ".join(one.verdicts) for name, one in found.items()} == {
        **dict.fromkeys(("a", "catching"), "current"),
        **dict.fromkeys(("old", "next", "page", "empty"), "unsure"),
        "dead": "unreachable",
    }
    assert offered(file) == {"a", "catching", "next", "page", "empty"}
    assert not found["dead"].offered
    assert _answers(tmp_path, "old") == {"behind"}
    assert _answers(tmp_path, "next") == {"unsure"}
    del farm.kinds["dead"]
    # For however long it is silent, and again with each mirror that says `not changed`.
    probed(file, NOW + 1000 * 3600)
    assert offered(file) == {"a", "catching", "next", "page", "empty", "dead"}
    known.rename(tmp_path / "pub")
    farm.main = tmp_path / "pub"
    probed(file, NOW + 1001 * 3600)
    assert offered(file) == {"a", "catching", "next", "dead"}


def _answers(folder: Path, mirror: str) -> set[str]:
    with closing(sqlite3.connect(folder / "m.db")) as connection:
        sql = """SELECT verdict FROM mirrorlist_answer, host_category_url
            WHERE url_id = id AND url LIKE '%/' || ?"""
        return {verdict for (verdict,) in connection.execute(sql, [mirror])}


def test_two_urls(tmp_path: Path, farm: Farm) -> None:
    """While the primary is silent, no URL leaves beside a better one, and none comes back by it."""
    for name in ("b", "c"):
        shutil.copytree(tmp_path / "pub", tmp_path / name)
        farm.roots[name] = tmp_path / name
    publish_tree(tmp_path / "pub", NEW)
    publish_tree(tmp_path / "b", NEW)
    file = farm_site(tmp_path, farm, a=["a"], b=["b", "c"])
    probed(file)

    def urls() -> list[bool]:
        body = answer_of(file, "/metalink?repo=baseos-9&arch=x86_64").decode()
        return [farm.url(name) in body for name in ("a", "b", "c")]

    assert urls() == [True, True, False]
    (tmp_path / "pub").rename(tmp_path / "away")
    farm.roots["a"] = tmp_path / "away"
    # What the good URL has now is not known, and the bad one is no better for it.
    publish_tree(tmp_path / "b", NEW + 1)
    probed(file)
    assert urls() == [True, True, False]
    publish_tree(tmp_path / "b", NEW)
    publish_tree(tmp_path / "c", NEW)
    probed(file)
    assert urls() == [True, True, True]
    publish_tree(tmp_path / "c", OLD)
    probed(file)
    assert urls() == [True, True, True]


def test_half_a_primary(tmp_path: Path, farm: Farm) -> None:
    """A URL that is behind wherever the primary tells it leaves beside a better one, as ever."""
    shutil.copytree(tmp_path / "pub", tmp_path / "c")
    farm.roots["c"] = tmp_path / "c"
    publish_tree(tmp_path / "pub", NEW)
    farm.main = shutil.copytree(tmp_path / "pub", tmp_path / "good")
    file = farm_site(tmp_path, farm, a=["a"], b=["b", "c"])
    (tmp_path / "pub/10/BaseOS/x86_64/os/repodata/repomd.xml").unlink()
    found = probed(file)
    assert (found["c"].verdicts, found["c"].offered) == ({"behind": 3, "unsure": 1}, False)
    assert offered(file) == {"a", "b"}


def test_a_new_site(tmp_path: Path, farm: Farm) -> None:
    """In a new site too, a dead mirror leaves, and what the others have is not judged."""
    (tmp_path / "pub").rename(tmp_path / "away")
    farm.main = tmp_path / "away"
    farm.kinds["b"] = "reset"
    file = farm_site(tmp_path, farm, a=["a"], b=["b"])
    assert {name: one.verdicts for name, one in probed(file).items()} == {
        "a": {"unsure": 4}, "b": {"unreachable": 4},
    }  # fmt: skip
    assert offered(file) == {"a"}


def test_answers_that_differ() -> None:
    """A good answer over one family, or of one URL, does not outweigh another that is unsure."""
    assert combined([Verdict.CURRENT, Verdict.UNSURE]) is Verdict.UNSURE
    assert up_to_date({1: Verdict.CURRENT, 2: Verdict.UNSURE}) is None
    assert up_to_date({1: Verdict.CURRENT, 2: Verdict.AHEAD}) is True
