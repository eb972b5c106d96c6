"""Roles of PostgreSQL with the rights that docs/statistics-database.md names, and no others."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from snapshot.file.errors import DatabaseError
from snapshot.link import linked
from snapshot.stats.collecting import collect
from snapshot.stats.expiring import Keep, expire
from tests.command import assert_refused, run
from tests.factories import world
from tests.live import ROOT
from tests.postgresql import PASSWORD, Server, run_server
from tests.stats_world import TODAY, batch, query, row, sketch, spooled

pytestmark = pytest.mark.system

PAGE = (ROOT / "docs" / "statistics-database.md").read_text()
DATABASE = "mirrormanager"
COLLECTOR, LOOKER = "mirrorlist_stats", "mirrorlist_look"


def statements() -> list[str]:
    """Return the statements of the page, in their order."""
    part = PAGE.partition("## Rights in PostgreSQL")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sql\n(.*?)```", part, re.DOTALL)
    text = re.sub(r"--.*", "", "".join(blocks))
    return [one.strip() for one in text.split(";") if one.strip()]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """MirrorManager's database, with the roles of the page."""
    with run_server() as server:
        tables = world()
        tables["product"] = [{"id": 1, "name": "Linux"}]
        tables["version"][0]["product_id"] = 1
        server.create_filled(DATABASE, tables)
        server.execute(*statements(), database=DATABASE)
        for role in (COLLECTOR, LOOKER):
            server.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
        yield server


def test_mirrormanagers_database(server: Server, tmp_path: Path) -> None:
    """The collector adds, fills access_stat and expires; the other role sees it, and no more."""
    collector, looker = (server.url(DATABASE, role) for role in (COLLECTOR, LOOKER))
    old = TODAY - 800 * 86400
    given = [
        batch(1, row(requests=3, repository="linux-40"), sketches=(sketch(range(9)),), key="k"),
        batch(2, row(hour=old, requests=4), begun=TODAY),
    ]
    collect([spooled(tmp_path / "spool", given)], collector)
    now = datetime.fromtimestamp(TODAY, UTC)
    assert any(
        one.startswith("stat_day_") for one in expire(collector, Keep(days=100), now).dropped
    )
    words = ["stats", "table", "--by", "repo,release", "--csv", "--database"]
    assert run(*words, looker).stdout == "repo,release,requests\nlinux-40,Linux 40,3\n"
    assert run("stats", "addresses", "--by", "release", "--csv", "--database", looker).stdout
    # What a later collection makes, such as a partition, is seen too.
    collect([spooled(tmp_path / "spool", [batch(3, row(hour=TODAY - 200 * 86400))])], collector)
    assert run(*words, looker).returncode == 0
    whole = query(
        server.url(DATABASE), "SELECT sum(requests) FROM access_stat WHERE name = 'linux-40'"
    )
    assert whole == [(3,)]
    for role, denied in (
        (collector, "host"),
        (looker, "public.repository"),
        (looker, "public.host"),
    ):
        with pytest.raises(DatabaseError, match="permission denied"):
            query(role, f"SELECT * FROM {denied}")
    assert_refused(
        run("stats", "expire", "--database", looker, "--keep-days", "1"), 3, "must be owner"
    )
    folder = spooled(tmp_path / "spool", [batch(4, row())])
    refused = run("stats", "collect", folder, "--database", looker)
    assert_refused(refused, 3, "docs/statistics-database.md (Rights in PostgreSQL)")
    assert [*folder.iterdir()] != []


def test_without_some_rights(server: Server, tmp_path: Path) -> None:
    """Without MirrorManager's tables of repositories their names say the release; without
    access_stat nothing is added, and the files wait.
    """
    collector = server.url(DATABASE, COLLECTOR)
    server.execute(f"REVOKE SELECT ON version FROM {COLLECTOR}", database=DATABASE)
    collect([spooled(tmp_path / "spool", [batch(7, row(repository="epel-9"))])], collector)
    found = query(collector, "SELECT release FROM stat_release WHERE repo = 'epel-9'")
    assert found == [("EPEL 9",)]
    server.execute(f"REVOKE INSERT ON access_stat FROM {COLLECTOR}", database=DATABASE)
    folder = spooled(tmp_path / "spool", [batch(8, row())])
    refused = run("stats", "collect", folder, "--database", collector)
    assert_refused(refused, 3, "permission denied for table access_stat")
    assert "Rights in PostgreSQL" in refused.stderr
    assert len([*folder.iterdir()]) == 1


def test_a_database_of_their_own(server: Server, tmp_path: Path) -> None:
    """A role that owns the database needs nothing more."""
    server.execute(f"CREATE DATABASE own OWNER {COLLECTOR}")
    url = server.url("own", COLLECTOR)
    collect([spooled(tmp_path / "spool", [batch(1, row(requests=5))])], url)
    done = run("stats", "table", "--by", "release", "--csv", "--database", url)
    assert done.stdout == "release,requests\nFedora 43,5\n"


def test_tables_of_an_older_version(server: Server, tmp_path: Path) -> None:
    """What is missing is made, and what is there is kept and gets its release."""
    server.execute(f"CREATE DATABASE older OWNER {COLLECTOR}")
    url = server.url("older", COLLECTOR)
    collect([spooled(tmp_path / "spool", [batch(1, row(requests=5))])], url)
    with linked(url) as link:
        link.execute("DROP TABLE stat_release, stat_release_sketch")
    refused = run("stats", "table", "--database", url)
    assert_refused(refused, 3, "mirrorlist stats collect")
    collect([spooled(tmp_path / "spool", [batch(2, row(requests=6, repository="epel-9"))])], url)
    done = run("stats", "table", "--by", "release", "--csv", "--database", url)
    assert done.stdout == "release,requests\nEPEL 9,6\nFedora 43,5\n"
