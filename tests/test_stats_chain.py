"""From a real server over its spool into the database and out: what clients sent is shown."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.command import run
from tests.factories import export_tables, world
from tests.live import exchange, request, serve
from tests.stats_world import query, sqlite

pytestmark = pytest.mark.system

AGENTS = {"dnf5": b"User-Agent: libdnf5/5.2", "other": b"User-Agent: curl/8"}
TARGETS = {
    ("metalink", "linux-40"): b"/metalink?repo=linux-40&arch=x86_64&countme=2",
    ("mirrorlist", "linux-40"): b"/mirrorlist?repo=linux-40&arch=x86_64",
    ("metalink", "(unknown)"): b"/metalink?repo=invented&arch=x86_64",
}


def test_what_clients_sent(tmp_path: Path) -> None:
    """Over two workers, a restart and three collections, each request is in the table once."""
    snapshot = Path(export_tables(tmp_path, world())[0].path)
    folder, url = tmp_path / "spool", sqlite(tmp_path)
    sent: Counter[tuple[str, str, str, str]] = Counter()
    for times in (2, 3):
        with serve(snapshot, tmp_path, "--spool", folder, "--workers", 2) as server:
            for (kind, repo), target in TARGETS.items():
                for client, agent in AGENTS.items():
                    for _ in range(times):
                        answer = exchange(server.port, request(target, headers=(agent,)))
                        sent[kind, repo, client, str(answer.status)] += 1
            assert server.end() == 0
        assert run("stats", "collect", folder, "--database", url).returncode == 0
    assert run("stats", "collect", folder, "--database", url).returncode == 0
    by = ("kind", "repo", "client", "status")
    done = run("stats", "table", "--by", ",".join(by), "--json", "--database", url)
    rows = json.loads(done.stdout)
    assert {tuple(one[label] for label in by): one["requests"] for one in rows} == sent
    known = sum(count for (_, repo, *_), count in sent.items() if repo == "linux-40")
    assert query(url, "SELECT sum(requests) FROM access_stat WHERE name = 'linux-40'") == [(known,)]
    (addresses,) = json.loads(run("stats", "addresses", "--json", "--database", url).stdout)
    # Each spool has a secret of its own, and each client is on this machine.
    assert addresses["addresses"] >= 1
