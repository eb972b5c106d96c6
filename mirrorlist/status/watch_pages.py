"""The pages of `mirrorlist watch`: health for alerts, metrics for Prometheus, a status."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from mirrorlist.process.messages import Say
from mirrorlist.process.threads import Threads
from mirrorlist.settings.defaults import ADMIN_OF_WATCH, NOWHERE
from mirrorlist.status.admin import Admin, AnyRoutes, Page, Reply, json_reply, open_admin
from mirrorlist.status.last_hours import SAMPLE_SECONDS, LastHours, Sample
from mirrorlist.status.search import searching
from mirrorlist.status.site_metrics import SiteMetrics
from mirrorlist.status.site_pages import SiteShown, site_routes
from mirrorlist.status.stage import PATH, Stage
from mirrorlist.status.stage_metrics import StageMetrics
from mirrorlist.status.stages import outside_probe_stage, probe_stage, watch_stages
from mirrorlist.status.watch_hook import Hook
from mirrorlist.status.watch_metrics import WatchMetrics
from mirrorlist.status.watch_state import (
    Changes,
    Exports,
    LastError,
    Published,
    PushState,
    WatchState,
)
from mirrorlist.web.listener import host_and_port, listen

if TYPE_CHECKING:
    from snapshot.sites.last_probe import LastProbe
    from snapshot.watch.progress import Progress, Pushes


def pages(
    progress: "Progress",
    stale: float,
    threads: Threads,
    site: SiteShown | None = None,
    interval: float = 0.0,
    last_probe: "LastProbe | None" = None,
) -> AnyRoutes:
    """Return the pages of a watch, which is fresh until `stale` seconds after its last success.

    With `site`, they are those of a keeper that probes every `interval` seconds, and have a page
    and metrics about its site too. `last_probe` knows of a `sites probe` outside.
    """

    def stages() -> list[Stage]:
        before = [probe_stage(site.state, interval)] if site else []
        if last_probe and last_probe.at is not None:
            before.append(outside_probe_stage(last_probe, last_probe.at, time.time()))
        return [*before, *watch_stages(watch_state_of(progress, stale), stale)]

    registry = CollectorRegistry()
    registry.register(WatchMetrics(progress, lambda: threads.survived))
    if site:
        registry.register(SiteMetrics(site.state))
    registry.register(StageMetrics(stages))
    ProcessCollector(registry=registry)
    hours = LastHours()
    threads.go_on("hours", partial(_remember, progress, hours))

    def metrics() -> Reply:
        return Reply(200, generate_latest(registry), CONTENT_TYPE_LATEST)

    def status() -> Reply:
        return json_reply(watch_state_of(progress, stale))

    def page() -> Reply:
        from mirrorlist.status.pages import watch_page

        return watch_page(watch_state_of(progress, stale), hours, time.time(), bool(site))

    return {
        **(site_routes(site) if site else {}),
        ("GET", "/health/live"): lambda: Reply(200, b"OK\n"),
        ("GET", "/health/ready"): lambda: _ready(progress, stale),
        ("GET", "/health/fresh"): lambda: _fresh(progress, stale),
        ("GET", "/status"): status,
        ("GET", "/status.html"): page,
        ("GET", "/status.json"): status,
        ("GET", PATH): lambda: json_reply(stages()),
        ("GET", "/metrics"): metrics,
    }


@contextmanager
def shown_on(
    admin: str | None,
    routes: AnyRoutes,
    hook: Hook | None,
    triggers: "SimpleQueue[str]",
    threads: Threads,
    say: Say,
    search: Callable[[str], Reply] | None = None,
) -> Iterator[None]:
    """Answer on the admin address and on the hook's address while the block runs.

    The two addresses may be the same. `search` answers `/packages?name=` of the admin address.
    """
    hooks = {("POST", hook.path): partial(_trigger, triggers)} if hook else {}
    at = None if admin == NOWHERE else host_and_port(admin or ADMIN_OF_WATCH, "--admin")
    shared = hook is not None and hook.address == at
    started: list[Admin] = []
    try:
        if hook and not shared:
            started.append(Admin(listen(*hook.address, "--hook"), hooks))
            say(f"a POST to http://{started[0].address}{hook.path} triggers an export")
        listener = open_admin(admin or (ADMIN_OF_WATCH if shared else None), ADMIN_OF_WATCH, say)
        if listener:
            both: dict[tuple[str, str], Page] = {
                **routes,
                **(hooks if shared else {}),
            }
            more = [searching("/packages", search)] if search else []
            started.append(Admin(listener, both, more=more))
            say(f"status, health and metrics on http://{started[-1].address}/status")
        for one in started:
            one.start(threads)
        yield
    finally:
        for one in started:
            one.stop()


def _trigger(triggers: "SimpleQueue[str]") -> Reply:
    triggers.put("hook")
    return Reply(202, b"An export follows.\n")


def _ready(progress: "Progress", stale: float) -> Reply:
    is_ready = progress.success_since is not None
    state: dict[str, object] = msgspec.to_builtins(watch_state_of(progress, stale))
    return json_reply({"ready": is_ready, **state}, 200 if is_ready else 503)


def _fresh(progress: "Progress", stale: float) -> Reply:
    age = progress.since_success(time.monotonic())
    if age <= stale:
        return json_reply({"fresh": True, "seconds": round(age, 1)})
    begun = "ended well" if progress.success_since is not None else "ended well since the start"
    reason = f"no export {begun} for {age:.0f} s, more than {stale:g} s"
    if progress.error:
        reason += f"; the last error: {progress.error}"
    return json_reply({"fresh": False, "seconds": round(age, 1), "reason": reason}, 503)


def watch_state_of(progress: "Progress", stale: float) -> WatchState:
    """Return the state of a watch, which is stale `stale` seconds after its last success."""
    now, wall = time.monotonic(), time.time()
    age = None if progress.read is None else int(wall) - progress.read
    return WatchState(
        connected=progress.connected,
        stale=progress.since_success(now) > stale,
        snapshot=Published(progress.id, progress.read, age, progress.bytes),
        changes=Changes(
            progress.seen,
            progress.processed,
            progress.backlog,
            round(progress.waiting(now), 1),
            progress.missed,
        ),
        exports=Exports(
            progress.exports,
            progress.published,
            progress.unchanged,
            progress.failed,
            round(progress.last_seconds, 3),
            round(progress.mean_seconds, 3),
            progress.success_at,
        ),
        error=LastError(progress.error, progress.error_at),
        push=_push_state(progress.push, now),
    )


def _push_state(push: "Pushes", now: float) -> PushState:
    return PushState(
        push.succeeded,
        push.failed,
        push.backlog,
        round(push.waiting(now), 1),
        round(push.last_seconds, 3),
        push.success_at,
        push.error,
        push.error_at,
    )


def _remember(progress: "Progress", hours: LastHours) -> None:
    """Take a sample, and wait for a minute."""
    changes = watch_state_of(progress, 0).changes
    hours.add(Sample(time.time(), watch=changes), {})
    time.sleep(SAMPLE_SECONDS)
