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
from xml.etree import ElementTree

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
# wget2 never ends here: it is killed after this long.
LOOP_SECONDS = 2
META4 = "{urn:ietf:params:xml:ns:metalink}"


class Site(Struct, frozen=True):
    """A running site: its files, its server, and the paths that its mirrors were asked for."""

    tree: Path
    server: Server
    package: str
    asked: list[tuple[str, str]]
    mended: threading.Event

    def metalink(self, path: str) -> str:
        """Return the URL of a metalink."""
        return f"http://127.0.0.1:{self.server.port}/metalink?path={path}"

    def redirect(self, path: str) -> str:
        """Return a URL that leads to the first mirror."""
        return f"http://127.0.0.1:{self.server.port}/mirrorlist?path={path}&redirect=1"

    def bytes_of(self, path: str) -> bytes:
        """Return the true bytes of a file."""
        return (self.tree / path).read_bytes()


class _Mirror(SimpleHTTPRequestHandler):
    """A mirror; that at 127.0.0.1 gives packages and images with one wrong bit."""

    tree: Path
    asked: list[tuple[str, str]]
    mended: threading.Event

    def do_GET(self) -> None:
        host = self.request.getsockname()[0]
        self.asked.append((host, self.path))
        body = bytearray((self.tree / self.path.lstrip("/")).read_bytes())
        if host == "127.0.0.1" and not self.mended.is_set():
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
    """A site with two mirrors, of which the first is always the one with damage."""
    need_program("rpmbuild", "rpm")
    need_program("createrepo_c", "createrepo-c")
    folder = tmp_path_factory.mktemp("single")
    tree, asked, mended = folder / "srv", list[tuple[str, str]](), threading.Event()
    package = _write_tree(tree, build_package(folder / "build"))
    handler = type("Handler", (_Mirror,), {"tree": tree, "asked": asked, "mended": mended})
    with ExitStack() as stack:
        ports = []
        for host in ("127.0.0.1", "127.0.0.2"):
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
        yield Site(tree, server, package, asked, mended)


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
    """The path of a package, whose sum is in primary.xml, or of an image, which a scan knows."""
    site.asked.clear()
    return site.package if request.param == "package" else IMAGE


def test_aria2_goes_on(site: Site, path: str, tmp_path: Path) -> None:
    """With a Metalink 4, aria2 throws the damaged file away and takes that of the next mirror."""
    program = need_program("aria2c", "aria2")
    aria2 = Tool(tmp_path, str(program), "--no-conf=true", "--follow-metalink=mem")
    run = aria2.run(site.metalink(f"{path}.meta4"))
    assert run.code == 0, run.output
    assert aria2.read(Path(path).name) == site.bytes_of(path)
    hosts = [host for host, _ in site.asked]
    assert hosts[0] == "127.0.0.1"
    assert hosts[-1] == "127.0.0.2"


def test_aria2_refuses(site: Site, path: str, tmp_path: Path) -> None:
    """With a metalink 3.0, aria2 refuses the damaged file, and ends."""
    program = need_program("aria2c", "aria2")
    aria2 = Tool(tmp_path, str(program), "--no-conf=true", "--follow-metalink=mem")
    run = aria2.run(site.metalink(path))
    assert run.code == 32, run.output
    assert "Checksum error detected" in run.output


def test_wget2(site: Site, path: str, tmp_path: Path) -> None:
    """wget2 takes the file of a good mirror, and asks one with damage without end."""
    program = need_program("wget2", "wget2")
    settings = ("--no-config", "--no-hsts", "--tries=1", "--progress=none")
    wget2 = Tool(tmp_path, str(program), *settings)
    # Of both kinds of metalinks, each for one of the two files.
    metalink = site.metalink(path + (".meta4" if path == IMAGE else ""))
    run = wget2.run(metalink, seconds=LOOP_SECONDS)
    assert run.code is None
    assert "Checksum OK" not in run.output
    assert len(site.asked) > 1
    assert {host for host, _ in site.asked} == {"127.0.0.1"}
    site.mended.set()
    try:
        run = wget2.run(metalink)
    finally:
        site.mended.clear()
    assert run.code == 0, run.output
    assert "Checksum OK" in run.output
    assert wget2.read(Path(path).name) == site.bytes_of(path)


def test_curl_by_a_metalink(site: Site, path: str, tmp_path: Path) -> None:
    """A script with curl, which knows no metalinks any more, checks each file and goes on."""
    curl = Tool(tmp_path, str(need_program("curl", "curl")), "--silent", "--fail", "--globoff")
    assert curl.run("-o", "list", site.metalink(f"{path}.meta4")).code == 0
    file = ElementTree.fromstring(curl.read("list") or b"").find(f"{META4}file")
    assert file is not None
    wanted = file.findtext(f"{META4}hash[@type='sha-256']")
    kept = []
    for url in file.iterfind(f"{META4}url"):
        assert curl.run("-o", "file", url.text or "").code == 0
        kept.append(sha256(curl.read("file") or b"").hexdigest() == wanted)
        if kept[-1]:
            break
    assert kept == [False, True]
    assert curl.read("file") == site.bytes_of(path)


def test_curl_by_a_redirect(site: Site, path: str, tmp_path: Path) -> None:
    """A redirect's Repr-Digest is that of the true file, so a script can tell a damaged one."""
    curl = Tool(tmp_path, str(need_program("curl", "curl")), "--silent", "--fail", "--globoff")
    run = curl.run("--location", "-D", "head", "-o", "file", site.redirect(path))
    assert run.code == 0
    head = (curl.read("head") or b"").decode().lower()
    digest = b64encode(sha256(site.bytes_of(path)).digest()).decode()
    assert f"repr-digest: sha-256=:{digest.lower()}:" in head
    assert curl.read("file") != site.bytes_of(path)
