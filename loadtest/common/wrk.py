"""Runs wrk (from Debian) with a mix of requests, and reads what it measured."""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec import Struct

from loadtest.common.mix import HEADERS

CONNECTIONS = 16
_NO_WRK = "wrk is needed: apt-get install wrk"

# The requests are made once, before the first is sent: wrk's own CPU time must not limit us.
_SCRIPT = """\
local made, at = {}, 0
function init(arguments)
  for line in io.lines(arguments[1]) do
    local target, address = line:match("^(%S+) (%S+)$")
    local headers = {["X-Forwarded-For"] = address, HEADERS}
    if arguments[2] == "close" then headers["Connection"] = "close" end
    made[#made + 1] = wrk.format("GET", target, headers)
  end
end
function request()
  at = at % #made + 1
  return made[at]
end
function done(summary, latency)
  io.write(string.format("FIGURES %d %d %d %d %d %d %d %d\\n", summary.requests, summary.bytes,
    summary.duration, latency:percentile(50), latency:percentile(99),
    latency.max, summary.errors.status, summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout))
end
"""


class Load(Struct, frozen=True):
    """What wrk saw, latencies in milliseconds; `refused` were answered with neither 2xx nor 3xx."""

    requests: int
    mean_bytes: int
    seconds: float
    p50: float
    p99: float
    refused: int
    failed: int
    slowest: float = 0.0

    @property
    def a_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def wrk_version() -> str:
    """Return the version of wrk; raises an error of one line if there is none."""
    try:
        said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise click.ClickException(_NO_WRK) from None
    return said.stdout.split()[1]


def load(url: str, requests: Sequence[str], seconds: int, close: bool) -> Load:
    """Send lines `TARGET ADDRESS` in turn for some seconds, with a connection each or kept."""
    with tempfile.TemporaryDirectory() as name:
        script, mix = Path(name, "mix.lua"), Path(name, "mix.txt")
        headers = ", ".join(f'["{name}"] = "{value}"' for name, value in HEADERS.items())
        script.write_text(_SCRIPT.replace("HEADERS", headers))
        mix.write_text("".join(f"{line}\n" for line in requests))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s"]
        command += ["-s", str(script), url, "--", str(mix), "close" if close else "keep-alive"]
        try:
            run = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise click.ClickException(_NO_WRK) from None
    found = re.search(r"FIGURES" + r" (\d+)" * 8, run.stdout)
    if run.returncode or not found:
        raise click.ClickException(f"wrk: {run.stderr.strip() or run.stdout.strip()}")
    count, total, duration, p50, p99, slowest, refused, failed = map(int, found.groups())
    return Load(
        requests=count,
        mean_bytes=total // max(1, count),
        seconds=duration / 1e6,
        p50=p50 / 1e3,
        p99=p99 / 1e3,
        refused=refused,
        failed=failed,
        slowest=slowest / 1e3,
    )
