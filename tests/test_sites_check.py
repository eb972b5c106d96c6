"""Trees without repomd.xml: `check` names the file that tells which state a mirror has."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.sites.content import Reader, find_time
from snapshot.sites.getting import Limits
from snapshot.sites.load import load
from snapshot.sites.named import MOST_NAMED
from snapshot.sites.probe import ProbedAll, probe
from tests.metalink_document import read_metalink
from tests.mirror_farm import Farm, run_farm
from tests.offered import answer_of, metalink_of, offered
from tests.small_sites import applied, problems, write

NOW, HOUR = 1_800_000_000, 3600
LIMITS = Limits(pause=0)

HEAD = """\
[site]
name = "Example Linux"
lag_hours = 6
[primary]
path = "pub"
[[repository]]
prefix = "deb"
versions = ["stable", "testing"]
arches = ["all"]
path = "deb"
name = "deb-{version}"
check = "dists/{version}/Release"
"""


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Mirrors of a primary beside the file."""
    with run_farm(tmp_path / "pub") as farm:
        farm.roots["b"] = tmp_path / "copy"
        yield farm


def _site(folder: Path, farm: Farm, head: str) -> Path:
    mirrors = [
        f'[[mirror]]\nname = "{name}"\ncountry = "DE"\nurls = ["{farm.url(name)}"]\n'
        for name in ("a", "b")
    ]
    file = write(folder, head + "".join(mirrors))
    applied(f"sqlite:///{folder / 'm.db'}", file)
    return file


def _probe(file: Path, now: int = NOW) -> ProbedAll:
    url = f"sqlite:///{file.parent / 'm.db'}"
    about = (url, load(file).config, file.parent, "test", lambda *done: None, now)
    return probe(*about, limits=LIMITS)


def _verdicts(found: ProbedAll) -> list[str]:
    """What mirror b has, most often first."""
    return [*next(one for one in found.mirrors if one.mirror == "b").verdicts]


def _put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


APT = HEAD.replace('path = "deb"', 'path = "deb/{version}"').replace(
    "dists/{version}/Release", "dists/x/Release"
)


def test_a_file_with_a_sum(tmp_path: Path, farm: Farm) -> None:
    """Release has a metalink; a mirror may have the earlier one for as long as it may lag."""
    for version in ("stable", "testing"):
        _put(tmp_path / "pub", f"deb/{version}/dists/x/Release", RELEASE.format(day=20))
    shutil.copytree(tmp_path / "pub", tmp_path / "copy")
    file = _site(tmp_path, farm, APT)
    found = _probe(file)
    assert [one.state for one in found.repositories] == ["new", "new"]
    assert _verdicts(found) == ["current"]
    _put(tmp_path / "pub", "deb/stable/dists/x/Release", RELEASE.format(day=21))
    found = _probe(file, NOW + HOUR)
    assert [one.state for one in found.repositories] == ["new", "unchanged"]
    assert _verdicts(found) == ["alternate", "current"]
    document = metalink_of(file, "path=pub/deb/stable/dists/x/Release")
    true = (tmp_path / "pub/deb/stable/dists/x/Release").read_bytes()
    assert dict(document.versions[0].hashes)["sha256"] == hashlib.sha256(true).hexdigest()
    assert len(document.versions) == 2
    assert _verdicts(_probe(file, NOW + 8 * HOUR)) == ["behind", "current"]
    assert offered(file, "repo=deb-stable&arch=all") == {"a"}
    assert offered(file, "repo=deb-testing&arch=all") == {"a", "b"}
    assert offered(file, "path=pub/deb/stable/dists/x") == {"a"}


RELEASE = "Origin: Example\nDate: Sat, {day} Dec 2026 10:00:00 UTC\nSHA256:\n"

ISO = """\
[site]
name = "Example Linux"
lag_hours = 6
[primary]
path = "pub"
[[repository]]
prefix = "iso"
versions = ["9", "10"]
arches = ["x86_64"]
path = "{version}/isos/{arch}"
check = "/TIME"
"""


def test_a_time_file(tmp_path: Path, farm: Farm) -> None:
    """One file for all repositories is asked for once, and a mirror may be as old as the lag."""
    _put(tmp_path / "pub", "TIME", f"{NOW}\n")
    _put(tmp_path / "copy", "TIME", f"{NOW - 6 * HOUR}\n")
    file = _site(tmp_path, farm, ISO)
    found = _probe(file)
    assert (farm.asked, _verdicts(found)) == ({"a": 1, "b": 1}, ["alternate"])
    assert [one.timestamp for one in found.repositories] == [NOW, NOW]
    _put(tmp_path / "pub", "TIME", f"{NOW + 1}\n")
    assert _verdicts(_probe(file)) == ["behind"]
    assert offered(file, "repo=iso-9&arch=x86_64") == {"a"}
    assert offered(file, "path=pub/9/isos/x86_64") == {"a"}
    _put(tmp_path / "copy", "TIME", f"{NOW + 2}\n")
    assert _verdicts(_probe(file)) == ["ahead"]
    assert offered(file, "repo=iso-9&arch=x86_64") == {"a"}
    _put(tmp_path / "copy", "TIME", f"{NOW + 1}  \n")
    assert _verdicts(_probe(file)) == ["current"]
    assert offered(file, "repo=iso-9&arch=x86_64") == {"a", "b"}


def test_a_file_without_a_time(tmp_path: Path, farm: Farm) -> None:
    """Sums alone tell what is current, and what the primary had before."""
    head = ISO.replace('"/TIME"', '"SHA256SUMS"').replace('["9", "10"]', '["9"]')
    _put(tmp_path / "pub", "9/isos/x86_64/SHA256SUMS", "a  a.iso\n")
    shutil.copytree(tmp_path / "pub", tmp_path / "copy")
    file = _site(tmp_path, farm, head)
    assert _verdicts(_probe(file)) == ["current"]
    _put(tmp_path / "pub", "9/isos/x86_64/SHA256SUMS", "b  a.iso\n")
    assert _verdicts(_probe(file, NOW + 1)) == ["alternate"]
    assert _verdicts(_probe(file, NOW + 6 * HOUR)) == ["alternate"]
    assert _verdicts(_probe(file, NOW + 8 * HOUR)) == ["wrong"]
    # The primary goes back to what it had first.
    _put(tmp_path / "pub", "9/isos/x86_64/SHA256SUMS", "a  a.iso\n")
    assert _verdicts(_probe(file, NOW + 9 * HOUR)) == ["current"]


def test_images_of_a_checksum_file(tmp_path: Path, farm: Farm) -> None:
    """The files that it names, and that the primary has, get metalinks with sums and sizes."""
    head = ISO.replace('"/TIME"', '"{prefix}-CHECKSUM"').replace('["9", "10"]', '["9"]')
    place = "9/isos/x86_64"
    first, second = (hashlib.sha256(text.encode()).hexdigest() for text in ("one", "other"))
    _put(tmp_path / "pub", f"{place}/a.iso", "one")
    _put(tmp_path / "pub", f"{place}/b.iso", "other")
    lines = f"# a.iso: 3 bytes\nSHA256 (a.iso) = {first}\n{second}  b.iso\n"
    lines += f"{first}  not-there.iso\nSHA256 (../up.iso) = {first}\n"
    _put(tmp_path / "pub", f"{place}/iso-CHECKSUM", lines)
    shutil.copytree(tmp_path / "pub", tmp_path / "copy")
    file = _site(tmp_path, farm, head)
    _probe(file)
    assert _sums(file, "a.iso") == [("3", first)]
    assert offered(file, f"path=pub/{place}/a.iso") == {"a", "b"}
    assert _sums(file, "b.iso") == [("5", second)]
    assert _sums(file, "not-there.iso") == _sums(file, "../up.iso") == []
    # What a new checksum file does not name any more has no metalink any more.
    _put(tmp_path / "pub", f"{place}/iso-CHECKSUM", f"{first}  b.iso\n")
    _probe(file, NOW + 1)
    assert _sums(file, "a.iso") == []
    assert _sums(file, "b.iso") == [("5", first)]
    _put(tmp_path / "pub", f"{place}/iso-CHECKSUM", "# none\n")
    _probe(file, NOW + 2)
    assert _sums(file, "b.iso") == []


def _sums(file: Path, name: str) -> list[tuple[str | None, str]]:
    """Return the size and the SHA-256 that clients are told of an image."""
    text = answer_of(file, f"/metalink?path=pub/9/isos/x86_64/{name}")
    return [(one.size, dict(one.hashes)["sha256"]) for one in read_metalink(text).versions]


def test_a_checksum_file_of_too_many(tmp_path: Path, farm: Farm) -> None:
    """A checksum file of more names than may be asked for changes nothing."""
    head = ISO.replace('"/TIME"', '"SHA256SUMS"').replace('["9", "10"]', '["9"]')
    lines = "".join(f"{'0' * 64}  {number}\n" for number in range(MOST_NAMED + 1))
    _put(tmp_path / "pub", "9/isos/x86_64/SHA256SUMS", lines)
    (reason,) = [one.reason for one in _probe(_site(tmp_path, farm, head)).repositories]
    assert reason == "it names 1,001 files, more than 1,000"


@pytest.mark.parametrize("text", ["<!DOCTYPE html><p>It works!", "", "\n\n"])
def test_no_such_file_at_the_primary(tmp_path: Path, farm: Farm, text: str) -> None:
    """A page or an empty file in its place changes nothing."""
    _put(tmp_path / "pub", "TIME", f"{NOW}\n")
    _put(tmp_path / "copy", "TIME", f"{NOW - HOUR}\n")
    file = _site(tmp_path, farm, ISO)
    _probe(file)
    _put(tmp_path / "pub", "TIME", text)
    found = _probe(file)
    assert {one.state for one in found.repositories} == {"failed"}
    assert "not a TIME" in (found.repositories[0].reason or "")
    assert offered(file, "repo=iso-9&arch=x86_64") == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1790000000", 1_790_000_000),
        (" 1790000000.25 ", 1_790_000_000),
        ("Mon Sep 21 13:33:20 UTC 2026", 1_789_997_600),
        ("Mon, 21 Sep 2026 15:33:20 +0200", 1_789_997_600),
        ("2026-09-21T13:33:20Z", 1_789_997_600),
        ("2026-09-21 13:33:20", 1_789_997_600),
        ("Mon 21 Sep 2026 01:33:20 PM UTC", None),
        ("1", None),
        ("# Sums", None),
        ("", None),
        ("9" * 400, None),
        ("Mon, 99 Sep 99999 13:33:20 GMT", None),
    ],
)
def test_times(text: str, time: int | None) -> None:
    """The times that tools write at the end of a sync are read; what is not sure is no time."""
    assert find_time(text) == time


def test_kinds_of_files() -> None:
    """A file that begins with a time is judged by it; a long one, or one with a field, is not."""
    trace = b"Mon Sep 21 13:33:20 UTC 2026\nUsed ftpsync version: 20180513\n"
    assert Reader().read(trace, False).is_time
    found = Reader().read(b"Origin: x\nDate: Mon, 21 Sep 2026 13:33:20 UTC\n", False)
    assert (found.is_time, found.timestamp) == (False, 1_789_997_600)
    assert not Reader().read(b"1790000000\n" + b"x" * 5000, False).is_time


def test_a_pattern_of_checks(tmp_path: Path) -> None:
    """It is checked as a path is, and names a file."""
    mirror = '[[mirror]]\nname = "a"\ncountry = "DE"\nurls = ["http://a.example/"]\n'
    for check, told in (
        ("dists/{vers}/Release", "12: unknown field {vers}: did you mean `version`?"),
        ("../Release", "12: no path with ., .. or two slashes in a row: ../Release"),
        ("dists/", "12: a file, not a folder: dists/"),
    ):
        text = HEAD.replace("dists/{version}/Release", check) + mirror
        assert told in problems(write(tmp_path, text))
    text = HEAD.replace('path = "deb"', 'path = "/"').replace('"all"', '"{arch}"')
    assert problems(write(tmp_path, text + mirror))
