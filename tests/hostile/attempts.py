"""What a hostile network sends: a seed and a number give the same attempt each time."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

NAMES = ("repo", "arch", "path", "country", "ip", "protocol", "redirect", "time", "netblock", "x")
VALUES = ("linux", "x86_64", "top/dir", "de,us", "global", "8.8.8.8", "::1", "%00", "%ff", "%", "+")
PATHS = ("/metalink", "/mirrorlist", "/explain", "/repositories", "/health/ready", "/a/b/metalink")


@dataclass(frozen=True)
class Attempt:
    """One connection: the pieces sent, how many requests they are, and how it ends.

    `leaves`: the client closes without reading; else it closes its half and reads to the end.
    """

    pieces: tuple[bytes, ...]
    requests: int = 1
    leaves: bool = False


def make_attempt(seed: int, number: int) -> Attempt:
    """Return an attempt of a seed's sequence."""
    dice = Random(f"{seed}:{number}")
    data, requests = dice.choice(KINDS)(dice)
    leaves = dice.random() < 0.05
    if dice.random() < 0.1:
        step = max(1, len(data) // 20)
        return Attempt(
            tuple(data[i : i + step] for i in range(0, len(data), step)), requests, leaves
        )
    return Attempt((data,), requests, leaves)


def _target(dice: Random) -> bytes:
    pairs = [f"{dice.choice(NAMES)}={_value(dice)}" for _ in range(dice.randint(0, 8))]
    return f"{dice.choice(PATHS)}?{'&'.join(pairs)}".encode()


def _value(dice: Random) -> str:
    return "".join(dice.choice(VALUES) for _ in range(dice.randint(0, 4)))


def _request(target: bytes, *lines: bytes, method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: a", *lines, b"", b""])


def _valid(dice: Random) -> tuple[bytes, int]:
    method = dice.choice([b"GET", b"HEAD", b"POST", b"OPTIONS", b"TRACE"])
    return _request(_target(dice), method=method), 1


def _forwarded(dice: Random) -> tuple[bytes, int]:
    junk = dice.choice([dice.randbytes(dice.randint(0, 60)), b"1.2.3.4, ::1", b"[::1]:99,,,\xff"])
    return _request(_target(dice), b"X-Forwarded-For: " + junk), 1


def _pipelined(dice: Random) -> tuple[bytes, int]:
    count = dice.randint(2, 12)
    return b"".join(_request(_target(dice)) for _ in range(count)), count


def _bad_line(dice: Random) -> tuple[bytes, int]:
    lines = (b"GET", b"GET /", b"\0", b"GET / HTTP/9.9", b"G\xffT / HTTP/1.1", b"GET  / HTTP/1.1")
    return dice.choice(lines) + dice.randbytes(dice.randint(0, 9)) + b"\r\n\r\n", 1


def _flood(dice: Random) -> tuple[bytes, int]:
    size = dice.choice([1, 300, 9000])
    lines = [b"X-%d: %s" % (i, b"y" * size) for i in range(dice.choice([10, 60, 70, 500]))]
    return _request(_target(dice), *lines), 1


def _long_query(dice: Random) -> tuple[bytes, int]:
    return _request(b"/metalink?path=" + b"a" * dice.choice([2048, 8100, 8300, 65536])), 1


def _raw_bytes(dice: Random) -> tuple[bytes, int]:
    return _request(b"/mirrorlist?path=" + dice.randbytes(dice.randint(1, 50))), 1


def _absolute(dice: Random) -> tuple[bytes, int]:
    hosts = [b"http://a", b"http://[", b"//", b"http://a:999999", b"*", b"a:443", b"http://u@h"]
    return _request(dice.choice(hosts) + _target(dice)), 1


def _lengths(dice: Random) -> tuple[bytes, int]:
    length = dice.choice(
        [b"-1", b"5", b"99999999999999999999", b"x", b"0", b"3\r\nContent-Length: 4"]
    )
    return _request(_target(dice), b"Content-Length: " + length) + dice.randbytes(5), 1


def _chunked(dice: Random) -> tuple[bytes, int]:
    head = _request(_target(dice), b"Transfer-Encoding: chunked", method=b"POST")
    return head + dice.choice([b"zz\r\n", b"5\r\nab", b"0\r\nA: b\r\n\r\n", dice.randbytes(40)]), 1


def _cut(dice: Random) -> tuple[bytes, int]:
    data, _ = _valid(dice)
    return data[: dice.randint(1, len(data) - 1)], 1


def _noise(dice: Random) -> tuple[bytes, int]:
    return dice.randbytes(dice.randint(1, 400)), 1


def _upgrade(dice: Random) -> tuple[bytes, int]:
    other = dice.choice([b"h2c", b"websocket", b"\xff"])
    return _request(_target(dice), b"Connection: Upgrade", b"Upgrade: " + other) + b"PRI", 1


KINDS: tuple[Callable[[Random], tuple[bytes, int]], ...] = (
    _valid, _forwarded, _pipelined, _bad_line, _flood, _long_query, _raw_bytes,
    _absolute, _lengths, _chunked, _cut, _noise, _upgrade,
)  # fmt: skip
