"""aria2, wget2 and curl fetch a package and an image by metalinks, past a mirror with damage.

All of it is real: packages of rpmbuild in a repository of createrepo_c, an image beside a signed
CHECKSUM file, a scan, an import, an export with --files, and a server.
"""

import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec import Struct

from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.packages.job import ImportJob
from snapshot.packages.run import import_packages
from snapshot.scan.run import scan
from tests.clients.packages import add_package, build_package
from tests.clients.server import Server, run_server
from tests.clients.tool import Tool
from tests.factories import make_database
from tests.live import ROOT
from tests.readme import blocks
from tests.scanned import TOPDIR, X86, Primary, empty
from tests.system import need_program

pytestmark = pytest.mark.system

IMAGE = f"{TOPDIR}/9/Everything/x86_64/iso/Test-9-netinst.iso"
CHECKSUM = """-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

# {name}: {size} bytes
SHA256 ({name}) = {sum}
-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEEnotasignature
-----END PGP SIGNATURE-----
"""
PAGE = ROOT / "docs" / "packages.md"
BY_CURL = "curl -fsSL --connect-timeout 10 -o"
FIRST, SECOND = "127.0.0.1", "127.0.0.2"


class Site(Struct, frozen=True):
    """A running site: its files and server, what its mirrors were asked for, and who is damaged."""

    tree: Path
    server: Server
    package: str
    asked: list[tuple[str, str]]
    damaged: set[str]

    @property
    def url(self) -> str:
        """The server's URL."""
        return f"http://127.0.0.1:{self.server.port}"

    def metalink(self, path: str) -> str:
        """Return the URL of a metalink."""
        return f"{self.url}/metalink?path={path}"

    def redirect(self, path: str) -> str:
        """Return a URL that leads to the first mirror."""
        return f"{self.url}/mirrorlist?path={path}&redirect=1"

    @property
    def hosts_asked(self) -> list[str]:
        """The mirrors that were asked, in order."""
        return [host for host, _ in self.asked]

    def bytes_of(self, path: str) -> bytes:
        """Return the true bytes of a file."""
        return (self.tree / path).read_bytes()


class _Mirror(SimpleHTTPRequestHandler):
    """A mirror; those at damaged addresses give packages and images with one wrong bit."""

    tree: Path
    asked: list[tuple[str, str]]
    damaged: set[str]

    def do_GET(self) -> None:
        host = self.request.getsockname()[0]
        self.asked.append((host, self.path))
        body = bytearray((self.tree / self.path.lstrip("/")).read_bytes())
        if host in self.damaged:
            body[len(body) // 2] ^= 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # A client that was ended, or that has seen enough.
        with suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with two mirrors, which are always in the same order."""
    need_program("rpmbuild", "rpm")
    need_program("createrepo_c", "createrepo-c")
    folder = tmp_path_factory.mktemp("single")
    tree, asked, damaged = folder / "srv", list[tuple[str, str]](), set[str]()
    package = _write_tree(tree, build_package(folder / "build"))
    handler = type("Handler", (_Mirror,), {"tree": tree, "asked": asked, "damaged": damaged})
    with ExitStack() as stack:
        ports = []
        for host in (FIRST, SECOND):
            mirror = stack.enter_context(ThreadingHTTPServer((host, 0), handler))
            stack.callback(mirror.shutdown)
            threading.Thread(target=mirror.serve_forever, args=(0.05,), daemon=True).start()
            ports.append(f"{host}:{mirror.server_port}")
        database = make_database(folder / "mm.sqlite", _tables(ports))
        primary = Primary.at(folder)
        scan(primary.job(database, source=str(tree / TOPDIR), walk=True))
        assert import_packages(ImportJob(database=database, source=str(tree))).packages == 1
        assert export(database, Job(folder / "mm.snap", files=True)).counts["file_sums"] == 1
        server = stack.enter_context(run_server(folder / "mm.snap", folder / "log", 1))
        yield Site(tree, server, package, asked, damaged)


def _write_tree(tree: Path, package: Path) -> str:
    """Write a repository with a package and an image; return the package's path."""
    add_package(tree / TOPDIR / X86, package)
    image, body = tree / IMAGE, Random(1).randbytes(300_000)
    image.parent.mkdir()
    image.write_bytes(body)
    text = CHECKSUM.format(name=image.name, size=len(body), sum=sha256(body).hexdigest())
    (image.parent / "Test-9-CHECKSUM").write_text(text)
    return f"{TOPDIR}/{X86}/Packages/{package.name}"


def _tables(ports: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return two hosts that have all; a netblock of the first is nearer to the client."""
    tables = empty()
    numbers = (1, 2)
    tables["site"] = [{"id": 1, "name": "s", "created_by": "x"}]
    tables["host"] = [
        {"id": n, "name": f"h{n}.example", "site_id": 1, "country": "DE"} for n in numbers
    ]
    tables["host_category"] = [
        {"id": n, "host_id": n, "category_id": 1, "always_up2date": True} for n in numbers
    ]
    tables["host_category_url"] = [
        {"id": n, "host_category_id": n, "url": f"http://{port}/{TOPDIR}"}
        for n, port in enumerate(ports, 1)
    ]
    tables["host_netblock"] = [
        {"id": n, "host_id": n, "netblock": f"127.0.0.1/{33 - n}"} for n in numbers
    ]
    return tables


@pytest.fixture(params=["package", "image"])
def path(site: Site, request: pytest.FixtureRequest) -> str:
    """The path of a package, whose sum is in primary.xml, or of an image, which a scan knows.

    The first mirror has a damaged file.
    """
    site.asked.clear()
    site.damaged.clear()
    site.damaged.add(FIRST)
    return site.package if request.param == "package" else IMAGE


@pytest.mark.parametrize("ending", [pytest.param("", id="3.0"), pytest.param(".meta4", id="4")])
def test_aria2_goes_on(site: Site, path: str, ending: str, tmp_path: Path) -> None:
    """aria2 throws the damaged file away and takes that of the next mirror."""
    program = need_program("aria2c", "aria2")
    settings = ("--no-conf=true", "--follow-metalink=mem", "--max-tries=1")
    aria2 = Tool(tmp_path, str(program), *settings)
    run = aria2.run(site.metalink(path + ending))
    assert run.code == 0, run.output
    assert aria2.read(Path(path).name) == site.bytes_of(path)
    assert site.hosts_asked == [FIRST, SECOND]


def test_wget2(site: Site, path: str, tmp_path: Path) -> None:
    """wget2 refuses a damaged file and asks for it again, until a quota ends it; not a good one."""
    program = need_program("wget2", "wget2")
    settings = ("--no-config", "--no-hsts", "--tries=1", "--progress=none")
    wget2 = Tool(tmp_path, str(program), *settings, f"--quota={3 * len(site.bytes_of(path))}")
    # Of both kinds of metalinks, each for one of the two files.
    metalink = site.metalink(path + (".meta4" if path == IMAGE else ""))
    run = wget2.run(metalink)
    assert "Quota of" in run.output
    assert "Checksum OK" not in run.output
    assert len(site.asked) > 1
    assert {*site.hosts_asked} == {FIRST}
    site.damaged.clear()
    run = wget2.run(metalink)
    assert run.code == 0, run.output
    assert "Checksum OK" in run.output
    assert wget2.read(Path(path).name) == site.bytes_of(path)


@pytest.mark.parametrize("program", ["curl", "wget", "wget2"])
def test_lines_for_a_shell(site: Site, path: str, program: str, tmp_path: Path) -> None:
    """The lines of docs/packages.md go on past a damaged file, and end if no mirror is good."""
    need_program("curl", "curl")
    need_program(program, program)
    block = next(one.text for one in blocks(PAGE.read_text("utf-8")) if BY_CURL in one.text)
    _, lines = block.split("\n", 1)
    if program != "curl":
        lines = lines.replace(BY_CURL, f"{program} -qO")
    file = Path(path).name
    shell = Tool(tmp_path, "sh", "-c")
    run = shell.run(given := f"server={site.url} path={path} file={file}\n{lines}")
    assert run.code == 0, run.output
    assert shell.files == [file]
    assert shell.read(file) == site.bytes_of(path)
    assert site.hosts_asked == [FIRST, SECOND]
    site.damaged.add(SECOND)
    run = shell.run(given.replace(f"file={file}", "file=other"))
    assert run.code != 0
    assert shell.read("other") is None


def test_curl_by_a_redirect(site: Site, path: str, tmp_path: Path) -> None:
    """A redirect's Repr-Digest is that of the true file, so a script can tell a damaged one."""
    curl = Tool(tmp_path, str(need_program("curl", "curl")), "--silent", "--fail", "--globoff")
    run = curl.run("--location", "-D", "head", "-o", "file", site.redirect(path))
    assert run.code == 0
    head = (curl.read("head") or b"").decode().lower()
    digest = b64encode(sha256(site.bytes_of(path)).digest()).decode()
    assert f"repr-digest: sha-256=:{digest.lower()}:" in head
    assert curl.read("file") != site.bytes_of(path)
