"""What the users of `loadtest.crowd.locustfile` ask for."""

import re

from loadtest.common.mix import Data, Logged

LOG, SNAPSHOT = "LOADTEST_LOG", "LOADTEST_SNAPSHOT"
"""The environment variables that name a data set's request log and its snapshot."""

_RELEASE = re.compile(r"updates-released-f(\d+)")


def newest(data: Data) -> list[Logged]:
    """Return the newest release's repositories, which a new system asks for."""
    found = [match for prefix, _ in data.homes if (match := _RELEASE.fullmatch(prefix))]
    release = max((int(match[1]) for match in found), default=0)
    wanted = (f"fedora-{release}", f"updates-released-f{release}")
    repositories = [Logged("", *pair) for pair in sorted(data.homes) if pair[0] in wanted]
    return repositories or [Logged("", *pair) for pair in sorted(data.homes)]
