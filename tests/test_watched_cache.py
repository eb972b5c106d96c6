"""`import-cache --watch` as it runs beside a mirrorlist-server: a process that stays."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.file.reader import Snapshot
from tests import cache_file as cache
from tests.cache_file import entry, write_cache
from tests.command import PLAIN, SECONDS
from tests.forked import template

# As the command, but for looking 20 times a second.
OFTEN = """
import sys
from snapshot.file import changes
changes.changes.__defaults__ = (0.05,)
from mirrorlist.cli import main
sys.argv[0] = "mirrorlist"
main()
"""
WORDS = "import-cache", "--watch"


class Watch:
    """A running `import-cache --watch`, and what it printed."""

    def __init__(self, folder: Path) -> None:
        """Start it on a cache that may not be there yet."""
        self.cache, self.output = folder / "in" / "cache", folder / "mm.snap"
        self.cache.parent.mkdir()
        self._printed = folder / "printed"

    def start(self, *options: str) -> None:
        """Start it."""
        with self._printed.open("wb") as printed:
            words = [*WORDS, str(self.cache), f"--output={self.output}", *options]
            files = printed, printed
            self.process = template().start(["-c", OFTEN, *words], PLAIN, os.getcwd(), files)

    def wait_for(self, text: str, count: int = 1) -> str:
        """Return the output as soon as it has a text this many times."""
        deadline = time.monotonic() + SECONDS
        while (printed := self._printed.read_text()).count(text) < count:
            assert self.process.poll() is None, printed
            assert time.monotonic() < deadline, printed
            time.sleep(0.02)
        return printed

    def stop(self) -> int:
        """End it as an operator would, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """The one watch of a test."""
    found = Watch(tmp_path)
    yield found
    sys.stdout.write((tmp_path / "printed").read_text())
    if found.process.poll() is None:
        found.process.send_signal(signal.SIGKILL)
        found.process.wait()


def test_from_the_start_to_the_end(watch: Watch) -> None:
    """It waits for a cache, keeps what it published when junk comes, and goes on after it."""
    watch.start()
    watch.wait_for("No such file or directory; what was published stays; waiting")
    write_cache(watch.cache)
    watch.wait_for("3 hosts")
    assert watch.output.stat().st_mode & 0o777 == 0o644
    first = Snapshot(watch.output).id
    watch.cache.write_bytes(b"\xffjunk")
    watch.wait_for("not a mirrorlist cache")
    assert Snapshot(watch.output).id == first
    # As rsync does it: a new file that is renamed over the old one.
    new = write_cache(watch.cache.with_name(".new"), (cache.REDIRECTS, entry("a", "linux-40")))
    os.rename(new, watch.cache)
    watch.wait_for("3 hosts", 2)
    assert Snapshot(watch.output).redirects == {"a": "linux-40"}
    assert watch.stop() == 0


def test_as_json(watch: Watch) -> None:
    """With --json each import is a line."""
    write_cache(watch.cache)
    watch.start("--json")
    line = watch.wait_for("\n").splitlines()[0]
    assert json.loads(line)["counts"]["hosts"] == 3
    assert watch.stop() == 0
