"""A mirror with a new repomd.xml is up to date once it has the list of packages that it names."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.sites.content import Content
from snapshot.sites.parts import Part, part_of
from snapshot.sites.state import CheckedFile
from tests.farm_sites import NEW, NOW, OLD, farm_site, probed
from tests.mirror_farm import Farm, run_farm
from tests.offered import offered
from tests.small_sites import publish_tree

X86 = "9/BaseOS/x86_64/os/repodata"


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Mirrors of a primary; `copy` has a tree of its own."""
    publish_tree(tmp_path / "pub", OLD)
    _tell_size(tmp_path / "pub", 1)
    shutil.copytree(tmp_path / "pub", tmp_path / "copy")
    with run_farm(tmp_path / "pub") as farm:
        farm.roots["copy"] = tmp_path / "copy"
        yield farm


def _tell_size(tree: Path, size: int) -> None:
    for file in tree.rglob("repomd.xml"):
        text = file.read_text()
        file.write_text(text.replace("</timestamp>", f"</timestamp><size>{size}</size>"))


def test_a_mirror_that_is_being_updated(tmp_path: Path, farm: Farm) -> None:
    """It is not offered before the file is there whole, and each new state is looked at once."""
    file = farm_site(tmp_path, farm, a=["a"], copy=["copy"])
    farm.kinds["copy"] = "no ETag"
    for _ in range(2):
        assert probed(file)["copy"].verdicts == {"current": 4}
        assert farm.looked == {"a": 4, "copy": 4}
    publish_tree(tmp_path / "pub", NEW)
    _tell_size(tmp_path / "pub", 1)
    shutil.copy(tmp_path / "pub" / X86 / "repomd.xml", tmp_path / "copy" / X86)
    farm.looked.clear()
    found = probed(file)["copy"]
    assert found.verdicts == {"partial": 1, "alternate": 3}
    assert found.error == f"partial: repodata/primary-{NEW}.xml.gz is not there"
    assert (farm.looked, offered(file)) == ({"a": 4, "copy": 2}, {"a"})
    (tmp_path / "copy" / X86 / f"primary-{NEW}.xml.gz").write_bytes(b"xx")
    found = probed(file)["copy"]
    assert found.error == f"partial: repodata/primary-{NEW}.xml.gz has 2 of 1 bytes"
    (tmp_path / "copy" / X86 / f"primary-{NEW}.xml.gz").write_bytes(b"x")
    farm.looked.clear()
    for _ in range(2):
        assert probed(file)["copy"].verdicts == {"current": 1, "alternate": 3}
        assert (farm.looked, offered(file)) == ({"copy": 1}, {"a", "copy"})


def test_a_mirror_that_was_ahead(tmp_path: Path, farm: Farm) -> None:
    """Its file is looked for when the primary has the same repomd.xml, though it did not change."""
    publish_tree(tmp_path / "copy", NEW, whole=False)
    file = farm_site(tmp_path, farm, a=["a"], copy=["copy"])
    assert probed(file)["copy"].verdicts == {"ahead": 4}
    publish_tree(tmp_path / "pub", NEW)
    assert probed(file)["copy"].verdicts == {"partial": 4}
    assert offered(file) == {"a"}


def test_all_are_being_updated(tmp_path: Path, farm: Farm) -> None:
    """The only mirrors that there are stay, because one of them may be whole in a moment."""
    shutil.rmtree(tmp_path / "copy")
    shutil.copytree(tmp_path / "pub", tmp_path / "copy", ignore=shutil.ignore_patterns("primary*"))
    farm.kinds["dead"] = "reset"
    file = farm_site(tmp_path, farm, copy=["copy"], dead=["dead"])
    assert probed(file)["copy"].verdicts == {"partial": 4}
    assert offered(file) == {"copy"}


@pytest.mark.parametrize(
    "head",
    [
        "404 Not Found\r\nContent-Length: 0",
        "403 Forbidden\r\nContent-Length: 0",
        "405 Method Not Allowed\r\nContent-Length: 0",
        "200 OK\r\nContent-Length: 0",
        "200 OK\r\nContent-Length: 99999999999999999999",
        "503 Busy\r\nContent-Length: 0",
        "302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0",
        "nonsense",
    ],
)
def test_servers_without_a_good_head(tmp_path: Path, farm: Farm, head: str) -> None:
    """What HEAD says against a mirror counts only if a request for a byte of the file agrees."""
    farm.bad_head["copy"] = head
    file = farm_site(tmp_path, farm, a=["a"], copy=["copy"])
    assert probed(file)["copy"].verdicts == {"current": 4}


PART = Part("os/repodata/p", "repodata/p", 100)
NOT_THERE, NOT_WHOLE = "repodata/p is not there", "repodata/p has 7 of 100 bytes"


@pytest.mark.parametrize(
    ("status", "headers", "trouble"),
    [
        (200, {"Content-Length": "100"}, None),
        (200, {"Content-Length": "7"}, NOT_WHOLE),
        (200, {"Content-Length": "-7"}, None),
        (200, {"Content-Length": "7", "Content-Encoding": "gzip"}, None),
        (200, {}, None),
        (206, {"Content-Length": "1", "Content-Range": "bytes 0-0/7"}, NOT_WHOLE),
        (206, {"Content-Length": "1", "Content-Range": "bytes 0-0/100"}, None),
        (206, {"Content-Length": "1", "Content-Range": "bytes 0-0/*"}, None),
        (206, {"Content-Length": "7"}, None),
        (416, {"Content-Range": "bytes */7"}, NOT_WHOLE),
        (404, {}, NOT_THERE),
        (410, {}, NOT_THERE),
        (500, {"Content-Length": "7"}, None),
        (401, {"Content-Length": "7"}, None),
    ],
)
def test_what_an_answer_tells(status: int, headers: dict[str, str], trouble: str | None) -> None:
    """A definite answer alone is held against a mirror."""
    assert PART.trouble(status, headers) == trouble


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("repodata/p.xml.gz", "9/os/repodata/p.xml.gz"),
        ("/etc/passwd", None),
        ("../../p.xml.gz", None),
        ("http://10.0.0.1/p.xml.gz", None),
        ("", None),
    ],
)
def test_places(name: str, path: str | None) -> None:
    """A file outside of the repository is not asked for."""
    place = CheckedFile("pub", "pub/9/os", "pub/9/os/repodata", "repomd.xml", True, (), frozenset())
    found = part_of(place, Content("sum", NOW, primary=(name, 1)))
    assert (found and found.path) == path
