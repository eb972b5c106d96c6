"""Does one long wait in a thread while the caller computes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def beside(work: Callable[[], T], stop: Callable[[], None]) -> Iterator[Callable[[], T]]:
    """Do work while the block runs; the block is given the function that waits for the result.

    That function raises what the work raised. If the block raises before the work has ended, `stop`
    is called, which must make the work end soon. The work has always ended when the block is over.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="largest table") as pool:
        try:
            future = pool.submit(work)
        except RuntimeError:
            # The system refuses a thread: do the work when its result is asked for.
            yield cache(work)
            return
        try:
            yield future.result
        except BaseException:
            if not future.done():
                stop()
            raise
