"""The whole path for one scenario: mirrors, database, snapshot, server, relay."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.clients.database import DIRECTORY, write_database
from tests.clients.mirrors import Condition, Mirror, run_mirror
from tests.clients.packages import Repositories
from tests.clients.recording import Exchange
from tests.clients.relay import Relay, run_relay
from tests.clients.server import export, run_server

REPOSITORY_QUERY = "repo=fedora-40&arch=x86_64"
REPOMD_PATH = f"{DIRECTORY}/repodata/repomd.xml"

_SEED = 40


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the mirrors are like, in the order in which the list names them.

    `alternate`: yesterday's repomd.xml is still an accepted alternate. `shuffled`: no
    netblock holds the order, so chance does. `tree`: the URL path of every mirror's tree.
    """

    mirrors: tuple[Condition, ...]
    alternate: bool = False
    shuffled: bool = False
    tree: str = "/fedora"


@dataclass(frozen=True, slots=True)
class Stage:
    """A running scenario: where the lists are, and what everybody was asked."""

    mirrors: tuple[Mirror, ...]
    relay: Relay
    server_log: Path

    def url(self, kind: str, query: str = REPOSITORY_QUERY) -> str:
        """Where a client finds the list; kind is `metalink` or `mirrorlist`."""
        return f"http://127.0.0.1:{self.relay.port}/{kind}?{query}"

    def ask(self, kind: str, query: str = REPOSITORY_QUERY) -> Exchange:
        """Ask the relay for a list as a plain client would; recorded like any request."""
        connection = HTTPConnection("127.0.0.1", self.relay.port, timeout=30)
        try:
            connection.request("GET", f"/{kind}?{query}")
            connection.getresponse().read()
        finally:
            connection.close()
        return self.exchanges[-1]

    @property
    def exchanges(self) -> list[Exchange]:
        """The requests for lists, with their answers."""
        return self.relay.exchanges()

    @property
    def repomd_counts(self) -> list[int]:
        """How often each mirror was asked for repomd.xml, in the order of the list."""
        return [len(mirror.repomd_requests) for mirror in self.mirrors]

    @property
    def package_counts(self) -> list[int]:
        """How often each mirror was asked for a package, in the order of the list."""
        return [len(mirror.package_requests) for mirror in self.mirrors]

    def forget(self) -> None:
        """Drop what was recorded."""
        self.relay.forget()
        for mirror in self.mirrors:
            mirror.requests.clear()


@contextmanager
def run_stage(scenario: Scenario, repositories: Repositories, folder: Path) -> Iterator[Stage]:
    """Run a scenario until the block ends, with its files below an empty folder."""
    with ExitStack() as stack:
        mirrors = tuple(
            stack.enter_context(run_mirror(condition, repositories, scenario.tree))
            for condition in scenario.mirrors
        )
        write_database(
            folder / "mirrors.sqlite",
            [mirror.tree_url for mirror in mirrors],
            [repositories.old, repositories.new] if scenario.alternate else [repositories.new],
            shuffled=scenario.shuffled,
        )
        export(folder / "mirrors.sqlite", folder / "snapshot")
        log = folder / "server.log"
        port = stack.enter_context(run_server(folder / "snapshot", log, _SEED))
        yield Stage(mirrors, stack.enter_context(run_relay(port)), log)
