"""Runs a module, and writes how many SQL statements it has sent into a file.

python -m loadtest.packages.counted FILE MODULE ARGUMENTS...
"""

import atexit
import runpy
import sys
from pathlib import Path
from typing import Any

from snapshot.link import STATEMENT


class _Counting:
    """An audit hook, which hears each statement."""

    count = 0

    def __call__(self, event: str, _: tuple[Any, ...]) -> None:
        if event == STATEMENT:
            self.count += 1


def main(path: Path, module: str, words: list[str]) -> None:
    """Run a module as a program."""
    counting = _Counting()
    atexit.register(lambda: path.write_text(f"{counting.count}\n"))
    sys.addaudithook(counting)
    sys.argv[:] = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
