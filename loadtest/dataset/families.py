"""The parts of the load test's tree: categories, and families of repositories and images.

Paths follow Fedora's tree, prefixes docs/mirrormanager.md#prefixes-of-repositories.
"""

from dataclasses import dataclass
from enum import StrEnum

FEDORA = "Fedora Linux"
SECONDARY = "Fedora Secondary Arches"
EPEL = "Fedora EPEL"
ARCHIVE = "Fedora Archive"
CODECS = "Fedora Codecs"
OTHER = "Fedora Other"


@dataclass(frozen=True, slots=True)
class Category:
    """A category, its topdir, its product, and the path it has on most hosts."""

    name: str
    topdir: str
    product: str
    usual_path: str


CATEGORIES = (
    Category(FEDORA, "pub/fedora/linux", "Fedora", "fedora/linux"),
    Category(SECONDARY, "pub/fedora-secondary", "Fedora", "fedora-secondary"),
    Category(EPEL, "pub/epel", "EPEL", "epel"),
    Category(ARCHIVE, "pub/archive", "Fedora", "archive"),
    Category(CODECS, "pub/codecs", "Fedora", "codecs"),
    Category(OTHER, "pub/alt", "Fedora", "alt"),
)

PRODUCTS = ("Fedora", "EPEL")
ARCHES = ("x86_64", "aarch64", "ppc64le", "s390x", "source")


class Stage(StrEnum):
    """The stage of a subtree's packages; until they are released, they change daily."""

    RELEASES = "releases"
    UPDATES = "updates"
    TESTING = "testing"
    DEVELOPMENT = "development"


class SubtreeContent(StrEnum):
    """The content of a subtree: packages, their debug information, their sources, or images."""

    MAIN = "main"
    DEBUG = "debug"
    SOURCE = "source"
    IMAGES = "images"


_PACKAGES = (SubtreeContent.MAIN, SubtreeContent.DEBUG, SubtreeContent.SOURCE)
_MAIN = (SubtreeContent.MAIN,)
_IMAGES = (SubtreeContent.IMAGES,)

# Packages are sorted into directories by the first character of their name.
_MANY = "023479abcdefghijklmnopqrstuvwxyz"
_SOME = "abcdefghijklmnopqrstuvwx"
_FEW = "abcfgklmnoprstw"
_NONE = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """Subtrees that differ only in version, arch and content.

    `{v}` stands for a version and `{a}` for an arch; in a prefix `{m}` for `debug-` or `source-`
    and `{s}` for `-debug` or `-source`. `rank` is lower for what clients ask for more often.
    A composed tree has `os` and `debug/tree`, with directories to boot from; others are flat.
    """

    prefix: str | None
    path: str
    stage: Stage
    letters: str = _MANY
    rank: float = 0.0
    composed: bool = False
    contents: tuple[SubtreeContent, ...] = _PACKAGES
    readable: bool = True
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """The shapes that each version has for each arch, in a directory below the topdir.

    Sources lie beside x86_64 only. An archived family changes no more.
    """

    category: str
    below: str
    versions: tuple[str, ...]
    arches: tuple[str, ...]
    shapes: tuple[Shape, ...]
    archived: bool = False


def _images(variant: str, rank: float) -> Shape:
    path = f"releases/{{v}}/{variant}/{{a}}/iso"
    return Shape(None, path, Stage.RELEASES, rank=rank, contents=_IMAGES)


_U, _T = "updates/{v}/Everything", "updates/testing/{v}/Everything"
_UPDATES = Shape("updates-released-{m}f{v}", _U, Stage.UPDATES)
_TESTING = Shape("updates-testing-{m}f{v}", _T, Stage.TESTING, _SOME, 1.0)
_RELEASE = (
    Shape("fedora-{m}{v}", "releases/{v}/Everything", Stage.RELEASES, composed=True),
    _UPDATES,
    _TESTING,
    Shape("fedora-install-{v}", "releases/{v}/Server", Stage.RELEASES, _FEW, 1.5, True, _MAIN),
    _images("Server", 0.6),
    _images("Cloud", 1.4),
)
_PRIMARY_RELEASE = (
    *_RELEASE,
    _images("Workstation", 0.2),
    _images("KDE", 0.7),
    _images("Spins", 1.2),
    _images("Labs", 2.2),
    _images("Silverblue", 1.8),
    _images("Kinoite", 2.0),
    _images("Container", 2.4),
)
_RAWHIDE = (
    Shape(
        "rawhide{s}", "development/rawhide/Everything", Stage.DEVELOPMENT, rank=0.8, composed=True
    ),
)
_BRANCHED = (
    Shape("fedora-{m}{v}", "development/{v}/Everything", Stage.DEVELOPMENT, composed=True),
    _TESTING,
)
_TEST_RELEASE = (
    # Hosts may not copy it yet; MirrorManager gives no prefix to what has test/ in its path.
    Shape(
        None, "releases/test/{v}/Everything", Stage.RELEASES, _FEW, 3.0, True, _MAIN, readable=False
    ),
)
_MODULAR = (
    Shape("fedora-modular-{v}", "releases/{v}/Modular", Stage.RELEASES, _NONE, 3.0, True, _MAIN),
    Shape(
        "updates-released-modular-f{v}",
        "updates/{v}/Modular",
        Stage.UPDATES,
        _NONE,
        3.0,
        contents=_MAIN,
        disabled=True,
    ),
)
_EPEL = (
    Shape("epel-{m}{v}", "{v}/Everything", Stage.UPDATES),
    Shape("testing-{m}epel{v}", "testing/{v}/Everything", Stage.TESTING, _SOME, 1.0),
)
_CODECS = (
    Shape(
        "fedora-cisco-openh264-{m}{v}",
        "{v}",
        Stage.RELEASES,
        _NONE,
        composed=True,
        contents=(SubtreeContent.MAIN, SubtreeContent.DEBUG),
    ),
)
_ALT = (
    Shape(None, "risc-v/release/{v}/Cloud/images", Stage.RELEASES, rank=0.5, contents=_IMAGES),
    Shape(None, "live-respins/f{v}", Stage.RELEASES, rank=0.6, contents=_IMAGES),
    Shape(None, "iot/{v}/IoT/x86_64/iso", Stage.RELEASES, rank=0.9, contents=_IMAGES),
    Shape(None, "iot/{v}/IoT/aarch64/iso", Stage.RELEASES, rank=0.9, contents=_IMAGES),
    Shape(None, "unofficial/releases/{v}/Pinebook", Stage.RELEASES, rank=2, contents=_IMAGES),
)

_TWO = ("x86_64", "aarch64")
_OTHERS = ("ppc64le", "s390x")
_ALL = _TWO + _OTHERS
_ONE = ("x86_64",)

NEWEST = {"Fedora": 44, "EPEL": 10}
"""The newest release of each product."""

_CURRENT = ("44", "43", "42")
_OLD = tuple(str(number) for number in range(41, 6, -1))
_DEVELOPMENT = ("development",)  # so MirrorManager calls the version of all rawhide directories
_EPELS = ("10", "10.1", "10.0", "9", "8")

FAMILIES = (
    Family(FEDORA, "", _CURRENT, _TWO, _PRIMARY_RELEASE),
    Family(SECONDARY, "", _CURRENT, _OTHERS, _RELEASE),
    Family(FEDORA, "", _DEVELOPMENT, _TWO, _RAWHIDE),
    Family(SECONDARY, "", _DEVELOPMENT, _OTHERS, _RAWHIDE),
    Family(FEDORA, "", ("45",), _TWO, _BRANCHED),
    Family(SECONDARY, "", ("45",), _OTHERS, _BRANCHED),
    Family(FEDORA, "", ("45_Beta",), _TWO, _TEST_RELEASE),
    Family(EPEL, "", _EPELS, _ALL, _EPEL),
    Family(CODECS, "", _CURRENT, _ALL, _CODECS),
    Family(OTHER, "", _CURRENT, _ONE, _ALT),
    Family(ARCHIVE, "fedora/linux/", _OLD, _TWO, _PRIMARY_RELEASE, archived=True),
    Family(ARCHIVE, "fedora/linux/", ("38", "37", "36"), _TWO, _MODULAR, archived=True),
    Family(ARCHIVE, "fedora-secondary/", _OLD, _OTHERS, _RELEASE, archived=True),
    Family(ARCHIVE, "epel/", ("7", "6"), _ALL, _EPEL, archived=True),
    Family(ARCHIVE, "codecs/", ("41", "40", "39"), _ALL, _CODECS, archived=True),
)

REDIRECTS = (
    ("epel-latest", "epel-10"),
    ("fedora-rawhide", "rawhide"),
    # Until a release is out, its updates are those in testing.
    ("updates-released-f45", "updates-testing-f45"),
    ("fedora-46", "rawhide"),
    ("updates-released-f46", "rawhide"),
    ("updates-testing-f46", "rawhide"),
)
"""Repository redirects: a prefix that clients ask for, and the one they get."""
