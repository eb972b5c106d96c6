"""Memory is prepared for forks: what is free is given back, and what is left stays shared."""

import subprocess
import sys

import pytest

from tests.live import ROOT

# In a process of its own, because the collector would look at nothing of the tests any more.
_CASES = {
    "objects are left alone by the collector": """
        share_all()
        assert gc.get_freeze_count() > 1000
    """,
    "names are held by no cache of Python": """
        name = "a_name_of_this_test"
        share_all()
        before = sys.getrefcount(name)
        getattr(type, name, None)
        assert sys.getrefcount(name) == before + 1
        share_all()
        assert sys.getrefcount(name) == before
    """,
    "free memory is given back": """
        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096
        blocks = [bytearray(3000) for _ in range(10_000)]
        last = bytearray(3000)
        del blocks
        before = resident()
        share_all()
        assert resident() < before - 20_000_000
    """,
}


@pytest.mark.parametrize("code", _CASES.values(), ids=_CASES)
def test_sharing(code: str) -> None:
    """Each case holds after `share_all()`."""
    head = "import gc, sys\nfrom mirrorlist.process.sharing import share_all\n"
    lines = [line[8:] for line in code.splitlines()]
    done = subprocess.run(
        [sys.executable, "-c", head + "\n".join(lines)], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
