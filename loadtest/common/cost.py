"""Measures what a command costs, from the start of its process to its exit."""

import os
import subprocess
import sys

# A small process starts the export, because Linux counts the parent's memory at the time of the
# fork in a child's ru_maxrss.
_LAUNCH = """\
import os, sys, time
started = time.perf_counter()
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, 1, sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)])
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def cost(
    words: list[str], module: str = "mirrorlist.cli", output: str = os.devnull
) -> tuple[float, float, int]:
    """Run `mirrorlist`, or another module, with these words; wall and CPU seconds, peak KiB.

    What it prints goes into a file.
    """
    command = [sys.executable, "-m", module, *words]
    run = subprocess.run(
        [sys.executable, "-c", _LAUNCH, output, *command], capture_output=True, text=True
    )
    if run.returncode:
        raise SystemExit(f"{module} {words[0]} failed: {run.stderr}")
    wall, cpu, peak = run.stdout.split()
    return round(float(wall), 3), round(float(cpu), 3), int(peak)
