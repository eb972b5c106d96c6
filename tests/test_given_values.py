"""What people give: numbers, paths, variables and database URLs, refused in plain words."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mirrorlist.cli import cli
from mirrorlist.cli.environment import warning_of_variables
from mirrorlist.settings.setting import SettingKind
from mirrorlist.settings.table import SETTINGS
from tests.command import COMMAND, PLAIN, SECONDS, assert_refused, run, run_inside
from tests.factories import export_tables, make_database, world
from tests.system import need_program


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database mm.sqlite and its snapshot mm.snap."""
    folder = tmp_path_factory.mktemp("values")
    export_tables(folder, world())
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--snapshot", "x", "--port", "abc"], "--port abc: not a whole number from 0 to"),
        (["serve", "--snapshot", "x", "--port", "65536"], "--port 65536: not a whole number from"),
        (["serve", "--snapshot", "x", "--wait", "nan"], "--wait nan: not a number of at least 0"),
        (["serve", "--snapshot", "x", "--stale", "inf"], "--stale inf: not a number of at least"),
        (["serve", "--snapshot", "x", "--workers", "0"], "--workers 0: not a whole number from 1"),
        (["ask", "--snapshot", "x", "a=b", "--seed", "1.5"], "--seed 1.5: not a whole number ("),
        (["inspect", ""], "FILE: is empty: give a path"),
        (["inspect", "-"], "FILE -: not possible here"),
        (["serve", "--snapshot="], "--snapshot: is empty"),
        (["serve", "--snapshot", "-"], "a file called - is ./-"),
        (["export", "--database", "sqlite:///x", "--output", "-"], "--output -: not possible"),
        (["ask", "--ip"], "--ip needs a value (mirrorlist ask --help tells more)"),
        (["ask"], "QUERY is missing (mirrorlist ask --help tells more)"),
        (["serve"], "--snapshot is missing (or MIRRORLIST_SNAPSHOT in the environment)"),
        (["replay"], "(mirrorlist replay --help tells more)"),
        (["watch", "--every"], "--every needs a value (mirrorlist watch --help tells more)"),
        (["diff", "a"], "NEW is missing (mirrorlist diff --help tells more)"),
    ],
)
def test_a_wrong_value(arguments: list[str], words: str) -> None:
    """It is named with its option and what it should be, and the hint leads to that command."""
    assert_refused(run_inside(*arguments), 2, words)


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_a_wrong_option_of_any_command(command: str) -> None:
    """The hint of any subcommand's wrong option is its own --help."""
    done = run_inside(command, "--no-such-option")
    assert_refused(done, 2, "--no-such-option", f"(mirrorlist {command} --help tells more")


def test_where_a_value_stands(tmp_path: Path) -> None:
    """A value of the environment or of a settings file is refused with its name there."""
    done = run("serve", "--snapshot", "x", MIRRORLIST_PORT="tcp://10.0.0.1:80")
    assert_refused(done, 2, "MIRRORLIST_PORT tcp://10.0.0.1:80: not a whole number")
    assert_refused(run_inside("inspect", "x", MIRRORLIST_JSON="maybe"), 2, "MIRRORLIST_JSON maybe")
    (tmp_path / "a.toml").write_text("port = 70000\n")
    done = run("serve", "--snapshot", "x", "--config", tmp_path / "a.toml")
    assert_refused(done, 2, "port in the --config file 70000: not a whole number")
    (tmp_path / "a.toml").write_text("prot = 1\n")
    done = run("serve", "--snapshot", "x", "--config", tmp_path / "a.toml")
    assert_refused(done, 2, "no such setting: prot (perhaps port?)")


def test_a_variable_that_ends_with_a_line(folder: Path, tmp_path: Path) -> None:
    """The line end that `echo` writes into a secret is not a part of the variable's value."""
    (tmp_path / "key").write_text("k" * 32 + "\n")
    variables = {
        "MIRRORLIST_DATABASE": f"sqlite:///{folder}/mm.sqlite\n",
        "MIRRORLIST_SNAPSHOT_KEY": f"{tmp_path}/key\r\n",
        "MIRRORLIST_OUTPUT": f"{tmp_path}/mm.snap\n",
        "MIRRORLIST_MAX_LOSS": "20\n",
    }
    done = run("export", **variables)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path)) == ["key", "mm.snap"]


def test_a_word_of_some(tmp_path: Path) -> None:
    """Another word than those there are is refused with its name, wherever it stands."""
    done = run("serve", "--snapshot", "x", MIRRORLIST_LOG_ADDRESSES="half")
    assert_refused(done, 2, "MIRRORLIST_LOG_ADDRESSES half: not one of full, cut, none")
    (tmp_path / "a.toml").write_text('door = "back"\n')
    done = run("serve", "--snapshot", "x", "--config", tmp_path / "a.toml")
    assert_refused(done, 2, "door in the --config file back: not one of fast, asgi")
    (tmp_path / "a.toml").write_text("door = 1\n")
    done = run("serve", "--snapshot", "x", "--config", tmp_path / "a.toml")
    assert_refused(done, 2, "a.toml: door: must be one of fast, asgi")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"MIRRORLIST_MINIMUN": "3"}, "MIRRORLIST_MINIMUN (perhaps MIRRORLIST_MINIMUM?)"),
        ({"MIRRORLIST_XYZQ": "3"}, "no such setting: MIRRORLIST_XYZQ"),
        ({"MIRRORLIST_PORT": ""}, "empty, so as if not set: MIRRORLIST_PORT"),
        ({f"MIRRORLIST_Q{n}": "" for n in range(9)}, " and 5 more"),
        ({"mirrorlist_port": "1"}, "mirrorlist_port (perhaps MIRRORLIST_PORT?)"),
        ({"MIRRORLIST_CONFIG": "x", "MIRRORLIST_PORT": "1", "PATH": ""}, None),
    ],
)
def test_variables_that_mean_nothing(variables: dict[str, str], words: str | None) -> None:
    """They are told in one line with the nearest name; those that mean something are not."""
    warning = warning_of_variables(variables)
    assert (warning is None) if words is None else words in str(warning)


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_warns(command: str) -> None:
    """A variable that means nothing is told before whatever else is wrong."""
    lines = run_inside(command, "--no-such", MIRRORLIST_MINIMUN="3").stderr.splitlines()
    assert "MIRRORLIST_MINIMUM?" in lines[0]
    assert len(lines) == 2


@pytest.mark.parametrize("name", ["-dash.snap", "blank space.snap", "caf\udce9.snap", "ü.snap"])
@pytest.mark.parametrize("command", ["inspect", "ask", "serve", "export"])
def test_odd_names(folder: Path, tmp_path: Path, command: str, name: str) -> None:
    """A file with an odd name is read, and shown in an error, by every command."""
    missing = tmp_path / name
    arguments: dict[str, list[object]] = {
        "inspect": [missing],
        "ask": ["repo=linux-40&arch=x86_64", "--snapshot", missing],
        "serve": ["--snapshot", missing, "--port", "0"],
        "export": ["--database", f"sqlite:///{missing}", "--output", tmp_path / "out"],
    }
    shown = name.encode(errors="backslashreplace").decode()
    assert_refused(run(command, *arguments[command]), 3, shown)
    shutil.copy(folder / ("mm.sqlite" if command == "export" else "mm.snap"), missing)
    if command != "serve":
        done = run(command, *arguments[command])
        assert done.returncode == 0, done.stderr


def test_a_name_that_begins_with_a_dash(folder: Path, tmp_path: Path) -> None:
    """The error of a file that was taken for an option says how to give it."""
    shutil.copy(folder / "mm.snap", tmp_path / "-x.snap")
    done = subprocess.run(
        [*COMMAND, "inspect", "-x.snap"],
        cwd=tmp_path, env=PLAIN, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert_refused(done, 2, "the file of that name is ./-x.snap")


def test_the_home_folder(folder: Path) -> None:
    """`~/` is the home folder, also where no shell looks: behind = and in the environment."""
    home = {"HOME": str(folder)}
    assert run_inside("inspect", "~/mm.snap", **home).returncode == 0
    asking = ("ask", "repo=linux-40&arch=x86_64")
    assert run_inside(*asking, MIRRORLIST_SNAPSHOT="~/mm.snap", **home).returncode == 0
    for url in ("sqlite:///~/mm.sqlite", "@~/url"):
        (folder / "url").write_text(f"sqlite:///{folder}/mm.sqlite")
        done = run("export", "--database", url, "--output=~/home.snap", **home)
        assert done.returncode == 0, done.stderr
    assert (folder / "home.snap").exists()


@pytest.mark.parametrize("option", ["--output", "--log"])
def test_nothing_is_written_over_what_is_read(folder: Path, tmp_path: Path, option: str) -> None:
    """Neither a key, a settings file nor a snapshot is written over or into, even with --force."""
    key = tmp_path / "key"
    key.write_text("k" * 64)
    if option == "--output":
        arguments: list[object] = ["export", "--database", f"sqlite:///{folder}/mm.sqlite"]
        arguments += ["--force", "--snapshot-key", key]
    else:
        arguments = ["serve", "--snapshot", folder / "mm.snap", "--snapshot-key", key]
    assert_refused(run(*arguments, option, key), 1, "it is also read")
    assert key.read_text() == "k" * 64


def test_the_file_of_a_url_is_not_written_over(folder: Path, tmp_path: Path) -> None:
    """The file that --database names by @ is read, too: not even --force replaces it."""
    url = tmp_path / "url"
    url.write_text(f"sqlite:///{folder}/mm.sqlite\n")
    (tmp_path / "other").hardlink_to(url)
    for output in ("url", "other"):
        done = run("export", "--database", f"@{url}", "--output", tmp_path / output, "--force")
        assert_refused(done, 1, "it is also read")
    assert url.read_text() == f"sqlite:///{folder}/mm.sqlite\n"


def test_a_database_that_is_no_url(folder: Path) -> None:
    """A file, a folder, three slashes and a text without a file each explain themselves."""
    cases = [
        (str(folder / "mm.sqlite"), 2, f"write sqlite:///{folder}/mm.sqlite"),
        (str(folder), 2, "not a database URL but a folder"),
        ("sqlite://", 2, "without a file"),
        ("mm.sqlite", 2, "mm.sqlite: not a database URL"),
        ("@", 2, "without a file"),
        ("sqlite://mm.sqlite", 2, "a slash too few; write sqlite:///mm.sqlite"),
    ]
    for url, code, words in cases:
        assert_refused(run("export", "--database", url, "--output", folder / "o"), code, words)
    three = f"sqlite:///{folder.relative_to('/')}/mm.sqlite"
    done = run("export", "--database", three, "--output", folder / "o")
    assert_refused(done, 3, f"four an absolute one: sqlite:///{folder}/mm.sqlite")


@pytest.mark.parametrize("secret", ["mm:s3cret@db/mm", "host=db password=s3cret", "mm:s3cret"])
def test_a_text_with_a_password_is_not_shown(tmp_path: Path, secret: str) -> None:
    """A text that is not a URL, and may hold a password, is not shown in the error."""
    done = run("export", "--database", secret, "--output", tmp_path / "o")
    assert_refused(done, 2, "not a database URL")
    assert "s3cret" not in done.stderr


CODES = {
    "--snapshot": 3,
    "--geoip": 3,
    "--asn": 2,
    "--country-continent": 2,
    "--snapshot-key": 2,
    "--config": 2,
    "--output": 1,
    "--log": 1,
    "--directory": 1,
    "--spool": 1,
    "--spool-key": 2,
    "--state": 1,
    "--database": 3,
    "FILE": 3,
}


def test_every_path_has_its_code() -> None:
    """Each setting that is a path has a documented code for one that may not be used."""
    paths = {
        one.flag
        for one in SETTINGS
        if one.kind in (SettingKind.FILE, SettingKind.OUTPUT, SettingKind.DIRECTORY)
    }
    assert paths <= set(CODES)


@pytest.mark.system
@pytest.mark.parametrize("option", sorted(CODES))
def test_another_user(folder: Path, tmp_path_factory: pytest.TempPathFactory, option: str) -> None:
    """A file or folder that may not be used is one line with its path and documented code."""
    need_program("setpriv", "util-linux")
    if os.geteuid():
        pytest.skip("only root can become another user")
    place = Path("/tmp") / f"mirrorlist-{os.getpid()}-{option.strip('-')}"
    place.mkdir()
    try:
        shutil.copy(folder / "mm.snap", place / "mm.snap")
        make_database(place / "mm.sqlite", world())
        closed = place / "closed"
        is_folder = option in ("--directory", "--spool", "--state")
        (closed.mkdir if is_folder else closed.touch)(0o600)
        export = ["export", "--database", f"sqlite:///{place}/mm.sqlite", "--output", "/nowhere/o"]
        ask = ["ask", "repo=linux-40&arch=x86_64", "--snapshot", place / "mm.snap"]
        serve = ["serve", "--snapshot", place / "mm.snap", "--port", "0", "--admin", "none"]
        commands: dict[str, list[object]] = {
            "FILE": ["inspect", closed],
            "--snapshot": [*serve, "--snapshot", closed],
            "--geoip": [*ask, "--geoip", closed],
            "--snapshot-key": [*ask, "--snapshot-key", closed],
            "--config": [*ask, "--config", closed],
            "--log": [*serve, "--log", closed],
            "--directory": ["demo", "--directory", closed / "a", "--port", "0"],
            "--spool": [*serve, "--spool", closed / "a"],
            "--spool-key": [*serve, "--spool", place / "spool", "--spool-key", closed],
            "--state": ["run", "--example", "--state", closed / "a", "--port", "0"],
            "--output": [*export[:3], "--output", place / "closed"],
            "--database": ["export", "--database", f"sqlite:///{closed}", "--output", "/tmp/o"],
        }
        if option in ("--asn", "--country-continent"):
            commands[option] = [*export[:3], "--output", "/tmp/mirrorlist-o", option, closed]
        (place / "spool").mkdir()
        (place / "spool").chmod(0o777)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *COMMAND]
        done = subprocess.run(
            [*command, *map(str, commands[option])],
            cwd="/", env=PLAIN, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert_refused(done, CODES[option], str(closed), "ermission denied")
    finally:
        shutil.rmtree(place)
