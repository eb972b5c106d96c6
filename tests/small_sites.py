"""Small sites for tests: files of mirrors, and trees of a primary."""

import atexit
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from snapshot.export.database import parse_url
from snapshot.sites.apply import apply
from snapshot.sites.database import writing
from snapshot.sites.difference import SiteDifference
from snapshot.sites.load import load
from snapshot.sites.problems import SitesFileError

HEAD = """\
[site]
name = "Example Linux"
contact = "mirrors@example.org"
[primary]
path = "pub"
[[repository]]
prefix = "baseos"
versions = ["9", "10"]
arches = ["x86_64", "aarch64"]
path = "{version}/BaseOS/{arch}/os"
"""


def mirror(name: str, country: str = "DE", *more: str) -> str:
    """Return a mirror with an https and an rsync URL, and further lines."""
    urls = f'urls = ["https://{name}.example/pub/", "rsync://{name}.example/pub/"]'
    return "\n".join(["[[mirror]]", f'name = "{name}"', f'country = "{country}"', urls, *more, ""])


def site_text(*mirrors: str, head: str = HEAD) -> str:
    """Return a file of some mirrors."""
    return head + "".join(mirrors)


def write(folder: Path, text: str, name: str = "mirrors.toml") -> Path:
    """Write a file of a site, and return its path."""
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def problems(file: Path) -> list[str]:
    """Return what is wrong with a file: line and text."""
    try:
        load(file)
    except SitesFileError as error:
        return [f"{one.line}: {one.text}" for one in error.problems]
    return []


@cache
def _empty_database() -> Path:
    """Return a database with all tables: to make them takes longer than most of what is tested."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    with writing(parse_url(f"sqlite:///{folder / 'empty.db'}")):
        return folder / "empty.db"


def applied(
    database: str,
    file: Path,
    *,
    told: Callable[[SiteDifference], None] = lambda found: None,
    prune: bool = False,
    dry: bool = False,
    max_loss: int = 30,
) -> SiteDifference:
    """Apply a file to a database; a missing SQLite file begins as a copy of an empty one."""
    config = load(file).config
    path = Path(database.removeprefix("sqlite:///"))
    if database.startswith("sqlite:///") and not dry and not path.exists():
        shutil.copy(_empty_database(), path)
    return apply(database, config, told, prune=prune, dry=dry, max_loss=max_loss)


REPOMD = """\
<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo">
  <data type="primary">
    <location href="repodata/{file}"/><timestamp>{timestamp}</timestamp>
  </data>
</repomd>
"""


def publish_tree(
    root: Path,
    timestamp: int = 1_790_000_000,
    *,
    versions: tuple[str, ...] = ("9", "10"),
    arches: tuple[str, ...] = ("x86_64", "aarch64"),
    whole: bool = True,
) -> None:
    """Write the repodata of each repository below a primary's folder."""
    file = f"primary-{timestamp}.xml.gz"
    for version in versions:
        for arch in arches:
            folder = root / version / "BaseOS" / arch / "os" / "repodata"
            folder.mkdir(parents=True, exist_ok=True)
            if whole:
                (folder / file).write_bytes(b"x")
            (folder / "repomd.xml").write_text(REPOMD.format(file=file, timestamp=timestamp))
