"""Requests of a request log, for a comparison at production size."""

import re
from itertools import cycle
from pathlib import Path

from mirrorlist.replay.request import Request

_LINE = re.compile(r"IP: (?P<address>\S+); DATE: .*; REPO: (?P<repo>[^;]*); ARCH: (?P<arch>[^;]*)$")


def requests_of_log(path: Path, count: int) -> list[Request]:
    """Return the first `count` distinct requests of a log, for lists of both kinds in turn."""
    found: dict[Request, None] = {}
    kinds = cycle(("/metalink", "/mirrorlist"))
    with path.open() as lines:
        for line in lines:
            if len(found) == count:
                break
            if seen := _LINE.match(line.rstrip("\n")):
                query = f"repo={seen['repo']}&arch={seen['arch']}"
                found.setdefault(Request("log", next(kinds), query, seen["address"]))
    return list(found)
