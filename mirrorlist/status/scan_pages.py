"""The pages of `mirrorlist scan --watch`: health, metrics, a status, and the hook."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from mirrorlist.process.messages import Say
from mirrorlist.process.threads import Threads
from mirrorlist.settings.defaults import ADMIN_OF_SCAN
from mirrorlist.status.admin import Admin, Reply, Routes, json_reply, open_admin
from mirrorlist.status.scan_metrics import ScanMetrics
from mirrorlist.status.scan_state import ScanState, scan_state_of
from mirrorlist.status.signed_hook import HOOK_PATH, SignedHook
from mirrorlist.status.stage import PATH
from mirrorlist.status.stage_metrics import StageMetrics
from mirrorlist.status.stages import scan_stage

if TYPE_CHECKING:
    from snapshot.scan.watching import Watching


def pages(watching: "Watching", hook: SignedHook, stale: float, threads: Threads) -> Routes:
    """Return the pages of a `scan --watch`, which is fresh while nothing has waited for `stale`."""
    registry = CollectorRegistry()
    registry.register(ScanMetrics(watching, hook.counts, lambda: threads.survived))
    registry.register(StageMetrics(lambda: [scan_stage(state(), stale)]))
    ProcessCollector(registry=registry)

    def state() -> ScanState:
        return scan_state_of(watching, hook.counts, stale)

    def page() -> Reply:
        from mirrorlist.status.pages import scan_page

        return scan_page(state(), time.time())

    return {
        ("GET", "/health/live"): lambda: Reply(200, b"OK\n"),
        ("GET", "/health/ready"): lambda: _ready(state()),
        ("GET", "/health/fresh"): lambda: _fresh(state(), stale),
        ("GET", "/status"): lambda: json_reply(state()),
        ("GET", "/status.html"): page,
        ("GET", "/status.json"): lambda: json_reply(state()),
        ("GET", PATH): lambda: json_reply([scan_stage(state(), stale)]),
        ("GET", "/metrics"): lambda: Reply(200, generate_latest(registry), CONTENT_TYPE_LATEST),
    }


@contextmanager
def shown_on(
    admin: str | None, routes: Routes, hook: SignedHook, threads: Threads, say: Say
) -> Iterator[None]:
    """Answer on the admin address while the block runs."""
    listener = open_admin(admin, ADMIN_OF_SCAN, say, f"health, metrics and {HOOK_PATH}")
    if listener is None:
        yield
        return
    shown = Admin(listener, routes, {HOOK_PATH: hook.answer})
    say(f"status, health, metrics and {HOOK_PATH} on http://{shown.address}/status")
    shown.start(threads)
    try:
        yield
    finally:
        shown.stop()


def _ready(state: ScanState) -> Reply:
    is_ready = all(one.scans.last_success is not None for one in state.categories)
    return json_reply({"ready": is_ready}, 200 if is_ready else 503)


def _fresh(state: ScanState, stale: float) -> Reply:
    told: dict[str, object] = {"fresh": not state.stale, "seconds": state.late_seconds}
    if not state.stale:
        return json_reply(told)
    reason = f"a scan has waited for {state.late_seconds:.0f} s, more than {stale:g} s"
    errors = [f"{one.name}: {one.error}" for one in state.categories if one.is_failing]
    if errors:
        reason += f"; the last error: {'; '.join(errors)}"
    return json_reply({**told, "reason": reason}, 503)
