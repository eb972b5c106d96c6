"""Lists for rsync: the files that a partial mirror has, and those of its source that it has not."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from snapshot.slim.folder import EXCLUDES, FILES

_WILDCARD = re.compile(r"[*?\[]")


def write_lists(folder: Path, prefix: str, paths: Iterable[str], kept: Iterable[str]) -> None:
    """Write both; `paths` are those of all packages, and `prefix` is put before each."""
    below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    files = {f"{below}{path}" for path in kept}
    others = {f"{below}{path}" for path in paths} - files
    rules = [f"{below}repodata/", *sorted(others)]
    _write(folder / FILES, map(_line, sorted(files)))
    _write(folder / EXCLUDES, (f"/{_escaped(rule)}" for rule in rules))


def _write(path: Path, lines: Iterator[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def _line(path: str) -> str:
    # rsync takes lines that begin so for comments.
    return f"./{path}" if path[0] in "#;" else path


def _escaped(rule: str) -> str:
    return _WILDCARD.sub(r"\\\g<0>", rule)
