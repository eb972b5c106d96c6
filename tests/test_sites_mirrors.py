"""Which mirrors are offered after a probe: those that have what the primary has, and no other."""

import json
import shutil
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.errors import RefusedSnapshot
from snapshot.sites.getting import Limits
from snapshot.sites.load import load
from snapshot.sites.probe import probe
from snapshot.sites.verdict_rows import ProbedUrl
from tests.command import run
from tests.mirror_farm import Farm, run_farm
from tests.offered import answer_of, offered
from tests.small_sites import HEAD, applied, publish_tree, write
from tests.statements import statements
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


def test_before_any_probe(tmp_path: Path, farm: Farm) -> None:
    """Every mirror of the file is offered, and still is after a probe that finds it right."""
    file = _site(tmp_path, farm, "a", "b")
    assert offered(file) == {"a", "b"}
    found = _probe(file)
    assert found["a"].verdicts == {"current": 4}
    assert (found["a"].error, found["a"].good, found["a"].offered) == (None, NOW, True)
    assert offered(file) == {"a", "b"}
    assert offered(file, "path=pub/9/BaseOS") == {"a", "b"}


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
    assert offered(file) == ({"a", "b"} if verdict == "current" else {"a"})


HANGING = ("silent", "drip")


@pytest.mark.parametrize(
    "kind",
    [
        *("reset", "broken", "loop"),
        *(pytest.param(one, marks=pytest.mark.system) for one in HANGING),
    ],
)
def test_a_mirror_without_an_answer(tmp_path: Path, farm: Farm, kind: str) -> None:
    """After all tries it leaves, and comes back with its first answer."""
    farm.kinds["b"] = kind
    file = _site(tmp_path, farm, "a", "b")
    limits = SHORT if kind in HANGING else LIMITS
    first = _probe(file, limits=limits)["b"]
    assert (first.verdicts, first.failures, first.offered) == ({"unreachable": 4}, 3, False)
    assert (bool(first.error), first.since, first.good) == (True, NOW, None)
    assert offered(file) == {"a"}
    del farm.kinds["b"]
    second = _probe(file, NOW + 1)["b"]
    assert (second.failures, second.error, second.since) == (0, None, NOW + 1)
    assert offered(file) == {"a", "b"}


def test_more_patience(tmp_path: Path, farm: Farm) -> None:
    """With more failures allowed than a probe tries, a dead mirror leaves with a later probe."""
    farm.kinds["b"] = "reset"
    file = _site(tmp_path, farm, "a", "b")
    write(tmp_path, file.read_text().replace("[primary]", "failures = 4\n[primary]"))
    assert _probe(file)["b"].failures == 3
    assert offered(file) == {"a", "b"}
    assert not _probe(file)["b"].offered
    assert offered(file) == {"a"}


def test_a_mirror_that_is_too_busy(tmp_path: Path, farm: Farm) -> None:
    """After 429 it is not asked again in this probe."""
    farm.kinds["b"] = "busy"
    file = _site(tmp_path, farm, "a", "b")
    assert _probe(file)["b"].error == "status 429"
    assert farm.asked["b"] == 1


def test_a_mirror_that_is_slow(tmp_path: Path, farm: Farm) -> None:
    """What does not fit into its time stays as it was, and the mirror is offered."""
    farm.kinds["b"] = "slow"
    file = _site(tmp_path, farm, "a", "b")
    found = _probe(file, limits=Limits(pause=0, url_seconds=0))["b"]
    assert found.verdicts == {"current": 1, "unreachable": 3}
    assert (found.failures, found.error) == (0, None)
    assert offered(file) == {"a", "b"}


def test_a_coding(tmp_path: Path, farm: Farm) -> None:
    """Bytes are asked for as they are: a small answer cannot become a large one."""
    farm.kinds["b"] = "gzip"
    file = _site(tmp_path, farm, "a", "b")
    found = _probe(file)["b"]
    assert "an answer in the coding gzip" in (found.error or "")
    assert farm.codings == {b"identity"}


def test_redirects_inwards(tmp_path: Path, farm: Farm) -> None:
    """A mirror cannot make a probe ask this machine or its network, unless the file says so."""
    farm.kinds["b"] = "redirect"
    file = _site(tmp_path, farm, "a", "b")
    # The file names the place of the mirrors by its address.
    assert _probe(file)["b"].verdicts == {"current": 4}
    farm.target = "http://localhost:{port}"
    found = _probe(file)["b"]
    assert "a redirect into a private network: http://localhost" in (found.error or "")
    assert not found.offered
    write(tmp_path, file.read_text().replace("[primary]", "private_redirects = true\n[primary]"))
    assert _probe(file)["b"].verdicts == {"current": 4}


def test_a_mirror_that_lags(tmp_path: Path, farm: Farm) -> None:
    """It is offered while its sum is an alternate, not after that, and again when it is current."""
    farm.roots["b"] = tmp_path / "copy"
    file = _site(tmp_path, farm, "a", "b")
    shutil.copytree(tmp_path / "pub", tmp_path / "copy")
    _probe(file)
    publish_tree(tmp_path / "pub", NEW)
    assert _probe(file)["b"].verdicts == {"alternate": 4}
    assert offered(file) == {"a", "b"}
    assert _probe(file, NOW + 73 * 3600)["b"].verdicts == {"behind": 4}
    assert offered(file) == {"a"}
    publish_tree(tmp_path / "copy", NEW)
    _probe(file, NOW + 74 * 3600)
    assert offered(file) == {"a", "b"}


def test_a_mirror_that_is_ahead(tmp_path: Path, farm: Farm) -> None:
    """A newer repomd.xml than that of the primary is unknown, neither good nor stale."""
    farm.roots["b"] = tmp_path / "copy"
    file = _site(tmp_path, farm, "a", "b")
    shutil.copytree(tmp_path / "pub", tmp_path / "copy")
    _probe(file)
    publish_tree(tmp_path / "copy", NEW)
    assert _probe(file)["b"].verdicts == {"ahead": 4}
    assert offered(file) == {"a", "b"}


def test_a_mirror_that_stays_ahead(tmp_path: Path, farm: Farm) -> None:
    """What the primary never gets is wrong: after the lag, and at once if it is of tomorrow."""
    farm.roots["b"] = tmp_path / "copy"
    file = _site(tmp_path, farm, "a", "b")
    publish_tree(tmp_path / "copy", NEW)
    assert _probe(file)["b"].verdicts == {"ahead": 4}
    assert _probe(file, NOW + 72 * 3600)["b"].verdicts == {"ahead": 4}
    assert _probe(file, NOW + 72 * 3600 + 1)["b"].verdicts == {"wrong": 4}
    publish_tree(tmp_path / "copy", NOW + 2 * 86_400)
    assert _probe(file, NOW)["b"].verdicts == {"wrong": 4}


def test_a_mirror_that_lies(tmp_path: Path, farm: Farm) -> None:
    """Another file with the same time is wrong."""
    farm.roots["b"] = tmp_path / "copy"
    publish_tree(tmp_path / "copy", OLD)
    repomd = tmp_path / "copy/9/BaseOS/x86_64/os/repodata/repomd.xml"
    repomd.write_text(repomd.read_text().replace("</repomd>", "<!-- x --></repomd>"))
    file = _site(tmp_path, farm, "a", "b")
    assert _probe(file)["b"].verdicts == {"wrong": 1, "current": 3}
    assert offered(file) == {"a"}
    assert offered(file, "repo=baseos-10&arch=x86_64") == {"a", "b"}


def test_no_network_here(tmp_path: Path, farm: Farm) -> None:
    """If no mirror answers at all, the trouble is here, and no mirror leaves."""
    farm.kinds.update(a="reset", b="reset")
    file = _site(tmp_path, farm, "a", "b")
    for _ in range(4):
        assert {one.failures for one in _probe(file).values()} == {0}
    assert offered(file) == {"a", "b"}


def test_never_without_a_mirror(tmp_path: Path, farm: Farm) -> None:
    """A probe that finds every mirror wrong changes nothing, because clients need some mirror."""
    file = _site(tmp_path, farm, "a", "b")
    farm.kinds.update(a="html", b="html")
    assert {one.error for one in _probe(file).values()} == {"wrong"}
    assert offered(file) == {"a", "b"}
    farm.kinds.pop("a")
    _probe(file)
    assert offered(file) == {"a"}
    farm.kinds["a"] = "html"
    _probe(file)
    assert offered(file) == {"a"}


def test_the_last_one_that_works(tmp_path: Path, farm: Farm) -> None:
    """A dead mirror stays while no other one has what it had, because it may come back."""
    file = _site(tmp_path, farm, "a", "b")
    farm.kinds.update(a="reset", b="html")
    for _ in range(2):
        found = _probe(file)
        assert (found["a"].offered, found["a"].failures > 2) == (True, True)
        assert (found["b"].offered, found["b"].error) == (True, "wrong")
        assert offered(file) == {"a"}
    farm.kinds["b"] = ""
    assert not _probe(file)["a"].offered
    assert offered(file) == {"b"}


def test_two_urls_of_a_mirror(tmp_path: Path, farm: Farm) -> None:
    """One with nothing good leaves the lists alone, and comes back when it is right."""
    file = _site(tmp_path, farm, "a", "b")
    both = f'urls = ["{farm.url("b")}", "{farm.url("c")}"]'
    write(tmp_path, file.read_text().replace(f'urls = ["{farm.url("b")}"]', both))
    applied(f"sqlite:///{tmp_path / 'm.db'}", file)
    farm.kinds["c"] = "html"
    _probe(file)
    body = answer_of(file, "/metalink?repo=baseos-9&arch=x86_64").decode()
    assert farm.url("b") in body
    assert farm.url("c") not in body
    farm.kinds["c"] = ""
    _probe(file)
    assert farm.url("c") in answer_of(file, "/metalink?repo=baseos-9&arch=x86_64").decode()


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
    assert offered(file) == {"a"}
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
    assert offered(file) == {"a"}
    assert offered(file, "repo=baseos-9&arch=aarch64") == set()


def test_a_new_repository(tmp_path: Path, farm: Farm) -> None:
    """Mirrors that were probed get it with the next probe, if they have it."""
    file = _site(tmp_path, farm, "a", "b")
    _probe(file)
    farm.roots["b"] = tmp_path / "copy"
    shutil.copytree(tmp_path / "pub", tmp_path / "copy")
    publish_tree(tmp_path / "pub", OLD, versions=("11",))
    write(tmp_path, file.read_text().replace('"10"]', '"10", "11"]'))
    applied(f"sqlite:///{tmp_path / 'm.db'}", file)
    assert offered(file, "repo=baseos-11&arch=x86_64") == set()
    assert _probe(file)["b"].verdicts == {"current": 4, "missing": 2}
    assert offered(file, "repo=baseos-11&arch=x86_64") == {"a"}
    assert offered(file) == {"a", "b"}


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
    assert offered(file) == {"a"}


def test_statements_do_not_grow(tmp_path: Path, farm: Farm) -> None:
    """A probe of 12 mirrors, good and bad, takes as many statements as one of three."""
    counts = set()
    for folder, many in ((tmp_path / "few", 1), (tmp_path / "more", 4)):
        folder.mkdir()
        (folder / "pub").symlink_to(tmp_path / "pub")
        names = [f"{kind}{number}" for number in range(many) for kind in ("good", "html", "reset")]
        farm.kinds.update({name: name[:-1] for name in names})
        file = _site(folder, farm, *names)
        with statements() as sent:
            _probe(file)
        counts.add(len(sent))
    assert len(counts) == 1


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


def test_over_ipv4_and_ipv6(tmp_path: Path, farm: Farm) -> None:
    """Where a name has both, both are asked: silence of one is told, the worst file counts."""
    file = _site(tmp_path, farm, "a", "b")
    write(tmp_path, file.read_text().replace(f"http://127.0.0.1:{farm.port}/b", BOTH_FAMILIES))
    write(tmp_path, file.read_text().replace("PORT", str(farm.port)))
    applied(f"sqlite:///{tmp_path / 'm.db'}", file, prune=True)
    limits = Limits(pause=0, look_up=_both_families)
    with farm.also_on("::1"):
        found = _probe(file, limits=limits)
        assert (found["a"].ipv4, found["b"].ipv4, found["b"].ipv6) == (None, "", "")
        assert farm.asked == {"a": 4, "b": 8}
        farm.kinds_of_ipv6["b"] = "html"
        assert _probe(file, limits=limits)["b"].verdicts == {"wrong": 4}
        assert offered(file) == {"a"}
    found = _probe(file, limits=limits)
    assert (found["b"].ipv4, found["b"].ipv6) == ("", "Connection refused")
    assert (found["b"].error, found["b"].offered) == ("IPv6: Connection refused", True)
    assert offered(file) == {"a", "b"}


def test_no_ipv6_here(tmp_path: Path, farm: Farm) -> None:
    """If no mirror of several answers over IPv6, the trouble is here, and none has it noted."""
    file = _site(tmp_path, farm, "a", "b")
    for name in ("a", "b"):
        both = f"http://{name}.test:{farm.port}/{name}"
        write(tmp_path, file.read_text().replace(farm.url(name).rstrip("/"), both))
    applied(f"sqlite:///{tmp_path / 'm.db'}", file, prune=True)
    limits = Limits(pause=0, look_up=lambda host: [(2, "127.0.0.1"), (10, "::1")])
    found = _probe(file, limits=limits)
    assert {(one.error, one.ipv4, one.ipv6) for one in found.values()} == {(None, "", None)}


BOTH_FAMILIES = "http://mirror.test:PORT/b"


def _both_families(host: str) -> list[tuple[int, str]]:
    return [(2, "127.0.0.1"), (10, "::1")] if host == "mirror.test" else [(2, host)]


CURVE = "ec_paramgen_curve:prime256v1"
CA = """\
[ca]
default_ca = own
[own]
database = index.txt
serial = serial
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = IP:127.0.0.1
"""


def _certificate(folder: Path, start: str, end: str) -> ssl.SSLContext:
    """Make a certificate for loopback, beside its key; clients trust it by SSL_CERT_FILE."""
    openssl = str(need_program("openssl", "openssl"))
    (folder / "ca.cnf").write_text(CA)
    (folder / "index.txt").write_text("")
    new = (
        "-newkey",
        "ec",
        "-pkeyopt",
        CURVE,
        "-nodes",
        "-keyout",
        "key.pem",
        "-subj",
        "/CN=localhost",
    )
    dates = ("-startdate", start, "-enddate", end)
    files = ("-keyfile", "key.pem", "-in", "req.pem", "-out", "cert.pem", "-outdir", ".")
    sign = ("ca", "-config", "ca.cnf", "-batch", "-selfsign", "-create_serial", "-notext")
    for words in (("req", *new, "-out", "req.pem"), (*sign, "-md", "sha256", *dates, *files)):
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.mark.system
def test_certificates(tmp_path: Path, farm: Farm) -> None:
    """An expired one takes its URL out at once, a good one brings it back, and its end is known."""

    def probed() -> tuple[dict[str, Any], set[str]]:
        words = ("--database", f"sqlite:///{tmp_path / 'm.db'}", "--json")
        trusted = str(tmp_path / "cert.pem")
        done = run("sites", "probe", file, *words, SSL_CERT_FILE=trusted, PYTHONUTF8="1")
        found = json.loads(done.stdout)["mirrors"]
        return {one["url"].split("/")[3]: one for one in found}["secure"], offered(file)

    context = _certificate(tmp_path, "200101000000Z", "210101000000Z")
    with run_farm(tmp_path / "pub", context) as secure:
        file = _site(tmp_path, farm, "a", "b")
        mine = secure.url("secure").replace("http:", "https:")
        write(tmp_path, file.read_text().replace(f'"{farm.url("b")}"', f'"{mine}"'))
        applied(f"sqlite:///{tmp_path / 'm.db'}", file, prune=True)
        found, clients_get = probed()
        assert found["error"] == "certificate: certificate has expired"
        assert (found["offered"], clients_get) == (False, {"a"})
        _certificate(tmp_path, "200101000000Z", "491231235959Z")
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        for _ in range(2):
            found, clients_get = probed()
            assert (found["offered"], clients_get) == (True, {"a", "secure"})
            # The second time all answers are 304, without a body.
            assert found["tls_expires"] == 2_524_607_999
        assert secure.unchanged == 4
