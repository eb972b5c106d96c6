"""One directory of a snapshot for people: `mirrorlist inspect --repo`, `--path`."""

import json
from pathlib import Path

import pytest

from snapshot.file.description import NotOffered, describe, find_repository
from snapshot.file.reader import Snapshot
from snapshot.file.reasons import Reason
from tests.command import run_here
from tests.factories import SHA256, edited, export_tables


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """The small world; host 5 has lost its URLs but the private one, host 2 is for DE alone."""
    edits = [("host_category_url", id, {"private": True}) for id in (510, 511, 512)]
    allowed = ("host_country_allowed", None, {"id": 1, "host_id": 2, "country": "de"})
    return export_tables(tmp_path, edited(*edits, allowed))[0]


def test_a_repository(snapshot: Snapshot) -> None:
    """A repository's directory comes with its checksums, its hosts, and why others are not."""
    index = find_repository(snapshot, "linux-40", "x86_64")
    assert index is not None
    found = describe(snapshot, index)
    assert found.directory == "pub/linux/40/x86_64/os"
    assert (found.category, found.readable, found.ctime) == ("Linux", True, 200)
    assert found.repositories == ["linux-40 x86_64"]
    (file,) = found.files
    assert (file.name, file.sha256, file.size) == ("repodata/repomd.xml", SHA256, 4001)
    assert [host.id for host in found.hosts] == [1, 2, 3, 4, 6, 9]
    assert found.hosts[0].urls[0] == "http://host1.example/linux/40/x86_64/os"
    assert found.hosts[1].countries_allowed == ("DE",)
    assert found.hosts[4].private
    by_owner = "switched off the host by its owner or the crawler"
    assert found.excluded == [
        NotOffered(5, "host5.example", "has no public URL for this category", Reason.NO_PUBLIC_URL),
        NotOffered(7, "host7.example", f"inactive: {by_owner}", Reason.INACTIVE),
        NotOffered(8, "host8.example", "not up to date in this directory", Reason.NOT_UP_TO_DATE),
    ]


def test_a_redirected_prefix(snapshot: Snapshot) -> None:
    """A redirected prefix is that of the repository it leads to."""
    assert find_repository(snapshot, "linux-latest", "x86_64") == find_repository(
        snapshot, "linux-40", "x86_64"
    )
    assert find_repository(snapshot, "linux-40", "riscv64") is None


def test_a_directory_outside_every_category(snapshot: Snapshot) -> None:
    """A directory in no category has no hosts to speak of."""
    index = snapshot.find_directory("pub/elsewhere")
    assert index is not None
    found = describe(snapshot, index)
    assert (found.category, found.hosts, found.excluded) == (None, [], [])


def test_inspect_one(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command shows it to people, and to programs as JSON."""
    words = ("inspect", snapshot.path, "--path", "/pub/linux/40/x86_64/os/")
    assert run_here(monkeypatch, *words) == 0
    text = capsys.readouterr().out
    for expected in (
        "directory     pub/linux/40/x86_64/os",
        "file          repodata/repomd.xml  2023-11-14 22:13:21 UTC  4,001 bytes  sha256 2c2c",
        "6 hosts may be offered",
        "only for DE",
        "host8.example (8)  not up to date in this directory",
    ):
        assert expected in text
    assert run_here(monkeypatch, *words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["directory"] == "pub/linux/40/x86_64/os"


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        pytest.param(["--repo", "linux-40"], "--repo and --arch together", 2, id="no arch"),
        pytest.param(["--arch", "x86_64"], "--repo and --arch together", 2, id="no repo"),
        pytest.param(["--repo", "a", "--arch", "b", "--path", "c"], "together", 2, id="all"),
        pytest.param(
            ["--repo", "a", "--arch", "b"], "no repository a for b", 1, id="unknown repository"
        ),
        pytest.param(["--path", "c"], "no directory c", 1, id="unknown directory"),
    ],
)
def test_inspect_none(
    snapshot: Snapshot,
    words: list[str],
    said: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What cannot be shown is one line that says why, and exit code 1, or 2 for wrong options."""
    assert run_here(monkeypatch, "inspect", snapshot.path, *words) == code
    assert said in capsys.readouterr().err
