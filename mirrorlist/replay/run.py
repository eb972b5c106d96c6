"""Replays a log against two sides: at a bounded rate, on a few connections."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from mirrorlist.errors import MirrorlistError, OptionError
from mirrorlist.replay.compare import ONCE, Rule, Verdict, judge
from mirrorlist.replay.log import requests_of
from mirrorlist.replay.meaning import Meaning
from mirrorlist.replay.request import Request
from mirrorlist.replay.rules import RULES
from mirrorlist.replay.sides import Describing, Drawing, Side
from mirrorlist.replay.tally import Tally
from snapshot.file.errors import BackendError

CONNECTIONS = 4

Progress = Callable[[str, int, int], None]


def replay(
    lines: Iterable[str],
    sides: tuple[Side, Side],
    rate: float,
    most: int,
    total: int,
    progress: Progress,
) -> Tally:
    """Ask both sides what the lines ask, at most `rate` a second (0: as fast as they answer).

    Stops after `most` requests, if that is not 0. `total` lines are expected, for `progress`.
    Raises OptionError if no line can be read as a request.
    """
    first, second = sides
    # Only a server of this project is asked for its tiers, and the rules are for
    # mirrorlist-server alone.
    swapped = first.is_ours and not second.is_ours
    theirs, ours = (second, first) if swapped else (first, second)
    rules: tuple[Rule, ...] = () if theirs.is_ours else RULES
    tally = Tally((first.name, second.name), swapped)
    compare = partial(_judge, sides=(Drawing(theirs), Describing(ours)), rules=rules)
    _compare_all(_paced(_asked(lines, tally, most), rate), compare, tally, total, progress)
    if not tally.requests and not tally.interrupted:
        raise OptionError(
            "no line of the log is a request: neither `IP: ...; DATE: ...; REPO: ...; ARCH: ...`"
            " nor `ADDRESS /metalink?...`"
        )
    return tally


def _compare_all(
    asked: Iterable[tuple[int, Request]],
    compare: Callable[[Request], Verdict],
    tally: Tally,
    total: int,
    progress: Progress,
) -> None:
    """Compare on a few connections at once; after Ctrl-C, nothing is asked any more."""
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        running: deque[tuple[int, Future[Verdict]]] = deque()
        try:
            for number, request in asked:
                running.append((number, threads.submit(compare, request)))
                if len(running) >= 2 * CONNECTIONS:
                    _take(running, tally, total, progress)
            while running:
                _take(running, tally, total, progress)
        except KeyboardInterrupt:
            # After Ctrl-C the results so far are still shown.
            tally.interrupted = True
            threads.shutdown(cancel_futures=True)
            for number, verdict in running:
                if not verdict.cancelled():
                    tally.add(number, verdict.result())
        finally:
            threads.shutdown(cancel_futures=True)


def _judge(request: Request, sides: tuple[Drawing, Describing], rules: tuple[Rule, ...]) -> Verdict:
    """Compare the answers to one request; an internal error is the result of this request alone."""
    try:
        return judge(request, *sides, rules, ONCE)
    except (MirrorlistError, BackendError):
        raise
    except Exception as error:
        failed = Meaning(0, None, error=f"internal error: {error!r}")
        return Verdict(request, (), ("error",), failed, failed)


def _asked(lines: Iterable[str], tally: Tally, most: int) -> Iterator[tuple[int, Request]]:
    """Yield the requests with the numbers of their lines, and count the lines without a request."""
    count = 0
    for number, request in requests_of(lines):
        if request is None:
            tally.skipped += 1
            continue
        count += 1
        yield number, request
        if count == most:
            return


def _paced(asked: Iterable[tuple[int, Request]], rate: float) -> Iterator[tuple[int, Request]]:
    """Yield requests at the rate; after a delay, no burst makes up for the lost time."""
    due = time.monotonic()
    for one in asked:
        yield one
        if rate:
            due = max(due, time.monotonic() - 1 / rate) + 1 / rate
            time.sleep(max(0.0, due - time.monotonic()))


def _take(
    running: deque[tuple[int, Future[Verdict]]], tally: Tally, total: int, progress: Progress
) -> None:
    number, verdict = running.popleft()
    tally.add(number, verdict.result())
    unexplained = tally.outcomes["unexplained"]
    progress(f"asking: {unexplained:,} unexplained", number, max(number, total))
