"""Spool files by HTTP: with the token they are on the disk before the answer, else nothing is."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from mirrorlist.status.spool_receiver import make_receiver
from snapshot.stats import spool
from snapshot.stats.collecting import collect
from snapshot.stats.spool import MOST_FILE_BYTES
from tests.command import COMMAND, PLAIN, assert_refused, run
from tests.stats_world import batch, batches, hold_all_sums, query, row, sqlite

TOKEN = "a token of some length"
GOOD = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """A client of a receiver that writes into the folder."""
    return TestClient(make_receiver(tmp_path, TOKEN))


def test_files_that_are_taken(client: TestClient, tmp_path: Path) -> None:
    """Each is there once, also when it is sent again, and a collector takes it."""
    given = batches(1, 3, 5)
    packs = [spool.encode(given[:1]), spool.encode(given[1:]), spool.encode(given[:1])]
    for data in packs:
        assert client.post("/spool", content=data, headers=GOOD).status_code == 204
    names = [one.name for one in tmp_path.iterdir()]
    assert len(names) == 2
    url = sqlite(tmp_path)
    assert collect([tmp_path], url).batches == 3
    hold_all_sums(url, given)


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        pytest.param({}, b"", 401, id="no token"),
        pytest.param({"authorization": "Bearer x"}, b"", 401, id="a wrong token"),
        pytest.param({"authorization": f"Basic {TOKEN}"}, b"", 401, id="another scheme"),
        pytest.param(GOOD, b"", 400, id="nothing"),
        pytest.param(GOOD, spool.encode(batches(2, 1, 5))[:-5], 400, id="cut short"),
        pytest.param(GOOD, bytes(MOST_FILE_BYTES + 1), 413, id="too large"),
    ],
)
def test_what_is_not_taken(
    client: TestClient, tmp_path: Path, headers: dict[str, str], content: bytes, status: int
) -> None:
    """Without the token, damaged or too large: answered with a line, and nothing is written."""
    answer = client.post("/spool", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.text.count("\n") == 1
    assert [*tmp_path.iterdir()] == []


def test_a_disk_that_cannot_take_it(tmp_path: Path) -> None:
    """The sender hears that it has to keep its file."""
    client = TestClient(make_receiver(tmp_path / "missing", TOKEN))
    answer = client.post("/spool", content=spool.encode(batches(1, 1, 1)), headers=GOOD)
    assert answer.status_code == 507
    assert answer.text == "The file cannot be written: No such file or directory.\n"


def test_other_methods(client: TestClient) -> None:
    """Only POST to the one path is answered."""
    assert client.get("/spool").status_code == 405
    assert client.post("/other", headers=GOOD).status_code == 404


def test_the_token_file(tmp_path: Path) -> None:
    """It is required, and must hold a token that cannot be guessed."""
    token, url = tmp_path / "token", sqlite(tmp_path)
    words = ["stats", "collect", tmp_path, "--database", url, "--listen", "127.0.0.1:0"]
    assert_refused(run(*words), 2, "--listen needs --token-file")
    assert_refused(run(*words, "--token-file", token), 2, f"{token}: the token cannot be read")
    token.write_text("short\n")
    assert_refused(run(*words, "--token-file", token), 2, "at least 16 ASCII characters")


@pytest.mark.system
def test_the_command(tmp_path: Path) -> None:
    """It receives, collects until the end, and ends on SIGTERM with 0."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    url, folder = sqlite(tmp_path), tmp_path / "spool"
    words = [*COMMAND, "stats", "collect", str(folder), "--database", url, "--interval", "1"]
    words += ["--listen", "127.0.0.1:0", "--token-file", str(tmp_path / "token"), "--expire"]
    words += ["--admin", "none"]
    given = [batch(1, row()), batch(2, row(arch="aarch64"))]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=PLAIN) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        try:
            address = line.split()[-1]
            for one in given:
                request = urllib.request.Request(address, spool.encode([one]), GOOD)
                with urllib.request.urlopen(request) as answer:
                    assert answer.status == 204
            while not _has(url, 2):
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0, line
        assert "; at the start: " in process.stderr.read()
    hold_all_sums(url, given)


def _has(url: str, count: int) -> bool:
    tables = query(url, "SELECT count(*) FROM sqlite_master WHERE name = 'stat_batch'")
    return tables == [(1,)] and query(url, "SELECT count(*) FROM stat_batch") == [(count,)]
