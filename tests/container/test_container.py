"""The image, and a site of its containers without root: two servers, a watch, haproxy and dnf.

`make container-test ARGS=--full` takes all swaps and prints what the clients saw.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.clients.dnf import Dnf, assert_installed, may_install
from tests.clients.packages import PACKAGE
from tests.clients.server import find_free_port
from tests.container.podman import IMAGE, Podman
from tests.container.site import HARDENED, OWN_USER, Container, Site, asked, put
from tests.live import wait_until
from tests.system import need_program

pytestmark = pytest.mark.system

SWAPS, ALL_SWAPS = 8, 60
MOST_BYTES = 300_000_000
MISSING_SECONDS = 3
TOOLS = ("pip", "setuptools", "hatchling", "editables", "ensurepip")
# The user of the image is not the only one that it works for: OpenShift takes any, of group 0.
ANY_USER = "--user=12345:0"

Load = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def under_load(site: Site, capsys: pytest.CaptureFixture[str]) -> Load:
    """Lets clients ask while something happens; none of their requests may fail."""

    @contextmanager
    def load(what: str) -> Iterator[None]:
        with asked(site.port) as seen:
            yield
        with capsys.disabled():
            print(f"\n{what}: {seen.told()}")  # noqa: T201
        assert seen.requests > 0
        assert not seen.failures, seen.failures

    return load


def test_the_image(podman: Podman) -> None:
    """It has a fixed user, labels, a health check, and no tools to install or build packages."""
    (image,) = json.loads(podman.run("image", "inspect", IMAGE).stdout)
    configuration = image["Config"]
    assert image["Size"] <= MOST_BYTES
    assert configuration["User"] == "441:441"
    assert image["Healthcheck"]["Test"] == ["CMD", "mirrorlist", "health"]
    labels = configuration["Labels"]
    for name, value in {"version": "1.2.3", "revision": "abc", "licenses": "MIT"}.items():
        assert labels[f"org.opencontainers.image.{name}"] == value
    found = f"from importlib.util import find_spec; print([o for o in {TOOLS} if find_spec(o)])"
    python = ("run", "--rm", "--entrypoint", "python", IMAGE, "-c")
    assert podman.run(*python, found).stdout == "[]\n"


def test_it_serves_nothing_made_up(podman: Podman) -> None:
    """Without arguments it ends with 2, and says what to give."""
    done = podman.run("run", "--rm", IMAGE, check=False)
    assert done.returncode == 2
    assert "--snapshot is missing (or MIRRORLIST_SNAPSHOT in the environment)" in done.stderr


def test_it_ends_before_it_serves(podman: Podman) -> None:
    """A server that waits for its snapshot, as the first process of a container, ends at once."""
    podman.run("run", "-d", "--name", "waiting", IMAGE, "serve", "--snapshot=none", "--wait=600")
    wait_until("it waits", lambda: "waiting 600 s" in podman.run("logs", "waiting").stderr, 60)
    begun = time.monotonic()
    podman.run("stop", "--time", "100", "waiting")
    assert time.monotonic() - begun < 90
    assert podman.run("wait", "waiting").stdout == "0\n"


def test_the_first_command(site: Site) -> None:
    """A mounted log folder is written, by the user who started the container, without powers."""
    server = site.servers[0]
    assert server.get("/mirrorlist?repo=fedora-40&arch=x86_64").status == 200
    file = site.log / "server-1.log"
    wait_until("a line of the log", lambda: b"REPO: fedora-40" in file.read_bytes())
    assert file.stat().st_uid == site.podman.uid
    assert site.snapshot.stat().st_uid == site.podman.uid
    status = site.podman.run("exec", server.name, "cat", "/proc/1/status").stdout
    values = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    powers = {name: int(values[name], 16) for name in ("CapEff", "CapBnd", "CapPrm")}
    assert powers == {"CapEff": 0, "CapBnd": 0, "CapPrm": 0}
    assert values["NoNewPrivs"] == "1"
    assert values["Uid"].split() == ["441"] * 4


def _is_healthy(container: Container) -> bool:
    done = container.podman.run("healthcheck", "run", container.name, check=False)
    return done.returncode == 0


def test_health(site: Site) -> None:
    """The health check finds the process, its command and its port, in servers and in a watch."""
    for one in (*site.servers, site.watch):
        # A machine that is busy may take longer than the check has.
        wait_until(f"{one.name} is healthy", partial(_is_healthy, one), 60)
    said = site.podman.run("exec", site.watch.name, "mirrorlist", "health").stdout
    assert said == f"healthy: http://127.0.0.1:{site.watch.admin}/health/fresh\n"


def test_a_whole_site(podman: Podman) -> None:
    """One container is a whole site; after kill -9 of its first process it starts again as it was,
    and SIGTERM ends it with 0.
    """
    whole = Container(podman, "whole", find_free_port(), find_free_port())
    folder = ("--volume", f"{podman.folder('whole')}:/var/lib/mirrorlist")
    ports = (f"--port={whole.port}", f"--admin={whole.admin}", "--watch-admin=none")
    run = ("run", "--example", "--host=127.0.0.1", *ports)
    podman.run("run", "-d", "--name", whole.name, *HARDENED, OWN_USER, *folder, IMAGE, *run)
    wait_until("it is ready", whole.is_ready, 60)
    wait_until("it is healthy", partial(_is_healthy, whole), 60)
    assert whole.end("KILL") == 137
    whole.start()
    body = whole.get("/metalink?repo=example-1&arch=x86_64").body
    assert body.count(b"<url ") == 1
    assert whole.end() == 0


def test_any_user(site: Site) -> None:
    """Any user of group 0 may run it, and write to the folder that it works in."""
    mounted = ("--volume", f"{site.snapshot.parent}:/srv:ro")
    run = ("run", "--rm", "--cap-drop=all", ANY_USER, *mounted)
    asked = ("inspect", "/srv/mm.snap", "--repo", "fedora-40", "--arch", "x86_64")
    assert "pub/test/40/x86_64" in site.podman.run(*run, IMAGE, *asked).stdout
    asks = ("--entrypoint", "sh", IMAGE, "-c", "echo a >a && cp /srv/mm.snap . && id -u")
    assert site.podman.run(*run, *asks).stdout == "12345\n"


@pytest.mark.parametrize("way", ["file", "variable"])
def test_a_secret(site: Site, way: str) -> None:
    """A secret that ends with a line end names the database, as a file and as a variable."""
    secret = site.podman.home / f"secret-{way}"
    secret.write_text(f"sqlite:////srv/database/{site.database.name}\n")
    site.podman.run("secret", "create", way, site.podman.own(secret))
    as_file = ("--secret", f"{way},uid=441,gid=441,mode=0400", "--tmpfs", "/run/secrets")
    as_variable = ("--secret", f"{way},type=env,target=MIRRORLIST_DATABASE")
    folder = site.podman.folder(f"exported-{way}")
    site.podman.run(
        *("run", "--rm", *HARDENED, OWN_USER, *(as_file if way == "file" else as_variable)),
        *("--volume", f"{site.database.parent}:/srv/database:ro"),
        *("--volume", f"{folder}:/var/lib/mirrorlist", IMAGE, "export", "--output", "mm.snap"),
        *(("--database", f"@/run/secrets/{way}") if way == "file" else ()),
    )
    assert (folder / "mm.snap").stat().st_uid == site.podman.uid


def test_dnf(site: Site, tmp_path: Path) -> None:
    """A real dnf installs a package through haproxy, though the first mirror is dead."""
    need_program("dnf", "dnf")
    if not may_install():
        pytest.skip("dnf installs as root only, or where user namespaces are allowed")
    url = f"http://127.0.0.1:{site.port}/metalink?repo=fedora-40&arch=x86_64"
    dnf = Dnf(tmp_path, "metalink", url)
    assert_installed(dnf, dnf.run("install", PACKAGE))


def test_swaps(
    site: Site, under_load: Load, is_full: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each commit to the database is served by both servers, and no request fails meanwhile."""
    count = ALL_SWAPS if is_full else SWAPS
    with under_load(f"{count} swaps"):
        seconds = [site.publish() for _ in range(count)]
    with capsys.disabled():
        print(f"commit to both servers: median {statistics.median(seconds):.2f} s")  # noqa: T201


@pytest.mark.parametrize("signal", ["TERM", "INT"], ids=["with drain", "without drain"])
def test_rolling_restart(site: Site, under_load: Load, is_full: bool, signal: str) -> None:
    """One server after the other ends with 0 and starts again, and no request fails."""
    with under_load(f"rolling restart by SIG{signal}"):
        for server in site.servers * (3 if is_full else 1):
            assert server.end(signal) == 0
            server.start()


def test_a_proxy_that_tries_nothing_twice(
    site: Site, is_full: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a drain, not even a proxy without retries loses a request; without one it may."""
    if not is_full:
        return
    for signal in ("TERM", "INT"):
        with asked(site.plain_port) as seen:
            for server in site.servers * 3:
                assert server.end(signal) == 0
                server.start()
                # Until the proxy has seen that it is back.
                time.sleep(2)
        with capsys.disabled():
            print(f"\nno retries, restarts by SIG{signal}: {seen.told()}")  # noqa: T201
        assert signal == "INT" or not seen.failures


def test_kill(site: Site, under_load: Load, is_full: bool) -> None:
    """A server that is killed costs no request: haproxy or the client asks the other one."""
    with under_load("kill -9"):
        for server in site.servers * (3 if is_full else 1):
            assert server.end("KILL") == 137
            server.start()


def _refuses(server: Container) -> bool:
    return b"is refused" in server.state().body


def test_damaged_and_missing(site: Site, under_load: Load) -> None:
    """A damaged and a missing snapshot change nothing for clients, and the next one is taken."""
    good = site.snapshot.read_bytes()
    with under_load("a damaged file, then none"):
        put(site.snapshot, good[:-100] + bytes(100))
        for server in site.servers:
            wait_until("refused", partial(_refuses, server), 15)
        site.snapshot.unlink()
        # Longer than the interval at which a worker checks the file, whatever inotify says.
        time.sleep(MISSING_SECONDS)
        for server in site.servers:
            assert server.is_ready()
        put(site.snapshot, good)
        site.publish()
        for server in site.servers:
            assert server.state().status == 200
