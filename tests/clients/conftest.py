"""Fixtures for tests with real clients; the servers of a scenario start once and are shared."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.dnf import Dnf, may_install
from tests.clients.librepo import Librepo
from tests.clients.packages import Repositories, build_repositories
from tests.clients.reposync import Reposync
from tests.clients.stage import Scenario, Stage, run_stage
from tests.system import need_dnf_plugins, need_ipv6, need_module, need_program

MakeStage = Callable[[Scenario], Stage]
MakeDnf = Callable[..., Dnf]
MakeReposync = Callable[[str, str], Reposync]


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Repositories:
    """One package in a current repository and in yesterday's, built once."""
    return build_repositories(tmp_path_factory.mktemp("repositories"))


@pytest.fixture(scope="session")
def running_stages(
    repositories: Repositories, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeStage]:
    """Runs a scenario, or hands out the one that runs already; ends all at the end."""
    running: dict[Scenario, Stage] = {}
    with ExitStack() as stack:

        def get_stage(scenario: Scenario) -> Stage:
            if ":" in scenario.host:
                need_ipv6()
            if scenario not in running:
                folder = tmp_path_factory.mktemp("stage")
                stage = stack.enter_context(run_stage(scenario, repositories, folder))
                running[scenario] = stage
            return running[scenario]

        yield get_stage
        for stage in running.values():
            stage.server.ask_to_stop()


@pytest.fixture
def make_stage(running_stages: MakeStage) -> Iterator[MakeStage]:
    """Runs a scenario for one test, nothing recorded yet; shows what the server printed."""
    used: list[tuple[Stage, int]] = []

    def get_clean_stage(scenario: Scenario) -> Stage:
        stage = running_stages(scenario)
        stage.forget()
        used.append((stage, len(stage.server_log.read_text())))
        return stage

    yield get_clean_stage
    for stage, start in used:
        sys.stderr.write(stage.server_log.read_text()[start:])


@pytest.fixture
def make_own_stage(
    repositories: Repositories, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeStage]:
    """Runs a scenario for one test alone, which may change it; ends it after the test."""
    stages: list[Stage] = []
    with ExitStack() as stack:

        def make(scenario: Scenario) -> Stage:
            folder = tmp_path_factory.mktemp("stage")
            stages.append(stack.enter_context(run_stage(scenario, repositories, folder)))
            return stages[-1]

        yield make
        for stage in stages:
            sys.stderr.write(stage.server_log.read_text())


@pytest.fixture
def make_dnf(tmp_path: Path) -> MakeDnf:
    """Makes the one dnf of a test: list kind, list URL, further options of the repository."""
    need_program("dnf", "dnf")
    if not may_install():
        pytest.skip("dnf installs as root only, or where user namespaces are allowed")

    def make(kind: str, url: str, **options: str) -> Dnf:
        return Dnf(tmp_path, kind, url, options)

    return make


@pytest.fixture
def make_reposync(make_dnf: MakeDnf, tmp_path: Path) -> MakeReposync:
    """Makes the one reposync of a test: list kind and list URL."""
    plugins = need_dnf_plugins()

    def make(kind: str, url: str) -> Reposync:
        return Reposync(Dnf(tmp_path, kind, url, plugins=plugins), tmp_path / "mirror")

    return make


@pytest.fixture
def librepo(tmp_path: Path) -> Librepo:
    """The librepo of a test."""
    return Librepo(need_module("librepo", "python3-librepo"), tmp_path)
