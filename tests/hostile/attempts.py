"""What a hostile network sends: a seed and a number give the same attempt each time."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random

from tests.hostile.data import DEMO
from tests.hostile.dear import LEAVE, dear_kinds

NAMES = ("repo", "arch", "path", "country", "ip", "protocol", "redirect", "time", "netblock", "x")
VALUES = ("de,us", "global", "8.8.8.8", "::1", "%00", "%ff", "%", "+", "https", "1", "x86_64", "")
REPOSITORIES = ("fedora-44", "rawhide", "epel-10", "epel-latest", "updates-released-f43", "none-1")
ARCHITECTURES = ("x86_64", "aarch64", "source", "vax")
DIRECTORIES = (
    "pub/fedora/linux/releases/44/Server/x86_64/iso",
    "pub/fedora/linux/releases/44/Server/x86_64/iso/Fedora-Server-dvd-x86_64-44-1.7.iso",
    "pub/epel/10/Everything/x86_64/",
    "pub/fedora/linux",
    "pub/nowhere",
)
PATHS = (
    *("/metalink", "/mirrorlist", "/explain", "/repositories", "/health/ready", "/a/b/metalink"),
    "/rsyncFilter",
)
DEAR = dear_kinds(DEMO)


class End(Enum):
    """How a client leaves a connection."""

    READS = "closes its half and reads to the end"
    LEAVES = "closes without reading"
    RESETS = "resets the connection"


@dataclass(frozen=True)
class Attempt:
    """One connection: the pieces sent, how many requests they are, and how it ends.

    `due` is how many answers a client that reads to the end must at least get, 0 where the
    bytes need not hold a whole request. `slow`: each piece comes after a pause.
    """

    pieces: tuple[bytes, ...]
    requests: int
    due: int
    end: End = End.READS
    slow: bool = False


Sent = tuple[bytes, int, int]
"""Bytes, the requests in them, and the answers due."""


def make_attempt(seed: int, number: int) -> Attempt:
    """Return an attempt of a seed's sequence."""
    dice = Random(f"{seed}:{number}")
    data, requests, due = dice.choice(KINDS)(dice)
    (end,) = dice.choices([End.READS, End.LEAVES, End.RESETS], [94, 3, 3])
    if dice.random() < 0.1:
        step = max(1, len(data) // 20)
        pieces = tuple(data[i : i + step] for i in range(0, len(data), step))
        return Attempt(pieces, requests, due, end, slow=dice.random() < 0.5)
    return Attempt((data,), requests, due, end)


def _target(dice: Random) -> bytes:
    pairs = [f"{dice.choice(NAMES)}={_value(dice)}" for _ in range(dice.randint(0, 4))]
    pairs += dice.choice(([], [_repository(dice)], [f"path={dice.choice(DIRECTORIES)}"]))
    dice.shuffle(pairs)
    return f"{dice.choice(PATHS)}?{'&'.join(pairs)}".encode()


def _repository(dice: Random) -> str:
    return f"repo={dice.choice(REPOSITORIES)}&arch={dice.choice(ARCHITECTURES)}"


def _value(dice: Random) -> str:
    return "".join(dice.choice(VALUES) for _ in range(dice.randint(0, 4)))


def _request(target: bytes, *lines: bytes, method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: a", *lines, b"", b""])


def _valid(dice: Random) -> Sent:
    method = dice.choice([b"GET", b"GET", b"HEAD", b"POST", b"OPTIONS", b"TRACE"])
    return _request(_target(dice), method=method), 1, 1


def _forwarded(dice: Random) -> Sent:
    junk = dice.choice([dice.randbytes(dice.randint(0, 60)), b"1.2.3.4, ::1", b"[::1]:99,,,\xff"])
    return _request(_target(dice), b"X-Forwarded-For: " + junk), 1, 1


def _pipelined(dice: Random) -> Sent:
    count = dice.randint(2, 12)
    return b"".join(_request(_target(dice)) for _ in range(count)), count, count


def _bad_line(dice: Random) -> Sent:
    lines = (b"GET", b"GET /", b"\0", b"GET / HTTP/9.9", b"G\xffT / HTTP/1.1", b"GET  / HTTP/1.1")
    return dice.choice(lines) + dice.randbytes(dice.randint(0, 9)) + b"\r\n\r\n", 1, 1


def _flood(dice: Random) -> Sent:
    size = dice.choice([1, 300, 9000])
    lines = [b"X-%d: %s" % (i, b"y" * size) for i in range(dice.choice([10, 60, 70, 500]))]
    return _request(_target(dice), *lines), 1, 1


def _long_query(dice: Random) -> Sent:
    return _request(b"/metalink?path=" + b"a" * dice.choice([2048, 8100, 8300, 65536])), 1, 1


def _raw_bytes(dice: Random) -> Sent:
    return _request(b"/mirrorlist?path=" + dice.randbytes(dice.randint(1, 50))), 1, 1


def _absolute(dice: Random) -> Sent:
    hosts = [b"http://a", b"http://[", b"//", b"http://a:999999", b"*", b"a:443", b"http://u@h"]
    return _request(dice.choice(hosts) + _target(dice)), 1, 1


def _lengths(dice: Random) -> Sent:
    length = dice.choice(
        [b"-1", b"5", b"99999999999999999999", b"x", b"0", b"3\r\nContent-Length: 4"]
    )
    return _request(_target(dice), b"Content-Length: " + length) + dice.randbytes(5), 1, 1


def _chunked(dice: Random) -> Sent:
    head = _request(_target(dice), b"Transfer-Encoding: chunked", method=b"POST")
    body = dice.choice([b"zz\r\n", b"5\r\nab", b"0\r\nA: b\r\n\r\n", dice.randbytes(40)])
    return head + body, 1, 1


def _cut(dice: Random) -> Sent:
    data, _, _ = _valid(dice)
    return data[: dice.randint(1, len(data) - 1)], 1, 0


def _noise(dice: Random) -> Sent:
    return dice.randbytes(dice.randint(1, 400)), 1, 0


def _silence(dice: Random) -> Sent:
    return b"", 0, 0


def _upgrade(dice: Random) -> Sent:
    other = dice.choice([b"h2c", b"websocket", b"\xff"])
    return _request(_target(dice), b"Connection: Upgrade", b"Upgrade: " + other) + b"PRI", 1, 1


def _dear(dice: Random) -> Sent:
    kind = dice.choice(DEAR)
    data = kind.make(dice.randrange(1 << 20)).removesuffix(LEAVE)
    # Of many requests at once, the last ones may find the connection closed.
    return data, kind.requests, 1


KINDS: tuple[Callable[[Random], Sent], ...] = (
    _valid, _forwarded, _pipelined, _bad_line, _flood, _long_query, _raw_bytes,
    _absolute, _lengths, _chunked, _cut, _noise, _silence, _upgrade,
    _dear,
)  # fmt: skip
