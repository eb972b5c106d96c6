"""The long run: `python -m tests.hostile --requests 200000 --seed 1`; prints a table."""

import asyncio
import tempfile
import time
from pathlib import Path

import click
from rich.progress import Progress

from snapshot.writer import encode
from tests.hostile.campaign import descriptors, memory, run
from tests.live import serve
from tests.small_worlds import Mirror, small_data


@click.command()
@click.option("--requests", default=200_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(requests: int, seed: int) -> None:
    """Send hostile requests to a server with two workers; ends with 1 if anything was wrong."""
    with tempfile.TemporaryDirectory() as name:
        snapshot = Path(name) / "mm.snap"
        snapshot.write_bytes(encode(small_data((Mirror(), Mirror("US")), {})))
        with serve(snapshot, Path(name), "--workers", 2) as server, Progress() as progress:
            time.sleep(1)
            asyncio.run(run(server.port, seed + 1, max(2000, requests // 10)))
            tree = [server.process.pid, *server.workers()]
            before = memory(tree), descriptors(tree)
            task = progress.add_task("requests", total=requests)
            tally = asyncio.run(
                run(server.port, seed, requests, 0, lambda n: progress.update(task, completed=n))
            )
            time.sleep(2)
            same = tree == [server.process.pid, *server.workers()]
            after = memory(tree), descriptors(tree)
            good = server.get("/mirrorlist?path=top/dir").status
    rows = [("seed", seed), ("requests", tally.requests), ("connections", tally.attempts)]
    rows += sorted(tally.answers.items())
    click.echo("\n".join(f"| {key} | {value} |" for key, value in rows))
    click.echo(f"| memory before, after (PSS) | {before[0]} KiB, {after[0]} KiB |")
    click.echo(f"| open files before, after | {before[1]}, {after[1]} |")
    click.echo("\n".join(tally.wrong[:20]))
    if tally.wrong or not same or good != 200:
        raise SystemExit(f"wrong: {len(tally.wrong)}; same workers: {same}; afterwards: {good}")


if __name__ == "__main__":
    main()
