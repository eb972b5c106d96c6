"""The stages of the chain, made of the states of the processes that have them."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from mirrorlist.process.wording import duration
from mirrorlist.records.backlog import Backlog, backlog_of
from mirrorlist.records.counts import Count, Level, Totals
from mirrorlist.records.worker_state import ServedFile, WorkerState
from mirrorlist.status.collect_state import CollectState
from mirrorlist.status.scan_state import ScanState
from mirrorlist.status.stage import Stage, cut
from mirrorlist.status.watch_state import WatchState
from mirrorlist.web.health import fresh

if TYPE_CHECKING:
    from snapshot.sites.keeper_state import KeeperState
    from snapshot.sites.last_probe import LastProbe

EXPORT_SECONDS = 300.0
"""A change that waits for longer is late."""
PUSH_SECONDS = 600.0
SWAP_SECONDS = 60.0
PROBE_SECONDS = 3600.0
"""A probe by cron is due this long after the last one."""
SPOOL_SECONDS = 7200.0
"""A file that waits for longer has no collector: while many wait, one an hour is written."""


def scan_stage(state: ScanState, stale: float) -> Stage:
    """Return the stage of a `scan --watch`: the events of all its categories."""
    events = [one.events for one in state.categories]
    failing = [f"{one.name}: {one.error}" for one in state.categories if one.is_failing]
    return Stage(
        "scan",
        sum(one.received for one in events),
        sum(one.processed for one in events),
        sum(one.backlog for one in events),
        state.late_seconds,
        stale,
        cut("; ".join(failing)) or None,
        f"categories: {', '.join(one.name for one in state.categories)}"[:200],
    )


def watch_stages(state: WatchState, stale: float) -> list[Stage]:
    """Return the stages of a watch: export, and push if it has pushed or should have."""
    changes, push = state.changes, state.push
    stages = [
        Stage(
            "export",
            changes.seen,
            changes.processed,
            changes.backlog,
            changes.waiting_seconds,
            min(stale, EXPORT_SECONDS),
            cut(_export_error(state, stale)),
        )
    ]
    if push.succeeded or push.failed or push.backlog:
        is_failing = push.error is not None and (push.error_at or 0) > (push.last_success or 0)
        stages.append(
            Stage(
                "push",
                push.succeeded + push.backlog,
                push.succeeded,
                push.backlog,
                push.waiting_seconds,
                PUSH_SECONDS,
                cut(push.error) if is_failing else None,
            )
        )
    return stages


def _export_error(state: WatchState, stale: float) -> str | None:
    if state.error.text and (state.error.at or 0) > (state.exports.last_success or 0):
        return state.error.text
    if not state.connected:
        return "the database does not answer"
    return f"no export ended well for {stale:g} s" if state.stale else None


def probe_stage(state: "KeeperState", interval: float) -> Stage:
    """Return the stage of a keeper that probes every `interval` seconds."""
    waiting = 0.0 if state.due_since is None else max(0.0, time.time() - state.due_since)
    of_file = f"the file: {state.file_error}" if state.file_error else None
    hidden = f"; {state.urls_hidden} are hidden" if state.urls_hidden else ""
    return Stage(
        "probe",
        state.probes_due,
        state.probes_ended,
        state.probes_due - state.probes_ended,
        round(waiting, 1),
        2 * interval + 60,
        cut(state.probe_error or state.primary_error or of_file),
        f"{state.urls_troubled} of {state.urls} URLs of mirrors have a trouble{hidden}",
    )


def outside_probe_stage(last: "LastProbe", at: float, now: float) -> Stage:
    """Return the stage of a `sites probe` by cron, of which one an hour is due; `at` is the last.

    Only those are counted that were seen.
    """
    age = max(0.0, now - at)
    late = max(0.0, age - PROBE_SECONDS)
    note = f"the last `sites probe` was {duration(age)} ago"
    waits = int(late > 0)
    return Stage("probe", last.seen + waits, last.seen, waits, round(late, 1), 60.0, None, note)


def server_stages(
    workers: Sequence[WorkerState],
    totals: Totals,
    spool: Path | None,
    stale: float,
    now: float,
) -> list[Stage]:
    """Return the stages of a server: swap, and spool if it writes statistics into a folder."""
    stages = [_swap(workers, totals, stale, now)]
    if spool is not None:
        stages.append(_spool(totals, spool, now))
    return stages


def _swap(workers: Sequence[WorkerState], totals: Totals, stale: float, now: float) -> Stage:
    taken, refused = totals.counts[Count.SWAPS], totals.counts[Count.SWAPS_REFUSED]
    since = _behind_since(workers)
    return Stage(
        "swap",
        taken + refused,
        taken,
        len(since),
        round(max(0.0, now - min(since)), 1) if since else 0.0,
        SWAP_SECONDS,
        cut(fresh(workers, stale, now).reason),
        _served(workers),
    )


def _behind_since(workers: Sequence[WorkerState]) -> list[float]:
    """Return since when each worker that does not serve the newest file is behind."""
    if not workers:
        return []
    newest = max(workers, key=lambda one: one.snapshot.read)
    since = []
    for one in workers:
        standing = [
            each.at for each in one.refusals if each.stands and each.source is ServedFile.SNAPSHOT
        ]
        if standing:
            since.append(min(standing))
        elif one.snapshot.id != newest.snapshot.id:
            since.append(newest.taken)
    return since


def _served(workers: Sequence[WorkerState]) -> str | None:
    found = sorted({one.snapshot.id[:12] for one in workers})
    return f"serves {', '.join(found[:5])}" if found else None


def _spool(totals: Totals, folder: Path, now: float) -> Stage:
    found = backlog_of(folder)
    spool = found or Backlog(0, 0)
    error = None if found else f"{folder}: the spool cannot be read"
    written, outages = totals.counts[Count.STATISTICS_WRITTEN], totals.levels[Level.SPOOL_OUTAGES]
    held = totals.levels[Level.STATISTICS_WAITING]
    return Stage(
        "spool",
        written + held,
        written,
        spool.files,
        0.0 if spool.oldest is None else float(max(0, int(now) - spool.oldest)),
        SPOOL_SECONDS,
        f"workers that cannot write, as on a full disk: {outages}" if outages else cut(error),
        f"requests that are in no file yet: {held:,}" if held else None,
    )


class Rising:
    """Keeps counters from becoming less, which Prometheus would take for a restart.

    What a worker counted and what waits in it are not read at one moment, and a worker that is
    killed loses what waited in it.
    """

    def __init__(self) -> None:
        """Begin without counts."""
        self._most: dict[str, int] = {}

    def __call__(self, stage: Stage) -> Stage:
        """Return a stage that has received at least as many as before."""
        most = max(stage.received, self._most.get(stage.stage, 0))
        self._most[stage.stage] = most
        return structs.replace(stage, received=most)


def collect_stage(state: CollectState) -> Stage:
    """Return the stage of a `stats collect --watch`."""
    waiting = state.waiting
    parts = {
        "requests that wait": waiting.requests,
        "files that are not counted yet": waiting.uncounted,
        "damaged files that were set aside": state.damaged,
    }
    return Stage(
        "collect",
        state.received,
        state.processed,
        waiting.files,
        waiting.oldest_seconds,
        state.limit_seconds,
        cut(state.error),
        "; ".join(f"{name}: {count:,}" for name, count in parts.items() if count) or None,
    )
