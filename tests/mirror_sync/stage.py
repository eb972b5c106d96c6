"""What mirror-sync needs around it: a primary, a server that knows its changes, rsync, a mirror.

The server is a small one of our own, so that it can also answer what no good server would; the
rsync daemon, the programs, the files and the sockets are real.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, unquote

from tests.mirror_sync.tree import read_tree
from tests.system import ROOT

RSYNC = shutil.which("rsync") or "rsync"
SCRIPT = ROOT / "contrib" / "mirror-sync" / "mirror-sync"
SECONDS = 30
HOUR = 3600
PREFIX = "pub/test"
# All that the script may use; what else is on a machine must not matter.
PROGRAMS = """
awk cat cksum cp curl cut date find flock grep head ls ln mkdir mv od ps rm rsync sed sha256sum
sleep sort tail tr wc wget xargs
"""


class Scan:
    """What a server knows of a primary: each directory, and when a scan first saw its change."""

    def __init__(self, tree: Path) -> None:
        """Begin a history a month ago."""
        self.tree = tree
        self.history = self.cursor = int(time.time()) - 30 * 24 * HOUR
        self._shown: dict[str, tuple[int, int]] = {}
        self._files: dict[str, bytes] = {}

    def scan(self, hours: float = 1) -> None:
        """Look at the tree again, so much later."""
        self.cursor += int(hours * HOUR)
        shown = {}
        for folder, _, files in os.walk(self.tree):
            name = os.path.relpath(folder, self.tree)
            if not name.isprintable():
                continue
            changed = os.stat(folder).st_ctime_ns
            before, moment = self._shown.get(name, (0, 0))
            shown[name] = (changed, moment if before == changed or not self._shown else self.cursor)
            if "repomd.xml" in files:
                self._files[name] = Path(folder, "repomd.xml").read_bytes()
        self._shown = shown

    def changed_since(self, since: int) -> list[str]:
        """The directories that changed, as `form=files` has them."""
        names = sorted(name for name, (_, moment) in self._shown.items() if moment > since)
        return [_line(name) for name in names]

    def metalink(self, path: str) -> bytes | None:
        """The metalink of a repomd.xml as it was at the last scan."""
        folder, _, name = path.removeprefix(f"{PREFIX}/").rpartition("/")
        if name != "repomd.xml" or folder not in self._files:
            return None
        content = self._files[folder]
        return (
            '<metalink version="3.0"><files><file name="repomd.xml">'
            f"<size>{len(content)}</size>\n<verification>"
            f'<hash type="sha256">{sha256(content).hexdigest()}</hash></verification>'
            "</file></files></metalink>"
        ).encode()


def _line(name: str) -> str:
    if name == ".":
        return "./\n"
    return f"./{name}/\n" if name[0] in "#;" else f"{name}/\n"


def answer(status: int, body: bytes = b"", **headers: object) -> bytes:
    """A whole HTTP answer; `_` in a header's name is `-`, and None leaves one out."""
    given = {"Content_Type": "text/plain", "Content_Length": len(body), **headers}
    lines = [f"{k.replace('_', '-')}: {v}\r\n" for k, v in given.items() if v is not None]
    return f"HTTP/1.1 {status} Status\r\n{''.join(lines)}Connection: close\r\n\r\n".encode() + body


@dataclass
class Site:
    """One server's address: what it answers, and what it was asked."""

    scan: Scan
    instead: bytes | None = None
    """What is sent for a filter, whatever it should be; empty closes the connection."""
    metalink_instead: bytes | None = None
    drips_after: int | None = None
    """From which byte on an answer comes a byte at a time."""
    asked: list[str] = field(default_factory=list)

    def respond(self, target: str) -> bytes:
        """The answer to a request, byte for byte."""
        self.asked.append(target)
        path, _, query = target.partition("?")
        values = parse_qs(query, keep_blank_values=True)
        if path == "/metalink":
            document = self.scan.metalink(values["path"][0])
            if self.metalink_instead is not None:
                return self.metalink_instead
            return answer(404) if document is None else answer(200, document)
        assert path == "/rsyncFilter", path
        if self.instead is not None:
            return self.instead
        assert (values["form"], values["stripprefix"]) == (["files"], [PREFIX])
        return self.good("".join(self.scan.changed_since(int(values["since"][0]))))

    def good(self, text: str | bytes, **headers: object) -> bytes:
        """The answer with such a list, and all headers that belong to it."""
        body = text.encode() if isinstance(text, str) else text
        given = {
            "X_Mirrorlist_Cursor": self.scan.cursor,
            "X_Mirrorlist_History": self.scan.history,
            "X_Mirrorlist_Directories": body.count(b"\n"),
        }
        return answer(200, body, **{**given, **headers})


class Sites:
    """An HTTP server whose first path component says which site is meant."""

    def __init__(self) -> None:
        """Begin without sites."""
        self.known: dict[str, Site] = {}
        self.port = 0

    def add(self, name: str, scan: Scan) -> tuple[str, Site]:
        """Add a site; its URL and itself."""
        self.known[name] = Site(scan)
        return f"http://127.0.0.1:{self.port}/{name}", self.known[name]


@contextmanager
def run_sites() -> Iterator[Sites]:
    """Serve sites until the block ends."""
    sites = Sites()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, name, rest = self.path.split("/", 2)
            site = sites.known[unquote(name)]
            answer = site.respond(f"/{rest}")
            with suppress(OSError):
                self.wfile.write(answer[: site.drips_after])
                for place in range(site.drips_after or len(answer), len(answer)):
                    time.sleep(0.1)
                    self.wfile.write(answer[place : place + 1])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sites.port = server.server_port
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield sites
        finally:
            server.shutdown()
            thread.join()


def make_programs(folder: Path, without: str = "", **replaced: str) -> Path:
    """A folder with the programs that the script may use, some of them replaced by scripts."""
    folder.mkdir()
    for name in PROGRAMS.split():
        found = shutil.which(name)
        if found is not None and name not in without.split():
            (folder / name).symlink_to(found)
    for name, script in replaced.items():
        (folder / name).unlink()
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


class Mirror:
    """A mirror that mirror-sync keeps: its settings, its files, its state."""

    def __init__(self, folder: Path, server: str, upstream: str) -> None:
        """Make an empty one."""
        self.folder = folder
        self.destination = folder / "mirror"
        self.destination.mkdir(parents=True)
        self.state = folder / "state"
        self.programs = make_programs(folder / "bin")
        self.script = SCRIPT
        self.settings: dict[str, object] = {
            "server": server,
            "categories": "Test Linux,Test EPEL",
            "stripprefix": PREFIX,
            "upstream": upstream,
            "destination": self.destination,
            "state": self.state,
            "max-delete": 100,
            "tries": 1,
            "pause": 0,
            # Loopback without it takes 40 ms for each turn of a conversation.
            "rsync-options": "--sockopts=TCP_NODELAY",
        }

    def replace_programs(self, without: str = "", **replaced: str) -> None:
        """Use other programs from now on."""
        shutil.rmtree(self.programs)
        make_programs(self.programs, without, **replaced)

    def hurry(self, **values: object) -> None:
        """Use a script with other values for what it takes from a server."""
        text = SCRIPT.read_text()
        for name, value in values.items():
            text, count = re.subn(rf"\b{name}=\d+", f"{name}={value}", text)
            assert count == 1, name
        self.script = self.folder / "mirror-sync"
        self.script.write_text(text)

    def start(self, *options: str, before: str = ":") -> subprocess.Popen[str]:
        """Start mirror-sync in a process group of its own, after a command of its shell."""
        config = self.folder / "mirror-sync.conf"
        config.write_text("".join(f"{key} = {value}\n" for key, value in self.settings.items()))
        shell = shutil.which("dash") or "sh"
        return subprocess.Popen(
            [
                shell,
                "-c",
                f'{before}; exec "$@"',
                "-",
                shell,
                str(self.script),
                "--config",
                str(config),
                *options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": str(self.programs)},
            start_new_session=True,
        )

    def run(self, *options: str, before: str = ":") -> "Run":
        """Run mirror-sync to its end."""
        return end(self.start(*options, before=before))

    def sync(self, *options: str) -> None:
        """Run it, and assert that it was content with what it did."""
        run = self.run(*options)
        assert (run.code, run.errors) == (0, ""), f"{run.code}: {run.errors}{run.output}"

    def read_state(self) -> Mapping[str, str]:
        """What it keeps between its runs."""
        file = self.state / "cursor"
        lines = file.read_text().splitlines() if file.exists() else []
        return {key: value for key, _, value in (line.partition("=") for line in lines)}

    def change_state(self, **values: object) -> None:
        """Change what it keeps, as time would."""
        state = {**self.read_state(), **{key: str(value) for key, value in values.items()}}
        (self.state / "cursor").write_text("".join(f"{k}={v}\n" for k, v in state.items()))

    def fill_from(self, primary: Path, cursor: int) -> None:
        """Make it what a first run with this cursor leaves, in a hundredth of the time."""
        shutil.copytree(primary, self.destination, symlinks=True, dirs_exist_ok=True)
        self.state.mkdir()
        self.change_state(
            cursor=cursor,
            full=int(time.time()),
            entries=1 + sum(1 for _ in primary.rglob("*")),
            refused=0,
        )
        self.fill_in_settings()

    def fill_in_settings(self) -> None:
        """Let its state be one of the present settings, whose change would bring a full run."""
        decisive = ("categories", "stripprefix", "upstream", "destination")
        lines = [f"{self.settings[name]}{'/' * (name == 'upstream')}\n" for name in decisive]
        lines += [f"{self.settings[name]}\n" for name in ("select",) if name in self.settings]
        done = subprocess.run(
            ["cksum"], input="".join([*lines, "\n"]), capture_output=True, text=True, check=True
        )
        self.change_state(settings=done.stdout.split()[0])

    @property
    def cursor(self) -> int | None:
        """The cursor that it would send, None before there is one."""
        value = self.read_state().get("cursor")
        return int(value) if value else None


@dataclass(frozen=True)
class Run:
    """How a run ended and what it said."""

    code: int
    output: str
    errors: str


def end(process: subprocess.Popen[str]) -> Run:
    """Wait for the end of a run; one that takes too long is killed, and fails the test."""
    with process:
        try:
            output, errors = process.communicate(timeout=SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return Run(process.returncode, output, errors)


@dataclass
class Stage:
    """A primary with its server and rsync daemon, and a first mirror of it."""

    folder: Path
    primary: Path
    scan: Scan
    site: Site
    mirror: Mirror
    url: str
    daemon_log: Path
    module: str

    def assert_equal(self, mirror: Mirror | None = None) -> None:
        """Assert that a mirror has what the primary has."""
        assert read_tree((mirror or self.mirror).destination) == read_tree(self.primary)

    @property
    def connections(self) -> int:
        """How often the daemon was asked for the primary's files."""
        pattern = rf" rsync on {re.escape(self.module)}/ "
        return len(re.findall(pattern, self.daemon_log.read_text()))


def close_at_once() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


NOTED = f'echo "$*" >>"$0.calls"\nexec {RSYNC} "$@"'
