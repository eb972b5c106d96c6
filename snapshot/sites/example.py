"""An example of a site: a primary, a fresh, a stale and a dead mirror, and the file about them.

Each repository is a real one, which dnf takes, but it has no packages.
"""

import gzip
import hashlib
from pathlib import Path

from snapshot.file.writer import replace_file

QUERY = "repo=example-1&arch=x86_64"
_PATH = Path("1", "x86_64")
# When the primary's tree was made, and the stale mirror's.
_NEW, _OLD = 1_795_000_000, 1_794_000_000

_TEXT = """\
# `mirrorlist run --example` writes this file at each start. Change it while it runs, and look.
[site]
name = "Example"
failures = 1                      # how often a mirror may be silent in a row
[primary]
path = "primary"
[[repository]]
prefix = "example"
versions = ["1"]
arches = ["x86_64"]
path = "{version}/{arch}"
"""
_MIRROR = """\
[[mirror]]
name = "NAME"
country = "COUNTRY"
urls = ["http://ADDRESS/"]
"""
_COUNTRIES = {"fresh": "DE", "stale": "FR", "dead": "NL"}
_NAMESPACES = {
    "primary": ("metadata", "http://linux.duke.edu/metadata/common"),
    "filelists": ("filelists", "http://linux.duke.edu/metadata/filelists"),
    "other": ("otherdata", "http://linux.duke.edu/metadata/other"),
}
_REPOMD = """\
<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo">
  <revision>{timestamp}</revision>
{files}</repomd>
"""
_DATA = """\
  <data type="{kind}">
    <checksum type="sha256">{sum}</checksum>
    <open-checksum type="sha256">{open_sum}</open-checksum>
    <location href="repodata/{kind}.xml.gz"/>
    <timestamp>{timestamp}</timestamp>
    <size>{size}</size>
    <open-size>{open_size}</open-size>
  </data>
"""


def write_example(file: Path, addresses: dict[str, str]) -> None:
    """Write the file, and the primary's tree beside it; `addresses` has those of the mirrors."""
    for path, content in _tree(_NEW).items():
        at = file.parent / "primary" / path
        at.parent.mkdir(parents=True, exist_ok=True)
        replace_file(at, content)
    mirrors = [
        _MIRROR.replace("NAME", name).replace("COUNTRY", _COUNTRIES[name]).replace("ADDRESS", at)
        for name, at in addresses.items()
    ]
    replace_file(file, "".join([_TEXT, *mirrors]).encode())


def tree_of(mirror: str) -> dict[str, bytes]:
    """Return the files of a mirror by their paths."""
    return _tree(_OLD if mirror == "stale" else _NEW)


def _tree(timestamp: int) -> dict[str, bytes]:
    opened = {kind: _empty(*found) for kind, found in _NAMESPACES.items()}
    packed = {kind: gzip.compress(content, mtime=0) for kind, content in opened.items()}
    files = "".join(
        _DATA.format(
            kind=kind,
            sum=hashlib.sha256(packed[kind]).hexdigest(),
            open_sum=hashlib.sha256(content).hexdigest(),
            timestamp=timestamp,
            size=len(packed[kind]),
            open_size=len(content),
        )
        for kind, content in opened.items()
    )
    repomd = _REPOMD.format(timestamp=timestamp, files=files).encode()
    found = {"repomd.xml": repomd, **{f"{kind}.xml.gz": one for kind, one in packed.items()}}
    return {str(_PATH / "repodata" / name): content for name, content in found.items()}


def _empty(root: str, namespace: str) -> bytes:
    first = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{first}<{root} xmlns="{namespace}" packages="0"></{root}>\n'.encode()
