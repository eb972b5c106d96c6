"""What a collector that stays says of itself: its counts, pages, metrics, and an outage."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mirrorlist.process.threads import Threads
from mirrorlist.status.admin import Routes
from mirrorlist.status.collect_metrics import COLLECT_METRICS, CollectMetrics
from mirrorlist.status.collect_pages import collect_state_of, pages
from mirrorlist.status.collect_state import CollectState
from mirrorlist.status.stage_metrics import STAGE_METRICS
from snapshot.file.errors import DatabaseError
from snapshot.stats.collecting import Collected, collect
from snapshot.stats.progress import Progress
from tests.chain_site import chain_site
from tests.live import wait_until
from tests.stats_world import batch, batches, row, spooled, sqlite, unreadable

SECONDS = 60.0


def said(routes: Routes, path: str) -> tuple[int, str]:
    """Return the status and the text of a page."""
    reply = routes["GET", path]()
    return reply.status, reply.body.decode()


def step(progress: Progress, folder: Path, url: str) -> Collected:
    """Collect once, and count it."""
    done = Collected()
    try:
        collect([folder], url, done)
        progress.succeed(0.5, done.held)
    except DatabaseError as error:
        progress.fail(error)
        progress.count()
    progress.take(done)
    return done


def test_counts(tmp_path: Path) -> None:
    """Each file is received, then processed or damaged; what waits is counted with its age."""
    folder, url = spooled(tmp_path / "spool", batches(1, 4, 5)), sqlite(tmp_path)
    (folder / batch(9).file_name).write_bytes(b"foreign")
    progress = Progress([folder])
    assert progress.look()[0] == 5
    assert step(progress, folder, url).files == 4
    spooled(folder, batches(2, 2, 5)[1:])
    found = collect_state_of(progress, 60.0, 0.0)
    assert (found.received, found.processed, found.damaged, found.waiting.files) == (6, 4, 1, 1)
    assert (found.batches, found.requests) == (4, progress.done.requests)
    assert found.fresh
    (waiting,) = folder.glob("*.spool")
    came = waiting.stat().st_ctime
    assert collect_state_of(progress, 60.0, came + 241).waiting.oldest_seconds == 241
    assert collect_state_of(progress, 60.0, came + 240).fresh
    assert not collect_state_of(progress, 60.0, came + 241).fresh
    # Somebody else takes it: what was received stays.
    waiting.unlink()
    assert progress.look()[0] == 6


def test_an_outage(tmp_path: Path) -> None:
    """Files wait, the requests in them are counted, and /health/fresh says why and for how long."""
    given = [batch(n, row(requests=10)) for n in (1, 2)]
    folder, url = spooled(tmp_path / "spool", given), sqlite(tmp_path)
    progress = Progress([folder])
    routes = pages(progress, 60.0, Threads(print))
    assert said(routes, "/health/ready") == (503, '{"ready":false}\n')
    away = f"sqlite:///{tmp_path / 'no' / 'folder.sqlite'}"
    step(progress, folder, away)
    first = progress.outage_since
    step(progress, folder, away)
    assert (progress.failed, progress.outage_since) == (2, first)
    found = json.loads(said(routes, "/status.json")[1])
    assert found["waiting"]["files"] == 2
    assert (found["waiting"]["requests"], found["waiting"]["uncounted"]) == (20, 0)
    status, text = said(routes, "/health/fresh")
    assert (status, json.loads(text)["fresh"]) == (503, False)
    assert "folder.sqlite" in json.loads(text)["reason"]
    (stage,) = json.loads(said(routes, "/stages")[1])
    assert (stage["stage"], stage["backlog"], stage["note"]) == (
        "collect",
        2,
        "requests that wait: 20",
    )
    assert "folder.sqlite" in stage["error"]
    assert "mirrorlist_collect_waiting_requests 20.0" in said(routes, "/metrics")[1]
    step(progress, folder, url)
    assert said(routes, "/health/fresh")[0] == said(routes, "/health/ready")[0] == 200
    (stage,) = json.loads(said(routes, "/stages")[1])
    assert (stage["received"], stage["processed"], stage["backlog"]) == (2, 2, 0)
    assert stage["error"] is None


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It is told of as long as it stays, with its age, while other files come in."""
    folder, url = spooled(tmp_path / "spool", [batch(1, row())]), sqlite(tmp_path)
    bad = folder / batch(2).file_name
    unreadable(bad)
    progress = Progress([folder])
    routes = pages(progress, 60.0, Threads(print))
    step(progress, folder, url)
    first = progress.outage_since
    step(progress, folder, url)
    found = collect_state_of(progress, 60.0, 0.0)
    assert (found.processed, found.collections, found.damaged) == (1, 2, 0)
    assert (found.held, found.outage_since) == (True, first)
    assert found.error == f"{bad}: cannot be read: Input/output error"
    assert said(routes, "/health/ready")[0] == 200
    assert said(routes, "/health/fresh")[0] == 503
    progress.count()
    assert progress.look()[1].uncounted == 1
    bad.unlink()
    step(progress, spooled(folder, [batch(2, row())]), url)
    assert said(routes, "/health/fresh")[0] == 200
    assert progress.done.files == 2


def test_an_outage_in_the_middle(tmp_path: Path) -> None:
    """What was added before an error is counted."""
    done = Collected()
    folder = spooled(tmp_path / "spool", [batch(1, row())])
    done.files = 3
    with pytest.raises(DatabaseError):
        collect([folder], f"sqlite:///{tmp_path / 'no' / 'folder'}", done)
    progress = Progress([folder])
    progress.take(done)
    assert progress.look()[0] == 4


def test_a_spool_that_cannot_be_read(tmp_path: Path) -> None:
    """The pages say so, and go on."""
    progress = Progress([tmp_path / "none"])
    found = collect_state_of(progress, 60.0, 0.0)
    assert (found.fresh, found.received) == (False, 0)
    assert found.error == f"{tmp_path / 'none'}: cannot be read: No such file or directory"


def test_the_table_is_the_page(tmp_path: Path) -> None:
    """The metrics of a collector are those of its table, in order, with type, help and labels."""
    progress = Progress([tmp_path])
    registry = CollectorRegistry()
    registry.register(CollectMetrics(lambda: collect_state_of(progress, 60.0, 0.0), progress))
    found = list(text_string_to_metric_families(generate_latest(registry).decode()))
    assert [(one.name, one.type, one.documentation) for one in found] == [
        (each.name.removesuffix("_total"), each.kind, each.help) for each in COLLECT_METRICS
    ]
    for family, each in zip(found, COLLECT_METRICS, strict=True):
        assert tuple(family.samples[0].labels) == each.labels
        assert each.name.endswith("_total") == (each.kind == "counter")


def test_the_table_of_stages_is_on_the_page(tmp_path: Path) -> None:
    """Each metric that all stages have is there with its stage."""
    text = said(pages(Progress([tmp_path]), 60.0, Threads(print)), "/metrics")[1]
    for each in STAGE_METRICS:
        assert f'{each.name}{{stage="collect"}} ' in text
        assert f"# HELP {each.name} {each.help}" in text


@pytest.mark.system
def test_a_collector_that_stays(tmp_path: Path) -> None:
    """While the database is away, its pages answer and files wait; then none does."""
    with chain_site(tmp_path) as site:
        given = [batch(n, row(requests=10)) for n in (1, 2, 3)]
        spooled(site.spool, given[:1])
        part = site.collect()

        def stage(holds: Callable[[dict[str, object]], bool]) -> None:
            wait_until("the stage", lambda: holds(part.stages()["collect"]), SECONDS)

        stage(lambda one: one["processed"] == 1 and one["backlog"] == 0)
        database = tmp_path / "stats.sqlite"
        database.rename(tmp_path / "away")
        database.mkdir()
        spooled(site.spool, given[1:])
        stage(lambda one: one["backlog"] == 2 and one["error"] is not None)
        state = json.loads(part.get("/status.json"))
        assert CollectState(**{**state, "waiting": None}).outage_since
        assert b"The files wait." in part.get("/status", b"Accept: text/html")
        database.rmdir()
        bad = site.spool / batch(4).file_name
        unreadable(bad)
        (tmp_path / "away").rename(database)
        stage(lambda one: one["processed"] == 3 and one["error"] is not None)
        bad.unlink()
        spooled(site.spool, [batch(4, row(requests=10))])
        stage(lambda one: one["backlog"] == 0 and one["error"] is None)
        assert part.stages()["collect"]["received"] == part.stages()["collect"]["processed"] == 4
        assert part.end() == 0
        assert "files wait" in part.said.read_text()
        assert part.said.read_text().count("; it waits, and is tried again") == 1
        assert "Traceback" not in part.said.read_text()
