"""Small repositories to import, databases to import them into, and the tables that come of it."""

import bz2
import gzip
import hashlib
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backports import zstd
from msgspec import Struct

from loadtest.packages.release import repomd
from snapshot.packages.job import ImportJob, ImportResult
from snapshot.packages.run import import_packages
from tests.factories import Tables, make_database
from tests.scanned import rows

X86, ARM = "pub/epel/9/Everything/x86_64", "pub/epel/9/Everything/aarch64"
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<metadata'
    ' xmlns="http://linux.duke.edu/metadata/common"'
    ' xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1">\n'
)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstd.compress,
}


class Rpm(Struct, frozen=True):
    """A package to write into a primary.xml; a capability is the text of its attributes."""

    name: str
    version: str = "1"
    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    size: str = "1000"
    path: str = ""
    sum: str = ""
    more: str = ""
    arch: str = "noarch"
    epoch: str = "0"
    release: str = "1"
    recommends: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Its sum."""
        about = f"{self.name} {self.version}"
        if (self.arch, self.epoch, self.release) != ("noarch", "0", "1"):
            about += f" {self.arch} {self.epoch} {self.release}"
        return self.sum or hashlib.sha256(about.encode()).hexdigest()

    @property
    def file(self) -> str:
        """Its path in the repository."""
        name = f"{self.name}-{self.version}-{self.release}.{self.arch}.rpm"
        return self.path or f"Packages/{self.name[:1]}/{name}"

    def xml(self) -> str:
        """Return its element."""
        lists = ""
        kinds = {
            "provides": self.provides,
            "requires": self.requires,
            "recommends": self.recommends,
        }
        for kind, some in kinds.items():
            lists += f"<rpm:{kind}>{''.join(f'<rpm:entry {one}/>' for one in some)}</rpm:{kind}>"
        return f"""<package type="rpm">
  <name>{self.name}</name><arch>{self.arch}</arch>
  <version epoch="{self.epoch}" ver="{self.version}" rel="{self.release}"/>
  <checksum type="sha256" pkgid="YES">{self.digest}</checksum>
  <summary>A &lt;thing&gt;</summary><time file="1" build="1"/>
  <size package="{self.size}" installed="2" archive="3"/>
  <location href="{self.file}"/>{self.more}
  <format><rpm:license>MIT</rpm:license>{lists}<file>/usr/bin/{self.name}</file></format>
</package>
"""


def primary(*packages: Rpm) -> bytes:
    """Return a primary.xml."""
    return (HEAD + "".join(one.xml() for one in packages) + "</metadata>").encode()


def write(folder: Path, data: bytes, ending: str = ".gz", **changes: str) -> None:
    """Write the repodata of a repository, whose primary.xml has these bytes before it is packed.

    In repomd.xml, the first element of each name in `changes` gets another text.
    """
    repodata = folder / "repodata"
    repodata.mkdir(parents=True, exist_ok=True)
    packed = PACKERS[ending](data)
    digest = hashlib.sha256(packed).hexdigest()
    text = repomd(7, digest, hashlib.sha256(data).hexdigest(), (len(packed), len(data)))
    text = text.replace("-primary.xml.gz", f"-primary.xml{ending}")
    for name, new in changes.items():
        text = text.replace(f"<{name}>{_value(text, name)}<", f"<{name}>{new}<")
    for old in repodata.glob("*-primary.xml*"):
        old.unlink()
    (repodata / f"{digest}-primary.xml{ending}").write_bytes(packed)
    (repodata / "repomd.xml").write_text(text)


def _value(text: str, element: str) -> str:
    return text.partition(f"<{element}>")[2].partition("<")[0]


def tables(*directories: str) -> Tables:
    """Return a database with a repository in each of some directories."""
    numbered = list(enumerate(directories, 2))
    return {
        "product": [{"id": 1, "name": "EPEL"}],
        "directory": [
            {"id": 1, "name": "pub/epel"},
            *({"id": number, "name": name} for number, name in numbered),
        ],
        "category": [{"id": 1, "name": "Fedora EPEL", "topdir_id": 1, "product_id": 1}],
        "arch": [{"id": 1, "name": "x86_64"}, {"id": 2, "name": "aarch64"}],
        "repository": [
            {
                "id": number,
                "name": name,
                "prefix": f"epel-{number}",
                "category_id": 1,
                "arch_id": 1 + ("aarch64" in name),
                "directory_id": number,
                "disabled": False,
            }
            for number, name in numbered
        ],
    }


_PLACE = f"{X86}/Packages/t"
_ON = {"user_active": True, "admin_active": True, "private": False}


def _host(number: int, *, site: int = 1, always: bool = False, **flags: bool) -> Tables:
    """Return the rows of a host that has the category."""
    about = {"id": number, "name": f"h{number}", "site_id": site, "country": "DE", **_ON, **flags}
    category = {"id": number, "host_id": number, "category_id": 1, "always_up2date": always}
    return {"host": [about], "host_category": [category]}


def hosts() -> Tables:
    """Return three hosts of which two have the directory, and three that no list may have."""
    some = [
        _host(1),
        _host(2, always=True),
        _host(3),
        _host(4, always=True, private=True),
        _host(5, always=True, admin_active=False),
        _host(6, always=True, site=2),
    ]
    dated, by = {1: True, 2: True, 3: False}, {**_ON, "created_by": "x"}
    return {
        "directory": [{"id": 9, "name": _PLACE}],
        "category_directory": [{"category_id": 1, "directory_id": 9}],
        "site": [{"id": 1, "name": "s", **by}, {"id": 2, "name": "t", **by, "user_active": False}],
        "host": [row for one in some for row in one["host"]],
        "host_category": [row for one in some for row in one["host_category"]],
        "host_category_dir": [
            {"host_category_id": number, "path": "x", "directory_id": 9, "up2date": fresh}
            for number, fresh in dated.items()
        ],
    }


def joined(one: Tables, other: Tables) -> Tables:
    """Return the rows of both."""
    return {name: [*one.get(name, []), *other.get(name, [])] for name in {**one, **other}}


class Site:
    """A source, a database, and imports of the one into the other."""

    def __init__(self, folder: Path, *directories: str, more: Tables | None = None) -> None:
        """Make a database with repositories in these directories, and an empty source."""
        rows = tables(*(directories or (X86, ARM)))
        for name, some in (more or {}).items():
            rows[name] = [*rows.get(name, []), *some]
        self.source = folder / "source"
        self.source.mkdir()
        self.url = make_database(folder / "mm.sqlite", rows)

    def write(self, directory: str, *packages: Rpm, ending: str = ".gz") -> None:
        """Write the repodata of a repository with these packages."""
        write(self.source / directory, primary(*packages), ending)

    def run(self, **changes: Any) -> ImportResult:
        """Import, with all that leaves."""
        given = {"database": self.url, "source": str(self.source), "allow_deletions": True}
        return import_packages(ImportJob(**{**given, **changes}))

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return what the tables say, apart from ids."""
        return {name: rows(self.url, sql) for name, sql in TABLES.items()}


TABLES = {
    "repodata": "SELECT directory, revision, sum, packages FROM mirrorlist_repodata ORDER BY 1",
    "package": """SELECT content, name, epoch, version, release, arch, size, sum_kind, sum
        FROM mirrorlist_package ORDER BY name, version, content""",
    "location": """SELECT r.directory, l.key, p.content, l.path FROM mirrorlist_location l
        JOIN mirrorlist_repodata r ON r.id = l.repodata_id
        JOIN mirrorlist_package p ON p.id = l.package_id ORDER BY r.directory, l.key""",
    "capability": "SELECT name, flags, evr FROM mirrorlist_capability ORDER BY 1, 2, 3",
    "uses": """SELECT p.content, u.kind, c.name, c.flags, c.evr FROM mirrorlist_package_capability u
        JOIN mirrorlist_package p ON p.id = u.package_id
        JOIN mirrorlist_capability c ON c.id = u.capability_id ORDER BY 1, 2, 3, 4, 5""",
}
"""What the tables say, apart from ids and the name of the source."""


def names(site: Site) -> list[str]:
    """Return the name and version of each package."""
    return [f"{row[1]}-{row[3]}" for row in site.contents()["package"]]
