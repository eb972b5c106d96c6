"""The script as a file: plain POSIX sh, and described by its help, its page and its example."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.mirror_sync.stage import SCRIPT, Stage
from tests.system import ROOT, need_program

FOLDER = ROOT / "contrib" / "mirror-sync"
PAGE = (FOLDER / "README.md").read_text()
SOURCE = SCRIPT.read_text()
EXAMPLE = FOLDER / "mirror-sync.conf"


def settings() -> list[str]:
    """The names of the settings, as the script takes them."""
    function = SOURCE[SOURCE.index("set_setting() {") :].partition("esac")[0]
    return re.findall(r"^    ([a-z-]+)\) ", function, re.MULTILINE)


@pytest.mark.system
def test_dash_can_read_it() -> None:
    """A shell without extensions finds no error."""
    shell = need_program("dash", "dash")
    done = subprocess.run([shell, "-n", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.system
def test_shellcheck() -> None:
    """Shellcheck finds nothing that is not POSIX, or doubtful."""
    checker = need_program("shellcheck", "shellcheck")
    done = subprocess.run(
        [checker, "-s", "sh", SCRIPT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", settings())
def test_settings_are_described(name: str) -> None:
    """Each setting stands in the help and in the page's table."""
    usage = SOURCE[SOURCE.index("Usage:") : SOURCE.index("\nEND\n")]
    assert re.search(rf"(^  |, ){name} ", usage, re.MULTILINE)
    assert re.search(rf"^\|.*`{name}`.*\|", PAGE, re.MULTILINE)


def test_exit_codes_are_described() -> None:
    """Each exit code stands in the help and in the page's table."""
    line = re.search(r"^OK=.*$", SOURCE, re.MULTILINE)
    assert line is not None
    for code in re.findall(r"=(\d+)", line[0]):
        assert re.search(rf"^\| {code} \|", PAGE, re.MULTILINE)
        assert re.search(rf"[ \n]{code} [a-z]", SOURCE[SOURCE.index("Exit codes:") :])


def test_the_timer_runs_it() -> None:
    """The systemd unit runs the script with options that it has."""
    unit = (FOLDER / "mirror-sync@.service").read_text()
    assert "ExecStart=/usr/local/bin/mirror-sync --config /etc/mirror-sync/%i.conf" in unit
    assert "SuccessExitStatus=75" in unit


@pytest.mark.system
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Systemd, where it is, finds nothing wrong with the units."""
    verifier = shutil.which("systemd-analyze")
    for name in ("mirror-sync@.service", "mirror-sync@.timer"):
        unit = (FOLDER / name).read_text()
        (tmp_path / name).write_text(unit.replace("/usr/local/bin/mirror-sync", str(SCRIPT)))
        if verifier is not None:
            command = [verifier, "verify", str(tmp_path / name)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert "mirror-sync" not in done.stderr


@pytest.mark.system
def test_help(stage: Stage) -> None:
    """--help needs no settings."""
    run = stage.mirror.run("--help")
    assert (run.code, run.errors) == (0, "")
    assert run.output.startswith("Usage: mirror-sync")


@pytest.mark.system
def test_the_example_is_valid(stage: Stage) -> None:
    """Each line of the example is a setting, also those that are commented out."""
    lines = EXAMPLE.read_text().splitlines()
    assigned = [line.removeprefix("#") for line in lines if re.match(r"#?[a-z-]+ = ", line)]
    example = stage.folder / "example.conf"
    example.write_text("".join(f"{line}\n" for line in assigned if "exclude-from" not in line))
    chosen = [f"--{key}={stage.mirror.settings[key]}" for key in ("server", "upstream", "state")]
    run = stage.mirror.run("--config", str(example), *chosen, "--log", "/dev/null")
    # All is well until the machine is looked at, which has no such destination.
    assert (run.code, run.output) == (1, "")
    assert "no such directory" in run.errors
