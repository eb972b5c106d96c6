"""Where a worker's CPU time goes under load, by function: `python -m loadtest.bench.profiling`.

Samples the running worker by its own CPU time (SIGPROF), so it sees what requests cost in
turn, with cold caches; a profiler that traces each call does not. A line of the table is a
function's share alone, and with all that it called.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

import click

from loadtest import options
from loadtest.common.mix import make_mix, read_data
from loadtest.common.processes import until
from loadtest.common.progress import show_phases
from loadtest.common.records import this_machine
from loadtest.common.wrk import load
from loadtest.dataset.prepared import prepare
from mirrorlist.records.counts import Counts
from mirrorlist.web.listener import listen
from mirrorlist.workers.load import load_service
from mirrorlist.workers.serve_settings import ServeSettings
from mirrorlist.workers.server import work

# The kernel counts CPU time in ticks, so a shorter interval would not give more samples.
_SAMPLE_SECONDS = 0.001
_LATE_SECONDS = 30.0


class Samples:
    """How often each function was found running: itself, and itself or a function it called."""

    def __init__(self) -> None:
        """Begin with none."""
        self.alone: Counter[str] = Counter()
        self.within: Counter[str] = Counter()

    def take(self, number: int, frame: FrameType | None) -> None:
        """Count the functions that run now; this is the handler of SIGPROF."""
        if frame is not None:
            self.alone[frame.f_code.co_qualname] += 1
        seen = set()
        while frame is not None:
            seen.add(frame.f_code.co_qualname)
            frame = frame.f_back
        self.within.update(seen)

    def table(self, rows: int) -> str:
        """Return the functions with most samples below them, as text."""
        total = max(1, self.alone.total())
        lines = [f"{total} samples", "    all   alone  function"]
        for name, count in self.within.most_common(rows):
            lines.append(f"{count / total:7.1%} {self.alone[name] / total:7.1%}  {name}")
        return "\n".join(lines)


@options.program
@options.directory()
@options.scale()
@click.option("--close", is_flag=True, help="A connection a request.")
@options.number("--warm", 20, "Seconds before it samples.")
@options.number("--seconds", 10, "Seconds for which it samples.", 1)
@options.number("--rows", 40, "Functions in the table.", 1)
def main(directory: Path, scale: float, close: bool, warm: int, seconds: int, rows: int) -> None:
    """Show where a worker's CPU time goes under wrk's load."""
    with show_phases() as phases:
        measured = prepare(directory, scale, 1, phases)
        requests = make_mix(read_data(measured.log, measured.snapshot), "day", 1, 200_000)
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ready, wake = os.pipe()
    with tempfile.NamedTemporaryFile("r", prefix="profile-") as printed:
        worker = os.fork()
        if not worker:
            settings = ServeSettings(measured.snapshot, geoip=measured.geoip)
            service, files, _ = load_service(settings, print)
            samples = Samples()
            signal.signal(signal.SIGPROF, samples.take)
            signal.setitimer(signal.ITIMER_PROF, _SAMPLE_SECONDS, _SAMPLE_SECONDS)
            later = threading.Thread(
                target=_print_later, args=(samples, warm, seconds, rows, Path(printed.name))
            )
            later.start()
            work(service, [listener], Counts(1), files, lambda text: None, ready)
            os._exit(0)
        time.sleep(1)
        load(url, requests, warm + seconds + 1, close)
        until("samples", lambda: Path(printed.name).stat().st_size > 0, _LATE_SECONDS)
        os.close(wake)
        os.kill(worker, signal.SIGTERM)
        os.waitpid(worker, 0)
        sys.stdout.write(f"{this_machine()}\n{printed.read()}\n")


def _print_later(samples: Samples, warm: int, seconds: int, rows: int, printed: Path) -> None:
    time.sleep(warm)
    samples.alone.clear()
    samples.within.clear()
    time.sleep(seconds)
    printed.write_text(samples.table(rows))


if __name__ == "__main__":
    main()
