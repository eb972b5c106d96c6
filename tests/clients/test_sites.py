"""From nothing to an installed package: a file of mirrors, its probe, and a real dnf."""

from pathlib import Path

import pytest

from tests.clients.conftest import MakeDnf
from tests.clients.dnf import assert_installed
from tests.clients.packages import PACKAGE, Repositories
from tests.clients.server import run_server
from tests.command import run
from tests.mirror_farm import run_farm

pytestmark = pytest.mark.system

SITE = """\
[site]
name = "Small"
[primary]
path = "pub"
[[repository]]
prefix = "base"
versions = ["9"]
arches = ["x86_64"]
path = "{version}/{arch}"
"""


def test_three_mirrors(tmp_path: Path, make_dnf: MakeDnf, repositories: Repositories) -> None:
    """Of a good, a stale and a dead mirror, dnf is given the good one alone, and installs."""
    site = tmp_path / "site"
    for name, repository in (("pub", repositories.new), ("stale", repositories.old)):
        (site / name / "9").mkdir(parents=True)
        (site / name / "9" / "x86_64").symlink_to(repository.folder)
    database = ("--database", f"sqlite:///{site / 'm.db'}")
    with run_farm(site / "pub") as farm:
        farm.roots["stale"] = site / "stale"
        farm.kinds["dead"] = "reset"
        mirrors = [
            f'[[mirror]]\nname = "{name}"\ncountry = "DE"\nurls = ["{farm.url(name)}"]\n'
            for name in ("dead", "good", "stale")
        ]
        file = site / "mirrors.toml"
        file.write_text(SITE + "".join(mirrors))
        assert run("sites", "apply", file, *database).returncode == 0
        for _ in range(2):
            done = run("sites", "probe", file, *database)
            assert done.returncode == 0, done.stdout + done.stderr
        done = run("export", *database, "--output", site / "m.snap", "--no-dns")
        assert done.returncode == 0, done.stderr
        farm.asked.clear()
        with run_server(site / "m.snap", site / "log", 1) as server:
            url = f"http://127.0.0.1:{server.port}/metalink?repo=base-9&arch=x86_64"
            dnf = make_dnf("metalink", url)
            assert_installed(dnf, dnf.run("install", PACKAGE))
        assert dnf.repomd == repositories.new.repomd
        assert {*farm.asked} == {"good"}
