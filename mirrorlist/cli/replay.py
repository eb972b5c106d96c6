"""`mirrorlist replay`: sends a site's own requests to two servers and compares the answers."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import cast

import click
from rich.console import Console
from rich.text import Text

from mirrorlist.cli.console import output, plain_table, print_json, progress_bar, say
from mirrorlist.cli.failure import INTERRUPTED
from mirrorlist.cli.options import options
from mirrorlist.cli.values import FilePath
from mirrorlist.errors import OptionError
from mirrorlist.replay.log import MOST_LINE_BYTES, texts_of
from mirrorlist.replay.run import replay as replay_log
from mirrorlist.replay.sides import open_side
from mirrorlist.replay.tally import Tally, Unexplained
from mirrorlist.request.geo import open_geo
from snapshot.file.text import printable
from snapshot.file.wholefile import lines_of, open_regular

_MOST_SHOWN = 20
_CHUNK = 1 << 20


@click.command(short_help="Ask two servers what a log asks, and compare the answers.")
@click.option(
    "--log", "log_file", required=True, metavar="FILE", type=FilePath(stream=True),
    help="The requests: lines of a request log, or ADDRESS /metalink?...; - is standard input.",
)  # fmt: skip
@click.option(
    "--against", "against", multiple=True, metavar="URL|FILE",
    help="A server's URL, or a snapshot file; given twice.",
)  # fmt: skip
@options("replay")
def replay(
    log_file: Path,
    against: tuple[str, ...],
    geoip: Path | None,
    minimum: int,
    rate: float,
    requests: int,
    json: bool,
) -> int:
    """Send the requests of a log to two servers, and say where the answers differ in meaning.

    Another random order within a tier is not a difference. Differences from mirrorlist-server
    that are on purpose (docs/protocol.md) are counted by kind; each other difference is shown
    with its line. Run it on a machine whose X-Forwarded-For both servers believe. Addresses of
    the log are not shown. The exit code is 1 if a difference is unexplained.

    \b
    mirrorlist replay --log mirrorlist.log --against http://127.0.0.1:8080 \\
        --against mm.snap
    mirrorlist replay --log - --against http://old.example \\
        --against http://new.example
    """
    if len(against) != 2:
        raise OptionError("--against must be given twice: two URLs or snapshot files")
    geo = open_geo(geoip)
    first, second = (open_side(text, geo, minimum) for text in against)
    begin = time.monotonic()
    with _lines(log_file) as (lines, total), progress_bar() as steps:
        tally = replay_log(
            lines, (first, second), rate, requests, min(total, requests or total), steps
        )
    seconds = time.monotonic() - begin
    if json:
        print_json(tally.replayed(seconds))
    else:
        _print(output(), tally, seconds)
    if not (first.is_ours or second.is_ours):
        say("neither side explains itself, so the order of hosts was not compared")
    if tally.outcomes["unexplained"]:
        say("first make sure that both sides use the same GeoIP file, and data of the same time")
    if tally.interrupted:
        return INTERRUPTED
    return 1 if tally.outcomes["unexplained"] else 0


@contextmanager
def _lines(path: Path) -> Iterator[tuple[Iterable[str], int]]:
    """Open a log, and count its lines if it is a file."""
    if str(path) == "-":
        yield texts_of(lines_of(cast(BufferedReader, sys.stdin.buffer), MOST_LINE_BYTES + 1)), 0
        return
    try:
        total = _count_lines(path)
        with open_regular(path) as file:
            # Read only the lines counted now: a server that is asked may append to this same log.
            yield islice(texts_of(lines_of(file, MOST_LINE_BYTES + 1)), total), total
    except OSError as error:
        raise OptionError(f"--log {path}: cannot be read: {error.strerror}") from error


def _count_lines(path: Path) -> int:
    count, last = 0, b"\n"
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")


def _print(console: Console, tally: Tally, seconds: float) -> None:
    for one in tally.kept[:_MOST_SHOWN]:
        _print_unexplained(console, one)
    if len(tally.kept) > _MOST_SHOWN:
        more = tally.outcomes["unexplained"] - _MOST_SHOWN
        console.print(Text(f"... and {more:,} more (--json names {len(tally.kept):,})\n"))
    for letter, name in zip("ab", tally.names, strict=True):
        console.print(Text(f"{letter}  {name}"))
    console.print()
    table = plain_table("requests", f"{tally.requests:,} in {seconds:.1f} s")
    table.add_row("equal", f"{tally.outcomes['equal']:,}")
    several = " (some have several)" if tally.known.total() > tally.outcomes["known"] else ""
    table.add_row("known differences", f"{tally.outcomes['known']:,}{several}")
    for what, count in tally.known.most_common():
        table.add_row(Text(f"  {what}"), f"{count:,}")
    style = "bold red" if tally.outcomes["unexplained"] else ""
    table.add_row("unexplained", f"{tally.outcomes['unexplained']:,}", style=style)
    table.add_row("lines without a list request", f"{tally.skipped:,}")
    console.print(table)


def _print_unexplained(console: Console, one: Unexplained) -> None:
    console.print(Text(f"line {one.line}: {one.request}", style="bold"))
    for finding in one.findings:
        console.print(Text(f"  {finding.what}"))
        console.print(Text(f"    a: {_shown(finding.a)}"))
        console.print(Text(f"    b: {_shown(finding.b)}"))
    console.print()


def _shown(text: str) -> str:
    """Return a side's text with a terminal's control characters escaped."""
    return "\n".join(map(printable, text.split("\n")))
