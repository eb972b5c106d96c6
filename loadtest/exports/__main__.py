"""Measures `mirrorlist export` at production sizes: wall time, CPU, peak memory, file size.

    python -m loadtest.exports --database postgresql://mm@db/scratch --record

The database is filled again for each scale (`loadtest.dataset`), so it must be one to throw
away. Each export is a process of its own, timed from its start to its exit; the peak memory is
what the kernel counts for it (`ru_maxrss`).
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from msgspec import Struct

from loadtest import options
from loadtest.common.cost import cost
from loadtest.common.progress import Phases, show_phases
from loadtest.common.records import Machine, keep, record, this_machine
from loadtest.common.tables import Sheet, sheet, show
from loadtest.dataset.data_files import ASN_FILE, CONTINENT_FILE, GEOIP_FILE
from loadtest.dataset.dataset import Dataset, fill

# The steps of a server between its imports and its first answer.
_OPEN = """\
import sys, time
from pathlib import Path
from mirrorlist.workers.load import load_service
from mirrorlist.workers.serve_settings import ServeSettings
import mirrorlist.workers.server
snapshot, geoip, query = sys.argv[1:]
started = time.perf_counter()
service = load_service(ServeSettings(Path(snapshot), geoip=Path(geoip)), print).service
answer = service.respond(True, query.encode(), "192.0.2.1", ())
print((time.perf_counter() - started) * 1000, answer.status)
"""


class ExportFigures(Struct, frozen=True):
    """What one kind of export cost: seconds of the best run, KiB of the worst, bytes.

    `rows` are those of host_category_dir; `open_ms` is the time from a snapshot file to the
    first answer, with all imports done, best of the runs.
    """

    scale: float
    noise: bool
    asn: bool
    rows: int
    directories: int
    hosts: int
    wall: list[float]
    cpu: list[float]
    peak_kib: int
    bytes: int
    open_ms: float

    @property
    def best(self) -> float:
        """The shortest wall time in seconds."""
        return min(self.wall)


class ExportsRun(Struct, frozen=True):
    """All figures of a run with where they were made."""

    machine: Machine
    figures: list[ExportFigures]


@options.program
@options.database()
@options.scales(1.0, 2.5)
@options.number("--runs", 5, "Exports of each kind.", 1)
@options.record("exports")
def main(database: str, scale: tuple[float, ...], runs: int, path: Path | None) -> None:
    """Measure exports at several sizes, and once with noise; prints a table."""
    figures = []
    with tempfile.TemporaryDirectory() as name, show_phases() as phases:
        for size, noise in [*((size, False) for size in scale), (min(1.0, max(scale)), True)]:
            figures += _measure(database, size, noise, runs, Path(name), phases)
    run = ExportsRun(this_machine(), figures)
    found = table(figures)
    show([found])
    if path:
        details = {"exports of each kind": str(runs)}
        keep(run, path, record(run.machine, "exports", details, [found]))


def table(figures: list[ExportFigures]) -> Sheet:
    """Return the figures as a table."""
    return sheet("Exports", figures, {
        "scale": lambda one: f"{one.scale:g}{', --noise' if one.noise else ''}",
        "rows": lambda one: f"{one.rows:,}",
        "kind": lambda one: "with ASN" if one.asn else "without ASN",
        "wall, best": lambda one: f"{one.best:.2f} s",
        "CPU": lambda one: f"{min(one.cpu):.2f} s",
        "peak memory": lambda one: f"{one.peak_kib / 1000:.0f} MB",
        "file": lambda one: f"{one.bytes / 1e6:.2f} MB",
        "open and first answer": lambda one: f"{one.open_ms:.1f} ms",
    })  # fmt: skip


def _measure(
    database: str, scale: float, noise: bool, runs: int, folder: Path, phases: Phases
) -> list[ExportFigures]:
    data = folder / f"{scale}{noise}"
    dataset = Dataset(scale, seed=1)
    rows = dataset.rows(noise)
    fill(database, rows, True, phases)
    dataset.write_files(data, 1, phases)
    found = []
    for asn in (True, False):
        snapshot = data / f"{asn}.snap"
        command = _command(database, data, snapshot, asn)
        costs = [cost(command) for _ in phases.counted(f"scale {scale:g}", range(runs), runs)]
        found.append(
            ExportFigures(
                scale=scale,
                noise=noise,
                asn=asn,
                rows=rows.giant_count,
                directories=len(rows.tables["directory"]),
                hosts=len(rows.tables["host"]),
                wall=[wall for wall, _, _ in costs],
                cpu=[cpu for _, cpu, _ in costs],
                peak_kib=max(peak for _, _, peak in costs),
                bytes=snapshot.stat().st_size,
                open_ms=min(_open(snapshot, data / GEOIP_FILE) for _ in range(runs)),
            )
        )
    return found


def _command(database: str, data: Path, snapshot: Path, asn: bool) -> list[str]:
    return [
        *("export", "--database", database),
        *("--output", str(snapshot), "--country-continent", str(data / CONTINENT_FILE)),
        *(("--asn", str(data / ASN_FILE)) if asn else ()),
    ]


def _open(snapshot: Path, geoip: Path) -> float:
    """Milliseconds from a snapshot file to the first answer of a fresh process."""
    query = "repo=updates-released-f44&arch=x86_64"
    command = [sys.executable, "-c", _OPEN, str(snapshot), str(geoip), query]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    milliseconds, status = run.stdout.split()
    if status != "200":
        raise SystemExit(f"the first answer was {status}")
    return round(float(milliseconds), 2)


if __name__ == "__main__":
    main()
