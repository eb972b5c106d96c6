"""What a scan takes from a repomd.xml, and what it refuses instead of writing its sums."""

from pathlib import Path

import pytest

from snapshot.scan.repomd import newest_timestamp
from tests.scanned import NOW, X86, Primary, contents, database


def document(*stamps: str) -> bytes:
    """Return a repomd.xml with these timestamps."""
    rows = "".join(f"<data><timestamp>{one}</timestamp></data>" for one in stamps)
    return f'<repomd xmlns="http://linux.duke.edu/metadata/repo">{rows}</repomd>'.encode()


@pytest.mark.parametrize(
    ("stamps", "newest"),
    [
        pytest.param(["5", "7", "6"], 7, id="the largest"),
        pytest.param([" 5.9 "], 5, id="a part of a second"),
        pytest.param([], None, id="no timestamp"),
        pytest.param(["253402300799"], 253_402_300_799, id="the last second"),
        pytest.param(["253402300800", "5"], 5, id="one more"),
        pytest.param(["9" * 20], None, id="more than 64 bits"),
        pytest.param(["9" * 400, "5"], 5, id="more than a float"),
        pytest.param(["NaN", "1e400", "-5", "", "5 5", "²"], None, id="not a number"),
        pytest.param(["\n" * 1_000_000], None, id="a million lines"),
    ],
)
def test_timestamps(stamps: list[str], newest: int | None) -> None:
    """The largest one that is a time counts; an impossible one does not."""
    assert newest_timestamp(document(*stamps)) == newest


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b"", "not XML", id="empty"),
        pytest.param(document("5")[:-1], "not XML", id="half written"),
        pytest.param(b"<html><body/></html>", "its root is <html>", id="a web page"),
        pytest.param(
            b'<?xml version="1.0" encoding="none"?><repomd/>', "unknown encoding", id="encoding"
        ),
        pytest.param(
            b'<!DOCTYPE r [<!ENTITY a "b">]><repomd>&a;</repomd>', "document type", id="entities"
        ),
    ],
)
def test_what_is_refused(body: bytes, why: str, tmp_path: Path) -> None:
    """It is reported and writes no sums; the other repositories of the category have theirs."""
    primary, url = Primary(tmp_path), database(tmp_path)
    primary.repository(X86)
    primary.repository("10/Everything/x86_64")
    primary.put(f"{X86}/repodata/repomd.xml", body)
    (problem,) = primary.scan(url).problems
    assert problem.startswith(f"{X86}/repodata/repomd.xml: cannot be read: ")
    assert why in problem
    assert [row[:3] for row in contents(url)["file_detail"]] == [
        ("pub/epel/10/Everything/x86_64/repodata", "repomd.xml", NOW)
    ]


def test_an_impossible_timestamp(tmp_path: Path) -> None:
    """The sums are written all the same, with the time of the file."""
    primary, url = Primary(tmp_path), database(tmp_path)
    primary.repository(X86)
    primary.put(f"{X86}/repodata/repomd.xml", document("9" * 30))
    assert primary.scan(url).problems == []
    assert [row[2] for row in contents(url)["file_detail"]] == [NOW]
