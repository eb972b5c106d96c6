"""What a file says that a database should hold, in the form in which both are compared."""

import ipaddress
from collections.abc import Iterator

from msgspec import Struct

from snapshot.export.hosturl import host_url
from snapshot.export.netblock import Netblock, parse_netblock
from snapshot.export.usable import METADATA
from snapshot.sites.config import Config, Mirror
from snapshot.sites.patterns import Expanded, expand, outer

METADATA_FOLDER = "repodata"


class MirrorState(Struct, frozen=True, kw_only=True):
    """A mirror; `urls` are pairs of a category and a URL in the file's order.

    `has` are the directories of a mirror that has not all, or None.
    """

    country: str
    urls: tuple[tuple[str, str], ...]
    weight: int
    asn: int | None
    netblocks: tuple[str, ...]
    private: bool
    active: bool
    countries_allowed: tuple[str, ...]
    has: tuple[str, ...] | None
    contact: str | None
    sponsor: str
    sponsor_url: str | None


class RepositoryState(Struct, frozen=True, kw_only=True):
    """A repository of one version and arch; its key is what clients ask for."""

    directory: str
    category: str
    version: str


class CheckedFile(Struct, frozen=True):
    """The file that tells which state of a repository a mirror has: its repomd.xml, or another.

    All are names of directories with their topdir, but for `name`, the file's own.
    """

    topdir: str
    directory: str
    """Of the repository."""
    folder: str
    """Of the file."""
    name: str
    is_repomd: bool
    family: tuple[str, ...]
    """The repository's directory, the file's, and those between them and the topdir."""
    own: frozenset[str]
    """Those of them that a mirror has if its file is right."""

    @property
    def path(self) -> str:
        """Where it is below a URL."""
        return f"{self.folder}/{self.name}"[len(self.topdir) + 1 :]


class State(Struct, frozen=True):
    """All of a site: topdirs of categories, categories of directories, repositories, mirrors.

    `files` is by the repository's directory; a database does not hold it.
    """

    categories: dict[str, str]
    directories: dict[str, str]
    repositories: dict[tuple[str, str], RepositoryState]
    mirrors: dict[str, MirrorState]
    files: dict[str, CheckedFile] = {}


def declared(config: Config) -> State:
    """Return what a file says."""
    topdir = outer(config.site.topdir)
    topdirs = {tree: topdir if tree is None else f"{topdir}-{tree}" for tree in config.trees}
    directories = {topdirs[tree]: category for tree, category in config.trees.items()}
    repositories, files = {}, {}
    for row in config.repository:
        category = config.trees[row.tree]
        for one in expand(row):
            file = _file(topdirs[row.tree], one)
            directory = file.directory
            files[directory] = file
            directories |= dict.fromkeys(file.family, category)
            repositories[one.name, one.arch] = RepositoryState(
                directory=directory, category=category, version=one.version
            )
    return State(
        categories={category: topdirs[tree] for tree, category in config.trees.items()},
        directories=directories,
        repositories=repositories,
        mirrors={one.name: _mirror(one, config, topdirs) for one in config.mirror},
        files=files,
    )


def _file(topdir: str, one: Expanded) -> CheckedFile:
    directory = _join(topdir, one.path)
    path = f"{directory}/{METADATA_FOLDER}/{METADATA}"
    if one.check is not None:
        path = _join(topdir, one.check)
    folder, _, name = path.rpartition("/")
    family = tuple(dict.fromkeys((*up(folder, topdir), *up(directory, topdir))))
    own = frozenset(one for one in family if f"{one}/".startswith(f"{directory}/"))
    return CheckedFile(topdir, directory, folder, name, one.check is None, family, own)


def _join(topdir: str, path: str) -> str:
    return f"{topdir}/{path}" if path else topdir


def up(directory: str, topdir: str) -> Iterator[str]:
    """Yield a directory and those above it, up to the topdir."""
    while directory != topdir:
        yield directory
        directory = directory.rpartition("/")[0]
    yield topdir


def _mirror(mirror: Mirror, config: Config, topdirs: dict[str | None, str]) -> MirrorState:
    lists = [(None, mirror.urls), *mirror.trees.items()]
    urls = [(config.trees[tree], host_url(url)) for tree, of in lists for url in of]
    return MirrorState(
        country=mirror.country.strip().upper(),
        urls=tuple(urls),
        weight=mirror.weight,
        asn=mirror.asn,
        netblocks=tuple(sorted(netblock_text(parse_netblock(one)) for one in mirror.netblocks)),
        private=mirror.private,
        active=mirror.active,
        countries_allowed=tuple(sorted({one.strip().upper() for one in mirror.countries_allowed})),
        has=_has(mirror, config, topdirs),
        contact=mirror.contact,
        sponsor=mirror.sponsor or mirror.name,
        sponsor_url=mirror.sponsor_url,
    )


def netblock_text(netblock: Netblock) -> str:
    """Return a netblock as text, so that a file's and a database's compare equal."""
    kind = ipaddress.IPv4Network if netblock.version == 4 else ipaddress.IPv6Network
    return str(kind((netblock.first, netblock.prefix_length)))


def _has(mirror: Mirror, config: Config, topdirs: dict[str | None, str]) -> tuple[str, ...] | None:
    """Return the directories of a mirror that has not all repositories, versions or arches."""
    if mirror.repositories is mirror.versions is mirror.arches is None:
        return None
    found: set[str] = set()
    for row in config.repository:
        if row.tree in mirror.trees or (row.tree is None and mirror.urls):
            for one in filter(lambda one: _is_there(mirror, one), expand(row)):
                found.update(_file(topdirs[row.tree], one).family)
    return tuple(sorted(found))


def _is_there(mirror: Mirror, one: Expanded) -> bool:
    return (
        (mirror.repositories is None or one.prefix in mirror.repositories)
        and (mirror.versions is None or one.version in mirror.versions)
        and (mirror.arches is None or one.arch in mirror.arches)
    )
