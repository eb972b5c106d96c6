"""What all tests of the image share: podman, the image, and a site of its containers."""

from collections.abc import Iterator

import pytest

from tests.clients.database import write_database
from tests.clients.mirrors import Condition, Mirror, run_mirror
from tests.clients.packages import Repositories, build_repositories
from tests.container.podman import Podman, build, rootless
from tests.container.site import DRAIN_SECONDS, LONG_DRAIN_SECONDS, Site, run_site
from tests.system import need_program


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --full, which is known where this folder is named to pytest."""
    parser.addoption("--full", action="store_true", help="60 swaps, and more restarts")


@pytest.fixture(scope="session")
def is_full(pytestconfig: pytest.Config) -> bool:
    """Whether to take the minutes of a full run."""
    return bool(pytestconfig.getoption("--full", default=False))


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    """A podman without root that has the image."""
    need_program("haproxy", "haproxy")
    with rootless() as podman:
        build(podman)
        yield podman


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Repositories:
    """A package in a repository."""
    return build_repositories(tmp_path_factory.mktemp("repositories"))


@pytest.fixture(scope="session")
def mirror(repositories: Repositories) -> Iterator[Mirror]:
    """A mirror of the repository."""
    with run_mirror(Condition.GOOD, repositories, "/fedora") as mirror:
        yield mirror


@pytest.fixture(scope="session")
def site(
    podman: Podman, repositories: Repositories, mirror: Mirror, is_full: bool
) -> Iterator[Site]:
    """A site whose database has a mirror that is dead and one that is well."""
    database = podman.folder("database") / "mm.sqlite"
    urls = [["http://127.0.0.1:9/fedora"], [mirror.tree_url]]
    write_database(database, urls, [repositories.new], client="127.0.0.1")
    with run_site(podman, database, LONG_DRAIN_SECONDS if is_full else DRAIN_SECONDS) as site:
        yield site
