"""Checksums of a scan: which files are read, what they say, and how long alternates stay."""

import threading
import time
from pathlib import Path

import pytest

from snapshot.scan.checksums import checksum_lines
from snapshot.scan.run import scan
from tests.factories import MD5, SHA1, SHA256, SHA512
from tests.scanned import (
    CATEGORY,
    NOW,
    X86,
    Primary,
    contents,
    database,
    execute,
    repomd,
    rows,
    stamps,
)

DAY = 86_400


@pytest.fixture
def primary(tmp_path: Path) -> Primary:
    """A primary with one repository."""
    primary = Primary(tmp_path)
    primary.repository(X86)
    return primary


def test_metadata_is_read_when_it_changed(primary: Primary, tmp_path: Path) -> None:
    """Its own time or size decides, not that of its directory; the old row stays beside it."""
    url = database(tmp_path)
    primary.repository("10/Everything/x86_64")
    now = int(time.time())
    primary.scan(url)
    primary.put(f"{X86}/repodata/repomd.xml", repomd(now), now)
    result = primary.scan(url)
    assert (result.files_read, result.changes.details_added) == (1, 1)
    assert result.changes.directories_changed == [f"pub/epel/{X86}/repodata"]
    assert stamps(url) == [NOW, NOW, now]


def test_a_refused_thread(
    primary: Primary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system gives no thread, all metadata are read without one."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    url = database(tmp_path)
    primary.repository("10/Everything/x86_64")
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert primary.scan(url).files_read == 2


def test_linked_metadata(primary: Primary, tmp_path: Path) -> None:
    """A repomd.xml that a list calls a link is read at each change, and not shown to crawlers."""
    url, link = database(tmp_path), primary.root / X86 / "repodata/repomd.xml"
    primary.put("shared.xml", repomd(NOW + 1), NOW)
    link.unlink()
    link.symlink_to("../../../../shared.xml")
    result = primary.scan(url)
    assert (result.links, result.problems, stamps(url)) == (1, [], [NOW + 1])
    place = f"pub/epel/{X86}/repodata"
    assert rows(url, f"SELECT files FROM directory WHERE name = '{place}'") == [(b"[]",)]
    primary.put("shared.xml", repomd(NOW + 2), NOW + 2)
    assert primary.scan(url).files_read == 1
    assert stamps(url) == [NOW + 2]


@pytest.mark.parametrize(
    ("ages", "umdl", "kept"),
    [
        pytest.param([0, 1], False, [0, 1], id="young"),
        pytest.param([0, 5, 6], False, [0, 5], id="old: the two newest while the newest is young"),
        pytest.param([2.5, 5], False, [2.5], id="the newest has reached all"),
        pytest.param([2.5, 5], True, [2.5, 5], id="umdl waits a day longer"),
        pytest.param([3.5, 5], True, [3.5], id="umdl"),
        pytest.param([9], False, [9], id="the newest is never lost"),
        pytest.param([0, 1, 2], False, [0, 1, 2], id="three young ones"),
    ],
)
def test_aging(
    primary: Primary, tmp_path: Path, ages: list[float], umdl: bool, kept: list[float]
) -> None:
    """Alternates stay as long as the configuration or umdl says."""
    now = int(time.time())
    url, times = database(tmp_path), [int(now - age * DAY) for age in ages]
    primary.repository(X86, times[0])
    primary.scan(url)
    for id, stamp in enumerate(times[1:], 100):
        columns = "id, directory_id, filename, timestamp, size, md5, sha1, sha256, sha512"
        place = "SELECT directory_id FROM file_detail LIMIT 1"
        values = f"{id}, ({place}), 'repomd.xml', {stamp}, 1, '{MD5}', '{SHA1}', '{SHA256}', ''"
        execute(url, f"INSERT INTO file_detail ({columns}) VALUES ({values})")
    primary.scan(url, full=True, umdl_ages=umdl)
    assert stamps(url) == sorted(int(now - age * DAY) for age in kept)


def test_a_quiet_database_ages(primary: Primary, tmp_path: Path) -> None:
    """An alternate that gets too old ends the quiet, although nothing on the primary changed."""
    url, now = database(tmp_path), int(time.time())
    primary.repository(X86, now - 5 * DAY)
    primary.scan(url)
    primary.repository(X86, now)
    primary.scan(url)
    assert primary.scan(url).unchanged
    execute(url, "UPDATE mirrorlist_scan SET due = 1")
    assert not primary.scan(url).unchanged


def test_the_file_of_now_is_never_aged(primary: Primary, tmp_path: Path) -> None:
    """A repository that was rolled back keeps the row of the file that is there, however old."""
    url, now = database(tmp_path), int(time.time())
    primary.repository(X86, now)
    primary.scan(url)
    primary.repository(X86, now - 30 * DAY)
    primary.scan(url)
    assert stamps(url) == [now - 30 * DAY, now]
    assert primary.scan(url).unchanged


@pytest.mark.parametrize("unknown", ["''", "NULL"])
def test_rows_of_the_other_scanners(primary: Primary, tmp_path: Path, unknown: str) -> None:
    """A row with empty sums, or with NULL, is not written again."""
    primary.put("9/images/a.iso", b"iso")
    primary.put("9/images/x-CHECKSUM", f"SHA256 (a.iso) = {SHA256}\n".encode())
    url = database(tmp_path)
    primary.scan(url)
    execute(url, f"UPDATE file_detail SET md5 = {unknown} WHERE filename = 'a.iso'")
    assert primary.scan(url, full=True).changes.details_added == 0


@pytest.mark.parametrize(
    ("name", "text", "sums"),
    [
        pytest.param("x-CHECKSUM", f"SHA256 (a.iso) = {SHA256}\n# no\n", (None, None, SHA256, None),
                     id="BSD"),
        pytest.param("x-CHECKSUM", f"SHA512 (a.iso) = {SHA512}\nMD5 (a.iso) = {MD5}\n",
                     (MD5, None, None, SHA512), id="two sums in one row"),
        pytest.param("SHA1SUM", f"{SHA1} *a.iso\n{SHA1}  gone.iso\n", (None, SHA1, None, None),
                     id="GNU, and a file that is not there"),
        pytest.param("md5sum.txt", f"{MD5}  ./a.iso\n", (MD5, None, None, None), id="md5sum.txt"),
        pytest.param("a.sha512sum", f"{SHA512}  a.iso\n", (None, None, None, SHA512), id="suffix"),
        pytest.param("x-CHECKSUM", "Hash: SHA256\n", None, id="no sum in it"),
    ],
)  # fmt: skip
def test_checksum_files(
    primary: Primary, tmp_path: Path, name: str, text: str, sums: tuple[str | None, ...] | None
) -> None:
    """The files that they name have the sums, with the size and time of the inventory."""
    primary.put("9/images/a.iso", b"iso", NOW + 7)
    primary.put(f"9/images/{name}", text.encode())
    url = database(tmp_path)
    primary.scan(url)
    found = [row for row in contents(url)["file_detail"] if row[1] == "a.iso"]
    wanted = [("pub/epel/9/images", "a.iso", NOW + 7, 3, *sums)] if sums else []
    assert found == wanted


def test_an_ostree_repository(primary: Primary, tmp_path: Path) -> None:
    """It is the directory with `summary` and `objects`; its summary has all four sums."""
    primary.put("ostree/40/summary", b"summary", NOW + 1)
    primary.put("ostree/40/objects/a")
    url = database(tmp_path)
    primary.scan(url)
    found = contents(url)
    assert (
        "pub/epel/ostree/40",
        "atomic-40",
        CATEGORY,
        "40",
        "x86_64",
        "pub/epel/ostree/40",
        0,
    ) in (found["repository"])
    (detail,) = (row for row in found["file_detail"] if row[1] == "summary")
    assert detail[2:4] == (NOW + 1, 7)
    assert all(detail[4:])


@pytest.mark.parametrize(
    "content", [pytest.param(None, id="missing"), pytest.param(b"<repomd>", id="half written")]
)
def test_metadata_that_cannot_be_read(
    primary: Primary, tmp_path: Path, content: bytes | None
) -> None:
    """It is reported, the old details stay, and each scan tries again until it can be read."""
    url, now = database(tmp_path), int(time.time())
    primary.scan(url)
    file = primary.root / f"{X86}/repodata/repomd.xml"
    primary.put(f"{X86}/repodata/repomd.xml", content or b"", now)
    primary.write_list()
    if content is None:
        file.unlink()
    result = scan(primary.job(url, list=primary.list))
    assert [one for one in result.problems if "repomd.xml: cannot be read: " in one]
    assert stamps(url) == [NOW]
    again = scan(primary.job(url, list=primary.list))
    assert again.unchanged == (content is None)
    file.write_bytes(repomd(now))
    scan(primary.job(url, list=primary.list))
    assert stamps(url) == [NOW, now]


def test_a_costly_checksum_file() -> None:
    """No line takes longer than its length."""
    lines = [f"{SHA256}  {' ' * 100_000}/", f"SHA256 (a) = {'a' * 100_000}{' ' * 100_000}x"]
    assert checksum_lines("\n".join([*lines, f"{SHA256}  b \r"])) == {"b": {"sha256": SHA256}}
