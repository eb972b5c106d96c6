"""Mirrors and primaries that try to break a probe, or what runs beside it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from snapshot.sites.getting import Limits
from snapshot.sites.load import load
from snapshot.sites.probe import probe
from snapshot.sites.verdict_rows import ProbedUrl
from tests.mirror_farm import Farm, run_farm
from tests.small_sites import HEAD, applied, publish_tree, write

OLD, NOW = 1_790_000_000, 1_800_000_000
SHORT = Limits(silent=1, seconds=2, pause=0, tries=1)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Mirrors of a primary beside the file."""
    publish_tree(tmp_path / "pub", OLD)
    with run_farm(tmp_path / "pub") as farm:
        yield farm


def _site(folder: Path, farm: Farm, *names: str) -> Path:
    mirrors = [
        f'[[mirror]]\nname = "{name}"\ncountry = "DE"\nurls = ["{farm.url(name)}"]\n'
        for name in names
    ]
    file = write(folder, HEAD + "".join(mirrors))
    applied(f"sqlite:///{folder / 'm.db'}", file)
    return file


def _probe(file: Path, now: int = NOW, limits: Limits = SHORT) -> dict[str, ProbedUrl]:
    url = f"sqlite:///{file.parent / 'm.db'}"
    about = (url, load(file).config, file.parent, "test", lambda *done: None, now)
    return {one.mirror: one for one in probe(*about, limits=limits).mirrors}


def _raw(*head: bytes, timestamp: bytes = b"17", encoding: bytes = b"UTF-8") -> bytes:
    body = b'<?xml version="1.0" encoding="%b"?><repomd><data><timestamp>%b</timestamp>' % (
        encoding,
        timestamp,
    )
    body += b"</data></repomd>"
    lines = [head[0], *head[1:], b"Content-Length: %d" % len(body), b"", body]
    return b"\r\n".join(lines)


_OK = b"HTTP/1.1 200 OK"
_HOSTILE = {
    "an unknown encoding": (_raw(_OK, encoding=b"rot13"), "wrong", None),
    "a time beyond all numbers": (_raw(_OK, timestamp=b"1e30"), "wrong", None),
    "an ETag of other bytes": (_raw(_OK, b'ETag: "\xff\x1b[31m"'), "behind", None),
    "a very long ETag": (_raw(_OK, b'ETag: "%b"' % (b"a" * 8000)), "behind", None),
    "a coding of other bytes": (
        _raw(_OK, b"Content-Encoding: \xff\x1b"),
        "unreachable",
        "the coding ??,",
    ),
    "a redirect of other bytes": (
        _raw(b"HTTP/1.1 302 Found", b"Location: http://10.0.0.1/\xff\x1b[31m"),
        "unreachable",
        "http://10.0.0.1/??[31m",
    ),
    "a redirect to no URL": (
        _raw(b"HTTP/1.1 302 Found", b"Location: http://["),
        "unreachable",
        "Invalid IPv6 URL",
    ),
    "unchanged, and nothing was asked": (
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        "unreachable",
        "status 304, which says nothing",
    ),
    "no HTTP": (b"\0\x1b\xff" * 99, "unreachable", "Bad status line"),
}


def test_hostile_answers(tmp_path: Path, farm: Farm) -> None:
    """An answer that is made to break something is judged, and costs no other mirror its state."""
    names = {f"m{at}": what for at, what in enumerate(_HOSTILE)}
    farm.raw = {name: _HOSTILE[what][0] for name, what in names.items()}
    file = _site(tmp_path, farm, "good", *names)
    found = _probe(file)
    assert found.pop("good").verdicts == {"current": 4}
    judged = {names[name]: (one.verdicts, one.error) for name, one in found.items()}
    assert {what: verdicts for what, (verdicts, _) in judged.items()} == {
        what: {verdict: 4} for what, (_, verdict, _) in _HOSTILE.items()
    }
    for what, (_, verdict, error) in _HOSTILE.items():
        said = judged[what][1] or ""
        assert (error or verdict) in said, what
        assert said.isprintable(), what
        assert len(said) <= 200, what
    with closing(sqlite3.connect(tmp_path / "m.db")) as connection:
        etags = connection.execute("SELECT DISTINCT etag FROM mirrorlist_answer").fetchall()
    assert all(etag.isprintable() and len(etag) < 100 for (etag,) in etags)
    assert _probe(file)["good"].verdicts == {"current": 4}
