"""The demo's tree: what a small Fedora primary mirror would hold, as tables.

`FAMILIES` lists the repositories, `IMAGES` the installation images; all directories follow from
them. `{v}` stands for a version and `{a}` for an arch. Prefixes follow
docs/mirrormanager.md#prefixes-of-repositories.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

NOW = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
"""The demo's present, in Unix seconds: all its times are fixed, so each build is the same."""

FEDORA = "Fedora Linux"
SECONDARY = "Fedora Secondary Arches"
EPEL = "Fedora EPEL"
ARCHIVE = "Fedora Archive"
CODECS = "Fedora Codecs"
OTHER = "Fedora Other"
IOT = "Fedora IoT"


@dataclass(frozen=True, slots=True)
class DemoCategory:
    """A category, its topdir, its product, and the path it has on most hosts."""

    name: str
    topdir: str
    product: str
    usual_path: str


CATEGORIES = (
    DemoCategory(FEDORA, "pub/fedora/linux", "Fedora", "fedora/linux"),
    DemoCategory(SECONDARY, "pub/fedora-secondary", "Fedora", "fedora-secondary"),
    DemoCategory(EPEL, "pub/epel", "EPEL", "epel"),
    DemoCategory(ARCHIVE, "pub/archive/fedora", "Fedora", "archive/fedora"),
    DemoCategory(CODECS, "pub/openh264", "Fedora", "openh264"),
    DemoCategory(OTHER, "pub/alt", "Fedora", "alt"),
    # Its topdir lies within another one, so its directories are in both categories.
    DemoCategory(IOT, "pub/alt/iot", "Fedora", "iot"),
)

PRODUCTS = ("Fedora", "EPEL")

ARCHES = ("x86_64", "aarch64", "ppc64le", "source")


@dataclass(frozen=True, slots=True)
class DemoVersion:
    """A version of a product; day is its release, after which its release tree stays as it is."""

    name: str
    product: str
    display_name: str
    day: datetime
    is_test: bool = False
    display: bool = True


VERSIONS = (
    DemoVersion("38", "Fedora", "Fedora 38", datetime(2023, 4, 18, tzinfo=UTC), display=False),
    DemoVersion("41", "Fedora", "Fedora 41", datetime(2024, 10, 29, tzinfo=UTC), display=False),
    DemoVersion("42", "Fedora", "Fedora 42", datetime(2025, 4, 15, tzinfo=UTC)),
    DemoVersion("43", "Fedora", "Fedora 43", datetime(2025, 10, 28, tzinfo=UTC)),
    DemoVersion("44", "Fedora", "Fedora 44", datetime(2026, 4, 21, tzinfo=UTC)),
    DemoVersion(
        "45_Beta", "Fedora", "Fedora 45 Beta", datetime(2026, 10, 27, tzinfo=UTC), is_test=True
    ),
    # MirrorManager's scanner calls the version of every rawhide directory so.
    DemoVersion("development", "Fedora", "Fedora Rawhide", datetime(2026, 11, 1, tzinfo=UTC)),
    DemoVersion("eln", "Fedora", "Fedora ELN", datetime(2026, 10, 31, tzinfo=UTC), display=False),
    DemoVersion("9", "EPEL", "EPEL 9", datetime(2021, 12, 3, tzinfo=UTC)),
    DemoVersion("10", "EPEL", "EPEL 10", datetime(2024, 12, 9, tzinfo=UTC)),
)

_RELEASES = ("42", "43", "44")
_RAWHIDE = ("development",)
_EPELS = ("9", "10")
_PRIMARY = ("x86_64", "aarch64")
_ALTERNATIVE = ("ppc64le",)
_ALL = _PRIMARY + _ALTERNATIVE
_SOURCE = ("source",)
_X86 = ("x86_64",)

# Packages are sorted into directories by the first letter of their name.
_MANY = "03abcdefghijklmnopqrstuvwxyz"
_SOME = "abcdfgklmnoprstw"
_FEW = "gklp"
_NONE = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Repositories that differ only in version and arch, in a directory below the topdir.

    `alternates` counts the older repomd.xml files still accepted; a family that has some gets
    new packages daily, the others stay as released. Without a category, the path is a full one.
    """

    category: str | None
    prefix: str | None
    path: str
    versions: tuple[str, ...]
    arches: tuple[str, ...]
    letters: str = _NONE
    alternates: int = 0
    disabled: bool = False


_R, _U, _T = (
    "releases/{v}/Everything/",
    "updates/{v}/Everything/",
    "updates/testing/{v}/Everything/",
)
_D = "development/rawhide/Everything/"
_E, _ET = "{v}/Everything/", "testing/{v}/Everything/"
_A = "linux/releases/{v}/"

FAMILIES = (
    Family(FEDORA, "fedora-{v}", _R + "{a}/os", _RELEASES, _PRIMARY, _MANY),
    Family(FEDORA, "fedora-debug-{v}", _R + "{a}/debug/tree", _RELEASES, _PRIMARY, _SOME),
    Family(FEDORA, "fedora-source-{v}", _R + "source/tree", _RELEASES, _SOURCE, _SOME),
    Family(FEDORA, "updates-released-f{v}", _U + "{a}", _RELEASES, _PRIMARY, _MANY, 2),
    Family(FEDORA, "updates-released-debug-f{v}", _U + "{a}/debug", _RELEASES, _PRIMARY, _SOME, 2),
    Family(
        FEDORA, "updates-released-source-f{v}", _U + "source/tree", _RELEASES, _SOURCE, _SOME, 2
    ),
    Family(FEDORA, "updates-testing-f{v}", _T + "{a}", _RELEASES, _PRIMARY, _SOME, 2),
    Family(FEDORA, "updates-testing-debug-f{v}", _T + "{a}/debug", _RELEASES, _PRIMARY, _FEW, 1),
    Family(FEDORA, "updates-testing-source-f{v}", _T + "source/tree", _RELEASES, _SOURCE, _FEW, 1),
    Family(FEDORA, "rawhide", _D + "{a}/os", _RAWHIDE, _PRIMARY, _MANY, 2),
    Family(FEDORA, "rawhide-debug", _D + "{a}/debug/tree", _RAWHIDE, _PRIMARY, _SOME, 2),
    Family(FEDORA, "rawhide-source", _D + "source/tree", _RAWHIDE, _SOURCE, _SOME, 2),
    Family(FEDORA, "fedora-install-{v}", "releases/{v}/Server/{a}/os", ("43", "44"), _PRIMARY),
    # Trees of single editions and test releases get no prefix.
    Family(FEDORA, None, "releases/{v}/Server/{a}/os", ("42",), _PRIMARY),
    Family(FEDORA, None, "releases/test/{v}/Everything/{a}/os", ("45_Beta",), _PRIMARY, _FEW),
    Family(SECONDARY, "fedora-{v}", _R + "{a}/os", _RELEASES, _ALTERNATIVE, _MANY),
    Family(SECONDARY, "fedora-debug-{v}", _R + "{a}/debug/tree", _RELEASES, _ALTERNATIVE, _FEW),
    Family(SECONDARY, "updates-released-f{v}", _U + "{a}", _RELEASES, _ALTERNATIVE, _SOME, 2),
    Family(
        SECONDARY, "updates-released-debug-f{v}", _U + "{a}/debug", _RELEASES, _ALTERNATIVE, _FEW, 2
    ),
    Family(SECONDARY, "updates-testing-f{v}", _T + "{a}", _RELEASES, _ALTERNATIVE, _FEW, 1),
    Family(SECONDARY, "rawhide", _D + "{a}/os", _RAWHIDE, _ALTERNATIVE, _SOME, 2),
    Family(SECONDARY, "rawhide-debug", _D + "{a}/debug/tree", _RAWHIDE, _ALTERNATIVE, _FEW, 2),
    Family(EPEL, "epel-{v}", _E + "{a}", _EPELS, _ALL, _MANY, 1),
    Family(EPEL, "epel-debug-{v}", _E + "{a}/debug", _EPELS, _ALL, _FEW, 1),
    Family(EPEL, "epel-source-{v}", _E + "source/tree", _EPELS, _SOURCE, _SOME, 1),
    Family(EPEL, "testing-epel{v}", _ET + "{a}", _EPELS, _ALL, _FEW, 1),
    Family(EPEL, "testing-debug-epel{v}", _ET + "{a}/debug", _EPELS, _ALL, _NONE, 1),
    Family(EPEL, "testing-source-epel{v}", _ET + "source/tree", _EPELS, _SOURCE, _FEW, 1),
    Family(CODECS, "fedora-cisco-openh264-{v}", "{v}/{a}/os", _RELEASES, _ALL),
    Family(CODECS, "fedora-cisco-openh264-debug-{v}", "{v}/{a}/debug/tree", _RELEASES, _ALL),
    Family(ARCHIVE, "fedora-{v}", _A + "Everything/{a}/os", ("41",), _PRIMARY, _SOME),
    Family(ARCHIVE, "updates-released-f{v}", "linux/" + _U + "{a}", ("41",), _PRIMARY, _SOME),
    # Nobody should install modules any more, so clients are told that it is disabled.
    Family(ARCHIVE, "fedora-modular-{v}", _A + "Modular/{a}/os", ("38",), _PRIMARY, disabled=True),
    # Scanned before anybody made a category for it: no host can carry it.
    Family(None, "eln", "pub/eln/1/Everything/{a}/os", ("eln",), _PRIMARY, _FEW, 1),
)

OUTSIDE = ("pub", "pub/archive", "pub/fedora")
"""Directories above all topdirs, hence in no category."""

UNREADABLE = ("pub/fedora/linux/releases/test/45_Beta",)
"""Directories that, with all below them, hosts may not copy yet."""


@dataclass(frozen=True, slots=True)
class Image:
    """A file for a person to download, with a checksum file beside it; sizes in MiB."""

    category: str
    path: str
    filename: str
    versions: tuple[str, ...]
    arches: tuple[str, ...]
    size: int


_SERVER = "releases/{v}/Server/{a}/iso"

# `{c}` stands for the compose, the number of the build that was released.
COMPOSES = {"41": "1.4", "42": "1.1", "43": "1.6", "44": "1.7"}
IMAGES = (
    Image(FEDORA, _SERVER, "Fedora-Server-dvd-{a}-{v}-{c}.iso", _RELEASES, _PRIMARY, 2711),
    Image(FEDORA, _SERVER, "Fedora-Server-netinst-{a}-{v}-{c}.iso", _RELEASES, _PRIMARY, 1004),
    Image(
        FEDORA,
        "releases/{v}/Workstation/{a}/iso",
        "Fedora-Workstation-Live-{v}-{c}.{a}.iso",
        _RELEASES,
        _PRIMARY,
        2398,
    ),
    Image(
        FEDORA,
        "releases/{v}/KDE/{a}/iso",
        "Fedora-KDE-Desktop-Live-{v}-{c}.{a}.iso",
        _RELEASES,
        _PRIMARY,
        2692,
    ),
    Image(
        FEDORA,
        _R + "{a}/iso",
        "Fedora-Everything-netinst-{a}-{v}-{c}.iso",
        _RELEASES,
        _PRIMARY,
        998,
    ),
    Image(
        FEDORA,
        "releases/{v}/Cloud/{a}/images",
        "Fedora-Cloud-Base-Generic-{v}-{c}.{a}.qcow2",
        _RELEASES,
        _PRIMARY,
        531,
    ),
    Image(SECONDARY, _SERVER, "Fedora-Server-dvd-{a}-{v}-{c}.iso", _RELEASES, _ALTERNATIVE, 2514),
    Image(ARCHIVE, "linux/" + _SERVER, "Fedora-Server-dvd-{a}-{v}-{c}.iso", ("41",), _X86, 2640),
    Image(
        OTHER,
        "risc-v/release/{v}/Cloud/images",
        "Fedora-Cloud-Base-{v}-{c}.riscv64.qcow2",
        ("43",),
        _X86,
        612,
    ),
    Image(IOT, "{v}/IoT/{a}/iso", "Fedora-IoT-ostree-{v}-{c}.{a}.iso", _RELEASES, _PRIMARY, 3120),
)

REDIRECTS = (
    ("epel-latest", "epel-10"),
    ("fedora-rawhide", "rawhide"),
    # Until a release branches off, its repositories are rawhide's.
    ("fedora-45", "rawhide"),
    ("updates-released-f45", "rawhide"),
    ("updates-testing-f45", "rawhide"),
)
"""Repository redirects: a prefix that clients ask for, and the one they get."""
