"""`mirrorlist sites`: from nothing to a metalink, and every mistake in a line of its own."""

import hashlib
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from snapshot.file.reader import Snapshot
from tests.command import COMMAND, PLAIN, assert_refused
from tests.command import run_inside as run
from tests.in_process import respond
from tests.metalink_document import read_metalink
from tests.small_sites import applied, mirror, publish_tree, site_text, write


def test_from_nothing_to_a_metalink(tmp_path: Path) -> None:
    """init, check, apply, probe, export: then a client gets the true sum, and the mirrors."""
    file, database = tmp_path / "mirrors.toml", f"sqlite:///{tmp_path / 'm.db'}"
    publish_tree(tmp_path / "pub", versions=("9",), arches=("x86_64",))
    mirrors = ("--mirror", "DE=https://de.example/pub/", "--mirror", "FR=https://fr.example/")
    done = run("sites", "init", file, "--name", 'A "Linux"', "--primary", "pub", *mirrors)
    assert (done.returncode, done.stderr) == (0, "")
    done = run("sites", "check", file)
    assert done.stdout.endswith("1 file: 2 mirrors, 1 repository (each version and arch is one)\n")
    done = run("sites", "apply", file, "--database", database)
    assert done.stdout.splitlines() == [
        "+ mirror de.example",
        "+ mirror fr.example",
        "+ repository baseos-9 x86_64",
        "written",
    ]
    done = run("sites", "probe", file, "--database", database, "--no-mirrors")
    assert (done.returncode, "baseos-9 x86_64  new" in done.stdout) == (0, True)
    done = run("export", "--database", database, "--output", tmp_path / "m.snap", "--no-dns")
    assert done.returncode == 0, done.stderr
    query = "/metalink?repo=baseos-9&arch=x86_64&country=fr"
    found = read_metalink(respond(Snapshot(tmp_path / "m.snap"), query).body)
    repomd = "9/BaseOS/x86_64/os/repodata/repomd.xml"
    true = hashlib.sha256((tmp_path / "pub" / repomd).read_bytes()).hexdigest()
    assert dict(found.versions[0].hashes)["sha256"] == true
    assert found.links[0].url == f"https://fr.example/{repomd}"


def test_init_asks(tmp_path: Path) -> None:
    """In a terminal it asks for what no option gives, with an example as the default."""
    file = tmp_path / "mirrors.toml"
    main, side = pty.openpty()
    command = [*COMMAND, "sites", "init", str(file), "--name", "Own", "--versions", "1,2"]
    answers = b"\n\nmain\nnoarch\n\nUS=http://us.example/\nFR=http://fr.example/\n\n"
    os.write(main, answers)
    done = subprocess.run(
        command, stdin=side, capture_output=True, text=True, env=PLAIN, timeout=30, check=False
    )
    os.close(main)
    os.close(side)
    assert done.returncode == 0, done.stderr
    assert "Its arches, with commas between them [x86_64]:" in done.stderr
    text = file.read_text()
    for line in (
        'name = "Own"',
        'prefix = "main"',
        'versions = ["1", "2"]',
        'country = "US"',
        'country = "FR"',
    ):
        assert line in text


def test_init_replaces_nothing(tmp_path: Path) -> None:
    """A file that is there stays, and unfit answers leave none behind."""
    file = write(tmp_path, "mine")
    assert_refused(run("sites", "init", file), 1, "mirrors.toml: is there already")
    assert file.read_text() == "mine"
    other = tmp_path / "other.toml"
    assert_refused(run("sites", "init", other, "--mirror", "x"), 2, "--mirror x: not a country and")
    done = run("sites", "init", other, "--mirror", "UK=http://a.example/")
    assert_refused(done, 2, "there is no country UK; GB is meant?")
    assert not other.exists()
    assert_refused(run("sites", "init", tmp_path / "a" / "b.toml"), 1, "cannot be written: No such")


def test_check_tells_all(tmp_path: Path) -> None:
    """Each problem has a line with file and place, and --json has the same."""
    file = write(tmp_path, site_text(mirror("a", "UK"), mirror("b").replace("urls", "urs")))
    done = run("sites", "check", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"mirrorlist: error: {file}:13: there is no country UK; GB is meant?",
        f"{file}:18: unknown key `urs`: did you mean `urls`?",
    ]
    done = run("sites", "check", file, "--json")
    assert (done.returncode, done.stderr) == (2, "")
    found = json.loads(done.stdout)
    assert (found["right"], [one["line"] for one in found["problems"]]) == (False, [13, 18])
    write(tmp_path, site_text(mirror("a")))
    assert json.loads(run("sites", "check", file, "--json").stdout) == {
        "right": True,
        "problems": [],
        "mirrors": 1,
        "repositories": 4,
    }


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["apply", "FILE"], 2, "--database is missing (or MIRRORLIST_DATABASE in the environment)"),
        (["apply", "FILE", "--database", "mysql://x/y"], 2, "mysql: not a kind of database"),
        (["apply", "FILE", "--database", "sqlite:///DIR/a/b"], 1, "no such folder"),
        (
            ["apply", "none.toml", "--database", "sqlite:///DIR/m.db"],
            2,
            "none.toml:1: no such file",
        ),
        (["apply", "FILE", "--max-loss", "200"], 2, "--max-loss 200: not a whole number from 0"),
        (["probe", "FILE", "--database", "sqlite:///DIR/m.db"], 3, "run `mirrorlist sites apply`"),
        (["chek"], 2, "No such command 'chek'"),
    ],
)
def test_a_mistake(tmp_path: Path, words: list[str], code: int, told: str) -> None:
    """It gives one line that says what to do, and leaves nothing behind."""
    file = write(tmp_path, site_text(mirror("a")))
    words = [word.replace("FILE", str(file)).replace("DIR", str(tmp_path)) for word in words]
    assert_refused(run("sites", *words), code, told)
    assert [*tmp_path.iterdir()] == [file]


def test_apply_shows_before_it_refuses(tmp_path: Path) -> None:
    """The difference is printed, then the refusal; --json prints the difference alone."""
    file = write(tmp_path, site_text(mirror("a"), mirror("b"), mirror("c")))
    database = ("--database", f"sqlite:///{tmp_path / 'm.db'}")
    assert run("sites", "apply", file, *database).returncode == 0
    write(tmp_path, site_text(mirror("a", "FR")))
    done = run("sites", "apply", file, *database, "--prune")
    assert done.returncode == 3
    assert done.stdout.splitlines() == [
        "~ mirror a: country DE -> FR",
        "- mirror b",
        "- mirror c",
    ]
    assert "2 of 3 public mirrors" in done.stderr
    done = run("sites", "apply", file, *database, "--json")
    found = json.loads(done.stdout)
    assert found["mirrors"]["changed"] == [{"name": "a", "fields": {"country": ["DE", "FR"]}}]
    assert (found["mirrors"]["gone"], found["prune"]) == (["b", "c"], False)
    done = run("sites", "apply", file, *database)
    kept = "(not in the file; kept, because --prune is not given)"
    assert done.stdout.splitlines() == [f"- mirror b {kept}", f"- mirror c {kept}"]


def _unread(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a command whose output nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [*COMMAND, "sites", *map(str, words)]
    done = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, text=True, env=PLAIN, check=False
    )
    os.close(writer)
    return done


@pytest.mark.system
def test_what_nobody_reads(tmp_path: Path) -> None:
    """A reader that ended first is not a failure of a command, which does all that it should."""
    file = write(tmp_path, site_text(mirror("a")))
    publish_tree(tmp_path / "pub")
    database = ("--database", f"sqlite:///{tmp_path / 'm.db'}")
    for words in (("apply", "--json"), ("apply",), ("probe", "--no-mirrors", "--json")):
        done = _unread(words[0], file, *words[1:], *database)
        assert (done.returncode, done.stderr) == (0, ""), words
        found = applied(database[1], file, dry=True)
        assert not found.changes_anything, words
        write(tmp_path, site_text(mirror("b"), mirror("a")))
    write(tmp_path, "x")
    assert _unread("check", file, "--json").returncode == 2


def test_an_option_without_its_value() -> None:
    """It is refused in one line, also as the last word."""
    assert_refused(run("sites", "apply", "--database"), 2, "--database needs a value")


def test_probe_fails_aloud(tmp_path: Path) -> None:
    """A repository that cannot be read is named with the reason, and the exit code is 1."""
    file = write(tmp_path, site_text(mirror("a")))
    publish_tree(tmp_path / "pub", versions=("9",))
    database = ("--database", f"sqlite:///{tmp_path / 'm.db'}")
    run("sites", "apply", file, *database)
    done = run("sites", "probe", file, *database, "--json", "--no-mirrors")
    assert done.returncode == 1
    states = [one["state"] for one in json.loads(done.stdout)["repositories"]]
    assert states == ["new", "new", "failed", "failed"]


def test_the_schema(tmp_path: Path) -> None:
    """It is JSON, and names the keys."""
    found = json.loads(run("sites", "schema").stdout)
    assert {"country", "urls", "netblocks"} <= found["$defs"]["Mirror"]["properties"].keys()
