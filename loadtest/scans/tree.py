"""The set to scan: a full file list like Fedora's, its repositories' metadata, a configuration.

At factor 1 it has 227,430 files in 1,960 directories, 70 of them repositories: the numbers of a
real tree that scan-primary-mirror was measured with. Only what a scan opens is made on disk.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

from msgspec import Struct

FILES, DIRECTORIES, REPOSITORIES = 227_430, 1_960, 70
"""The numbers at factor 1."""
CATEGORY, TOPDIR = "Fedora EPEL", "pub/epel"
ARCHES = ("x86_64", "aarch64", "ppc64le", "s390x", "source")
_BEGIN = 1_700_000_000
_YEAR = 31_536_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_METADATA = ("primary", "filelists", "other", "updateinfo", "comps", "modules", "prestodelta")

CONFIGURATION = """\
max_propagation_days = 2
max_stale_days = 3
excludes = [".*\\\\.snapshot", ".*/\\\\.~tmp~"]
test_paths = ["/test/", "/stage/"]
skip_repository_paths = ["Cloud", "Workstation", "Server"]

[database]
url = "postgresql://nobody@db.example/mirrormanager"

[[category]]
name = "Fedora EPEL"
type = "directory"
url = "/srv/pub/epel/"

[[repository_mapping]]
regex = "^pub/epel/testing/\\\\d+/Everything/"
prefix = "testing-epel"

[[repository_mapping]]
regex = "^pub/epel/\\\\d+/Everything/"
prefix = "epel"

[[repository_aliases]]
from = "testing-epel-"
to = "testing-epel"
"""


class Repository(Struct, frozen=True):
    """A repository of the set: its path below the topdir, and what is in it.

    `letters` are the directories of its packages, `others` are directories with a page each.
    """

    path: str
    packages: int
    letters: int
    others: int


class Tree:
    """The set at a factor; the same seed gives the same bytes."""

    def __init__(self, factor: float = 1.0, seed: int = 1) -> None:
        """Choose the repositories, of which there are 70 at factor 1."""
        self._random = Random(seed)
        count = max(1, round(REPOSITORIES * factor))
        self.directories = max(count * 4, round(DIRECTORIES * factor))
        self.files = max(count * 20, round(FILES * factor))
        self.repositories = self._choose(count)

    def _choose(self, count: int) -> list[Repository]:
        paths = [_path(number) for number in range(count)]
        letters = min(len(_LETTERS), max(1, (self.directories // count) - 4))
        above = {part for path in paths for part in _parts(path)}
        # The topdir, and of each repository repodata, Packages and its letters.
        others = max(0, self.directories - 1 - len(above) - count * (2 + letters))
        packages = self.files - count * (len(_METADATA) + 1) - others
        shares = [self._random.paretovariate(1.2) for _ in range(count)]
        numbers = [int(packages * share / sum(shares)) for share in shares]
        numbers[0] += packages - sum(numbers)
        each, rest = divmod(others, count)
        return [
            Repository(path, number, letters, each + (index < rest))
            for index, (path, number) in enumerate(zip(paths, numbers, strict=True))
        ]

    def write(self, folder: Path) -> Path:
        """Write metadata, configuration and list into a folder; return the list."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scan.toml").write_text(CONFIGURATION)
        for repository in self.repositories:
            self.push(folder, repository, _BEGIN)
        path = folder / "fullfiletimelist-epel"
        self.write_list(path)
        return path

    def push(self, folder: Path, repository: Repository, time: int) -> None:
        """Write a repository's metadata as of a time in seconds since 1970."""
        repodata = folder / repository.path / "repodata"
        repodata.mkdir(parents=True, exist_ok=True)
        (repodata / "repomd.xml").write_bytes(repomd(repository.path, time))

    def write_list(self, path: Path, pushed: dict[str, int] | None = None) -> None:
        """Write the full file list; `pushed` has times of repositories that changed since."""
        with path.open("w") as file:
            file.write("[Version]\n2\n\n[Files]\n")
            file.writelines(self._rows(pushed or {}))
            file.write("\n[Checksums SHA1]\n\n[End]\n")

    def _rows(self, pushed: dict[str, int]) -> Iterator[str]:
        random = Random(len(self.repositories))
        seen: set[str] = set()
        for repository in self.repositories:
            time = pushed.get(repository.path, _BEGIN)
            for above in _parts(repository.path):
                if above not in seen:
                    seen.add(above)
                    yield f"{_BEGIN}\td\t4096\t{above}\n"
            yield from _metadata(repository.path, time)
            yield from _packages(repository, random)
            yield from _others(repository)


def _path(number: int) -> str:
    release, rest = divmod(number, len(ARCHES) * 2)
    testing, arch = divmod(rest, len(ARCHES))
    return f"{'testing/' if testing else ''}{release + 5}/Everything/{ARCHES[arch]}"


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _metadata(path: str, time: int) -> Iterator[str]:
    yield f"{time}\td\t4096\t{path}/repodata\n"
    yield f"{time}\tf\t{len(repomd(path, time))}\t{path}/repodata/repomd.xml\n"
    for name in _METADATA:
        digest = hashlib.sha256(f"{path}{name}{time}".encode()).hexdigest()
        yield f"{time}\tf\t{len(name) * 1000}\t{path}/repodata/{digest}-{name}.xml.gz\n"


def _packages(repository: Repository, random: Random) -> Iterator[str]:
    yield f"{_BEGIN}\td\t4096\t{repository.path}/Packages\n"
    each, rest = divmod(repository.packages, repository.letters)
    arch = repository.path.rpartition("/")[2]
    for number in range(repository.letters):
        letter = _LETTERS[number]
        folder = f"{repository.path}/Packages/{letter}"
        yield f"{_BEGIN}\td\t69632\t{folder}\n"
        for package in range(each + (number < rest)):
            time, size = random.randrange(_BEGIN - _YEAR, _BEGIN), random.randrange(5000, 9_000_000)
            name = f"{letter}library-{package}-1.{package % 30}.0-{package % 7}.el9.{arch}.rpm"
            yield f"{time}\tf\t{size}\t{folder}/{name}\n"


def _others(repository: Repository) -> Iterator[str]:
    for number in range(repository.others):
        folder = f"{repository.path}/repoview-{number}"
        yield f"{_BEGIN}\td\t4096\t{folder}\n"
        yield f"{_BEGIN}\tf\t{number}\t{folder}/index.html\n"


def repomd(path: str, time: int) -> bytes:
    """Return a repomd.xml as of a time in seconds since 1970."""
    data = "".join(
        f'<data type="{name}"><checksum type="sha256">'
        f"{hashlib.sha256(f'{path}{name}{time}'.encode()).hexdigest()}</checksum>"
        f'<location href="repodata/{name}.xml.gz"/><timestamp>{time}</timestamp></data>\n'
        for name in _METADATA
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<repomd xmlns="http://linux.duke.edu/metadata/repo"'
        f">\n<revision>{time}</revision>\n{data}</repomd>\n"
    ).encode()
