"""Memory that processes share: what is done before a fork so that it stays shared for long."""

import ctypes
import gc
import sys
from contextlib import suppress


def share_all() -> None:
    """Prepare for forks: give free memory back, and keep Python out of the pages that are left.

    A page that a process writes into becomes its own. The pages of free memory would be kept by
    this process, and each child would get copies of them.
    """
    gc.collect()
    # All that is loaded now lives until the end. The collector would write into its pages, and
    # each child would get a copy of them.
    gc.freeze()
    # Each entry of this cache holds a name. A child that replaces entries would write into the
    # pages of 4,096 names, most of which it does not use.
    sys._clear_type_cache()
    # Of glibc alone.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
