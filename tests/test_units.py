"""The units of contrib/systemd and contrib/mirror-sync: hardened, and run by a real systemd."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrorlist.settings.table import SETTINGS
from tests.booted import Booted, booted
from tests.cache_file import write_cache
from tests.factories import make_database, world
from tests.live import ROOT, wait_until
from tests.scanned import CATEGORY, TOML, Primary, empty
from tests.small_sites import publish_tree
from tests.system import need_program

FOLDER = ROOT / "contrib" / "systemd"
UNITS = [*sorted(FOLDER.glob("*.service")), ROOT / "contrib/mirror-sync/mirror-sync@.service"]
PAGE = (FOLDER / "README.md").read_text()
# systemd-analyze security: 10 is a service that may do everything.
MOST_EXPOSURE = 1.5
OURS = UNITS[:-1]
SECONDS = 30.0
# Variables that units put into the command line.
PLAIN = {"CACHE", "CATEGORY", "OPTIONS", "SPOOLS"}
LIST = "/mirrorlist?repo=linux-40&arch=x86_64"


def exposure(unit: Path) -> float:
    """Return the exposure of a unit, as systemd judges it."""
    analyze = need_program("systemd-analyze", "systemd")
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"exposure level for \S+ ([\d.]+)", done.stdout)
    assert found, done.stderr
    return float(found[1])


@pytest.mark.system
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_exposure(unit: Path) -> None:
    """No unit is more exposed than 1.5, and the pages say how much it is."""
    found = exposure(unit)
    assert found <= MOST_EXPOSURE
    page = (unit.parent / "README.md").read_text()
    assert re.search(rf"`{re.escape(unit.name)}`[^\n]* {found} ", page), found


@pytest.mark.system
@pytest.mark.parametrize("unit", OURS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    """Systemd finds nothing to say about a unit, if its program is there."""
    analyze = need_program("systemd-analyze", "systemd")
    copy = tmp_path / unit.name
    without_manual = re.sub(r"^Documentation=.*\n", "", unit.read_text(), flags=re.MULTILINE)
    copy.write_text(without_manual.replace("/usr/bin/mirrorlist", "/bin/true"))
    done = subprocess.run([analyze, "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", OURS, ids=lambda unit: unit.name)
def test_settings_exist(unit: Path) -> None:
    """What a unit sets is a setting, and the command that it runs has it."""
    text = unit.read_text()
    start = re.compile(r"^ExecStart=/usr/bin/mirrorlist (stats \w+|[\w-]+)", re.MULTILINE)
    (command,) = start.findall(text)
    known = {one.variable for one in SETTINGS if command in one.commands}
    named = re.findall(r"^Environment=(\w+)=", text, re.MULTILINE)
    assert {*named} - PLAIN <= known
    assert named


def test_the_page_has_settings() -> None:
    """What the page writes into files of settings are settings."""
    known = {one.variable for one in SETTINGS} | PLAIN
    named = re.findall(r"^ *([A-Z][A-Z_]+)=", PAGE, re.MULTILINE)
    assert set(named) <= known
    assert "MIRRORLIST_PORT" in named


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A booted systemd with the units, a database, a cache, and the settings of two servers."""
    work = tmp_path_factory.mktemp("units")
    work.chmod(0o755)
    make_database(work / "mm.sqlite", world())
    write_cache(work / "cache.proto")
    make_database(work / "scan.sqlite", empty())
    Primary(work).repository("9/Everything/x86_64")
    publish_tree(work / "site", versions=("9",), arches=("x86_64",))
    with booted(work) as machine:
        machine.write("/etc/mirrorlist/database", "sqlite:////run/work/mm.sqlite", "mirrorlist")
        for number in (1, 2):
            machine.write(
                f"/etc/mirrorlist/{number}.env",
                f"MIRRORLIST_PORT=1808{number}\nMIRRORLIST_ADMIN=127.0.0.1:1809{number}\n",
            )
        yield machine


@pytest.mark.system
def test_the_units_run(machine: Booted) -> None:
    """A watch and two servers are ready when `systemctl start` returns; they answer, and log for
    their group alone. None can do more than it needs.
    """
    machine.start("mirrorlist-watch")
    machine.start("mirrorlist@1", "mirrorlist@2")
    for port in (18081, 18082):
        assert "http" in machine.get(port, LIST)
    status = machine.show("mirrorlist@1", "StatusText")
    assert re.fullmatch(r"snapshot \w+, \d+ s old, 9 hosts; 1 of 1 workers answer", status)
    assert machine.show("mirrorlist-watch", "StatusText").endswith(" old, 9 hosts")
    wait_until(
        "a line in the log",
        lambda: "REPO: linux-40" in machine.run("cat", "/var/log/mirrorlist/1.log"),
        SECONDS,
    )
    mode = machine.run("stat", "-c", "%a %U", "/var/log/mirrorlist/1.log").split()
    assert mode == ["640", "mirrorlist"]
    for unit in ("mirrorlist@1", "mirrorlist-watch"):
        rights = machine.run("cat", f"/proc/{machine.show(unit, 'MainPID')}/status")
        for line in ("CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
            assert line in rights


@pytest.mark.system
def test_the_pages_of_statistics(machine: Booted) -> None:
    """The pages are there when `systemctl start` returns, even without a database."""
    machine.write("/etc/mirrorlist/stats-database", "sqlite:////run/work/no.sqlite", "mirrorlist")
    machine.start("mirrorlist-stats-serve")
    assert machine.get(3007, "/health/live") == "OK\n"
    status = machine.show("mirrorlist-stats-serve", "StatusText")
    assert status == "statistics on http://127.0.0.1:3007/"
    machine.run("systemctl", "stop", "mirrorlist-stats-serve")
    assert machine.show("mirrorlist-stats-serve", "Result") == "success"


@pytest.mark.system
def test_reload_and_restart(machine: Booted) -> None:
    """A reload is over soon, and keeps the process; a server that is stopped ends in order."""
    machine.start("mirrorlist-watch", "mirrorlist@1", "mirrorlist@2")
    before = machine.show("mirrorlist@1", "MainPID")
    machine.run("systemctl", "reload", "mirrorlist@1", "mirrorlist-watch")
    assert machine.show("mirrorlist@1", "MainPID") == before
    machine.run("systemctl", "stop", "mirrorlist@2")
    assert machine.show("mirrorlist@2", "Result") == "success"
    assert "http" in machine.get(18081, LIST)


def wait_for_another(machine: Booted, unit: str, before: str, seconds: float) -> None:
    """Wait until a unit runs with another first process than before."""
    wait_until(
        f"another first process of {unit}",
        lambda: (
            machine.show(unit, "MainPID") not in ("0", before)
            and machine.show(unit, "ActiveState") == "active"
        ),
        seconds,
        0.2,
    )


@pytest.mark.system
def test_the_watchdog(machine: Booted) -> None:
    """A supervisor that hangs is replaced, with its workers, and the new one answers."""
    machine.run("mkdir", "-p", "/run/units/mirrorlist@1.service.d")
    machine.write("/run/units/mirrorlist@1.service.d/watchdog.conf", "[Service]\nWatchdogSec=4\n")
    machine.run("systemctl", "daemon-reload")
    machine.start("mirrorlist-watch")
    machine.run("systemctl", "restart", "mirrorlist@1")
    before = machine.show("mirrorlist@1", "MainPID")
    machine.run("kill", "-STOP", before)
    wait_for_another(machine, "mirrorlist@1", before, SECONDS)
    assert "http" in machine.get(18081, LIST)
    assert int(machine.show("mirrorlist@1", "NRestarts")) >= 1


SMALL = """\
site = { name = "Small" }
primary = { path = "/run/work/site" }
mirror = [{ name = "a", country = "DE", urls = ["http://127.0.0.1:18085/"] }]
[[repository]]
prefix = "base"
versions = ["9"]
arches = ["x86_64"]
path = "{version}/BaseOS/{arch}/os"
"""


@pytest.mark.system
def test_a_site_that_is_killed(machine: Booted) -> None:
    """With the first process of `run` all of it ends, and a new start goes on where it was."""
    machine.write("/etc/mirrorlist/mirrors.toml", SMALL, "mirrorlist")
    ports = "PORT=18084\nMIRRORLIST_ADMIN=127.0.0.1:18094\nMIRRORLIST_WATCH_ADMIN=127.0.0.1:18095\n"
    machine.write("/etc/mirrorlist/run.env", f"MIRRORLIST_{ports}")
    machine.run("mkdir", "-p", "/run/units/mirrorlist-run.service.d")
    soon = "[Service]\nRestartSec=100ms\n"
    machine.write("/run/units/mirrorlist-run.service.d/soon.conf", soon)
    machine.run("systemctl", "daemon-reload")
    folder = ("--bind", "127.0.0.1", "--directory", "/run/work/site")
    machine.run("systemd-run", "/usr/bin/python3", "-m", "http.server", *folder, 18085)
    machine.start("mirrorlist-run")
    snapshot = re.search("snapshot (\\w+)", machine.show("mirrorlist-run", "StatusText"))
    before = machine.show("mirrorlist-run", "MainPID")
    others = machine.run("cat", f"/proc/{before}/task/{before}/children").split()
    assert len(others) == 3
    machine.run("kill", "-KILL", before)
    wait_for_another(machine, "mirrorlist-run", before, 3 * SECONDS)
    assert not [one for one in others if machine.run("ls", f"/proc/{one}", may_fail=True)]
    assert "http" in machine.get(18084, "/mirrorlist?repo=base-9&arch=x86_64")
    assert snapshot
    assert snapshot[0] in machine.show("mirrorlist-run", "StatusText")
    machine.run("systemctl", "stop", "mirrorlist-run")
    assert machine.show("mirrorlist-run", "Result") == "success"


@pytest.mark.system
def test_wrong_settings(machine: Booted) -> None:
    """A wrong option ends the unit with one line, and it is not started again."""
    machine.write("/etc/mirrorlist/3.env", "MIRRORLIST_PORT=door\n")
    machine.run("systemctl", "start", "mirrorlist@3", may_fail=True)
    assert machine.show("mirrorlist@3", "ActiveState") == "failed"
    assert machine.show("mirrorlist@3", "NRestarts") == "0"
    assert "MIRRORLIST_PORT" in machine.said


@pytest.mark.system
def test_the_import(machine: Booted) -> None:
    """The import takes the place of the watch, and is ready with the snapshot of the cache."""
    machine.start("mirrorlist-watch")
    settings = "CACHE=/run/work/cache.proto\nMIRRORLIST_OUTPUT=/var/lib/mirrorlist/cache.snap\n"
    machine.write("/etc/mirrorlist/import.env", settings)
    machine.start("mirrorlist-import")
    assert machine.show("mirrorlist-watch", "ActiveState") == "inactive"
    assert machine.show("mirrorlist-import", "StatusText").startswith("snapshot ")
    assert machine.run("stat", "-c", "%a %U", "/var/lib/mirrorlist/cache.snap").split() == [
        "644",
        "mirrorlist",
    ]


@pytest.mark.system
def test_the_scan(machine: Booted) -> None:
    """A scan takes events when `systemctl start` returns, and brings its database up to date."""
    machine.run("mkdir", "-p", "/var/lib/mirrorlist")
    machine.run("cp", "/run/work/scan.sqlite", "/var/lib/mirrorlist/scan.sqlite")
    machine.run("chown", "mirrorlist", "/var/lib/mirrorlist", "/var/lib/mirrorlist/scan.sqlite")
    rules = TOML.replace("/nowhere", "/run/work/primary")
    machine.write("/etc/mirrorlist/scan.toml", rules, "mirrorlist")
    settings = {
        "CATEGORY": CATEGORY,
        "MIRRORLIST_DATABASE": "sqlite:////var/lib/mirrorlist/scan.sqlite",
        "MIRRORLIST_ADMIN": "127.0.0.1:18094",
    }
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    machine.write("/etc/mirrorlist/scan-epel.env", lines)
    machine.start("mirrorlist-scan@epel")
    assert machine.show("mirrorlist-scan@epel", "StatusText").startswith("scanning ")
    wait_until(
        "a scan",
        lambda: '"repositories":1,' in machine.get(18094, "/status.json"),
        SECONDS,
    )
    machine.run("systemctl", "stop", "mirrorlist-scan@epel")
    assert machine.show("mirrorlist-scan@epel", "Result") == "success"


@pytest.mark.system
def test_the_collector(machine: Booted) -> None:
    """What a server counts comes into a database at a reload, and is out of the spool."""
    machine.start("mirrorlist-watch")
    machine.run("install", "-d", "-o", "mirrorlist", "-g", "mirrorlist", "/var/spool/mirrorlist")
    settings = "MIRRORLIST_PORT=18084\nMIRRORLIST_ADMIN=127.0.0.1:18095\n"
    machine.write("/etc/mirrorlist/4.env", f"{settings}MIRRORLIST_SPOOL=/var/spool/mirrorlist/1\n")
    machine.start("mirrorlist@4")
    assert "http" in machine.get(18084, LIST)
    machine.run("systemctl", "stop", "mirrorlist@4")
    url = "sqlite:////var/lib/mirrorlist/stats.sqlite"
    machine.write("/etc/mirrorlist/collect-database", url, "mirrorlist")
    machine.start("mirrorlist-collect")
    assert machine.show("mirrorlist-collect", "StatusText") == "all files are in the database"
    look = ("/usr/bin/mirrorlist", "stats", "table", "--by", "repo", "--csv", "--database", url)
    assert machine.run(*look) == "repo,requests\nlinux-40,1\n"
    machine.run("systemctl", "reload", "mirrorlist-collect")
    machine.run("systemctl", "stop", "mirrorlist-collect")
    assert machine.show("mirrorlist-collect", "Result") == "success"


# As the page of mirror-sync says, but on this machine.
MIRROR = """
server = http://127.0.0.1:18081
categories = Linux
stripprefix = pub/linux
upstream = rsync://127.0.0.1/linux/
destination = /srv/mirror/linux
state = /var/lib/mirror-sync/linux
log = /var/lib/mirror-sync/linux.log
check = no
"""
ORIGIN = """
[linux]
path = /srv/origin
"""


@pytest.mark.system
def test_mirror_sync(machine: Booted) -> None:
    """mirror-sync fills a mirror from an rsync daemon, with upstream's modes, and nothing else."""
    need_program("rsync", "rsync")
    machine.start("mirrorlist-watch", "mirrorlist@1")
    origin = "/srv/origin/40/x86_64/os/repodata"
    machine.run("mkdir", "-p", origin, "/etc/mirror-sync", "/srv/mirror/linux")
    machine.run("chown", "-R", "mirror", "/srv/mirror/linux")
    machine.write(f"{origin}/repomd.xml", "<repomd/>")
    machine.run("chmod", "-R", "a+rX", "/srv/origin")
    machine.run("chmod", "2775", origin)
    machine.write("/etc/rsyncd.conf", ORIGIN)
    machine.write("/etc/mirror-sync/linux.conf", MIRROR, "mirror")
    machine.run("rsync", "--daemon", "--address=127.0.0.1")
    machine.start("mirror-sync@linux")
    assert machine.show("mirror-sync@linux", "Result") == "success", machine.said
    copy = origin.replace("origin", "mirror/linux")
    assert machine.run("cat", f"{copy}/repomd.xml") == "<repomd/>"
    assert machine.run("stat", "-c", "%a %U", copy).split() == ["2775", "mirror"]
    machine.start("mirror-sync@linux")
    assert "nothing changed" in machine.run("cat", "/var/lib/mirror-sync/linux.log")
