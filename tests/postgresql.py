"""A PostgreSQL server of our own, on the loopback address, thrown away after the tests."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import OperationalError

from snapshot.demo.tables import create_tables
from tests.factories import Tables, fill
from tests.system import need_program

USER, PASSWORD = "mm", "s3cret"
SECONDS = 30
# Nobody needs this data after a crash.
_OPTIONS = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=20"]
# And no transactions but those of the tests.
_OPTIONS += ["autovacuum=off"]


class Server:
    """A server with one user, who may do everything; it can stop, and start again on its port."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        """Choose a port for the cluster in `folder`, which belongs to a system user."""
        self.port = _free_port()
        self._command = [str(programs / "postgres"), "-D", "data", "-p", str(self.port)]
        self._folder = folder
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return once it answers."""
        settings = [*_OPTIONS, "listen_addresses=127.0.0.1", "unix_socket_directories="]
        options = [word for setting in settings for word in ("-c", setting)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, *options],
                user=self._user,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        self._wait(self._process)

    def stop(self) -> None:
        """End all connections, then the server, in order."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        """The process that runs."""
        assert self._process is not None
        return self._process.pid

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it as a crash does: with SIGKILL nothing is cleared away, with SIGQUIT little."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                self.execute("SELECT 1")
            except OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self._folder / "log").read_text()) from None
                time.sleep(0.05)
            else:
                return

    def url(self, database: str = "postgres", user: str = USER, password: str = PASSWORD) -> str:
        """Return the URL of a database, as an operator would write it."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, options: str = "") -> str:
        """Create an empty database and return its URL."""
        self.execute(f"CREATE DATABASE {database} TEMPLATE template0 {options}")
        return self.url(database)

    def create_filled(self, database: str, tables: Tables, options: str = "") -> str:
        """Create a database with MirrorManager's tables and these rows, and return its URL."""
        url = self.create(database, options)
        with engine(url) as empty:
            create_tables(empty)
            fill(empty, tables)
        return url

    def execute(self, *commands: str, database: str = "postgres") -> None:
        """Execute SQL in a database, each command on its own."""
        with engine(self.url(database)) as of_database, of_database.connect() as connection:
            for command in commands:
                connection.exec_driver_sql(command)


@contextmanager
def engine(url: str) -> Iterator[Engine]:
    """Give an engine that commits each statement, and close its connections."""
    driver = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        driver, isolation_level="AUTOCOMMIT", connect_args={"client_encoding": "utf8"}
    )
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def run_server() -> Iterator[Server]:
    """Run a server in the foreground, and end it; needs Debian's package postgresql."""
    programs = need_program("initdb", "postgresql").parent
    # PostgreSQL refuses to run as root, and its user cannot look into pytest's folders.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="mirrorlist-pg-"))
    try:
        if user:
            shutil.chown(folder, user)
        _initialise(programs, folder, user)
        server = Server(programs, folder, user)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(programs: Path, folder: Path, user: str | None) -> None:
    password = folder / "password"
    password.write_text(PASSWORD)
    command = [str(programs / "initdb"), "-D", "data", "-U", USER, "--pwfile", password.name]
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    password.chmod(0o644)
    subprocess.run(
        [*command, *options], user=user, cwd=folder, check=True, capture_output=True, text=True
    )


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port
