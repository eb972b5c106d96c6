"""What system tests need from outside Python, and the reason they give when it is missing."""

import os
import shutil
import socket
import subprocess
from glob import glob
from pathlib import Path

import pytest

SYSTEM_PYTHON = "/usr/bin/python3"
"""The distribution's Python, which alone sees modules that come as Debian packages."""

ROOT = Path(__file__).parents[1]
_DNF_PLUGINS = Path(".cache/dnf-plugins/usr/lib/python3/dist-packages")

# Servers' programs are not on everybody's PATH.
_ELSEWHERE = ["/usr/sbin", "/sbin", *sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True)]


CANNOT = "this machine cannot do it: "
"""How the reason of a skip begins that is not a failure where all tests must run."""


def need_power(holds: bool, why_not: str) -> None:
    """Skip the test or fixture that asks for it where the machine has no such power.

    Other than a missing program, no installation helps: the kernel or its owner does not allow it.
    """
    if not holds:
        pytest.skip(f"{CANNOT}{why_not}")


def find_program(program: str) -> Path | None:
    """The path of a program, also where only administrators look, or None."""
    found = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *_ELSEWHERE]))
    return Path(found) if found else None


def need_program(program: str, package: str) -> Path:
    """The path of a program, without which the test or fixture that asks for it is skipped."""
    path = find_program(program)
    if path is None:
        pytest.skip(f"{program} not found (Debian package {package})")
    return path


def need_module(module: str, package: str) -> str:
    """The distribution's Python, without whose module the test that asks for it is skipped."""
    if not Path(SYSTEM_PYTHON).exists() or not _imports(module):
        pytest.skip(f"{SYSTEM_PYTHON} has no {module} (Debian package {package})")
    return SYSTEM_PYTHON


def need_ipv6() -> None:
    """Skip the test or fixture that asks for it where the loopback interface has no ::1."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"no IPv6 on the loopback interface: {error.strerror}")


def need_dnf_plugins() -> Path:
    """Where Python finds dnf's plugins, without which the test that asks for them is skipped."""
    if not (ROOT / _DNF_PLUGINS / "dnf-plugins" / "reposync.py").exists():
        pytest.skip(f"no reposync in {_DNF_PLUGINS} (scripts/dnf-plugins puts it there)")
    return ROOT / _DNF_PLUGINS


def _imports(module: str) -> bool:
    command = [SYSTEM_PYTHON, "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True).returncode == 0


def requires_program(program: str, package: str) -> pytest.MarkDecorator:
    """A mark that skips a test, or with `pytestmark` a module, without a program."""
    missing = find_program(program) is None
    return pytest.mark.skipif(missing, reason=f"{program} not found (Debian package {package})")
