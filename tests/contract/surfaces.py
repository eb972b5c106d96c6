"""The surfaces of the contract: the service, with kept orders too, the ASGI app, a live server."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirrorlist.request.client import Trust
from mirrorlist.service import Service, Tuning
from mirrorlist.web.app import App
from snapshot.file.reader import Snapshot
from tests.asgi import call
from tests.contract.case import LOOPBACK, Case, Got
from tests.contract_world import COUNTRIES
from tests.in_process import NOW, FlushedLog, LoadedStore, TableGeo
from tests.live import Server, exchange, request, serve, take_log

SEED = 1


class Surface(ABC):
    """Something that answers requests and writes a request log."""

    def __init__(self, log: Path) -> None:
        """Take the request log's file."""
        self._log = log

    @staticmethod
    @abstractmethod
    def answers(case: Case) -> bool:
        """Return whether the surface can express a case."""

    @abstractmethod
    def get(self, case: Case) -> Got:
        """Return the answer to a case's request, without its log line."""

    def ask(self, case: Case) -> Got:
        """Return the answer to a case's request with what the request log got."""
        before = self._log.stat().st_size if self._log.exists() else 0
        got = self.get(case)
        log = self._log.read_bytes()[before:].decode()
        return Got(got.status, got.headers, got.body, log)


class OnService(Surface):
    """`Service.respond`, which knows lists only: no paths, no methods."""

    def __init__(self, snapshot: Snapshot, folder: Path) -> None:
        """Take a snapshot to answer from, and where the log goes."""
        super().__init__(folder / "service.log")
        self._service = make_service(snapshot, folder / "service.log")

    @staticmethod
    def answers(case: Case) -> bool:
        """Return whether it is a list."""
        return case.is_list and case.method == "GET"

    def get(self, case: Case) -> Got:
        """Return the service's answer with its two headers."""
        lines = [line.encode() for line in case.forwarded]
        found = self._service.respond(case.is_metalink, case.query, case.peer, lines)
        headers = {"content-type": found.content_type}
        if found.location is not None:
            headers["location"] = found.location
        if found.digest is not None:
            headers["repr-digest"] = found.digest
        return Got(found.status, headers, found.body, "")


class OnKept(OnService):
    """The same without a seed, so that drawn orders are kept and used again."""

    def __init__(self, snapshot: Snapshot, folder: Path) -> None:
        """Take a snapshot to answer from, and where the log goes."""
        super().__init__(snapshot, folder)
        self._log = folder / "kept.log"
        self._service = make_service(snapshot, self._log, None)

    def get(self, case: Case) -> Got:
        """Return the third answer: by then a list is kept."""
        for _ in range(2):
            super().get(case)
        self._skipped = self._log.stat().st_size
        return super().get(case)

    def ask(self, case: Case) -> Got:
        """Return the third answer with the log's line for it alone."""
        got = self.get(case)
        log = self._log.read_bytes()[self._skipped :].decode()
        return Got(got.status, got.headers, got.body, log)


class OnApp(Surface):
    """The ASGI app, called with any peer."""

    def __init__(self, snapshot: Snapshot, folder: Path) -> None:
        """Take a snapshot to answer from, and where the log goes."""
        super().__init__(folder / "app.log")
        self._app = App(make_service(snapshot, folder / "app.log"))

    @staticmethod
    def answers(case: Case) -> bool:
        """Return True: an app takes anything."""
        return True

    def get(self, case: Case) -> Got:
        """Return the app's answer."""
        headers = [(b"x-forwarded-for", line.encode()) for line in case.forwarded]
        found = call(self._app, case.raw_target, case.peer, case.method, headers)
        return Got(found.status, found.headers, found.body, "")


class OnServer(Surface):
    """A live server on loopback; any other peer stands in X-Forwarded-For, as behind a proxy."""

    def __init__(self, server: Server, log: Path) -> None:
        """Take the server and its request log."""
        super().__init__(log)
        self._server = server

    @staticmethod
    def answers(case: Case) -> bool:
        """Return whether a loopback connection can express it."""
        return case.live and case.peer is not None

    def get(self, case: Case) -> Got:
        """Return the server's answer."""
        # A proxy in front of us would add its peer to what that peer sent.
        peer = case.peer or LOOPBACK
        forwarded = case.forwarded if peer == LOOPBACK else (*case.forwarded, peer)
        headers = [b"X-Forwarded-For: " + line.encode() for line in forwarded]
        found = exchange(self._server.port, request(case.raw_target, case.method, headers))
        return Got(found.status, found.headers, found.body, "")

    def ask(self, case: Case) -> Got:
        """Return the answer with what the log got, if the case says what that is."""
        if case.log is None:
            return self.get(case)
        take_log(self._server, self._log)
        got = self.get(case)
        return Got(got.status, got.headers, got.body, take_log(self._server, self._log).decode())


SURFACES: dict[str, type[Surface]] = {
    "service": OnService,
    "kept": OnKept,
    "app": OnApp,
    "server": OnServer,
    "asgi": OnServer,
}


@contextmanager
def open_surface(name: str, snapshot: Snapshot, geoip: Path, folder: Path) -> Iterator[Surface]:
    """Yield a surface that answers from a snapshot until the block ends."""
    if name in ("server", "asgi"):
        (folder / name).mkdir()
        log = folder / f"{name}.log"
        door = "asgi" if name == "asgi" else "fast"
        options = ("--geoip", geoip, "--seed", SEED, "--log", log, "--door", door)
        with serve(Path(snapshot.path), folder / name, *options) as server:
            yield OnServer(server, log)
    else:
        kinds = {"service": OnService, "kept": OnKept, "app": OnApp}
        yield kinds[name](snapshot, folder)


def make_service(snapshot: Snapshot, log: Path, seed: int | None = SEED) -> Service:
    """Return a service with the contract's countries and clock, and a seed."""
    geo = TableGeo(COUNTRIES)
    clock = lambda: NOW  # noqa: E731
    parts = (LoadedStore(snapshot), geo, Trust(), clock, Tuning(5, seed=seed))
    return Service(*parts, FlushedLog(str(log)))
