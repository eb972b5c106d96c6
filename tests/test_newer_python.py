"""A newer Python than the one that runs this test: a part of the plain tests passes there too."""

import os
import subprocess

import pytest

from tests.system import ROOT, need_power

# What new releases of Python have broken, or may: garbage and frames, event loops, processes and
# signals, the command line, types that msgspec reads, SQLite. `make newer` runs all plain tests.
PART = """
    accesslog admin apart app beside cli counts database entrance exporter format garbage geo hosts
    import_cache jobs leftout light listener logfile messages metalink mmdb proxyheader publish
    push query reader refresh replay serve_settings service shared signals source states supervisor
    systemd threads watch watch_agenda watch_look workers writer
"""


@pytest.mark.system
def test_a_part_of_the_tests() -> None:
    """These tests pass on a newer Python with the same locked versions, and none is skipped."""
    found = subprocess.run(
        [ROOT / "scripts" / "newer-python"], capture_output=True, text=True, check=False
    )
    why_not = (found.stderr.strip().splitlines() or ["no newer Python"])[-1]
    need_power(found.returncode == 0, why_not)
    files = [f"tests/test_{name}.py" for name in PART.split()]
    done = subprocess.run(
        [ROOT / "scripts" / "test-newer", "-m", "not system", "-q", *files],
        cwd=ROOT,
        # With REQUIRE_ALL random tests would try three times as many examples.
        env={**os.environ, "REQUIRE_ALL": "0", "NEWER_PYTHON": found.stdout.strip()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert " skipped" not in done.stdout
