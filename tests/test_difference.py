"""What `mirrorlist diff` finds between two snapshots: each kind of change, and nothing else."""

import json
from pathlib import Path

import pytest

from snapshot.file.difference import Carried, Difference, ThingChanges, compare
from tests.command import run_here
from tests.factories import Row, edited, export_tables, host, world

KINDS = ("hosts", "urls", "repositories", "redirects", "directories")
OTHER_URLS = ("https://host1.example/linux", "rsync://host1.example/linux")
NOTHING = ThingChanges([], [], [])

Edit = tuple[str, int | None, Row]


def _difference(folder: Path, *edits: Edit) -> Difference:
    old, _ = export_tables(folder / "old", world())
    new, _ = export_tables(folder / "new", edited(*edits))
    return compare(old, new)


def test_equal(tmp_path: Path) -> None:
    """Two exports of the same rows differ in nothing."""
    found = _difference(tmp_path)
    assert found.equal
    assert [getattr(found, kind) for kind in KINDS] == [NOTHING] * len(KINDS)
    assert (found.carried, found.sections) == ([], [])


@pytest.mark.parametrize(
    ("edit", "kind", "name", "fields"),
    [
        pytest.param(
            ("host", 3, {"country": "US", "bandwidth_int": 7}),
            *("hosts", "host3.example (3)", {"country": ("FR", "US"), "bandwidth": (100, 7)}),
            id="a host's country and bandwidth",
        ),
        pytest.param(
            ("site", 3, {"admin_active": False}),
            *("hosts", "host3.example (3)", {"inactive": ([], ["site_admin"])}),
            id="a host's site, not active",
        ),
        pytest.param(
            ("host_category_url", 110, {"url": "http://elsewhere.example/linux"}),
            "urls",
            "host1.example (1): Linux",
            {
                "urls": (
                    ("http://host1.example/linux", *OTHER_URLS),
                    ("http://elsewhere.example/linux", *OTHER_URLS),
                )
            },
            id="a URL",
        ),
        pytest.param(
            ("repository", 1, {"disabled": True}),
            *("repositories", "linux-40 x86_64", {"disabled": (False, True)}),
            id="a repository, disabled",
        ),
        pytest.param(
            ("repository_redirect", 1, {"to_repo": "epel-9"}),
            *("redirects", "linux-latest", {"to": ("linux-40", "epel-9")}),
            id="a redirect",
        ),
        pytest.param(
            ("directory", 5, {"ctime": 501, "readable": False}),
            *("directories", "pub/epel/9/x86_64", {"readable": (True, False), "ctime": (500, 501)}),
            id="a directory's change time",
        ),
        pytest.param(
            ("file_detail", 1, {"sha256": "4d" * 32}),
            "directories",
            "pub/linux/40/x86_64/os/repodata",
            {"files": ({"repomd.xml": ("2c" * 8,)}, {"repomd.xml": ("4d" * 8,)})},
            id="a checksum",
        ),
    ],
)  # fmt: skip
def test_changed(
    tmp_path: Path, edit: Edit, kind: str, name: str, fields: dict[str, tuple[object, object]]
) -> None:
    """A changed field is named with its old and its new value."""
    found = _difference(tmp_path, edit)
    changes: ThingChanges = getattr(found, kind)
    assert (changes.added, changes.removed) == ([], [])
    changed = {one.name: one.fields for one in changes.changed}
    assert changed[name] == fields
    assert not found.equal


def test_added_and_removed(tmp_path: Path) -> None:
    """A host or repository in one of the two alone is named, with nothing about its fields."""
    edits: list[Edit] = [
        ("host", None, host(10, site_id=1)),
        ("repository", 3, {"prefix": "new-41"}),
    ]
    found = _difference(tmp_path, *edits)
    assert found.hosts == ThingChanges(["host10.example (10)"], [], [])
    assert found.repositories == ThingChanges(["new-41 x86_64"], ["old-39 x86_64"], [])


def test_a_host_instead_of_another(tmp_path: Path) -> None:
    """A directory with as many hosts, but others, is changed; each host's directories count."""
    old = world()
    gone = [row for row in old["host_category_dir"] if row["host_category_id"] != 31]
    came = [
        {"host_category_id": 81, "directory_id": id, "path": str(id), "up2date": True}
        for id in (1, 2, 3)
    ]
    before, _ = export_tables(tmp_path / "old", old)
    after, _ = export_tables(tmp_path / "new", {**old, "host_category_dir": gone + came})
    found = compare(before, after)
    assert [one.fields["hosts"] for one in found.directories.changed] == [(7, 7)] * 3
    assert found.carried == [
        Carried("host3.example (3)", 0, 3),
        Carried("host8.example (8)", 3, 0),
    ]
    assert found.sections == ["host_sets"]


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two files, the second with one host of another country and one that lost its category."""
    export_tables(tmp_path / "old", world())
    export_tables(
        tmp_path / "new",
        edited(("host", 3, {"country": "US"}), ("directory", 1, {"ctime": 1_700_000_000})),
    )
    return tmp_path / "old" / "mm.snap", tmp_path / "new" / "mm.snap"


def test_for_people(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command shows times as people write them, and says when nothing differs."""
    assert run_here(monkeypatch, "diff", *two) == 0
    text = capsys.readouterr().out
    assert "hosts  0 added, 0 removed, 1 changed" in text
    assert "~ host3.example (3): country FR -> US" in text
    assert "~ pub/linux: ctime 1970-01-01 00:01:40 UTC -> 2023-11-14 22:13:20 UTC" in text
    assert "sections that differ: directories, hosts" in text
    assert run_here(monkeypatch, "diff", two[0], two[0]) == 0
    assert "equal: every answer made from the two is the same" in capsys.readouterr().out


def test_for_programs(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json it is one object with everything in it."""
    assert run_here(monkeypatch, "diff", "--json", *two) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["hosts"]["changed"] == [
        {"name": "host3.example (3)", "fields": {"country": ["FR", "US"]}}
    ]
    assert found["equal"] is False


def test_many_changes_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of many changes a few are shown, the rest counted."""
    many = [{"id": id, "name": f"pub/linux/{id}", "ctime": 1} for id in range(100, 115)]
    tables = world()
    export_tables(tmp_path / "old", tables)
    export_tables(tmp_path / "new", {**tables, "directory": tables["directory"] + many})
    assert (
        run_here(monkeypatch, "diff", *(tmp_path / name / "mm.snap" for name in ("old", "new")))
        == 0
    )
    text = capsys.readouterr().out
    assert "directories  15 added, 0 removed, 0 changed" in text
    assert "  ... and 5 more; --json names them all" in text
    assert text.count("  + ") == 10


@pytest.mark.parametrize("place", [0, 1])
def test_a_file_that_is_none(
    two: tuple[Path, Path],
    place: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file that cannot be read is one line and exit code 3, whichever of the two it is."""
    two[place].write_text("nothing")
    assert run_here(monkeypatch, "diff", *two) == 3
    assert capsys.readouterr().err.count("\n") == 1
