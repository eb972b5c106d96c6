"""The private folder where `mirrorlist-server` keeps the snapshot that it makes of its files.

It is kept between two starts, so that a restart need not read the cache file again.
"""

import os
import stat
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from mirrorlist.cli.console import say

# systemd sets these for StateDirectory=, CacheDirectory= and RuntimeDirectory= (systemd.exec(5)).
_OF_A_UNIT = ("STATE_DIRECTORY", "CACHE_DIRECTORY", "RUNTIME_DIRECTORY")
_NAME = "mirrorlist-server"
_OTHERS = 0o077


def snapshot_path(*parts: object) -> Path:
    """Return where the snapshot of a server is, which the parts tell from other servers."""
    name = blake2b(repr([str(part) for part in parts]).encode(), digest_size=8).hexdigest()
    return _folder() / f"{_NAME}-{name}.snap"


def _folder() -> Path:
    """Return the unit's own folder, or a folder of this user alone among the temporary ones."""
    for name in _OF_A_UNIT:
        if given := os.environ.get(name, "").split(":")[0]:
            return Path(given)
    folder = Path(gettempdir()) / f"{_NAME}-{os.getuid()}"
    # Another server of this user may begin at the same time.
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if _is_private(folder):
        return folder
    # Another user may have made it first, to give us snapshots.
    other = Path(mkdtemp(prefix=f"{_NAME}-"))
    say(
        f"warning: {folder} is not a folder of this user alone, so {other} is used, and stays"
        " behind; remove the first, or set STATE_DIRECTORY"
    )
    return other


def _is_private(folder: Path) -> bool:
    found = folder.lstat()
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.getuid()
        and not stat.S_IMODE(found.st_mode) & _OTHERS
    )
