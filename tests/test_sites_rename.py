"""A site gets a new name in its database by its file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from snapshot.export.database import parse_url
from snapshot.sites.conflicts import ConflictError
from snapshot.sites.difference import SiteDifference
from snapshot.sites.drains import drain
from snapshot.sites.hosts import find_host, read_hosts
from snapshot.sites.reading import read_only
from snapshot.sites.told import applied as told_of
from tests.command import run
from tests.offered import answer_of
from tests.small_sites import HEAD, applied, mirror, problems, site_text, write

NOW = 1_800_000_000
TREE = '[[repository]]\nprefix = "kitten"\nversions = ["1"]\narches = ["x86_64"]\n'
SHAPE = '[[shapes]]\nquery = { release = "{version}", repo = "{prefix}", arch = "{arch}" }\n'
KITTEN = f'{TREE}path = "kitten/{{version}}"\ntree = "kitten"\n'
TREES = 'trees.kitten = ["https://a.example/kitten/"]\n'
BEFORE = f"{HEAD}{KITTEN}{SHAPE}{mirror('a')}{TREES}{mirror('b')}"
AFTER = BEFORE.replace(
    'name = "Example Linux"', 'name = "Sample Linux"\nrenamed_from = "Example Linux"'
)


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'm.db'}"


def _rows(folder: Path) -> list[str]:
    """Return all rows of all tables, with the old name in the place of the new one."""
    with closing(sqlite3.connect(folder / "m.db")) as connection:
        lines = [line.replace("Sample", "Example") for line in connection.iterdump()]
    return sorted(line for line in lines if '"mirrorlist_site"' not in line)


def _names(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / "m.db")) as connection:
        text = "\n".join(connection.iterdump())
    return {name for name in ("Example Linux", "Sample Linux") if name in text}


def test_a_new_name(tmp_path: Path) -> None:
    """Nothing else changes: no row goes or comes, and a drain stays; a second time is no change."""
    file = write(tmp_path, BEFORE)
    applied(_url(tmp_path), file)
    drain(_url(tmp_path), "b", "disks", 3600, NOW)
    before = _rows(tmp_path)
    write(tmp_path, AFTER)
    told: list[SiteDifference] = []
    applied(_url(tmp_path), file, told=told.append, prune=True, dry=True)
    assert _names(tmp_path) == {"Example Linux"}
    found = applied(_url(tmp_path), file, told=told.append, prune=True)
    assert told == [found, found]
    assert told_of(found) == "renamed from Example Linux"
    assert (found.changes_anything, found.reduces) == (True, False)
    assert _names(tmp_path) == {"Sample Linux"}
    assert _rows(tmp_path) == before
    with read_only(parse_url(_url(tmp_path))) as connection:
        assert find_host(read_hosts(connection), "Sample Linux: b").drained
    assert not applied(_url(tmp_path), file, prune=True).changes_anything
    body = answer_of(file, "/mirrorlist?repo=baseos-9&arch=x86_64").decode()
    assert [line for line in body.splitlines() if "example" in line] == [
        "https://a.example/pub/9/BaseOS/x86_64/os/"
    ]


def test_with_other_changes(tmp_path: Path) -> None:
    """One apply renames the site and takes away what is gone, and the command shows both."""
    applied(_url(tmp_path), write(tmp_path, BEFORE))
    write(tmp_path, AFTER.replace(mirror("b"), mirror("c")))
    file = tmp_path / "mirrors.toml"
    done = run("sites", "apply", file, "--database", _url(tmp_path), "--prune")
    assert done.stdout.splitlines() == [
        "~ site Example Linux -> Sample Linux", "+ mirror c", "- mirror b", "written",
    ]  # fmt: skip
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("site", "a site Example Linux and a site Sample Linux; nothing was written"),
        ("product", "a product Sample Linux that is not from this file; nothing was written"),
        ("category", "a category Sample Linux kitten that is not from this file; nothing was"),
    ],
)
def test_a_name_that_is_taken(tmp_path: Path, other: str, words: str) -> None:
    """A site, a product or a category that has it already stays as it is."""
    applied(_url(tmp_path), write(tmp_path, BEFORE))
    if other == "site":
        head = HEAD.replace("Example", "Sample").replace("baseos", "z")
        text = site_text(mirror("z"), head=head.replace("contact", 'topdir = "z"\ncontact'))
        applied(_url(tmp_path), write(tmp_path, text))
    else:
        _take(tmp_path, other)
    before = _rows(tmp_path)
    file = write(tmp_path, AFTER)
    with pytest.raises(ConflictError, match=words):
        applied(_url(tmp_path), file, prune=True)
    assert _rows(tmp_path) == before


def _take(folder: Path, table: str) -> None:
    sql = {
        "product": "INSERT INTO product (name, publiclist) VALUES ('Sample Linux', 1)",
        "category": (
            "INSERT INTO category (name, product_id, topdir_id, publiclist)"
            " SELECT 'Sample Linux kitten', 99, topdir_id, 1 FROM category LIMIT 1"
        ),
    }
    with closing(sqlite3.connect(folder / "m.db")) as connection:
        connection.execute(sql[table])
        connection.commit()


def test_a_name_that_nobody_has(tmp_path: Path) -> None:
    """A new database takes the file as it is; the name of now is no earlier one."""
    file = write(tmp_path, AFTER)
    found = applied(_url(tmp_path), file)
    assert (found.renamed_from, found.site, found.mirrors.added) == (
        None,
        "Sample Linux",
        ["a", "b"],
    )
    write(tmp_path, AFTER.replace("Sample", "Example"))
    assert problems(file) == ["3: `renamed_from` is the name that the site has now"]
