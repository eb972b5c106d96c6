"""Measures a running server: CPU time and memory of its whole process tree."""

import time
from collections.abc import Callable

import click
import psutil


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process tree, reaped children included, has used so far."""
    # Not its wait for disks, which is the last of the figures.
    return sum(sum(psutil.Process(one).cpu_times()[:4]) for one in tree(pid))


def pss_bytes(pid: int) -> int:
    """Return the memory of a process tree, each shared page counted by its share (PSS)."""
    return sum(psutil.Process(one).memory_full_info().pss for one in tree(pid))


def until(what: str, holds: Callable[[], bool], seconds: float, look: float = 0.01) -> float:
    """Wait until something holds, and return when that was; raises an error of one line."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise click.ClickException(f"not within {seconds:g} s: {what}")
        time.sleep(look)
    return time.monotonic()
