"""Servers and watches to show: one on which nothing has happened, and one that is full of it."""

import math

from mirrorlist.lists.selection import Tier
from mirrorlist.records.counts import ENDPOINTS, TIERS, Count, Counts, Slot
from mirrorlist.records.worker_state import RefusedFile, Served, ServedFile, WorkerState
from mirrorlist.status.chain import Chain, Row, State
from mirrorlist.status.collect_state import CollectState, WaitingFiles
from mirrorlist.status.last_hours import MOST_SAMPLES, SAMPLE_SECONDS, LastHours, Sample
from mirrorlist.status.scan_state import Events, HookState, ScannedCategory, Scans, ScanState
from mirrorlist.status.server_state import Status, status_of
from mirrorlist.status.watch_state import Changes, Exports, LastError, Published, WatchState
from snapshot.sites.host_states import Drain, HostState
from snapshot.sites.keeper_state import KeeperState

NOW = 1_795_000_000.0
HOSTILE = "</style><script>document.title=1</script><img src=x onerror=alert(1)>&amp;{{7*7}}"
LONG = "x" * 240
SERVED = Served(
    "3bf2bc68dd5cec65b3e3246f83d42ae4", "1.0", int(NOW) - 60, int(NOW) - 65, 430, 161_664, 2_498
)
OLDER = Served(
    "77aa01020304050607080900aabbccdd", "1.0", int(NOW) - 4000, int(NOW) - 4060, 428, 161_600, 2_490
)
FULL_SITE = KeeperState(
    applied=NOW - 500,
    file_error=f"mirrors.toml:7: {HOSTILE}",
    probed=NOW - 90,
    probe_seconds=12.25,
    repositories=4,
    urls=6,
    urls_troubled=3,
    urls_hidden=1,
)
MIRRORS = [
    HostState("good.example", "Site", "DE", False, ["a x86_64"], [], None, [], None, [], []),
    HostState(
        name=f"{LONG[:60]}.example",
        site="Site",
        country="FR",
        private=False,
        offered=["a x86_64"],
        not_offered=["b x86_64"],
        since=int(NOW) - 100,
        why=[f"drained: {HOSTILE}", "behind: 1 of 2 repositories"],
        drained=Drain(int(NOW) - 100, int(NOW) + 100, HOSTILE),
        urls=[],
        files=[],
    ),
]
EMPTY_WATCH = WatchState(False, False, Published(), Changes(), Exports(), LastError())
FULL_WATCH = WatchState(
    connected=True,
    stale=True,
    snapshot=Published(SERVED.id, SERVED.read, 65, 19_304_221),
    changes=Changes(1_204, 1_201, 3, 75.2, 1),
    exports=Exports(940, 512, 428, 7, 1.63, 1.71, NOW - 70),
    error=LastError(f"mm.snap: lost 180 of 430 hosts {HOSTILE}", NOW - 3600),
)

EMPTY_SCAN = ScanState(
    False,
    0.0,
    [ScannedCategory("Fedora EPEL", Events(), Scans(), 0, 0, 0, None, None)],
    HookState(),
)
FULL_SCAN = ScanState(
    True,
    1_900.5,
    [
        ScannedCategory(
            "Fedora Linux",
            Events(1_204, 1_201, 3, 75.2),
            Scans(940, 12, 7, 1.63, NOW - 70),
            227_430,
            70,
            4,
            f"pub/fedora: cannot be listed {HOSTILE}",
            NOW - 60,
        ),
        *EMPTY_SCAN.categories,
    ],
    HookState(204, 3),
)


EMPTY_COLLECT = CollectState(
    fresh=True,
    received=0,
    processed=0,
    waiting=WaitingFiles(),
    limit_seconds=240.0,
    batches=0,
    again=0,
    requests=0,
    other=0,
    damaged=0,
    collections=0,
    failed=0,
    last_seconds=0.0,
    last_success=None,
    outage_since=None,
    outage_seconds=0.0,
    held=False,
    error=None,
)
FULL_COLLECT = CollectState(
    fresh=False,
    received=12_345,
    processed=12_002,
    waiting=WaitingFiles(341, 1_234_567, 12, 3_720.0),
    limit_seconds=240.0,
    batches=36_004,
    again=12,
    requests=987_654_321,
    other=17,
    damaged=2,
    collections=1_440,
    failed=62,
    last_seconds=0.84,
    last_success=NOW - 3_720,
    outage_since=NOW - 3_700,
    outage_seconds=3_700.0,
    held=False,
    error=f"postgresql://db/mm: cannot be reached {HOSTILE}",
)
_OTHER = "http://db01.example:3004/status"
FULL_CHAIN = Chain(
    NOW,
    False,
    [
        Row("scan", State.OK, "db01.example:3004", 1_204, 1_204, 0, 0.0, 900.0, page=_OTHER),
        Row("scan", State.UNKNOWN, "[2001:db8::1]:3004", reason="it has not answered yet"),
        Row("probe", State.UNUSED, note="Only a site of `mirrors.toml` has *it*."),
        Row("export", State.BEHIND, "db01.example:3002", 9, 8, 1, 75.2, 300.0, reason=HOSTILE),
        Row("swap", State.OK, None, 41, 40, 0, 0.0, 60.0, note=f"serves {HOSTILE}", page="/status"),
        Row("spool", State.BEHIND, None, 987_654_321, 987_654_000, 341, 9_000.0, 7_200.0),
        Row(
            "collect", State.DOWN, "x" * 200, 9, 9, 0, 0.0, 240.0, reason="not answering", note=LONG
        ),
    ],
)


def empty_status() -> Status:
    """Return the status of a server whose workers have not said anything yet."""
    return _status([], Counts(1), None)


def fresh_status() -> Status:
    """Return the status of a server that has just begun, with one worker and no watch."""
    return _status([WorkerState(99, NOW - 3, SERVED, NOW - 3, "none", None)], Counts(1), None)


def full_status(watch: WatchState | None = FULL_WATCH) -> Status:
    """Return the status of a server with requests, two snapshots, refusals and hostile names."""
    counts = Counts(1)
    _count(counts.claim())
    refusals = (
        RefusedFile(NOW - 100, ServedFile.SNAPSHOT, f"/srv/mm.snap: {HOSTILE}"),
        RefusedFile(
            NOW - 5000, ServedFile.GEOIP, f"/srv/{LONG}.mmdb: not a GeoIP file", stands=False
        ),
    )
    geoip = f"{HOSTILE} (GeoLite2-Country, built 2026-11-17)"
    began = NOW - 90_000
    workers = [
        WorkerState(1_204_711, began, SERVED, NOW - 50, geoip, 1, 41, refusals[1:]),
        WorkerState(4712, began, OLDER, NOW - 4050, "GeoLite2", 1, 42, refusals),
    ]
    return _status(workers, counts, watch)


def _status(workers: list[WorkerState], counts: Counts, watch: WatchState | None) -> Status:
    totals = counts.totals()
    return status_of(workers, totals, watch, is_draining=False, stale=900.0, now=NOW)


def _count(slot: Slot) -> None:
    """Count what days bring, by writing many at once."""
    for weight, tier in zip((300, 20, 4, 1, 9000, 1200, 150, 8), (*Tier, None), strict=True):
        for number, country in enumerate(
            ("DE", "US", "FR", "BR", "CN", "JP", "IN", "GB", "CA", "NL", "SE", "AU", "other")
        ):
            for _ in range(max(1, weight // (4 * (number + 1)))):
                slot.add_list(number % 2, 200, tier, country)
    slot.add_request(ENDPOINTS.index("other"), 404, None)
    slot.add_request(2, 200, None)
    slot.add(Count.UNKNOWN_REPOSITORIES, 1_234_567)
    slot.add(Count.LOG_LINES_WRITTEN, 987_654_321)
    slot.add(Count.LOG_LINES_LOST, 17)


def full_hours(status: Status) -> LastHours:
    """Return the six hours before a status, with a release in them."""
    hours = LastHours()
    totals = [status.requests.tiers[tier] for tier in TIERS]
    load = 0.0
    loads = []
    for minute in range(MOST_SAMPLES):
        load += (1.2 + math.sin(minute / 50)) * (4 if 200 <= minute < 230 else 1)
        loads.append(load)
    seen = 0
    for minute in range(MOST_SAMPLES):
        tiers = tuple(int(total * loads[minute] / load * 0.99) for total in totals)
        seen += minute % 7
        backlog = minute % 40 if 300 <= minute < 340 else minute % 3 // 2
        at = NOW - (MOST_SAMPLES - 1 - minute) * SAMPLE_SECONDS - 30
        sample = Sample(at, tiers, Changes(seen, seen - backlog, backlog))
        hours.add(sample, {})
    return hours
