"""A front as a site runs it: the file of contrib/ with other ports, and requests through it."""

import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.clients.server import find_free_port
from tests.fronts.kinds import NAME, SERVERS, Kind
from tests.live import wait_until
from tests.system import need_program

SECONDS = 10.0
# A line that is switched off: a blank after the sign begins a comment for people.
_OFF = re.compile(r"^(\s*)#(?! [^ ])(?=.)", re.MULTILINE)
_ON = r"^(\s*)#(?={})"

Edit = Callable[[str], str]


class Answer(NamedTuple):
    """An answer that came through a front; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: str


class Front:
    """A running front: its process and its ports by name, https and http among them."""

    def __init__(self, kind: Kind, folder: Path, ports: Mapping[str, int], pid: int) -> None:
        """Take what was started."""
        self.kind, self.folder, self.ports, self.pid = kind, folder, ports, pid

    def get(
        self,
        target: str,
        headers: Mapping[str, str] | tuple[tuple[str, str], ...] = (),
        client: str | None = None,
    ) -> Answer:
        """Ask over TLS on a connection of its own, as a client that a PROXY header names."""
        lines = headers.items() if isinstance(headers, Mapping) else headers
        with Connection(self, client) as connection:
            return connection.get(target, *lines)

    def get_plain(self, target: str, port: str = "http") -> Answer:
        """Ask without TLS."""
        with Connection(self, None, port) as connection:
            return connection.get(target)

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / self.kind.log).read_text()


class Connection:
    """A connection to a front, which may be asked several times."""

    def __init__(self, front: Front, client: str | None = None, port: str = "https") -> None:
        """Connect; `client` is named in a PROXY header, for a front that takes it."""
        self._http = HTTPConnection("127.0.0.1", front.ports[port], timeout=SECONDS)
        self._http.connect()
        if client:
            family = "TCP6" if ":" in client else "TCP4"
            self._http.sock.sendall(f"PROXY {family} {client} {client} 1 2\r\n".encode())
        if port == "https":
            trusted = ssl.create_default_context(cafile=str(front.folder / "cert.pem"))
            self._http.sock = trusted.wrap_socket(self._http.sock, server_hostname=NAME)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, target: str, *headers: tuple[str, str]) -> Answer:
        """Ask, with headers of which some may be there twice."""
        self._http.putrequest("GET", target, skip_host=True)
        for name, value in (("Host", NAME), *headers):
            self._http.putheader(name, value)
        self._http.endheaders()
        answer = self._http.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read().decode())


@cache
def certificate() -> tuple[str, str]:
    """Return a certificate for NAME that nobody else trusts, and its key."""
    openssl = need_program("openssl", "openssl")
    with TemporaryDirectory() as name:
        cert, key = Path(name, "cert.pem"), Path(name, "key.pem")
        command = [str(openssl), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        command += ["-keyout", str(key), "-out", str(cert)]
        command += ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
        subprocess.run(command, check=True, capture_output=True)
        return cert.read_text(), key.read_text()


def write_certificate(folder: Path) -> None:
    """Write the certificate and its key into a folder, alone and together."""
    found = dict(zip(("cert.pem", "key.pem"), certificate(), strict=True))
    found["both.pem"] = "".join(found.values())
    for name, text in found.items():
        (folder / name).write_text(text)


@contextmanager
def started(
    kind: Kind,
    folder: Path,
    servers: tuple[int, int],
    edit: Edit = lambda text: text,
    listens: str = "https",
) -> Iterator[Front]:
    """Run a front before two servers, whose ports are given; `edit` changes its file first.

    `listens` is the name of a port that is open once it runs.
    """
    program = need_program(kind.program, kind.package)
    ports = {name: find_free_port() for name in ("https", "http", "plain")}
    ports.update(zip(("one", "two"), servers, strict=True))
    write_certificate(folder)
    placed = {"folder": str(folder), **{name: str(port) for name, port in ports.items()}}
    (folder / kind.file.name).write_text(changed(kind, edit, placed))
    if kind.main:
        (folder / "main.conf").write_text(kind.main.format(**placed))
    command = [str(program), *(one.format(**placed) for one in kind.arguments)]
    with (folder / "output").open("wb") as output:
        # Caddy keeps files in the home folder.
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        )
    try:
        said = folder / "output"
        wait_until(
            f"{kind.program} listens",
            lambda: _is_open(ports[listens]) or process.poll() is not None,
        )
        assert process.poll() is None, said.read_text()
        yield Front(kind, folder, ports, process.pid)
    finally:
        process.terminate()
        process.wait(SECONDS)


def changed(kind: Kind, edit: Edit, placed: Mapping[str, str]) -> str:
    """Return the file of contrib/ after an edit, with a test's ports and paths."""
    text = edit(kind.file.read_text())
    for old, new in {**kind.changes, **SERVERS}.items():
        text = text.replace(old, new.format(**placed))
    return text


def switched_on(section: str) -> Edit:
    """Return the edit that leaves of a file's sections (`# =====`) the first and a named one.

    The lines of that section which are switched off are switched on.
    """

    def edit(text: str) -> str:
        first, *others = text.split("# ===== ")
        chosen = next(one for one in others if one.partition("\n")[0].startswith(section))
        return first + _OFF.sub(r"\1", chosen.partition("\n")[2])

    return edit


def line_on(beginning: str, instead_of: str | None = None) -> Edit:
    """Return the edit that switches a line on, and another one off."""

    def edit(text: str) -> str:
        found, count = re.subn(_ON.format(re.escape(beginning)), r"\1", text, flags=re.MULTILINE)
        assert count == 1, beginning
        if instead_of:
            assert found.count(f"\n{instead_of}") == 1, instead_of
            found = found.replace(f"\n{instead_of}", f"\n# {instead_of}")
        return found

    return edit


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
