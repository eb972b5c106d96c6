"""rsync listings, of real runs of rsync."""

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from snapshot.file.errors import ListingError
from snapshot.scan.config import CategorySettings
from snapshot.scan.inventory import Inventory
from snapshot.scan.rsync_listing import read_rsync
from snapshot.scan.run import scan
from tests.clients.rsync import run_daemon
from tests.scanned import CATEGORY, NOW, SETTINGS, X86, Primary, contents, database, rows
from tests.system import need_program

pytestmark = pytest.mark.system


@pytest.fixture
def primary(tmp_path: Path) -> Primary:
    """A primary with one repository and a checksum file."""
    need_program("rsync", "rsync")
    primary = Primary(tmp_path)
    primary.repository(X86)
    primary.put("9/images/a b.iso", b"x" * 5000)
    primary.put("9/images/x-CHECKSUM", b"SHA256 (a b.iso) = " + b"ab" * 32)
    for path in sorted(primary.root.rglob("*"), reverse=True):
        if path.is_dir():
            os.utime(path, (NOW, NOW))
    return primary


def read(url: Path | str, *options: str) -> Inventory:
    """Return the inventory of a URL."""
    inventory = Inventory("pub/epel")
    read_rsync(str(url), (" ".join(options), ""), inventory, lambda _: None)
    return inventory


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_rsync_lists_what_a_list_has(
    primary: Primary, tmp_path: Path, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are those of a full list, in every time zone; files are fetched by rsync."""
    monkeypatch.setenv("TZ", zone)
    (tmp_path / "other").mkdir()
    fetched, listed = database(tmp_path), database(tmp_path / "other")
    category = CategorySettings(CATEGORY, "rsync", f"{primary.root}/")
    settings = msgspec.structs.replace(SETTINGS, category=[category])
    result = scan(primary.job(fetched, settings=settings, source=None, list=None))
    primary.scan(listed)
    found, wanted = contents(fetched), contents(listed)
    for tables in (found, wanted):
        tables["directory"] = [row for row in tables["directory"] if row[0] != "pub/epel"]
    assert result.problems == []
    assert found == wanted
    again = primary.job(fetched, settings=settings, source=None, list=None)
    assert scan(again).unchanged


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_daemon(primary: Primary, tmp_path: Path, slash: str) -> None:
    """A source is an rsync daemon too: the list and the files come from there."""
    url = database(tmp_path)
    with run_daemon(tmp_path, "127.0.0.1", {"epel": primary.root}) as daemon:
        source = f"{daemon.url}/epel{slash}"
        result = scan(primary.job(url, source=source, list=None))
        assert (result.problems, result.files_read) == ([], 2)
        assert result.changes.repositories_added == [f"epel-9 pub/epel/{X86}"]
        assert scan(primary.job(url, source=source, list=None)).unchanged
        with pytest.raises(ListingError, match="rsync ended with status 5: @ERROR: Unknown module"):
            scan(primary.job(url, source=f"{daemon.url}/none", list=None))


def test_names(primary: Primary) -> None:
    """Names have any characters; links and names that are not UTF-8 are left out and reported."""
    primary.put("9/images/ä\n\\#012")
    (primary.root / os.fsdecode(b"9/images/\xff")).touch()
    (primary.root / "9/images/link").symlink_to("x")
    inventory = read(f"{primary.root}/")
    names = {one[0] for one in inventory.directories["9/images"].files}
    assert {"a b.iso", "x-CHECKSUM", "ä\n\\#012"} <= names
    assert len(names) == 3
    assert inventory.links == 1
    assert inventory.problems == [r"9/images/\xff: the name is not UTF-8"]


def test_a_failed_listing(primary: Primary, tmp_path: Path) -> None:
    """Another exit status than 0 is a failure, whatever was listed before."""
    with pytest.raises(ListingError, match="rsync ended with status 23: "):
        read(tmp_path / "none")
    shutil.rmtree(primary.root / "9")
    with pytest.raises(ListingError, match="rsync ended with status 1"):
        read(f"{primary.root}/", "--no-such-option")
    with pytest.raises(ListingError, match="the rsync options of the configuration: No closing"):
        read(f"{primary.root}/", "'")


def test_no_rsync(primary: Primary, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without rsync is told so."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ListingError, match="rsync cannot be run: No such file"):
        read(primary.root)


def test_one_path(primary: Primary, tmp_path: Path) -> None:
    """Of a path only that is listed; all else stays as the last scan saw it."""
    url, other = database(tmp_path), "10/Everything/x86_64"
    with run_daemon(tmp_path, "127.0.0.1", {"epel": primary.root}) as daemon:
        source = f"{daemon.url}/epel"

        def stamps(*paths: str) -> dict[str, int]:
            result = scan(primary.job(url, source=source, list=None, paths=paths))
            assert not result.problems
            found = rows(
                url,
                """SELECT d.name, max(f.timestamp) FROM file_detail f
                JOIN directory d ON d.id = f.directory_id WHERE f.filename = 'repomd.xml'
                GROUP BY d.name""",
            )
            return {name.removeprefix("pub/epel/")[:2].strip("/"): stamp for name, stamp in found}

        primary.repository(other)
        assert stamps() == {"9": NOW, "10": NOW}
        before = contents(url)
        assert stamps(X86) == {"9": NOW, "10": NOW}
        assert contents(url) == before
        for path in (X86, other):
            primary.repository(path, NOW + 5)
        assert stamps(X86) == {"9": NOW + 5, "10": NOW}
        primary.repository("11/Everything/x86_64", NOW + 6)
        assert stamps("11/Everything/x86_64") == {"9": NOW + 5, "10": NOW, "11": NOW + 6}
        assert stamps() == {"9": NOW + 5, "10": NOW + 5, "11": NOW + 6}
        with pytest.raises(ListingError, match="rsync ended with status 23"):
            stamps("12")
