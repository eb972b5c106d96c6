"""`mirrorlist repo` as a user runs it: what it prints, and how a failure ends it."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import termios
from pathlib import Path

import msgspec
import pytest

from mirrorlist.cli.console import json_line
from snapshot.repo.expiring import Expired, ExpireResult
from snapshot.repo.listing import Listed
from snapshot.repo.moving import MoveResult
from tests.command import assert_refused, run_program
from tests.command import run_inside as run
from tests.live import ROOT
from tests.releases import ARCHIVED, DEVELOPED, OLD, RELEASED, released
from tests.scanned import contents, execute

ARCHIVING = ("--product", "Fedora", "--version", "41", "--to-archive")
RELEASING = ("--category", "Fedora Linux", "--version", "44", "--to-release")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with releases, a development tree and an archive."""
    return released(tmp_path)


def test_list(url: str) -> None:
    """It prints a line for each repository, and their number."""
    done = run("repo", "list", "--database", url, "--category", "Fedora Linux")
    assert (done.returncode, done.stderr) == (0, "mirrorlist: 3 repositories\n")
    head, *lines = done.stdout.splitlines()
    assert head.split() == [
        *("prefix", "arch", "version", "category", "details", "newest", "(UTC)", "directory")
    ]
    assert [line.split()[:2] for line in lines] == [
        ["fedora-41", "x86_64"], ["fedora-44", "x86_64"], ["fedora-debug-41", "x86_64"],
    ]  # fmt: skip
    assert OLD in lines[0]
    assert " 2 " in lines[0]
    done = run("repo", "list", "--database", url, "--arch", "x86_64", "--prefix", "fedora-44*",
               "--version", "41")  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "mirrorlist: 0 repositories\n")


def test_list_on_a_terminal(url: str) -> None:
    """Of 80 columns each directory has a line of its own, so no path is broken."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    words = [sys.executable, "-m", "mirrorlist.cli", "repo", "list", "--database", url]
    subprocess.run(words, stdout=theirs, stderr=theirs, check=True, env={"TERM": "xterm"}, cwd=ROOT)
    lines = os.read(ours, 1 << 16).decode().splitlines()
    assert lines[2].split()[:2] == ["fedora-41", "x86_64"]
    assert lines[3] == f"  {OLD}"
    os.close(ours)
    os.close(theirs)


def test_list_json(url: str) -> None:
    """It prints a list of objects."""
    done = run("repo", "list", "--database", url, "--json")
    found = msgspec.json.decode(done.stdout, type=list[Listed])
    assert [one.prefix for one in found][:2] == ["fedora-41", "fedora-44"]


def test_json_of_text_that_is_not_unicode() -> None:
    """A database in SQL_ASCII may have any bytes; those that are no text are escaped."""
    found = Expired("pub/\udcff", "x", None)
    assert b'"directory":"pub/\\\\xff"' in json_line(
        ExpireResult(dry_run=True, repositories=1, expired=[found])
    )


def test_a_dry_run_and_the_move(url: str) -> None:
    """Both print the same lines; the move alone changes the database."""
    before = contents(url)
    dry = run("repo", "move", "--database", url, *ARCHIVING, "--dry-run")
    assert dry.returncode == 0
    assert dry.stdout.splitlines() == [
        f"~ fedora-41 x86_64: {OLD} -> {ARCHIVED} (1 host)",
        f"~ fedora-debug-41 x86_64: {OLD}-debug -> {ARCHIVED}-debug (1 host)",
    ]
    assert dry.stderr.splitlines() == [
        "  fedora-codecs-41 x86_64: is in the category Fedora Codecs; it stays",
        "mirrorlist: 2 repositories would be moved, 0 not ready",
    ]
    assert contents(url) == before
    done = run("repo", "move", "--database", url, *ARCHIVING)
    assert (done.returncode, done.stdout) == (0, dry.stdout)
    assert "mirrorlist: 2 repositories moved, 0 not ready" in done.stderr
    assert contents(url) != before


def test_no_host(url: str) -> None:
    """A new directory without a host is a warning; a host that always has all counts once."""
    execute(url, "UPDATE host_category_dir SET up2date = 0")
    done = run("repo", "move", "--database", url, *RELEASING)
    assert done.returncode == 0
    assert f"{DEVELOPED} -> {RELEASED} (0 hosts)" in done.stdout
    assert "warning: no host is up to date in 1 of the new directories" in done.stderr
    execute(url, "UPDATE host_category_dir SET up2date = 1")
    execute(url, "UPDATE host_category SET always_up2date = 1")
    done = run("repo", "move", "--database", url, *ARCHIVING, "--json")
    assert [one["hosts"] for one in json.loads(done.stdout)["moved"]] == [2, 2]


def test_a_refused_move(url: str) -> None:
    """It ends with code 3 and one line, which says what to do; a dry run names all reasons."""
    execute(url, f"UPDATE directory SET readable = 0 WHERE name LIKE '{ARCHIVED}%'")
    done = run("repo", "move", "--database", url, *ARCHIVING)
    why = f"fedora-41 x86_64: {ARCHIVED}: not readable on the primary"
    assert_refused(done, 3, "2 of 2 repositories cannot be moved, so none was", why, "and 1 more")
    done = run("repo", "move", "--database", url, *ARCHIVING, "--dry-run")
    assert done.returncode == 3
    assert [line[:4] for line in done.stderr.splitlines()] == ["  fe", "  ! ", "  ! ", "mirr"]
    done = run("repo", "move", "--database", url, *ARCHIVING, "--json")
    assert done.returncode == 3
    found = msgspec.json.decode(done.stdout, type=MoveResult)
    assert (found.refused, found.moved, len(found.unready)) == (True, [], 2)


def test_orders_for_a_terminal(url: str) -> None:
    """A name that would tell a terminal to do things is shown without that."""
    execute(url, "UPDATE file_detail SET filename = 'a' || char(27) || '[31mb'")
    done = run("repo", "expire", "--database", url, "--product", "Fedora", "--dry-run")
    assert "/a?[31mb of " in done.stdout
    assert "\x1b" not in done.stdout
    execute(url, "UPDATE directory SET name = name || char(27) WHERE name LIKE '%/os'")
    move = run("repo", "move", "--database", url, "--dry-run", "--from", "os\x1b", "--to", "x\x1b")
    assert "?" in move.stdout + move.stderr
    assert "\x1b" not in move.stdout + move.stderr


def test_expire(url: str) -> None:
    """It prints what is deleted, and its dry run deletes nothing."""
    words = ("repo", "expire", "--database", url, "--prefix", "fedora-41")
    before = contents(url)
    dry = run(*words, "--dry-run")
    assert contents(url) == before
    assert dry.stderr == "mirrorlist: 1 alternate of 1 repository would be deleted\n"
    done = run(*words)
    assert (done.returncode, done.stdout) == (0, dry.stdout)
    assert done.stdout.startswith(f"- {OLD}/repodata/repomd.xml of 20")
    again = msgspec.json.decode(run(*words, "--json").stdout, type=ExpireResult)
    assert again == ExpireResult(dry_run=False, repositories=1, expired=[])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("move",), "give one of --to-archive, --to-release, or --from with --to"),
        (("move", "--to-archive", "--to-release"), "give one of --to-archive"),
        (("move", "--to-archive"), "--to-archive: say which repositories"),
        (("move", "--to-archive", "--version", "41"), "--version: several products may have it"),
        (("move", "--to-release", "--version", "44"), "--to-release needs --version and"),
        (("move", "--from", "a"), "--from and --to go together"),
        (("expire",), "say which repositories, such as --product and --version, or --prefix"),
        (("list", "--none"), "No such option '--none'"),
    ],
)
def test_wrong_options(url: str, words: tuple[str, ...], told: str) -> None:
    """They are refused with code 2 and one line."""
    done = run("repo", words[0], "--database", url, *words[1:])
    assert_refused(done, 2, told)


def test_a_path_and_another_category(url: str) -> None:
    """A part of the directories' names is replaced, in another category too."""
    done = run(
        *("repo", "move", "--database", url, "--prefix", "fedora-41", "--from", "pub/fedora"),
        *("--to", "/pub/archive/fedora/", "--to-category", "Fedora Archive"),
    )
    assert done.stdout == f"~ fedora-41 x86_64: {OLD} -> {ARCHIVED} (1 host)\n"


@pytest.mark.parametrize(
    "words", [("move", *ARCHIVING), ("expire", "--version", "41")], ids=lambda words: words[0]
)
def test_killed_at_every_statement(url: str, words: tuple[str, ...]) -> None:
    """Killed before any of its statements, a command has done nothing; then it does all."""
    before = contents(url)
    command = ["repo", words[0], "--database", url, *words[1:]]
    for step in range(1, 50):
        done = run_program(f"from tests.killed_scan import run; run({step}, {command!r})")
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert contents(url) == before
    assert step > 10
    assert contents(url) != before


def test_a_locked_database(url: str, tmp_path: Path) -> None:
    """While another program writes to the file, a command is refused and changes nothing."""
    writer = sqlite3.connect(tmp_path / "mm.sqlite")
    writer.execute("BEGIN IMMEDIATE")
    done = run_program(
        "from snapshot import link; link._BUSY_SECONDS = 0.05; import sys;"
        f"from mirrorlist.cli import main; sys.argv[:] = ['mirrorlist', 'repo', 'expire',"
        f" '--database', {url!r}, '--version', '41']; main()"
    )
    writer.close()
    assert_refused(done, 3, "database is locked")
