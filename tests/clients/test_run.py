"""From nothing to an installed package: ten lines of TOML, one command, and a real dnf."""

from pathlib import Path

import pytest

from tests.clients.conftest import MakeDnf
from tests.clients.dnf import Dnf, assert_installed
from tests.clients.packages import PACKAGE, Repositories
from tests.mirror_farm import run_farm
from tests.running_site import running_site, small_file

pytestmark = pytest.mark.system
_MOST_LINES = 15


def test_one_command(tmp_path: Path, make_dnf: MakeDnf, repositories: Repositories) -> None:
    """Of a good, a stale and a dead mirror, dnf is given the good one alone, and installs."""
    site = tmp_path / "site"
    for name, repository in (("pub", repositories.new), ("stale", repositories.old)):
        (site / name / "9").mkdir(parents=True)
        (site / name / "9" / "x86_64").symlink_to(repository.folder)
    with run_farm(site / "pub") as farm:
        farm.roots["stale"] = site / "stale"
        farm.kinds["dead"] = "reset"
        names = ("dead", "good", "stale")
        shape = 'shapes = [{ path = "/mirrorlist/{version}/{prefix}", arch = "$basearch" }]'
        file = small_file(site, {name: farm.url(name) for name in names}, shape)
        assert len(file.read_text().splitlines()) < _MOST_LINES
        with running_site(site, file) as running:
            running.start()
            farm.asked.clear()
            dnf = make_dnf("metalink", f"{running.url}/metalink?repo=base-9&arch=x86_64")
            assert_installed(dnf, dnf.run("install", PACKAGE))
            # As AlmaLinux's clients ask: dnf fills in the arch of the list.
            second = tmp_path / "second"
            second.mkdir()
            other = Dnf(second, "mirrorlist", f"{running.url}/mirrorlist/9/base")
            assert_installed(other, other.run("install", PACKAGE))
        assert dnf.repomd == other.repomd == repositories.new.repomd
        assert {*farm.asked} == {"good"}
