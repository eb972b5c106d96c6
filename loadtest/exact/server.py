"""`mirrorlist serve` in a world whose minutes are shorter, as far as the spool is concerned.

    python -m loadtest.exact.server FASTER OPTION...

A worker writes its counts every 60 s, and once an hour while many files wait. Both are divided by
FASTER, so that a run of minutes has the steps of hours; nothing else is changed.
"""

import sys

from mirrorlist.cli import main
from mirrorlist.records import spooler


def run(faster: float, words: list[str]) -> None:
    """Serve with these options."""
    spooler.EVERY_SECONDS /= faster
    spooler.HELD_SECONDS = max(1, round(spooler.HELD_SECONDS / faster))
    sys.argv[:] = ["mirrorlist", "serve", *words]
    main()


if __name__ == "__main__":
    run(float(sys.argv[1]), sys.argv[2:])
