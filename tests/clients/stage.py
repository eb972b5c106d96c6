"""The whole path for one scenario: mirrors, database, snapshot, server, relay."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.clients.database import DIRECTORY, SUBPATH, write_database
from tests.clients.mirrors import (
    REPOMD,
    Condition,
    Journal,
    Mirror,
    join,
    reserve_port,
    run_mirror,
    run_mirrors_together,
)
from tests.clients.packages import PACKAGE_FILE, Repositories, RepositoryFiles
from tests.clients.recording import Exchange, Request
from tests.clients.relay import Relay, run_relay
from tests.clients.server import Server, export, run_server

REPOSITORY_QUERY = "repo=fedora-40&arch=x86_64"
REPOMD_PATH = f"{DIRECTORY}/repodata/repomd.xml"
PACKAGE_PATH = f"{DIRECTORY}/{PACKAGE_FILE}"
ALL_SCHEMES = ("https://{nobody}/{place}", "{mirror}", "rsync://{nobody}/{place}")

_SEED = 40


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the mirrors are like, in the order in which the list names them.

    `alternate`: yesterday's repomd.xml is still an accepted alternate. `yesterday`: it is the
    only one, because the list was made yesterday. `shuffled`: no netblock holds the order, so
    chance does. `tree`: the URL path of every mirror's tree. `urls`: each host's URLs;
    `{mirror}` stands for the running one, `{place}` for its place, and `{nobody}` for an
    address and port that refuse connections. `host`: where everybody listens. `together`: the
    mirrors are trees of one server, for lists of hundreds.
    """

    mirrors: tuple[Condition, ...]
    alternate: bool = False
    shuffled: bool = False
    tree: str = "/fedora"
    urls: tuple[str, ...] = ("{mirror}",)
    host: str = "127.0.0.1"
    together: bool = False
    yesterday: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """A running scenario: where the lists are, and what everybody was asked."""

    scenario: Scenario
    repositories: Repositories
    folder: Path
    mirrors: tuple[Mirror, ...]
    urls: tuple[tuple[str, ...], ...]
    asked: Journal
    server: Server
    relay: Relay

    def url(self, kind: str, query: str = REPOSITORY_QUERY) -> str:
        """Where a client finds the list; kind is `metalink` or `mirrorlist`."""
        return f"http://{join(self.scenario.host, self.relay.port)}/{kind}?{query}"

    def ask(
        self, kind: str, query: str = REPOSITORY_QUERY, headers: dict[str, str] | None = None
    ) -> Exchange:
        """Ask the relay for a list as a plain client would; recorded like any request."""
        connection = HTTPConnection(self.scenario.host, self.relay.port, timeout=30)
        try:
            connection.request("GET", f"/{kind}?{query}", headers=headers or {})
            connection.getresponse().read()
        finally:
            connection.close()
        return self.exchanges[-1]

    @property
    def server_log(self) -> Path:
        """What the server printed."""
        return self.folder / "server.log"

    @property
    def repository_urls(self) -> tuple[str, ...]:
        """Where each host has the repository: all its URLs, in the order of the list."""
        return tuple(f"{url}/{SUBPATH}/" for urls in self.urls for url in urls)

    @property
    def exchanges(self) -> list[Exchange]:
        """The requests for lists, with their answers."""
        return self.relay.exchanges()

    @property
    def repomd_order(self) -> list[int]:
        """The places of the mirrors that were asked for repomd.xml, in the order of asking."""
        return [place for place, request in self.asked if request.path.endswith(REPOMD)]

    @property
    def package_order(self) -> list[int]:
        """The places of the mirrors that were asked for packages, in the order of asking."""
        return [place for place, request in self.asked if request.path.endswith(".rpm")]

    @property
    def repomd_counts(self) -> list[int]:
        """How often each mirror was asked for repomd.xml, in the order of the list."""
        return [len(mirror.repomd_requests) for mirror in self.mirrors]

    @property
    def package_counts(self) -> list[int]:
        """How often each mirror was asked for a package, in the order of the list."""
        return [len(mirror.package_requests) for mirror in self.mirrors]

    @property
    def mirror_requests(self) -> list[Request]:
        """All requests to mirrors, in their order."""
        return [request for _, request in self.asked]

    def forget(self) -> None:
        """Drop what was recorded."""
        self.relay.forget()
        self.asked.clear()
        for mirror in self.mirrors:
            mirror.requests.clear()

    def become(self, later: Scenario) -> None:
        """Turn into a later scenario: the same mirrors and port, a new snapshot and server.

        Only for a stage that one test has for itself (`make_own_stage`).
        """
        assert len(later.mirrors) == len(self.mirrors)
        assert Condition.DEAD not in {*later.mirrors, *self.scenario.mirrors}
        for mirror, condition in zip(self.mirrors, later.mirrors, strict=True):
            mirror.condition = condition
        self.server.stop()
        _make_snapshot(later, self.repositories, self.folder, self.urls)
        self.server.start()


@contextmanager
def run_stage(scenario: Scenario, repositories: Repositories, folder: Path) -> Iterator[Stage]:
    """Run a scenario until the block ends, with its files below an empty folder."""
    with ExitStack() as stack:
        journal: Journal = []
        mirrors = _run_mirrors(stack, scenario, repositories, journal)
        nobody = join(scenario.host, stack.enter_context(reserve_port(scenario.host)))
        urls = tuple(
            tuple(
                url.format(mirror=mirror.tree_url, place=place, nobody=nobody)
                for url in scenario.urls
            )
            for place, mirror in enumerate(mirrors)
        )
        _make_snapshot(scenario, repositories, folder, urls)
        server = stack.enter_context(
            run_server(folder / "snapshot", folder / "server.log", _SEED, scenario.host)
        )
        relay = stack.enter_context(run_relay(server.port, scenario.host))
        yield Stage(scenario, repositories, folder, mirrors, urls, journal, server, relay)


def _run_mirrors(
    stack: ExitStack, scenario: Scenario, repositories: Repositories, journal: Journal
) -> tuple[Mirror, ...]:
    if scenario.together:
        together = run_mirrors_together(
            scenario.mirrors, repositories, scenario.tree, host=scenario.host, journal=journal
        )
        return stack.enter_context(together)
    apart = (
        run_mirror(
            condition,
            repositories,
            scenario.tree,
            host=scenario.host,
            place=place,
            journal=journal,
        )
        for place, condition in enumerate(scenario.mirrors)
    )
    return tuple(stack.enter_context(mirror) for mirror in apart)


def _make_snapshot(
    scenario: Scenario,
    repositories: Repositories,
    folder: Path,
    urls: Sequence[Sequence[str]],
) -> None:
    database = folder / "mirrors.sqlite"
    database.unlink(missing_ok=True)
    client = None if scenario.shuffled else scenario.host
    write_database(database, urls, _details(scenario, repositories), client=client)
    export(database, folder / "snapshot")


def _details(scenario: Scenario, repositories: Repositories) -> list[RepositoryFiles]:
    """The versions of repomd.xml that the list accepts."""
    if scenario.yesterday:
        return [repositories.old]
    return [repositories.old, repositories.new] if scenario.alternate else [repositories.new]


def urls_in(exchange: Exchange) -> list[str]:
    """The mirrors' URLs in a list, of either kind, in their order."""
    text = exchange.body.decode()
    if text.startswith("<"):
        elements = ElementTree.fromstring(text).iterfind(".//{http://www.metalinker.org/}url")
        return [element.text or "" for element in elements]
    return [line for line in text.splitlines() if not line.startswith("#")]
