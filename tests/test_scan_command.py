"""`mirrorlist scan` as a user runs it: what it prints, and how a failure ends it."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from snapshot.scan import case as case_module
from snapshot.scan import list_file, sources
from snapshot.scan.config import CategorySettings
from snapshot.scan.run import scan
from tests.command import assert_refused, run, run_unread
from tests.factories import make_database
from tests.scanned import (
    CATEGORY,
    NOW,
    SETTINGS,
    TOML,
    X86,
    Primary,
    contents,
    database,
    execute,
    sql_of_page,
    statements,
)


class Site:
    """A primary, a database, and the command that scans the one into the other."""

    def __init__(self, folder: Path) -> None:
        """Make a primary with a repository."""
        self.primary = Primary(folder)
        self.primary.repository(X86)
        self.url = database(folder)
        (folder / "scan.toml").write_text(TOML)
        self._folder = folder

    def words(self, *more: str) -> list[str]:
        """Return the words of the command."""
        return [
            *("scan", "--database", self.url, "--config", str(self._folder / "scan.toml")),
            *("--category", CATEGORY, "--source", str(self.primary.root)),
            *("--list", str(self.primary.list), *more),
        ]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with a list of the primary."""
    site = Site(tmp_path)
    site.primary.write_list()
    return site


def test_what_it_says(site: Site) -> None:
    """It says what was found, what changed and how long it took; then that nothing changed."""
    done = run(*site.words())
    assert done.returncode == 0
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert first.startswith(f"mirrorlist: {CATEGORY}: 6 directories, 1 repository in ")
    assert rest[:3] == [
        "mirrorlist: directories 5 added, 1 changed, 0 deleted",
        "mirrorlist: repositories 1 added, 0 moved, 0 deleted",
        "mirrorlist: checksums 1 added, 0 aged",
    ]
    assert "nothing has changed since the last scan (" in run(*site.words()).stderr


def test_a_dry_run(site: Site) -> None:
    """It prints the difference on standard output, and writes nothing."""
    before = contents(site.url)
    done = run(*site.words("--dry-run"))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "+ versions: 9",
        f"+ repositories: epel-9 pub/epel/{X86}",
        "+ directories: pub/epel/9",
    ]
    assert "~ directories: pub/epel" in lines
    assert "directories would be 5 added, 1 changed, 0 deleted" in done.stderr
    assert contents(site.url) == before


def test_problems(site: Site) -> None:
    """A scan names each of them; a scan that finds nothing changed says how many are left."""
    site.primary.repository("9/Other/x86_64")
    site.primary.put("9/Other/nowhere/repodata/x")
    site.primary.list.write_text(
        site.primary.write_list().read_text().replace("\n[End]", f"{NOW}\tl\t1\t9/link\n[End]")
    )
    lines = run(*site.words()).stderr.splitlines()
    why = "no repository_mapping fits; the repository is left out"
    assert lines[1] == f"  ! pub/epel/9/Other/x86_64: {why}"
    assert "no arch of the database" in lines[0]
    assert "mirrorlist: left out: 1 symbolic link" in lines
    done = run(*site.words())
    assert done.stderr.splitlines()[1:] == [
        "mirrorlist: still there from the last scan: 2 problems; --full names them"
    ]


def test_many_problems(site: Site) -> None:
    """A screen of them is shown; the others are counted."""
    for number in range(25):
        site.primary.put(f"9/Other{number}/nowhere/repodata/x")
    site.primary.write_list()
    shown = [line for line in run(*site.words()).stderr.splitlines() if line.startswith("  ! ")]
    assert len(shown) == 21
    assert shown[-1] == "  ! 5 more; --json names them all"
    assert len(json.loads(run(*site.words("--full", "--json")).stdout)["problems"]) == 25


def test_json(site: Site) -> None:
    """It prints one object, which names everything that changed."""
    found = json.loads(run(*site.words("--json")).stdout)
    assert found["directories_added"][0] == "pub/epel/9"
    assert found["repositories_added"] == [f"epel-9 pub/epel/{X86}"]
    assert (found["unchanged"], found["dry_run"], found["problems"]) == (False, False, [])
    assert json.loads(run(*site.words("--json")).stdout)["unchanged"]


def test_json_that_nobody_reads(site: Site) -> None:
    """A reader that ended first is not a failure of the scan, which is done."""
    assert run_unread(*site.words("--json")) == (0, "")
    assert "nothing has changed" in run(*site.words()).stderr


def test_a_refused_scan(site: Site) -> None:
    """Too many deletions, and a list that is cut short, end it with code 3 and one line."""
    run(*site.words())
    site.primary.list.write_text(f"[Files]\n{NOW}\td\t0\t9\n[End]\n")
    assert_refused(run(*site.words()), 3, "4 of 6 directories would be deleted", "--allow-del")
    shown = run(*site.words("--dry-run", "--allow-deletions"))
    assert f"- directories: pub/epel/{X86}\n" in shown.stdout
    site.primary.list.write_text(f"[Files]\n{NOW}\td\t0\t9\n")
    assert_refused(run(*site.words()), 3, "no [End] in it", "what is in the database stays")


@pytest.mark.parametrize(
    ("option", "value", "code", "words"),
    [
        ("--config", "/none/scan.toml", 2, "/none/scan.toml: cannot be read: No such file"),
        ("--database", "mysql://x/y", 2, "mysql: not a kind of database"),
        ("--database", "sqlite:////none/x", 3, "/none/x: no such database file"),
        ("--list", "/none/list", 3, "/none/list: cannot be read: No such file"),
    ],
)
def test_a_wrong_option(site: Site, option: str, value: str, code: int, words: str) -> None:
    """It is refused in one line that names it."""
    assert_refused(run(*site.words(option, value)), code, words)


def test_a_database_of_something_else(site: Site, tmp_path: Path) -> None:
    """A file without MirrorManager's tables, or without categories, says what to do next."""
    other = tmp_path / "other.sqlite"
    other.touch()
    done = run(*site.words("--database", f"sqlite:///{other}"))
    assert_refused(done, 3, "no such table: category; is it MirrorManager's? check the URL")
    words = ["Nothing" if one == CATEGORY else one for one in site.words()]
    assert_refused(run(*words), 2, "category Nothing: not in the database; the database has Fed")
    execute(site.url, "DELETE FROM category")
    assert_refused(run(*site.words()), 2, "the database has no category; docs/scan.md (Before")


def test_the_rows_of_the_page(tmp_path: Path) -> None:
    """With the rows of docs/scan.md, a database that had none gets its first repository."""
    primary, url = Primary(tmp_path), make_database(tmp_path / "new.sqlite", {})
    primary.repository(X86)
    execute(url, *sql_of_page()[0])
    assert primary.scan(url, walk=True).changes.repositories_added == [f"epel-9 pub/epel/{X86}"]


def test_an_unchanged_list_is_not_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a list with the same bytes no row is read; with the same inode and times, no byte."""
    monkeypatch.setattr(list_file, "_SETTLED_NS", -1)
    job = site.primary.job(site.url, list=site.primary.list)
    scan(job)
    monkeypatch.setattr(sources, "read_full_list", None)
    os.utime(site.primary.list, (NOW, NOW + 1))
    assert scan(job).unchanged
    monkeypatch.setattr(case_module, "list_digest", None)
    with statements() as sent:
        assert scan(job).unchanged
    assert len(sent) < 8


def test_what_an_unchanged_list_loads(site: Site) -> None:
    """A scan that finds nothing new loads none of what lists, reads and writes."""
    os.utime(site.primary.list, (NOW, NOW))
    assert run(*site.words()).returncode == 0
    program = (
        "import sys\nfrom mirrorlist.cli import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *site.words()], capture_output=True, text=True, check=True
    )
    assert "nothing has changed" in done.stderr
    heavy = {"rich", "sqlalchemy", "psycopg", "logging", "subprocess", "tempfile", "difflib"}
    assert not heavy & {*done.stdout.splitlines()}


def test_a_list_in_the_folder(site: Site) -> None:
    """The first list in the category's folder is read; --walk lists the folder itself."""
    job = site.primary.job(site.url, list=None)
    listed = site.primary.root / "fullfiletimelist-epel"
    listed.write_text(f"[Files]\n{NOW}\tf\t1\tonly/x\n[End]\n")
    assert scan(job).directories == 2
    walked = msgspec.structs.replace(job, walk=True, allow_deletions=True)
    assert scan(walked).directories == 6


def test_a_list_above_the_folder(site: Site) -> None:
    """The list of Fedora Linux is one folder up, with linux/ before its paths."""
    connection = sqlite3.connect(site.url.removeprefix("sqlite:///"))
    with connection:
        connection.execute("UPDATE category SET name = 'Fedora Linux' WHERE id = 1")
    connection.close()
    listed = site.primary.root.parent / "fullfiletimelist-fedora"
    listed.write_text(f"[Files]\n{NOW}\tf\t1\tlinux/a/x\n{NOW}\tf\t1\tother/x\n[End]\n")
    scan(site.primary.job(site.url, list=None, category="Fedora Linux"))
    names = [row[0] for row in contents(site.url)["directory"]]
    assert names == ["pub/epel", "pub/epel/a", "pub/other"]


@contextmanager
def web(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the files of a folder, and collect the paths that are asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            file = folder / self.path.removeprefix("/base/pub/epel/")
            self.send_response(200 if file.is_file() else 404)
            self.end_headers()
            if file.is_file():
                self.wfile.write(file.read_bytes())

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/base/", asked
        finally:
            server.shutdown()
            thread.join()


def test_files_of_a_web_server(site: Site) -> None:
    """Metadata is fetched below checksum_base; what is not there is reported, and asked again."""
    site.primary.repository("testing/9/Everything/x86_64")
    listed = site.primary.write_list()
    (site.primary.root / f"{X86}/repodata/repomd.xml").unlink()
    with web(site.primary.root) as (base, asked):
        category = CategorySettings(CATEGORY, "rsync", "rsync://none/x", checksum_base=base)
        settings = msgspec.structs.replace(SETTINGS, category=[category])
        job = site.primary.job(site.url, settings=settings, source=None, list=listed)
        result = scan(job)
        assert sorted(asked) == [
            f"/base/pub/epel/{X86}/repodata/repomd.xml",
            "/base/pub/epel/testing/9/Everything/x86_64/repodata/repomd.xml",
        ]
        why = "cannot be read: Not Found; its details stay"
        assert result.problems == [f"{X86}/repodata/repomd.xml: {why}"]
        assert len(contents(site.url)["file_detail"]) == 1
        asked.clear()
        assert not scan(job).unchanged
        assert asked == [f"/base/pub/epel/{X86}/repodata/repomd.xml"]
