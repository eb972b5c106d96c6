"""The request log: its line as MirrorManager's statistics read it, and trouble with its file."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.accesslog import AccessLog, format_line
from mirrorlist.answer import LogEntry
from mirrorlist.errors import StartError

# 2026-11-21 23:59:59 UTC: already the next day in Europe, still the same in America.
LATE = 1795305599.9
ENTRY = LogEntry("192.0.2.1", "DE", "rawhide", "x86_64")
LINE = b"IP: 192.0.2.1; DATE: 2026-11-21; COUNTRY: DE; REPO: rawhide; ARCH: x86_64\n"
# MirrorManager's own pattern (mirrorlist_statistics.py) for a line.
STATISTICS = re.compile(
    r"^(IP: )((\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:.]+)(; DATE: )(\d{4}-\d\d-\d\d)"
    r"(; COUNTRY: )([^;]+)(; REPO: )([^;]*)(; ARCH: )([^;]*)$"
)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        pytest.param(ENTRY, LINE.decode(), id="plain"),
        pytest.param(
            LogEntry("2001:db8::1", "N/A", "rawhide", "source"),
            "IP: 2001:db8::1; DATE: 2026-11-21; COUNTRY: N/A; REPO: rawhide; ARCH: source\n",
            id="IPv6, unknown country",
        ),
        pytest.param(
            LogEntry("192.0.2.1", "DE", "a; ARCH: b\nIP: 1.1.1.1", "x\x1b[31m"),
            "IP: 192.0.2.1; DATE: 2026-11-21; COUNTRY: DE; REPO: a??ARCH??b?IP??1.1.1.1;"
            " ARCH: x??31m\n",
            id="hostile",
        ),
        pytest.param(
            LogEntry("192.0.2.1", "DE", "r" * 129, ""),
            f"IP: 192.0.2.1; DATE: 2026-11-21; COUNTRY: DE; REPO: {'r' * 128}; ARCH: \n",
            id="long and empty",
        ),
    ],
)
def test_line(entry: LogEntry, line: str) -> None:
    """A line says address, UTC date, country, repository and arch; hostile text is cut."""
    assert format_line(entry, LATE) == line.encode()


@pytest.fixture(params=["Asia/Tokyo", "America/New_York", "UTC"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """A time zone that the process is in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize(
    ("now", "date"),
    [
        pytest.param(LATE, "2026-11-21", id="last second"),
        pytest.param(LATE + 0.2, "2026-11-22", id="first second"),
        pytest.param(0.0, "1970-01-01", id="epoch"),
    ],
)
def test_date_is_utc(zone: str, now: float, date: str) -> None:
    """The date is UTC's, wherever the server is."""
    assert f"; DATE: {date}; ".encode() in format_line(ENTRY, now)


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_entry_is_one_line(repo: str, arch: str) -> None:
    """Whatever a client wrote, an entry is one line of ASCII that the statistics can read."""
    line = format_line(LogEntry("192.0.2.1", "N/A", repo, arch), LATE)
    assert line.isascii()
    assert STATISTICS.fullmatch(line.decode().removesuffix("\n"))


def test_appends(tmp_path: Path) -> None:
    """Lines are appended to what is there, by several writers too, and are there at once."""
    path = tmp_path / "requests.log"
    path.write_bytes(b"before\n")
    first, second = AccessLog(str(path)), AccessLog(str(path))
    for log in (first, second, first):
        log.write(ENTRY, LATE)
    assert path.read_bytes() == b"before\n" + LINE * 3
    assert first.lost == second.lost == 0


def test_lines_stay_whole(tmp_path: Path) -> None:
    """Lines of writers at the same time are never mixed."""
    path = tmp_path / "requests.log"
    logs = [AccessLog(str(path)) for _ in range(4)]

    def write(log: AccessLog) -> None:
        for _ in range(200):
            log.write(ENTRY, LATE)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, logs))
    assert path.read_bytes() == LINE * 800


def test_mode(tmp_path: Path) -> None:
    """A new log can be read by everybody and written by its owner."""
    AccessLog(str(tmp_path / "requests.log"))
    assert (tmp_path / "requests.log").stat().st_mode & 0o777 == 0o644 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_full_disk() -> None:
    """A full disk loses lines, counts them, and raises nothing."""
    log = AccessLog("/dev/full")
    log.write(ENTRY, LATE)
    log.write(ENTRY, LATE)
    assert log.lost == 2


@pytest.mark.parametrize("name", ["", "missing/requests.log", "."])
def test_unwritable(tmp_path: Path, name: str) -> None:
    """A log that cannot be written stops the start, by name."""
    path = str(tmp_path / name) if name else ""
    with pytest.raises(StartError, match="the log cannot be written") as error:
        AccessLog(path)
    assert str(error.value).startswith(f"{path}: ")
    assert error.value.exit_code == 1


def test_standard_output() -> None:
    """A hyphen is standard output."""
    code = (
        "from mirrorlist.accesslog import AccessLog; from mirrorlist.answer import LogEntry;"
        " AccessLog('-').write(LogEntry('192.0.2.1', 'DE', 'rawhide', 'x86_64'), 1795305599)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == LINE
