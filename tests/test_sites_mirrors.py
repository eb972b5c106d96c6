"""Which mirrors are offered after a probe: those that have what the primary has, and no other."""

import shutil
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.errors import RefusedSnapshot
from snapshot.file.reader import Snapshot
from snapshot.sites.asking import Limits
from snapshot.sites.load import load
from snapshot.sites.mirror_probe import ProbedUrl
from snapshot.sites.probe import probe
from tests.in_process import respond
from tests.mirror_farm import Farm, run_farm
from tests.small_sites import HEAD, applied, publish_tree, write
from tests.system import need_program

OLD, NEW, NOW = 1_790_000_000, 1_790_000_100, 1_800_000_000
LIMITS = Limits(pause=0)
# For mirrors that hang; long enough for the others on a busy machine.
SHORT = Limits(silent=1, seconds=2, pause=0)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Mirrors of a primary beside the file."""
    publish_tree(tmp_path / "pub", OLD)
    with run_farm(tmp_path / "pub") as farm:
        yield farm


def _site(folder: Path, farm: Farm, *names: str, more: str = "") -> Path:
    mirrors = [
        f'[[mirror]]\nname = "{name}"\ncountry = "DE"\nurls = ["{farm.url(name)}"]\n{more}'
        for name in names
    ]
    file = write(folder, HEAD + "".join(mirrors))
    applied(f"sqlite:///{folder / 'm.db'}", file)
    return file


def _probe(file: Path, now: int = NOW, limits: Limits = LIMITS) -> dict[str, ProbedUrl]:
    url = f"sqlite:///{file.parent / 'm.db'}"
    about = (url, load(file).config, file.parent, "test", lambda *done: None, now)
    return {one.mirror: one for one in probe(*about, limits=limits).mirrors}


def _offered(file: Path, query: str = "repo=baseos-9&arch=x86_64") -> set[str]:
    """The names of the mirrors that a client gets."""
    output = file.parent / "m.snap"
    export(f"sqlite:///{file.parent / 'm.db'}", Job(output, resolve_dns=False, max_loss=None))
    body = respond(Snapshot(output), f"/mirrorlist?{query}").body.decode()
    return {line.split("/")[3] for line in body.splitlines() if line.startswith("http")}


def test_before_any_probe(tmp_path: Path, farm: Farm) -> None:
    """Every mirror of the file is offered, and still is after a probe that finds it right."""
    file = _site(tmp_path, farm, "a", "b")
    assert _offered(file) == {"a", "b"}
    found = _probe(file)
    assert found["a"].verdicts == {"current": 4}
    assert (found["a"].error, found["a"].good, found["a"].offered) == (None, NOW, True)
    assert _offered(file) == {"a", "b"}
    assert _offered(file, "path=pub/9/BaseOS") == {"a", "b"}


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("html", "wrong"), ("huge", "wrong"), ("missing", "missing"), ("redirect", "current")],
)
def test_what_a_mirror_has(tmp_path: Path, farm: Farm, kind: str, verdict: str) -> None:
    """A definite answer counts at once: right, another file, no file."""
    farm.kinds["b"] = kind
    if kind == "missing":
        farm.roots["b"] = tmp_path / "nothing"
    file = _site(tmp_path, farm, "a", "b")
    assert _probe(file)["b"].verdicts == {verdict: 4}
    assert _offered(file) == ({"a", "b"} if verdict == "current" else {"a"})


HANGING = ("silent", "drip")


@pytest.mark.parametrize(
    "kind",
    [
        *("reset", "broken", "loop"),
        *(pytest.param(one, marks=pytest.mark.system) for one in HANGING),
    ],
)
def test_a_mirror_without_an_answer(tmp_path: Path, farm: Farm, kind: str) -> None:
    """Once is not enough; the second time it leaves, and comes back with its first answer."""
    farm.kinds["b"] = kind
    file = _site(tmp_path, farm, "a", "b")
    limits = SHORT if kind in HANGING else LIMITS
    first = _probe(file, limits=limits)["b"]
    assert (first.verdicts, first.failures, first.offered) == ({"unreachable": 4}, 1, True)
    assert first.error
    assert _offered(file) == {"a", "b"}
    assert not _probe(file, limits=limits)["b"].offered
    assert _offered(file) == {"a"}
    del farm.kinds["b"]
    assert _probe(file)["b"].failures == 0
    assert _offered(file) == {"a", "b"}


def test_a_mirror_that_lags(tmp_path: Path, farm: Farm) -> None:
    """It is offered while its sum is an alternate, not after that, and again when it is current."""
    farm.roots["b"] = tmp_path / "copy"
    file = _site(tmp_path, farm, "a", "b")
    shutil.copytree(tmp_path / "pub", tmp_path / "copy")
    _probe(file)
    publish_tree(tmp_path / "pub", NEW)
    assert _probe(file)["b"].verdicts == {"alternate": 4}
    assert _offered(file) == {"a", "b"}
    assert _probe(file, NOW + 73 * 3600)["b"].verdicts == {"behind": 4}
    assert _offered(file) == {"a"}
    publish_tree(tmp_path / "copy", NEW)
    _probe(file, NOW + 74 * 3600)
    assert _offered(file) == {"a", "b"}


def test_a_mirror_that_is_ahead(tmp_path: Path, farm: Farm) -> None:
    """A newer repomd.xml than that of the primary is unknown, neither good nor stale."""
    farm.roots["b"] = tmp_path / "copy"
    file = _site(tmp_path, farm, "a", "b")
    shutil.copytree(tmp_path / "pub", tmp_path / "copy")
    _probe(file)
    publish_tree(tmp_path / "copy", NEW)
    assert _probe(file)["b"].verdicts == {"ahead": 4}
    assert _offered(file) == {"a", "b"}


def test_a_mirror_that_lies(tmp_path: Path, farm: Farm) -> None:
    """Another file with the same time is wrong."""
    farm.roots["b"] = tmp_path / "copy"
    publish_tree(tmp_path / "copy", OLD)
    repomd = tmp_path / "copy/9/BaseOS/x86_64/os/repodata/repomd.xml"
    repomd.write_text(repomd.read_text().replace("</repomd>", "<!-- x --></repomd>"))
    file = _site(tmp_path, farm, "a", "b")
    assert _probe(file)["b"].verdicts == {"wrong": 1, "current": 3}
    assert _offered(file) == {"a"}
    assert _offered(file, "repo=baseos-10&arch=x86_64") == {"a", "b"}


def test_a_silent_primary(tmp_path: Path, farm: Farm) -> None:
    """While the primary gives nothing, no mirror is asked and nothing changes."""
    file = _site(tmp_path, farm, "a", "b")
    _probe(file)
    farm.asked.clear()
    (tmp_path / "pub").rename(tmp_path / "away")
    assert _probe(file) == {}
    assert not farm.asked
    assert _offered(file) == {"a", "b"}


def test_no_network_here(tmp_path: Path, farm: Farm) -> None:
    """If no mirror answers at all, the trouble is here, and no mirror leaves."""
    farm.kinds.update(a="reset", b="reset")
    file = _site(tmp_path, farm, "a", "b")
    for _ in range(4):
        assert {one.failures for one in _probe(file).values()} == {0}
    assert _offered(file) == {"a", "b"}


def test_never_without_a_mirror(tmp_path: Path, farm: Farm) -> None:
    """A probe that finds every mirror wrong changes nothing, because clients need some mirror."""
    file = _site(tmp_path, farm, "a", "b")
    farm.kinds.update(a="html", b="html")
    assert {one.error for one in _probe(file).values()} == {"wrong"}
    assert _offered(file) == {"a", "b"}
    farm.kinds.pop("a")
    _probe(file)
    assert _offered(file) == {"a"}
    farm.kinds["a"] = "html"
    _probe(file)
    assert _offered(file) == {"a"}


def test_the_export_accepts_what_a_probe_found(tmp_path: Path, farm: Farm) -> None:
    """Two of three mirrors that leave are published at once, and an accident is not."""
    file, job = _site(tmp_path, farm, "a", "b", "c"), Job(tmp_path / "m.snap", resolve_dns=False)
    database = f"sqlite:///{tmp_path / 'm.db'}"
    _probe(file)
    export(database, job)
    farm.kinds.update(b="html", c="reset")
    for _ in range(2):
        _probe(file)
        export(database, job)
    assert _offered(file) == {"a"}
    with closing(sqlite3.connect(tmp_path / "m.db")) as connection:
        connection.execute("UPDATE host_category_dir SET up2date = 0")
        connection.commit()
    with pytest.raises(RefusedSnapshot):
        export(database, job)


def test_an_apply_after_a_probe(tmp_path: Path, farm: Farm) -> None:
    """What a probe wrote is no difference to the file, and an apply keeps it."""
    farm.kinds["b"] = "html"
    file = _site(tmp_path, farm, "a", "b", more='arches = ["x86_64"]\n')
    assert _probe(file)["b"].verdicts == {"wrong": 2}
    found = applied(f"sqlite:///{tmp_path / 'm.db'}", file, prune=True)
    assert not found.changes_anything
    text = file.read_text().replace('country = "DE"', 'country = "FR"')
    write(tmp_path, text)
    applied(f"sqlite:///{tmp_path / 'm.db'}", file)
    assert _offered(file) == {"a"}
    assert _offered(file, "repo=baseos-9&arch=aarch64") == set()


def test_a_new_repository(tmp_path: Path, farm: Farm) -> None:
    """Mirrors that were probed get it with the next probe, if they have it."""
    file = _site(tmp_path, farm, "a", "b")
    _probe(file)
    farm.roots["b"] = tmp_path / "copy"
    shutil.copytree(tmp_path / "pub", tmp_path / "copy")
    publish_tree(tmp_path / "pub", OLD, versions=("11",))
    write(tmp_path, file.read_text().replace('"10"]', '"10", "11"]'))
    applied(f"sqlite:///{tmp_path / 'm.db'}", file)
    assert _offered(file, "repo=baseos-11&arch=x86_64") == set()
    assert _probe(file)["b"].verdicts == {"current": 4, "missing": 2}
    assert _offered(file, "repo=baseos-11&arch=x86_64") == {"a"}
    assert _offered(file) == {"a", "b"}


def test_unchanged(tmp_path: Path, farm: Farm) -> None:
    """What was there before is asked for by its ETag, and a new file is seen nevertheless."""
    file = _site(tmp_path, farm, "a", "b")
    _probe(file)
    assert farm.unchanged == 0
    assert _probe(file)["a"].verdicts == {"current": 4}
    assert farm.unchanged == 8
    publish_tree(tmp_path / "pub", NEW, versions=("9",))
    assert _probe(file)["a"].verdicts == {"current": 4}
    assert farm.unchanged == 12
    farm.roots["b"] = tmp_path / "copy"
    shutil.copytree(tmp_path / "pub", tmp_path / "copy")
    publish_tree(tmp_path / "pub", NEW + 1)
    assert _probe(file)["b"].verdicts == {"alternate": 4}
    assert _probe(file, NOW + 73 * 3600)["b"].verdicts == {"behind": 4}
    assert _offered(file) == {"a"}


def test_few_at_once(tmp_path: Path, farm: Farm) -> None:
    """One machine gets no more than four requests at once, whatever the number of mirrors."""
    names = [f"m{number}" for number in range(10)]
    farm.kinds.update(dict.fromkeys(names, "slow"))
    file = _site(tmp_path, farm, *names)
    assert len(_probe(file)) == 10
    assert farm.most_at_once == 4
    assert set(farm.asked.values()) == {4}


def test_nothing_is_left_behind(tmp_path: Path, farm: Farm) -> None:
    """A mirror that is pruned takes its states along."""
    file = _site(tmp_path, farm, "a", "b", more='arches = ["x86_64"]\n')
    _probe(file)
    file = _site(tmp_path, farm, "a")
    applied(f"sqlite:///{tmp_path / 'm.db'}", file, prune=True)
    with closing(sqlite3.connect(tmp_path / "m.db")) as connection:
        for table in ("mirrorlist_url", "mirrorlist_partial"):
            assert len(connection.execute(f"SELECT * FROM {table}").fetchall()) <= 1


@pytest.mark.system
def test_a_certificate_that_clients_refuse(tmp_path: Path, farm: Farm) -> None:
    """Its URL leaves the lists at once, and the mirror stays with its other URL."""
    openssl = str(need_program("openssl", "openssl"))
    names = ("-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost")
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with run_farm(tmp_path / "pub", context) as secure:
        text = f'urls = ["{farm.url("b")}", "{secure.url("secure").replace("http:", "https:")}"]'
        file = _site(tmp_path, farm, "a", "b")
        write(tmp_path, file.read_text().replace(f'urls = ["{farm.url("b")}"]', text))
        applied(f"sqlite:///{tmp_path / 'm.db'}", file)
        about = (f"sqlite:///{tmp_path / 'm.db'}", load(file).config, tmp_path, "test")
        found = probe(*about, lambda *done: None, NOW, limits=LIMITS).mirrors
    by_url = {one.url.split("/")[3]: one for one in found}
    assert by_url["secure"].error == "certificate: self-signed certificate"
    assert not by_url["secure"].offered
    assert _offered(file) == {"a", "b"}
