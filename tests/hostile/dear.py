"""Requests that are meant to cost much: each kind with thousands of forms, so that none is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from urllib.parse import quote

from snapshot.file.reader import Snapshot

CLIENT = b"X-Forwarded-For: 85.214.132.117"
"""A client in Germany, for proxies that are believed."""

LEAVE = b"\0leave"
"""At the end of what is sent: the client closes without reading."""

# What the server takes at most: a target of 8 KiB, headers of 16 KiB.
_TARGET, _HEADERS = 7_900, 15_500
_PIPELINED = 200
_CODES = [f"{a}{b}" for a in ascii_lowercase for b in ascii_lowercase]


@dataclass(frozen=True)
class Targets:
    """What a snapshot has that can be asked for."""

    repository: str
    directory: str
    categories: str


@dataclass(frozen=True)
class Dear:
    """A kind of request; `make` gives one of a number, which is `requests` of them.

    `most`: how many may be sent, where each begins work that goes on.
    """

    name: str
    make: Callable[[int], bytes]
    requests: int = 1
    most: int = 1_000_000


def targets(snapshot: Snapshot) -> Targets:
    """Return what the most hosts carry, and all categories."""
    sets = snapshot.host_sets_of_directories()
    known = [one for one in snapshot.repositories if not one.disabled]
    best = max(known, key=lambda one: len(_hosts(snapshot, sets[one.directory])))
    return Targets(
        f"repo={quote(best.prefix)}&arch={quote(best.arch)}",
        quote(snapshot.directory(best.directory).name),
        ",".join(quote(one.name) for one in snapshot.categories),
    )


def _hosts(snapshot: Snapshot, host_set: int | None) -> Sequence[int]:
    return () if host_set is None else snapshot.host_set(host_set)


def request(target: str, *lines: bytes) -> bytes:
    """Return the bytes of a request on a connection that stays open."""
    return b"\r\n".join([f"GET {target} HTTP/1.1".encode(), b"Host: a", *lines, b"", b""])


def drawn_list(known: Targets) -> Dear:
    """Return the unit: an ordinary metalink, from a server that draws each."""
    return Dear("a metalink", lambda number: request(f"/metalink?{known.repository}", CLIENT))


def dear_kinds(known: Targets) -> list[Dear]:
    """Return all kinds."""
    return [*_ordinary(known), *_lists(known), *_others(known), *_headers(known), *_filters(known)]


def _ordinary(known: Targets) -> list[Dear]:
    return [
        Dear("a metalink, kept", lambda n: request(f"/metalink?{known.repository}", CLIENT)),
        Dear("a mirrorlist, kept", lambda n: request(f"/mirrorlist?{known.repository}", CLIENT)),
    ]


def _lists(known: Targets) -> list[Dear]:
    path = f"/mirrorlist?path={known.directory}"
    wide = "country=global&protocol=https,http,rsync,ftp"
    return [
        Dear(
            "unknown repository", lambda n: request(f"/metalink?repo={n}-{'fedora-' * 30}&arch=a")
        ),
        Dear("path= of 2,000 bytes", lambda n: request(f"{path}/{_text(n, 1900)}&{wide}", CLIENT)),
        Dear(
            "path= of a 250-byte name", lambda n: request(f"{path}/{_text(n, 250)}&{wide}", CLIENT)
        ),
        Dear(
            "path= of 120 letters that are escaped",
            lambda n: request(f"{path}/{_text(n, 10)}{quote('ж' * 120)}&{wide}", CLIENT),
        ),
        Dear("path= of 1,000 directories", lambda n: request(f"{path}/{'a/' * 900}{n}&{wide}")),
        Dear(
            "protocol= of 32 new names",
            lambda n: request(f"{path}&protocol=https,{_names(n, 31)}", CLIENT),
        ),
        Dear(
            "the same twice",
            lambda n: request(f"{path}&protocol=https,{_names(n // 2, 31)}", CLIENT),
        ),
        Dear(
            "country= of 32 new ones", lambda n: request(f"{path}&country={_countries(n)}", CLIENT)
        ),
        Dear(
            "the same twice, as metalink",
            lambda n: request(f"/metalink?{known.repository}&country={_countries(n // 2)}", CLIENT),
        ),
        Dear(
            "ip= of anybody",
            lambda n: request(f"/metalink?{known.repository}&ip=85.{n >> 8 & 255}.{n & 255}.1"),
        ),
        Dear("4,000 parameters", lambda n: request(f"{path}&{'a&' * (_TARGET // 2 - 100)}{n}")),
        Dear(
            "2,000 of one parameter", lambda n: request(f"{path}&{'ip=&' * (_TARGET // 4 - 90)}{n}")
        ),
        Dear("8 KB of escapes", lambda n: request(f"/mirrorlist?path={'%61' * 2000}{n}")),
        Dear("protocol= of 250 commas", lambda n: request(f"{path}&protocol={',' * 250}{n}")),
    ]


def _others(known: Targets) -> list[Dear]:
    explain = f"/mirrorlist/explain?path={known.directory}"
    plain = b"Accept: text/plain"
    every = "country=global&protocol=https,http,rsync,ftp"
    return [
        Dear("/repositories", lambda n: request(f"/repositories?{n}")),
        Dear("/repositories, JSON", lambda n: request(f"/repositories?format=json&{n}")),
        Dear("/explain", lambda n: request(f"{explain}&{n}")),
        Dear("/explain, text", lambda n: request(f"{explain}&{n}", plain)),
        Dear("/explain of all", lambda n: request(f"{explain}&{every}&{n}")),
        Dear("/explain of 32 countries", lambda n: request(f"{explain}&country={_countries(n)}")),
        Dear(
            "/explain of a 250-byte name", lambda n: request(f"{explain}/{_text(n, 250)}&{every}")
        ),
        Dear(
            "/explain of a 250-byte name, text",
            lambda n: request(f"{explain}/{_text(n, 250)}&{every}", plain),
        ),
        Dear(
            "/explain of a 2,000-byte name",
            lambda n: request(f"{explain}/{_text(n, 1900)}&{every}"),
        ),
        Dear("nothing here", lambda n: request(f"/{_text(n, _TARGET)}")),
        Dear("/ of 4,000 slashes", lambda n: request(f"/{'a/' * 3900}{n}")),
        Dear("/health/ready", lambda n: request("/health/ready")),
    ]


def _headers(known: Targets) -> list[Dear]:
    get = f"/metalink?{known.repository}"
    trusted = b"X-Forwarded-For: " + b",".join([b"::1"] * 3_800)
    return [
        Dear("X-Forwarded-For of 3,800 proxies", lambda n: request(get, trusted)),
        Dear(
            "the same in 50 lines",
            lambda n: request(get, *[b"X-Forwarded-For: " + b"::1," * 70] * 50),
        ),
        Dear(
            "X-Forwarded-For of commas",
            lambda n: request(get, b"X-Forwarded-For: " + b"," * _HEADERS),
        ),
        Dear(
            "60 headers",
            lambda n: request(get, *[b"X-%d: %s" % (i, b"y" * 240) for i in range(60)]),
        ),
        Dear("Accept of 15 KB", lambda n: request("/explain", b"Accept: " + b"a/b;q=0.1," * 1_500)),
        Dear(f"{_PIPELINED} lists at once", lambda n: request(get) * _PIPELINED, _PIPELINED),
        Dear(
            f"{_PIPELINED} of the app at once",
            lambda n: request("/health/live") * _PIPELINED,
            _PIPELINED,
        ),
        Dear("line ends after an answer", lambda n: request("/health/live") + b"\r\n" * 500),
    ]


def _filters(known: Targets) -> list[Dear]:
    get = f"/rsyncFilter?categories={known.categories}&form=files"
    globs = "&".join(f"select=**/*/*/*/*~{{}}{one}/**" for one in range(32))
    sets = "select=**/*" + "[!~]*" * 400
    etags = b"If-None-Match: " + b'"0",' * (_HEADERS // 4)
    dates = b"If-Modified-Since: " + b"(" * _HEADERS
    few = 20
    return [
        Dear("rsync filter: nothing changed", lambda n: request(f"{get}&since=99999999999&{n}")),
        Dear("rsync filter: 2,500 tags", lambda n: request(f"{get}&since=9999999999&{n}", etags)),
        Dear(
            "rsync filter: a date of 15 KB", lambda n: request(f"{get}&since=9999999999&{n}", dates)
        ),
        Dear(
            "rsync filter: everything",
            lambda n: request(f"{get}&since=0&select=**&select={n}"),
            1,
            few,
        ),
        Dear(
            "rsync filter: 32 globs of the review",
            lambda n: request(f"{get}&since=0&{globs.replace('{}', str(n))}"),
            1,
            few,
        ),
        Dear(
            "rsync filter: 7 KB of sets",
            lambda n: request(f"{get}&since=0&{sets}{n}&{sets}&{sets}"),
            1,
            few,
        ),
        Dear(
            "rsync filter: the client leaves",
            lambda n: request(f"{get}&since=0&select=**/{n}/**") + LEAVE,
            1,
            few,
        ),
    ]


def _text(number: int, size: int) -> str:
    return f"{number}-{'a' * size}"[:size]


def _names(number: int, count: int) -> str:
    return ",".join(f"{ascii_lowercase[one % 26]}{number}{one}" for one in range(count))


def _countries(number: int) -> str:
    return ",".join(
        _CODES[(number * 7 + one * (1 + number % 13)) % len(_CODES)] for one in range(32)
    )
