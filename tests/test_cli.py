"""The command line: what it prints, where, and its exit codes."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mirrorlist.cli import cli
from snapshot.file.format import MAJOR
from tests.command import assert_refused, run, run_inside, run_unread
from tests.factories import export_tables, make_database, world


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database mm.sqlite and its snapshot mm.snap."""
    folder = tmp_path_factory.mktemp("cli")
    netblocks = [{"id": 1, "host_id": 6, "netblock": "junk/99"}]
    export_tables(folder, world(host_netblock=netblocks))
    return folder


def test_export_says_what_it_left_out(folder: Path, tmp_path: Path) -> None:
    """An export names the file, what is in it and each row left out, on standard error."""
    done = run("export", "--database", f"sqlite:///{folder}/mm.sqlite", "--output", tmp_path / "a")
    assert done.returncode == 0
    assert done.stdout == ""
    assert "9 hosts" in done.stderr
    assert "host_netblock" in done.stderr
    assert "\x1b" not in done.stderr
    assert (tmp_path / "a").read_bytes()[:8] == b"\x89MLSNAP\n"


def test_export_as_json(folder: Path, tmp_path: Path) -> None:
    """--json prints counts, rows left out, seconds and bytes, and nothing else."""
    database = f"sqlite:///{folder}/mm.sqlite"
    done = run("export", "--database", database, "--output", tmp_path / "a", "--json")
    found = json.loads(done.stdout)
    assert done.stderr == ""
    assert set(found) == {"counts", "left_out", "notes", "seconds", "bytes", "phases"}
    assert found["left_out"] == [
        {
            "table": "host_netblock",
            "id": 1,
            "reason": "not a netblock, an address or a DNS name",
        }
    ]
    assert found["bytes"] == (tmp_path / "a").stat().st_size
    assert found["counts"]["hosts"] == 9


def test_export_reads_the_url_from_a_file(folder: Path, tmp_path: Path) -> None:
    """--database @FILE takes the first line of a file as the URL."""
    (tmp_path / "url").write_text(f"sqlite:///{folder}/mm.sqlite\n# a remark\n")
    done = run("export", "--database", f"@{tmp_path}/url", "--output", tmp_path / "a")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def settings(folder: Path, tmp_path: Path) -> Path:
    """A TOML file that names the database and an output file called from-file."""
    file = tmp_path / "settings.toml"
    file.write_text(f'database = "sqlite:///{folder}/mm.sqlite"\noutput = "{tmp_path}/from-file"\n')
    return file


def test_a_setting_can_stand_in_a_file(settings: Path, tmp_path: Path) -> None:
    """What a TOML file says holds when neither a flag nor the environment says it."""
    assert run("export", "--config", settings).returncode == 0
    assert (tmp_path / "from-file").exists()


def test_the_environment_wins_over_the_file(settings: Path, tmp_path: Path) -> None:
    """A setting of the environment is taken before that of the file."""
    output = str(tmp_path / "from-environment")
    done = run("export", MIRRORLIST_CONFIG=str(settings), MIRRORLIST_OUTPUT=output)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "from-file").exists()
    assert Path(output).exists()


def test_a_flag_wins_over_the_environment(settings: Path, tmp_path: Path) -> None:
    """A flag is taken before the environment."""
    flag, environment = tmp_path / "from-flag", tmp_path / "from-environment"
    arguments = ("export", "--config", settings, "--output", flag)
    assert run(*arguments, MIRRORLIST_OUTPUT=str(environment)).returncode == 0
    assert flag.exists()
    assert not environment.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("prot = 3000", ["no such setting", "prot"], id="unknown name"),
        pytest.param("port = ", ["cannot be read as settings"], id="not TOML"),
        pytest.param(None, ["No such file"], id="missing"),
    ],
)
def test_a_wrong_settings_file_is_refused(
    tmp_path: Path, content: str | None, words: list[str]
) -> None:
    """A settings file that cannot be used is named in one line, exit code 2."""
    file = tmp_path / "settings.toml"
    if content is not None:
        file.write_text(content)
    done = run("serve", "--snapshot", "x", "--config", file)
    assert_refused(done, 2, "settings.toml", *words)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["serve"], 2, ["--snapshot"], id="missing option"),
        pytest.param(["serve", "--no-such"], 2, ["--no-such"], id="unknown option"),
        pytest.param(["no-such"], 2, ["no-such"], id="unknown subcommand"),
        pytest.param(["serve", "--snapshot", "x", "--port", "70000"], 2, ["port"], id="port"),
        pytest.param(["serve", "--snapshot", "/nowhere"], 3, ["/nowhere"], id="no snapshot"),
        pytest.param(["inspect", "/nowhere"], 3, ["/nowhere"], id="inspect nothing"),
        pytest.param(["ask", "a=b", "--snapshot", "/nowhere"], 3, ["/nowhere"], id="ask nothing"),
    ],
)
def test_wrong_options_are_refused(arguments: list[str], code: int, words: list[str]) -> None:
    """A wrong command line gets one line and its documented exit code."""
    assert_refused(run(*arguments), code, *words)


@pytest.mark.parametrize(
    ("database", "code", "words"),
    [
        pytest.param("mysql://u:s3cret@h/n", 2, ["mysql"], id="another kind"),
        pytest.param("nonsense", 2, ["not a database URL"], id="no URL"),
        pytest.param("@/nowhere", 2, ["/nowhere"], id="missing URL file"),
        pytest.param("sqlite:////nowhere.sqlite", 3, ["no such database"], id="no SQLite file"),
        pytest.param(
            "postgresql://mm:s3cret@127.0.0.1:1/mm", 3, ["127.0.0.1", "cannot be read"], id="nobody"
        ),
    ],
)
def test_a_wrong_database_is_refused(
    tmp_path: Path, database: str, code: int, words: list[str]
) -> None:
    """A database that cannot be read gets one line without the password; nothing is written."""
    done = run("export", "--database", database, "--output", tmp_path / "a")
    assert_refused(done, code, *words)
    assert "s3cret" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_the_tables_is_refused(tmp_path: Path) -> None:
    """A database of another program is named as such, exit code 3."""
    make_database(tmp_path / "mm.sqlite", {})
    (tmp_path / "other.sqlite").write_bytes(b"")
    done = run(
        "export", "--database", f"sqlite:///{tmp_path}/other.sqlite", "--output", tmp_path / "a"
    )
    assert_refused(done, 3, "not a MirrorManager database", "site")


@pytest.mark.parametrize("option", ["--asn", "--country-continent"])
def test_a_wrong_data_file_is_refused(folder: Path, tmp_path: Path, option: str) -> None:
    """A data file that cannot be used is named in one line, exit code 2, and nothing is written."""
    (tmp_path / "junk").write_text("<html>not found</html>\n")
    for file in ("junk", "missing"):
        arguments = ("--database", f"sqlite:///{folder}/mm.sqlite", "--output", tmp_path / "a")
        assert_refused(run("export", *arguments, option, tmp_path / file), 2, file)
    assert not (tmp_path / "a").exists()


def test_an_unwritable_output_is_refused(folder: Path) -> None:
    """An output file in a folder that does not exist is exit code 1."""
    database = f"sqlite:///{folder}/mm.sqlite"
    assert_refused(run("export", "--database", database, "--output", "/nowhere/a"), 1, "/nowhere/a")


def _damage(name: str, content: bytes) -> bytes:
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    newer = bytearray(content)
    newer[8] = MAJOR + 1
    return {
        "damaged": bytes(flipped),
        "cut short": content[:-100],
        "empty": b"",
        "newer than this program": bytes(newer),
        "not a snapshot": b"# repo = rawhide\n",
    }[name]


@pytest.mark.parametrize(
    "kind", ["damaged", "cut short", "empty", "newer than this program", "not a snapshot"]
)
@pytest.mark.parametrize("command", ["serve", "inspect", "ask"])
def test_a_bad_snapshot_is_refused(folder: Path, tmp_path: Path, command: str, kind: str) -> None:
    """serve, inspect and ask say in one line what is wrong with a snapshot, and exit 3."""
    bad = tmp_path / "bad.snap"
    bad.write_bytes(_damage(kind, (folder / "mm.snap").read_bytes()))
    arguments: dict[str, list[object]] = {
        "serve": ["--snapshot", bad, "--port", "0"],
        "inspect": [bad],
        "ask": ["repo=linux-40&arch=x86_64", "--snapshot", bad],
    }
    assert_refused(run(command, *arguments[command]), 3, "bad.snap", kind)


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_in_use_is_refused(folder: Path, taken_port: int) -> None:
    """Serve names a port that is taken, and exits 1."""
    done = run("serve", "--snapshot", folder / "mm.snap", "--port", taken_port)
    assert_refused(done, 1, f"127.0.0.1:{taken_port}", "in use")


@pytest.mark.parametrize(
    ("option", "value", "code", "words"),
    [
        pytest.param("--geoip", "/nowhere.mmdb", 3, ["/nowhere.mmdb"], id="GeoIP file"),
        pytest.param("--log", "/nowhere/log", 1, ["/nowhere/log"], id="log"),
        pytest.param("--trusted-proxy", "x", 2, ["--trusted-proxy x"], id="proxy"),
        pytest.param("--host", "no such host", 1, ["no such host"], id="host"),
    ],
)
def test_serve_refuses_wrong_values(
    folder: Path, option: str, value: str, code: int, words: list[str]
) -> None:
    """A value that serve cannot use ends it at its start with one line."""
    done = run("serve", "--snapshot", folder / "mm.snap", "--port", "0", option, value)
    assert_refused(done, code, *words)


def test_inspect_as_json(folder: Path) -> None:
    """Inspect --json has the shape that programs read."""
    found = json.loads(run_inside("inspect", folder / "mm.snap", "--json").stdout)
    assert set(found) == {
        *("format", "id", "built", "read", "sealed", "dated_since", "origin", "counts"),
        *("sections", "notes"),
    }
    assert found["counts"] == {
        "hosts": 9,
        "directories": 7,
        "repositories": 3,
        "host_sets": 2,
        "urls": 28,
        "file_details": 2,
    }
    assert sum(section["bytes"] for section in found["sections"]) > 1000


def test_inspect_for_people(folder: Path) -> None:
    """Inspect shows id, counts, sections and rows left out, without colours in a pipe."""
    text = run_inside("inspect", folder / "mm.snap").stdout
    for expected in ("id ", "hosts", "file_details", "host_netblock", "UTC"):
        assert expected in text
    assert "\x1b" not in text


def test_ask_explains_every_host(folder: Path) -> None:
    """Ask --json lists each host once: in the answer with its tier, or left out with a reason."""
    done = run_inside(
        "ask",
        "repo=linux-40&arch=x86_64",
        "--snapshot",
        folder / "mm.snap",
        "--ip",
        "85.214.132.117",
        "--json",
    )
    found = json.loads(done.stdout)
    assert set(found) == {"snapshot", "client", "directory", "file", "hosts", "excluded"}
    assert found["client"]["source"] == "--ip"
    assert found["client"]["country"] == "DE"
    assert found["file"] == "repomd.xml"
    assert {host["id"]: host["tier"] for host in found["hosts"]} == {
        1: "country",
        2: "country",
        3: "continent",
        9: "continent",
        4: "global",
        5: "global",
    }
    assert {host["id"] for host in found["excluded"]} == {6, 7, 8}
    assert all(host["reason"] for host in found["excluded"])


def test_ask_for_people(folder: Path) -> None:
    """Ask shows place, directory, hosts by tier, and the reasons for the others."""
    query = "http://127.0.0.1:3000/x/mirrorlist?repo=linux-40&arch=x86_64&country=fr"
    text = run_inside("ask", query, "--snapshot", folder / "mm.snap").stdout
    for expected in ("127.0.0.1", "pub/linux/40/x86_64/os", "country asked", "host3.example"):
        assert expected in text
    assert "not up to date in this directory" in text
    assert "which was not asked for" in text


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        pytest.param("repo=zzz&arch=x86_64", 1, ["no repository zzz for x86_64"], id="unknown"),
        pytest.param("rawhide", 1, ["'repo=NAME&arch=ARCH'", "quotes: & is"], id="no form"),
        pytest.param("repo=linux-40", 1, ["'repo=NAME&arch=ARCH'"], id="cut by a shell"),
        pytest.param("repo=old-39&arch=x86_64", 1, ["repo disabled"], id="disabled"),
        pytest.param("/rpm?repo=linux-40", 2, ["neither /metalink?"], id="another path"),
        pytest.param("repo=%zz&arch=x86_64", 1, ["repo="], id="broken escape"),
        pytest.param("/metalink?path=pub/linux", 1, ["has not metalink"], id="no checksums"),
    ],
)
def test_ask_without_an_answer(folder: Path, query: str, code: int, words: list[str]) -> None:
    """Ask says why a query has no answer, as one line."""
    assert_refused(run_inside("ask", query, "--snapshot", folder / "mm.snap"), code, *words)


def test_ask_with_a_seed_is_repeatable(folder: Path) -> None:
    """With --seed, the same question has the same answer."""
    arguments = ("ask", "repo=linux-40&arch=x86_64", "--snapshot", folder / "mm.snap", "--seed", 7)
    first, second = (json.loads(run_inside(*arguments, "--json").stdout) for _ in range(2))
    assert first["hosts"] == second["hosts"]


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_help_teaches(command: str) -> None:
    """Each subcommand's --help shows a line to copy, and says what each option means."""
    done = run_inside(command, "--help")
    assert done.returncode == 0
    assert re.search(rf"^  mirrorlist {command}\b", done.stdout, re.MULTILINE)
    options = [one for one in cli.commands[command].params if isinstance(one, click.Option)]
    assert [one.name for one in options if not (one.help or "").endswith(".")] == []


@pytest.mark.parametrize(
    "words",
    [
        "inspect mm.snap",
        "inspect mm.snap --json",
        "inspect mm.snap --json --repo linux-40 --arch x86_64",
        "diff mm.snap mm.snap --json",
        "ask repo=linux-40&arch=x86_64 --snapshot mm.snap --json",
        "export --database sqlite:///mm.sqlite --output piped.snap --json",
    ],
)
def test_a_reader_that_has_enough_is_no_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """A pipe that is closed early, as by head, ends without a word of it."""
    monkeypatch.chdir(folder)
    code, told = run_unread(*words.split())
    assert code == 0
    assert "pipe" not in told


@pytest.mark.parametrize("command", ["ask", "inspect"])
def test_a_mistyped_repository(folder: Path, command: str) -> None:
    """Both commands name the closest ones, a line each, and exit with the same code."""
    arguments = {
        "ask": ["repo=linux-4&arch=x86_64", "--snapshot", folder / "mm.snap"],
        "inspect": [folder / "mm.snap", "--repo", "linux-4", "--arch", "x86_64"],
    }
    done = run_inside(command, *arguments[command])
    assert done.returncode == 1
    first, *close = done.stderr.splitlines()
    assert first.endswith(
        "error: the snapshot has no repository linux-4 for x86_64; the closest are:"
    )
    assert "  repo=linux-40&arch=x86_64" in close


@pytest.mark.parametrize("command", ["ask", "inspect"])
def test_a_mistyped_directory(folder: Path, command: str) -> None:
    """So it is with directories."""
    arguments = {
        "ask": ["path=pub/linux/4O/x86_64/os/x", "--snapshot", folder / "mm.snap"],
        "inspect": [folder / "mm.snap", "--path", "pub/linux/4O/x86_64/os/x"],
    }
    done = run_inside(command, *arguments[command])
    assert done.returncode == 1
    first, *close = done.stderr.splitlines()
    assert (
        "error: the snapshot has no directory pub/linux/4O/x86_64/os/x; the closest are:" in first
    )
    assert "  path=pub/linux/40/x86_64/os" in close


@pytest.mark.parametrize(
    ("kind", "same"), [("", ""), ("/metalink", "/metalink?"), ("/mirrorlist", "/mirrorlist?")]
)
def test_an_address_of_explain(folder: Path, kind: str, same: str) -> None:
    """An address of /explain, copied from a browser, asks the same question."""
    query, rest = "repo=linux-40&arch=x86_64", ["--snapshot", folder / "mm.snap", "--json"]
    copied = run_inside("ask", f"http://127.0.0.1:3000{kind}/explain?{query}", *rest, "--seed", "1")
    plain = run_inside("ask", f"{same}{query}", *rest, "--seed", "1")
    assert copied.returncode == 0, copied.stderr
    assert copied.stdout.partition('"client"')[2] == plain.stdout.partition('"client"')[2]


def test_what_a_start_loads() -> None:
    """The start of a command loads neither what makes lists nor what draws tables."""
    program = "import sys, mirrorlist.cli, mirrorlist.cli.scan; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    heavy = {"rich", "mirrorlist.catalog", "mirrorlist.lists.answer", "http", "ssl", "logging"}
    assert not heavy & {*done.stdout.splitlines()}
