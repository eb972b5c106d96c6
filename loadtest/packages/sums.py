"""Measures what sums of single files cost: exports with --files, the file, servers, lookups.

    python -m loadtest.dataset --database sqlite:///scratch.sqlite --data .cache/sums
    python -m loadtest.packages.sums --database sqlite:///scratch.sqlite --data .cache/sums

The database is one of `loadtest.dataset`. Its tables of packages are filled again, in the
directories of its repositories; packages have no capabilities, because no export reads them.
"""

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import click
from sqlalchemy import Connection, Engine, create_engine, inspect, text

from loadtest import options
from loadtest.common.cost import cost
from loadtest.common.records import this_machine
from loadtest.common.tables import Sheet, sheet, show
from snapshot.export.database import parse_url
from snapshot.file.reader import Snapshot
from snapshot.packages.tables import LOCATION, NAMES, PACKAGE, REPODATA, creating

_LOOKED_UP = 20_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# A server's memory and times from a snapshot to its first answer, with all imports done.
_OPEN = """\
import sys, time
from pathlib import Path
from mirrorlist.workers.load import load_service
from mirrorlist.workers.serve_settings import ServeSettings
import mirrorlist.workers.server

def kib():
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0])

before, started = kib(), time.perf_counter()
service = load_service(ServeSettings(Path(sys.argv[1])), print).service
print((time.perf_counter() - started) * 1000, kib() - before)
"""
_PLACES = """SELECT d.name FROM directory d JOIN repository r ON r.directory_id = d.id
    ORDER BY d.name"""

# What no primary.xml has: rows with it are ours.
_SUM = "x"

Row = tuple[str, str]


@options.program
@options.database()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="A folder to use.")
@options.number("--packages", 700_000, "Packages in all.", 1)
@options.number("--runs", 3, "Exports of each kind.", 1)
def main(database: str, data: Path, packages: int, runs: int) -> None:
    """Fill the tables of packages, and print what their sums cost."""
    _fill(database, _places(database), packages)
    machine = this_machine()
    click.echo(
        f"{machine.cpu}, commit {machine.commit}, {packages:,} packages, best of {runs} runs"
    )
    plain, output = data / "plain.snap", data / "files.snap"
    show([_exports(database, plain, output, runs)])
    added = output.stat().st_size - plain.stat().st_size
    click.echo(f"a package takes {added / packages:.2f} bytes")
    for name, file in (("without", plain), ("with", output)):
        opened = [_open(file) for _ in range(runs)]
        ms, mb = min(one[0] for one in opened), min(one[1] for one in opened) / 1000
        click.echo(f"a server {name}: {ms:.0f} ms, {mb:.1f} MB")
    _look_up(database, output)


def _exports(database: str, plain: Path, output: Path, runs: int) -> Sheet:
    """Return what exports cost: without sums, with new ones, and with those of the last one."""
    kinds = {
        "without --files": (plain, False),
        "with --files, a first one": (output, True),
        "with --files, nothing imported since": (output, False),
    }
    rows = []
    for name, (file, is_first) in kinds.items():
        costs = []
        for _ in range(runs):
            if is_first:
                file.unlink(missing_ok=True)
            more = [] if file == plain else ["--files"]
            costs.append(cost(["export", "--database", database, "--output", str(file), *more]))
        rows.append((name, _best(costs), file.stat().st_size))
    return sheet("Exports", rows, {
        "export": lambda row: row[0],
        "wall": lambda row: f"{row[1][0]:.2f} s",
        "CPU": lambda row: f"{row[1][1]:.2f} s",
        "peak memory": lambda row: f"{row[1][2] / 1000:.0f} MB",
        "file": lambda row: f"{row[2] / 1e6:.1f} MB",
    })  # fmt: skip


def _best(costs: list[tuple[float, float, int]]) -> tuple[float, float, int]:
    return min(one[0] for one in costs), min(one[1] for one in costs), max(one[2] for one in costs)


def _open(file: Path) -> tuple[float, int]:
    """Return the milliseconds of an opening, and the KiB it adds to a process."""
    run = subprocess.run(
        [sys.executable, "-c", _OPEN, str(file)], capture_output=True, text=True, check=True
    )
    ms, kib = run.stdout.split()[-2:]
    return float(ms), int(kib)


def _look_up(database: str, file: Path) -> None:
    """Print what a lookup takes, of known and of unknown paths."""
    snapshot = Snapshot(file)
    known = [path for path, _ in _paths(_places(database), _LOOKED_UP)]
    for name, paths in (("known", known), ("unknown", [f"{path}.sig" for path in known])):
        Random(1).shuffle(paths)
        started = time.process_time()
        found = sum(snapshot.file_sum(path) is not None for path in paths)
        took = (time.process_time() - started) / len(paths)
        click.echo(
            f"a lookup of {name} paths: {took * 1e6:.1f} us, {found:,} of {_LOOKED_UP:,} found"
        )


def _places(database: str) -> list[str]:
    engine = create_engine(parse_url(database).text(password=None))
    with engine.connect() as connection:
        found = sorted({str(name) for (name,) in connection.execute(text(_PLACES))})
    engine.dispose()
    return found


def _paths(directories: list[str], count: int) -> Iterator[Row]:
    """Yield whole paths with the path below the repository, the same for the same directories."""
    for number in range(count):
        directory = directories[number % len(directories)]
        letter = _LETTERS[number % 26]
        below = f"Packages/{letter}/{letter}ackage-{number}-1.2.3-4.fc43.x86_64.rpm"
        yield f"{directory}/{below}", below


def _fill(database: str, places: list[str], packages: int) -> None:
    engine = create_engine(parse_url(database).text(password=None))
    with engine.begin() as connection:
        _refuse_imported(engine, connection)
        for name in NAMES:
            connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
        for statement in creating(engine.url.get_backend_name()):
            connection.execute(text(statement))
        _insert(connection, places, packages)
    engine.dispose()


def _refuse_imported(engine: Engine, connection: Connection) -> None:
    """Refuse tables that an import has filled."""
    foreign = text(f"SELECT directory FROM {REPODATA} WHERE sum <> '{_SUM}'")
    if inspect(engine).has_table(REPODATA) and (row := connection.execute(foreign).first()):
        raise click.ClickException(
            f"{row[0]} was imported by `packages import`, and its packages would be deleted: give a"
            " database of loadtest.dataset alone"
        )


def _insert(connection: Connection, places: list[str], packages: int) -> None:
    about = [
        {"id": at, "directory": name, "packages": packages // len(places)}
        for at, name in enumerate(places)
    ]
    connection.execute(text(f"""INSERT INTO {REPODATA}
        (id, directory, source, revision, sum, packages)
        VALUES (:id, :directory, '/srv', '1', '{_SUM}', :packages)"""), about)  # fmt: skip
    rows = [_row(number, below, len(places)) for number, (_, below) in _numbered(places, packages)]
    connection.execute(text(f"""INSERT INTO {PACKAGE} (id, content, name, epoch, version, release,
        arch, size, sum_kind, sum) VALUES (:id, :key, 'package', '0', '1', '1', 'x86_64', :size,
        'sha256', :sum)"""), rows)  # fmt: skip
    connection.execute(text(f"""INSERT INTO {LOCATION} (repodata_id, key, package_id, path)
        VALUES (:repository, :key, :id, :path)"""), rows)  # fmt: skip


def _numbered(places: list[str], packages: int) -> Iterator[tuple[int, Row]]:
    yield from enumerate(_paths(places, packages))


def _row(number: int, below: str, places: int) -> dict[str, object]:
    sum = hashlib.sha256(below.encode())
    return {
        "id": number,
        "key": sum.digest(),
        "size": 1000 + number * 37 % 5_000_000,
        "sum": sum.hexdigest(),
        "repository": number % places,
        "path": below,
    }


if __name__ == "__main__":
    main()
