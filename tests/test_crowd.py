"""Users as dnf makes them: what they ask for, what they accept, and a short run of locust."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.crowd import Entry, users_sheet
from loadtest.mix import Data, Logged
from loadtest.users import fault, known_only, newest
from tests.live import ROOT

METALINK = (
    b'<metalink xmlns="http://www.metalinker.org/"><files><file name="repomd.xml"><resources>'
    b"%b</resources></file></files></metalink>"
)
URL = b'<url protocol="https">https://a.example/repodata/repomd.xml</url>'


@pytest.mark.parametrize(
    ("target", "status", "body", "says"),
    [
        pytest.param("/metalink?a", 200, METALINK % URL, None, id="metalink"),
        pytest.param("/metalink?a", 200, METALINK % b"", "no URL in the metalink", id="no URL"),
        pytest.param("/metalink?a", 200, METALINK[:90], "no XML: ", id="cut short"),
        pytest.param("/metalink?a", 200, b"<metalink/>", "no repomd.xml", id="no file"),
        pytest.param(
            "/metalink?a", 200, b"<metalink><!-- repo disabled --></metalink>", None, id="disabled"
        ),
        pytest.param("/metalink?a", 404, METALINK % URL, "status 404", id="404"),
        pytest.param("/mirrorlist?a", 200, b"# a\nhttps://a/\n", None, id="text"),
        pytest.param("/mirrorlist?a", 200, b"# a\n", "no URL in the list", id="empty text"),
    ],
)
def test_what_users_accept(target: str, status: int, body: bytes, says: str | None) -> None:
    """An answer is good if dnf could use it, and else says why not."""
    found = fault(target, status, body)
    if says is None:
        assert found is None
    else:
        assert found is not None
        assert found.startswith(says)


def test_a_release_day_is_about_the_newest_release() -> None:
    """Whoever upgrades asks for the newest release that has updates; a normal day is of all."""
    repositories = (
        "fedora-9",
        "updates-released-f9",
        "fedora-10",
        "updates-released-f10",
        "epel-11",
    )
    homes = {(prefix, "x86_64"): "pub" for prefix in repositories}
    log = [Logged("192.0.2.1", prefix, "x86_64") for prefix in ("epel-11", "nowhere", "fedora-9")]
    data = Data(log, [], [], homes)
    assert {one.repo for one in newest(data)} == {"fedora-10", "updates-released-f10"}
    assert [one.repo for one in known_only(data).log] == ["epel-11", "fedora-9"]


def test_percentiles() -> None:
    """The table says within how many milliseconds half, 95 and 99 of a hundred came."""
    entry = Entry("NormalDay", 1000, 1, {1: 500, 2: 449, 9: 41, 70: 10}, 100.0, 110.0)
    assert [entry.percentile(percent) for percent in (50, 94.9, 95, 99, 99.1)] == [1, 2, 9, 9, 70]
    (row,) = users_sheet([entry]).rows
    assert row == ["NormalDay", "1,000", "1", "1", "9", "9", "100"]
    assert Entry("Unknown", 0, 0, {}, 100.0, None).a_second == 0


@pytest.mark.system
def test_a_short_run(tmp_path: Path) -> None:
    """Users of each kind get what they should, and the table says how long it took."""
    command = [sys.executable, "-m", "loadtest.crowd", "--users", "20", "--seconds", "4"]
    done = subprocess.run(
        [*command, "--scale", "0.01", "--directory", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=dict(os.environ),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    found = {row[0].removeprefix("| "): row for row in rows}
    for kind in ("NormalDay", "ReleaseDay", "Unknown"):
        assert int(found[kind][1].replace(",", "")) > 0
        assert found[kind][2] == "0"
    assert "us of CPU a request" in done.stdout
