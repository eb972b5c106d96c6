"""What a running server costs: CPU time and memory of its whole process tree, from /proc."""

import os
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat behind the command's name: utime, stime, and those of reaped children.
_TIMES = slice(11, 15)


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for one in found:
        for task in (_PROC / str(one) / "task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, that a process tree has used so far."""
    total = 0
    for one in tree(pid):
        fields = (_PROC / str(one) / "stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[_TIMES]))
    return total / _TICKS


def pss_bytes(pid: int) -> int:
    """Return the memory of a process tree, each shared page counted by its share (PSS)."""
    total = 0
    for one in tree(pid):
        for line in (_PROC / str(one) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total
