"""What a program with the name of rsync prints: rows that no usual server has, and garbage."""

from pathlib import Path

import pytest

from snapshot.file.errors import ListingError
from snapshot.scan.inventory import Inventory
from snapshot.scan.rsync_listing import read_rsync

ROW = "{}rw-r--r--  {:>12} {} {}\n"
TIME = "2026/11/27 18:06:01"


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rsync be a program that prints a file."""
    file = tmp_path / "rsync"
    file.write_text(f"#!/bin/sh\n/bin/cat {tmp_path}/output\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def listed(tmp_path: Path, text: str) -> Inventory:
    """Return the inventory of an output."""
    (tmp_path / "output").write_text(text)
    inventory = Inventory("pub/epel")
    read_rsync("rsync://none/x/", ("", ""), inventory, lambda _: None)
    return inventory


@pytest.mark.parametrize("time", ["10000/01/01 00:01:4", "(time out of range)"])
def test_a_time_that_rsync_cannot_show(tmp_path: Path, time: str) -> None:
    """The file and the directory are there all the same, so no row of them is deleted."""
    found = listed(tmp_path, ROW.format("-", 5, time, "a/x") + ROW.format("d", 0, time, "b"))
    assert found.directories["a"].files == [("x", 5, 0)]
    assert found.directories["b"].ctime is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ROW.format("-", 5, "2026/13/45 00:00:00", "x"), id="no day"),
        pytest.param(ROW.format("-", "...", TIME, "x"), id="no size"),
        pytest.param(ROW.format("-", "9" * 20, TIME, "x"), id="a size beyond 64 bits"),
        pytest.param("x" * (5 << 20), id="no end of a line"),
        pytest.param("<html>\n", id="no row"),
        pytest.param("", id="nothing"),
    ],
)
def test_garbage(tmp_path: Path, text: str) -> None:
    """It is a failed listing."""
    with pytest.raises(ListingError, match=r"^rsync://none/x/: (not a listing|the listing is)"):
        listed(tmp_path, text)
