"""Measures a running server: CPU time and memory of its whole process tree."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import click
import psutil

Figure = TypeVar("Figure", int, float)


def tree(pid: int) -> list[int]:
    """Return a process and all below it; raises an error of one line if it has ended."""
    return [one.pid for one in _living(pid)]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process tree, reaped children included, has used so far."""
    # Not its wait for disks, which is the last of the figures.
    return _total(pid, lambda process: sum(process.cpu_times()[:4]))


def pss_bytes(pid: int) -> int:
    """Return the memory of a process tree, each shared page counted by its share (PSS)."""
    return _total(pid, lambda process: process.memory_full_info().pss)


def own_pss_bytes(pid: int) -> int:
    """Return the memory of one process without those below it, as `pss_bytes` does."""
    return int(psutil.Process(pid).memory_full_info().pss)


def _living(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess as error:
        raise click.ClickException(f"process {pid} has ended, so it cannot be measured") from error


def _total(pid: int, figure: Callable[[psutil.Process], Figure]) -> Figure:
    first, *children = _living(pid)
    total = figure(first)
    for child in children:
        # One that has ended since the list was made has its CPU time in its parent's, once reaped.
        with suppress(psutil.NoSuchProcess):
            total += figure(child)
    return total


def until(what: str, holds: Callable[[], bool], seconds: float, look: float = 0.01) -> float:
    """Wait until something holds, and return when that was; raises an error of one line."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise click.ClickException(f"not within {seconds:g} s: {what}")
        time.sleep(look)
    return time.monotonic()
