"""The configuration of `generate-mirrorlist-cache`: a file of lines NAME=VALUE with one name."""

import os
import re
import shlex
from contextlib import suppress
from pathlib import Path

from snapshot.file.wholefile import read_text

_NAME = "DB_URL"
_LINE = re.compile(rf"\s*(?:export\s+)?{_NAME}\s*=\s*(.*)")


def database_url(file: Path) -> str | None:
    """Return what `DB_URL` is in the environment, or else in a file; None if it is nowhere.

    The environment wins, as in MirrorManager's program.
    """
    if given := os.environ.get(_NAME):
        return given
    try:
        lines = read_text(file).splitlines()
    except (OSError, ValueError):
        return None
    found = (_value(match[1]) for match in map(_LINE.fullmatch, lines) if match)
    return next(filter(None, found), None)


def _value(text: str) -> str:
    """Return a value without its quotes, and without a comment behind a blank."""
    if text[:1] in ("'", '"'):
        with suppress(ValueError):
            return next(iter(shlex.split(text)), "")
    return text.split(" #")[0].strip()
