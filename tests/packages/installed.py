"""What the packages do in a clean Debian 12: installed, upgraded, removed.

`make package-test` runs this: the packages are built as they would be for users, and the first
run makes the clean root, so it takes minutes. The root of the RPMs is the same Debian, in which
this machine's dnf and rpm install; no Fedora was there to try.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.packages.kinds import NEXT, Built, Deb, Rpm
from tests.packages.root import Root, clean_root
from tests.system import ROOT

pytestmark = pytest.mark.system

STATE = "/var/lib/mirrorlist"
LOGS = "/var/log/mirrorlist"
PORT = 3000
TARGET = "/mirrorlist?repo=rawhide&arch=x86_64&ip=85.214.132.117"
SERVE = ("mirrorlist", "serve", "--snapshot", f"{STATE}/demo/demo.snap", "--log", f"{LOGS}/1.log")

UNITS = list((ROOT / "contrib" / "systemd").glob("*.service"))
SERVERS = {1: 18081, 2: 18082}
# Asks one server, and the other if that is away, as a balancer does; both away is a loss.
_ASK = """
get() {
    exec 3<>"/dev/tcp/127.0.0.1/$2" || return 1
    printf 'GET %s HTTP/1.0\\r\\n\\r\\n' "$1" >&3
    read -r line <&3 && [[ $line == *" 200 "* ]]
}
asked=0
: >/tmp/lost
until [ -e /tmp/enough ]; do
    (get "$1" "$2") 2>/dev/null || (get "$1" "$3") 2>/dev/null || date >>/tmp/lost
    asked=$((asked + 1))
done
echo "$asked" >/tmp/asked
"""


@pytest.fixture(scope="module", params=[Deb, Rpm], ids=["deb", "rpm"])
def kind(request: pytest.FixtureRequest) -> Deb | Rpm:
    """A kind of packages."""
    made: Deb | Rpm = request.param()
    return made


@pytest.fixture(scope="module")
def built(kind: Deb | Rpm, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Packages of that kind."""
    return kind.build(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def root(kind: Deb | Rpm, built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root with the packages, in which the demo serves; tests that use it leave it as it is."""
    with clean_root(tmp_path_factory.mktemp("root") / "layer") as root:
        kind.install(root, built.old)
        demo(root)
        yield root


@pytest.fixture
def fresh(kind: Deb | Rpm, built: Built, tmp_path: Path) -> Iterator[Root]:
    """A root with the packages, for one test."""
    with clean_root(tmp_path / "layer") as root:
        kind.install(root, built.old)
        yield root


def demo(root: Root) -> None:
    """Start a demo, as the packages' user, and return once it answers."""
    root.start("mirrorlist", "demo", "--directory", f"{STATE}/demo", user="mirrorlist")
    root.get(PORT, "/health/ready")


def ask_and_log(root: Root) -> None:
    """Ask both servers, and return once each has written a line into the log of its name."""
    for number, port in SERVERS.items():
        root.get(port, TARGET)
        root.in_time(partial(root.run, "test", "-s", f"{LOGS}/{number}.log"))


def test_depends(kind: Deb | Rpm, built: Built) -> None:
    """The packages depend on one Python, and the drop-in on the program of its version."""
    main = next(path for path in built.old if "dropin" not in path.name)
    dropin = next(path for path in built.old if "dropin" in path.name)
    assert re.search(r"python3\.11\b|python\(abi\) = 3\.11", kind.depends(main))
    assert re.search(r"mirrorlist \(?>?= 0\.1\.0-1", kind.depends(dropin))


def test_user_and_folders(root: Root) -> None:
    """The user exists and owns the folders for snapshots and logs; configuration is root's."""
    assert "/var/lib/mirrorlist" in root.run("getent", "passwd", "mirrorlist")
    owners = root.run("stat", "-c", "%n %U %a", STATE, LOGS, "/etc/mirrorlist")
    expected = [f"{STATE} mirrorlist 755", f"{LOGS} mirrorlist 750", "/etc/mirrorlist root 755"]
    assert owners.splitlines() == expected


@pytest.mark.parametrize("user", ["root", "mirrorlist"])
def test_commands(root: Root, user: str) -> None:
    """Both commands start, for root and for the user of the services."""
    assert root.run("mirrorlist", "--version", user=user).startswith("mirrorlist, version ")
    assert "--global_netblocks" in root.run("mirrorlist-server", "--help", user=user)


def test_answers(root: Root) -> None:
    """The demo answers."""
    assert root.get(PORT, TARGET).startswith("# repo = rawhide arch = x86_64 country = DE")


def test_manual_pages(root: Root) -> None:
    """The command man shows the pages."""
    for page in ("mirrorlist", "mirrorlist-serve", "mirrorlist-server"):
        assert root.run("man", page).startswith(page.upper())


_BASH = """
. /usr/share/bash-completion/bash_completion
_completion_loader mirrorlist
COMP_WORDS=(mirrorlist ins) COMP_CWORD=1
_mirrorlist_completion mirrorlist
echo ${COMPREPLY[@]}
"""
# Fedora's folder is not among those that Debian's zsh looks into.
_ZSH = """
fpath+=/usr/share/zsh/site-functions
autoload -U compinit
compinit -u -D
echo $_comps[mirrorlist] $_comps[mirrorlist-server]
"""


@pytest.mark.parametrize(
    ("shell", "script", "expected"),
    [
        ("bash", _BASH, "inspect\n"),
        ("zsh", _ZSH, "_mirrorlist _mirrorlist-server\n"),
        ("fish", "complete -C 'mirrorlist ins'", "inspect\tWhat is in a snapshot"),
    ],
    ids=["bash", "zsh", "fish"],
)
def test_completion(root: Root, shell: str, script: str, expected: str) -> None:
    """Each shell loads the completion."""
    assert root.run(shell, "-c", script).startswith(expected)


def test_no_file_knows_where_it_was_built(root: Root, built: Built) -> None:
    """No file of the system has the folder of the build in it."""
    found = root.run("sh", "-c", 'grep -rlF "$1" /usr /etc || true', "sh", built.where)
    assert found == ""


def test_all_libraries_are_there(root: Root) -> None:
    """Each library that a wheel brings finds those that it needs."""
    script = "find /usr/lib/mirrorlist -name '*.so*' -exec ldd {} +"
    libraries = root.run("sh", "-c", script)
    assert libraries.count("\n") > 100
    assert "not found" not in libraries


def test_nothing_is_written_when_it_runs(root: Root) -> None:
    """A command that root starts compiles nothing beside the files of the package."""
    root.run("touch", "/tmp/before")
    root.run("mirrorlist", "inspect", f"{STATE}/demo/demo.snap")
    assert root.run("find", "/usr/lib/mirrorlist", "-newer", "/tmp/before") == ""


def test_logs_are_rotated(fresh: Root) -> None:
    """The rotation renames a log, and makes an empty one for the same user."""
    fresh.run("sh", "-c", f"echo 'IP: 1' >{LOGS}/1.log; chown mirrorlist: {LOGS}/1.log")
    fresh.run("logrotate", "--force", "/etc/logrotate.d/mirrorlist")
    (rotated, log) = fresh.run("sh", "-c", f"stat -c '%n %U %s' {LOGS}/* | sort -r").splitlines()
    assert log == f"{LOGS}/1.log mirrorlist 0"
    assert rotated.endswith(" mirrorlist 6")


def test_an_upgrade_keeps_what_is_there(kind: Deb | Rpm, built: Built, fresh: Root) -> None:
    """An upgrade keeps state, logs and configuration, and a server that runs goes on answering."""
    demo(fresh)
    fresh.start(*SERVE, "--port", 3100, "--admin", "none", user="mirrorlist")
    fresh.get(3100, TARGET)
    fresh.write("/etc/mirrorlist/1.env", "MIRRORLIST_PORT=3100\n")
    rotation = fresh.read("/etc/logrotate.d/mirrorlist").replace("rotate 14", "rotate 99")
    fresh.write("/etc/logrotate.d/mirrorlist", rotation)
    before = fresh.run("sh", "-c", f"sha256sum {STATE}/demo/demo.s*; stat -c %i {LOGS}/*")

    kind.install(fresh, built.new)

    assert fresh.get(3100, TARGET).startswith("# repo = rawhide")
    assert fresh.run("sh", "-c", f"sha256sum {STATE}/demo/demo.s*; stat -c %i {LOGS}/*") == before
    assert fresh.read("/etc/mirrorlist/1.env") == "MIRRORLIST_PORT=3100\n"
    assert fresh.read("/etc/logrotate.d/mirrorlist") == rotation
    if isinstance(kind, Deb):
        assert fresh.run("mirrorlist", "--version") == f"mirrorlist, version {NEXT}\n"
    fresh.start(*SERVE, "--port", 3200, "--admin", "none", user="mirrorlist")
    assert fresh.get(3200, TARGET).startswith("# repo = rawhide")


def test_services_go_on(kind: Deb | Rpm, built: Built, tmp_path: Path) -> None:
    """Under a systemd, servers follow a rotation, an upgrade restarts one after the other."""
    if not UNITS:
        pytest.skip("no units in contrib/systemd")
    with clean_root(tmp_path / "layer", boot=True) as root:
        kind.install(root, built.old)
        for number, port in SERVERS.items():
            settings = f"MIRRORLIST_PORT={port}\nMIRRORLIST_ADMIN=none\nMIRRORLIST_DRAIN=1\n"
            root.write(f"/etc/mirrorlist/{number}.env", settings)
        demo(root)
        root.run("cp", "-p", f"{STATE}/demo/demo.snap", f"{STATE}/mm.snap")
        services = [f"mirrorlist@{number}" for number in SERVERS]
        root.run("systemctl", "enable", "--now", *services)
        ask_and_log(root)
        root.run("logrotate", "--force", "/etc/logrotate.d/mirrorlist")
        ask_and_log(root)
        before = [root.run("systemctl", "show", "--property=MainPID", unit) for unit in services]
        root.write("/tmp/ask", _ASK)
        root.start("bash", "/tmp/ask", TARGET, *SERVERS.values(), user="root")

        kind.install(root, built.new)

        root.run("touch", "/tmp/enough")
        asked = int(root.in_time(lambda: root.read("/tmp/asked")))
        assert (asked > 20, root.read("/tmp/lost")) == (True, "")
        after = [root.run("systemctl", "show", "--property=MainPID", unit) for unit in services]
        assert not set(before) & set(after)
        for port in SERVERS.values():
            assert root.get(port, TARGET).startswith("# repo = rawhide")
        root.write("/etc/mirrorlist/database", f"sqlite:///{STATE}/demo/demo.sqlite")
        root.run("systemctl", "start", "mirrorlist-watch")
        kind.remove(root)
        # A removal stops all of them.
        active = ("systemctl", "list-units", "--plain", "--no-legend", "--state=active")
        assert root.run(*active, "mirrorlist*.service") == ""
        listening = root.host("ss", "-Hltn")
        assert not [port for port in SERVERS.values() if f":{port} " in listening]


def test_a_removal_leaves_logs_and_state(kind: Deb | Rpm, fresh: Root) -> None:
    """A removal leaves snapshots, logs and the administrator's files; a purge on Debian does not.

    Debian's policy asks for it; a purge leaves what the administrator wrote into /etc/mirrorlist.
    """
    kept = (f"{STATE}/mm.snap", f"{LOGS}/1.log", "/etc/mirrorlist/1.env")
    for path in kept:
        fresh.write(path, "kept")
    fresh.run("mirrorlist", "--version")
    kind.remove(fresh)
    assert [fresh.read(path) for path in kept] == ["kept"] * len(kept)
    assert fresh.run("find", "/usr", "-name", "*mirrorlist*") == ""
    if isinstance(kind, Deb):
        fresh.run("dpkg", "--purge", "mirrorlist-dropin", "mirrorlist")
        left = [path for path in (STATE, LOGS, "/etc/logrotate.d/mirrorlist") if fresh.exists(path)]
        assert (left, fresh.read("/etc/mirrorlist/1.env")) == ([], "kept")


def test_it_takes_the_place_of_mirrorlist_server(
    kind: Deb | Rpm, built: Built, tmp_path: Path
) -> None:
    """The drop-in does not replace MirrorManager's package unasked; they can be exchanged."""
    main = [path for path in built.old if "dropin" not in path.name]
    with clean_root(tmp_path / "layer") as root:
        kind.install_server(root)
        kind.install(root, main)
        assert root.run("mirrorlist-server") == "rust\n"
        with pytest.raises(AssertionError, match="conflict"):
            kind.install(root, built.old)
        kind.exchange(root, "mirrorlist-server", "mirrorlist-dropin", built.old)
        assert "--global_netblocks" in root.run("mirrorlist-server", "--help")
        kind.exchange(root, "mirrorlist-dropin", "mirrorlist-server", built.old)
        assert root.run("mirrorlist-server") == "rust\n"
