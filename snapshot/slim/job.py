"""What a slim repository is made of, and what came of it."""

from msgspec import Struct

MOST_MISSING = 100
"""How many requirements that no package satisfies are named."""


class SlimJob(Struct, frozen=True, kw_only=True):
    """A repository to make smaller: where it is, where to write, and what to keep."""

    source: str
    """A folder or a URL: the repository, or with `database` the tree that has it."""
    out: str
    """The folder to write."""
    newest: int = 1
    """How many versions of each package, and of each stream of a module, to begin with."""
    only: tuple[str, ...] = ()
    """Names of packages to begin with, in which `*` may stand; () is all names."""
    weak: bool = False
    """Keep what packages recommend, too."""
    prefix: str = ""
    """What is put before each path in the lists for rsync."""
    database: str | None = None
    """Where the directory of `repo` and `arch` is looked up."""
    repo: str | None = None
    arch: str | None = None


class Slimmed(Struct, frozen=True, kw_only=True):
    """What a slim repository has; also written into its folder, as slim.json."""

    revision: str
    """The revision of the source's repomd.xml."""
    newest: int
    """How many versions of each package are kept."""
    packages: int
    """Packages that are kept."""
    packages_before: int
    """Packages of the source."""
    packages_required: int
    """Of those that are kept, how many only because another one requires them."""
    bytes: int
    """Bytes of the packages that are kept."""
    bytes_before: int
    """Bytes of the source's packages."""
    repodata_bytes: int
    """Bytes of the new repodata."""
    missing: int
    """Requirements of kept packages that no package of the source satisfies."""
    missing_first: list[str]
    """The first of them by name, at most 100."""
    problems: list[str]
    """What was left out because it cannot be used, and why."""
