"""The long run: `python -m tests.hostile --requests 200000 --seed 1`; prints a table."""

import asyncio
import tempfile
import time
from pathlib import Path

import click
from rich.progress import Progress

from tests.hostile.campaign import Tally, descriptors, memory, run
from tests.hostile.data import GOOD, make_snapshot
from tests.hostile.prices import MOST_LISTS, measure, table
from tests.live import Server, serve
from tests.shape_mutants import disagreements


@click.command()
@click.option("--requests", default=200_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--mutants", default=1_000_000, show_default=True)
def main(requests: int, seed: int, mutants: int) -> None:
    """Send hostile requests to a server with two workers, then measure what the dearest cost.

    Before that, ask the full protocol about mutants of real heads, of those that are recognised.

    Ends with 1 if anything was wrong, or costs more than ten drawn lists on the event loop.
    """
    _mutate(seed, mutants)
    with tempfile.TemporaryDirectory() as name:
        snapshot = make_snapshot(Path(name))
        with serve(snapshot, Path(name), "--workers", 2) as server:
            time.sleep(1)
            asyncio.run(run(server.port, seed + 1, max(2000, requests // 10), GOOD))
            time.sleep(2)
            tree = [server.process.pid, *server.workers()]
            before = memory(tree), descriptors(tree)
            tally = _attack(server, seed, requests)
            time.sleep(2)
            same = tree == [server.process.pid, *server.workers()]
            after = memory(tree), descriptors(tree)
            good = server.get(GOOD).status
        unit, found = measure(snapshot, Path(name))
    _print(seed, tally)
    click.echo(f"| memory before, after (PSS) | {before[0]} KiB, {after[0]} KiB |")
    click.echo(f"| open files before, after | {before[1]}, {after[1]} |")
    click.echo("\n".join(["", *table(unit, found), ""]))
    click.echo("\n".join(tally.wrong[:20]))
    dear = [one.kind for one in found if one.lists(unit) > MOST_LISTS]
    if dear:
        raise SystemExit(f"more than {MOST_LISTS:.0f} drawn lists on the event loop: {dear}")
    if tally.wrong or not same or good != 200:
        raise SystemExit(f"wrong: {len(tally.wrong)}; same workers: {same}; afterwards: {good}")


def _mutate(seed: int, mutants: int) -> None:
    with Progress() as progress:
        task = progress.add_task("recognised mutants", total=mutants)
        made, wrong = disagreements(seed, mutants, lambda n: progress.update(task, completed=n))
    click.echo(f"| recognised mutants of heads, of all that were made | {mutants}, {made} |")
    click.echo(f"| those that the full protocol understands otherwise | {len(wrong)} |")
    if wrong:
        raise SystemExit(f"recognised, but not as the full protocol understands it: {wrong[:20]}")


def _attack(server: Server, seed: int, requests: int) -> Tally:
    with Progress() as progress:
        task = progress.add_task("requests", total=requests)
        return asyncio.run(
            run(server.port, seed, requests, GOOD, lambda n: progress.update(task, completed=n))
        )


def _print(seed: int, tally: Tally) -> None:
    rows = [("seed", seed), ("requests", tally.requests), ("connections", tally.attempts)]
    rows += [*sorted(tally.answers.items()), ("good requests meanwhile, all answered", tally.good)]
    click.echo("\n".join(f"| {key} | {value} |" for key, value in rows))


if __name__ == "__main__":
    main()
