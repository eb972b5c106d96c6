"""Which mirrors are offered and why not, and a mirror that is out of the lists for a while."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.export.database import parse_url
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.errors import DataFileError
from snapshot.sites.database import writing
from snapshot.sites.difference import RefusedChange
from snapshot.sites.drain_ends import DrainEnds
from snapshot.sites.drains import drain, end_drains, next_end, undrain
from snapshot.sites.getting import Limits
from snapshot.sites.host_states import HostState
from snapshot.sites.hosts import read_hosts
from snapshot.sites.load import load
from snapshot.sites.probe import probe
from tests.command import assert_refused
from tests.command import run_inside as run
from tests.mirror_farm import Farm, run_farm
from tests.offered import offered
from tests.small_sites import HEAD, applied, mirror, publish_tree, site_text, write

NOW = 1_800_000_000


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Mirrors of a primary beside the file."""
    publish_tree(tmp_path / "pub")
    with run_farm(tmp_path / "pub") as farm:
        yield farm


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'm.db'}"


def _site(folder: Path, farm: Farm, *names: str, more: str = "") -> Path:
    mirrors = [
        f'[[mirror]]\nname = "{name}"\ncountry = "DE"\nurls = ["{farm.url(name)}"]\n{more}'
        for name in names
    ]
    file = write(folder, HEAD + "".join(mirrors))
    applied(_url(folder), file)
    return file


def _probe(file: Path, now: int = NOW) -> None:
    config = load(file).config
    about = (_url(file.parent), config, file.parent, "test", lambda *done: None, now)
    probe(*about, limits=Limits(pause=0))


def _hosts(folder: Path) -> dict[str, HostState]:
    with writing(parse_url(_url(folder)), create=False, commit=False) as connection:
        return {one.name: one for one in read_hosts(connection)}


def test_why_not(tmp_path: Path, farm: Farm) -> None:
    """Each mirror that is not offered has the reason, its time and its last answers."""
    file = _site(tmp_path, farm, "good", "dead", "page", "part", "off")
    write(tmp_path, file.read_text() + "active = false\n")
    applied(_url(tmp_path), file)
    farm.kinds.update(dead="reset", page="html")
    _probe(file)
    farm.roots["part"] = tmp_path / "copy"
    publish_tree(tmp_path / "copy", versions=("9",))
    _probe(file, NOW + 60)
    _probe(file, NOW + 120)
    found = _hosts(tmp_path)
    assert (found["good"].why, found["good"].since, len(found["good"].offered)) == ([], None, 4)
    assert (found["dead"].offered, found["dead"].since) == ([], NOW)
    assert found["dead"].why == [f"no URL answers: {found['dead'].urls[0].error}"]
    assert (found["page"].why, found["page"].since) == (["wrong: 4 of 4 repositories"], NOW)
    assert found["off"].why == ["switched off in the file: active = false"]
    part = found["part"]
    assert (part.why, part.since) == (["missing: 2 of 4 repositories"], NOW + 60)
    assert part.offered == ["baseos-9 x86_64", "baseos-9 aarch64"]
    assert part.urls[0].good == NOW + 120
    answers = {one.repository: (one.verdict, one.since) for one in part.files}
    assert answers["baseos-10 x86_64"] == ("missing", NOW + 60)
    assert answers["baseos-9 x86_64"] == ("current", NOW)


def test_a_drain(tmp_path: Path, farm: Farm) -> None:
    """A drained mirror is not offered, and the first probe after its time brings it back."""
    file = _site(tmp_path, farm, "a", "b", "c")
    _probe(file)
    found = drain(_url(tmp_path), "b", "new disks", 7200, NOW)
    assert (found.offered, found.why, found.since) == ([], ["drained: new disks"], NOW)
    assert offered(file) == {"a", "c"}
    # It is asked meanwhile, and an apply changes nothing.
    _probe(file, NOW + 7199)
    applied(_url(tmp_path), file)
    assert offered(file) == {"a", "c"}
    assert _hosts(tmp_path)["b"].urls[0].checked == NOW + 7199
    _probe(file, NOW + 7200)
    assert offered(file) == {"a", "b", "c"}
    assert _hosts(tmp_path)["b"].drained is None


def test_a_longer_drain(tmp_path: Path, farm: Farm) -> None:
    """A second drain has a new end and reason, and undrain brings it back before."""
    file = _site(tmp_path, farm, "a", "b")
    drain(_url(tmp_path), "b", "new disks", 60, NOW)
    found = drain(_url(tmp_path), "b", "no disks", 3600, NOW + 30)
    assert found.drained
    assert (found.drained.since, found.drained.until) == (NOW, NOW + 3630)
    with writing(parse_url(_url(tmp_path)), create=False) as connection:
        assert (next_end(connection), end_drains(connection, NOW + 3629)) == (NOW + 3630, [])
        assert end_drains(connection, NOW + 3630) == ["b"]
        assert next_end(connection) is None
    drain(_url(tmp_path), "b", "again", 60, NOW)
    assert undrain(_url(tmp_path), "b").offered
    assert offered(file) == {"a", "b"}
    with pytest.raises(DataFileError, match="b is not drained"):
        undrain(_url(tmp_path), "b")


def test_the_end_of_a_drain(tmp_path: Path, farm: Farm) -> None:
    """`run` looks for drains of other processes, and ends each at its time."""
    file, clock, said = _site(tmp_path, farm, "a", "b"), [NOW * 1.0], list[str]()
    ends = DrainEnds(_url(tmp_path), said.append, lambda: clock[0])
    ends.look()
    drain(_url(tmp_path), "b", "x", 60, NOW)
    for clock[0], expected in ((NOW + 6, {"a"}), (NOW + 59.9, {"a"}), (NOW + 60, {"a", "b"})):
        ends.look()
        assert offered(file) == expected
    assert said == ["b: the time of its drain is over; it is offered again"]


def test_the_last_mirror(tmp_path: Path, farm: Farm) -> None:
    """It is not drained, because clients would get nothing."""
    file = _site(tmp_path, farm, "a", "b", "c")
    farm.kinds["c"] = "html"
    _probe(file)
    drain(_url(tmp_path), "b", "x", 60, NOW)
    with pytest.raises(RefusedChange, match="a is the last mirror that clients get for baseos-10"):
        drain(_url(tmp_path), "a", "x", 60, NOW)
    assert offered(file) == {"a"}
    # One that is not offered itself may be drained.
    assert drain(_url(tmp_path), "c", "x", 60, NOW).drained


def test_the_export_accepts_a_drain(tmp_path: Path, farm: Farm) -> None:
    """One of two mirrors is half of the site, and is published at once."""
    _site(tmp_path, farm, "a", "b")
    job = Job(tmp_path / "m.snap", resolve_dns=False)
    export(_url(tmp_path), job)
    drain(_url(tmp_path), "b", "x", 60, NOW)
    export(_url(tmp_path), job)


def test_the_command(tmp_path: Path) -> None:
    """list, show, drain and undrain print what they found, for people and for programs."""
    file = write(tmp_path, site_text(mirror("a"), mirror("b", "FR", "private = true")))
    write(tmp_path, mirror("c"), "mirrors.d/c.toml")
    applied(_url(tmp_path), file)
    words = ("--database", _url(tmp_path))
    done = run("sites", "host", "drain", "a", *words, "--for", "1h30m", "--reason", "new  disks")
    assert done.returncode == 0, done.stderr
    assert "because drained: new disks" in done.stdout
    assert "it comes back at " in done.stdout
    lines = run("sites", "host", "list", *words).stdout.splitlines()
    assert lines[0].split() == ["mirror", "country", "offered", "since", "why", "not"]
    assert (lines[1].split()[:3], lines[1].endswith("drained: new disks")) == (
        ["a", "DE", "no"],
        True,
    )
    assert lines[2].split() == ["b", "FR", "all,", "private"]
    (one, *_) = json.loads(run("sites", "host", "list", *words, "--json").stdout)
    assert one["drained"]["until"] - one["drained"]["since"] == 5400
    done = run("sites", "host", "undrain", "a", *words, "--json")
    assert json.loads(done.stdout)["drained"] is None
    done = run("sites", "host", "show", "a", *words)
    assert "https://a.example/pub" in done.stdout
    assert "not asked yet" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["show", "aa"], 2, "no mirror of a file has the name aa: did you mean `a`?"),
        (["show", "zzzz"], 2, "has the name zzzz; `mirrorlist sites host list` has all"),
        (["drain", "a", "--for", "2", "--reason", "x"], 2, "--for 2: not a time such as 30m, 2h"),
        (["drain", "a", "--for", "0h", "--reason", "x"], 2, "--for 0h: not a time such as 30m"),
        (["drain", "a", "--for", "9999d", "--reason", "x"], 2, "of at most 366d"),
        (["drain", "a", "--for", "1h", "--reason", " "], 2, "--reason: needs 1 to 500 characters"),
        (["drain", "a", "--for", "1h", "--reason", "a\x1bb"], 2, "--reason"),
        (["drain", "a", "--for", "1h"], 2, "--reason"),
        (["drain", "a", "--for", "1h", "--reason", "x"], 3, "a is the last mirror that clients"),
        (["undrain", "a"], 2, "a is not drained"),
    ],
)
def test_a_mistake(tmp_path: Path, words: list[str], code: int, told: str) -> None:
    """It gives one line that says what to do."""
    applied(_url(tmp_path), write(tmp_path, site_text(mirror("a"))))
    assert_refused(run("sites", "host", *words, "--database", _url(tmp_path)), code, told)


def test_no_database(tmp_path: Path) -> None:
    """Without one, the line says what makes it."""
    done = run("sites", "host", "list", "--database", _url(tmp_path))
    assert_refused(done, 3, "run `mirrorlist sites apply`")
    assert not (tmp_path / "m.db").exists()


def test_a_name_in_two_sites(tmp_path: Path) -> None:
    """Of two mirrors with one name nobody drains the wrong one: the site has to be said."""
    applied(_url(tmp_path), write(tmp_path, site_text(mirror("a"), mirror("b"))))
    head = HEAD.replace("Example Linux", "Other").replace('"baseos"', '"other"')
    head = head.replace("{version}/BaseOS", "other/{version}")
    other = site_text(mirror("a"), mirror("c"), head=head).replace(".example/pub", ".test/pub")
    (tmp_path / "other").mkdir()
    applied(_url(tmp_path), write(tmp_path / "other", other))
    with pytest.raises(DataFileError, match="several sites have a mirror a; say which: 'Example"):
        drain(_url(tmp_path), "a", "x", 60, NOW)
    assert drain(_url(tmp_path), "Other: a", "x", 60, NOW).site == "Other"
    with writing(parse_url(_url(tmp_path)), create=False, commit=False) as connection:
        drained = [one.site for one in read_hosts(connection) if one.drained]
    assert drained == ["Other"]
    assert undrain(_url(tmp_path), "Other: a").drained is None
