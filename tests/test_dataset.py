"""The load test's data set: seeded, as big as asked for, and shaped as real mirrors are."""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest

from loadtest.coverage import NOISE
from loadtest.dataset import Dataset
from loadtest.families import ARCHIVE
from loadtest.host import Diligence
from loadtest.sizes import sizes
from loadtest.tree import REPODATA, all_subtrees
from snapshot.export.exporter import export
from snapshot.export.netblock import parse_netblock
from tests.dataset_rows import SMALL, digest, fill_small, opened


@cache
def dataset(scale: float, seed: int = 1) -> Dataset:
    """The data set of a scale, made once."""
    return Dataset(scale, seed)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database at the smallest scale."""
    path = tmp_path_factory.mktemp("dataset") / "mm.sqlite"
    fill_small(f"sqlite:///{path}")
    return path


DIGEST = f"""
from loadtest.dataset import Dataset; from tests.dataset_rows import digest
print(digest(Dataset({SMALL}, 1)))
"""


def test_same_seed_same_rows() -> None:
    """A seed gives the same rows in any process, whatever the hashes of strings are in it."""
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", DIGEST]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == digest(dataset(SMALL))


def test_other_seed_other_rows() -> None:
    """Another seed gives other rows of each table that chance has a part in."""
    one, two = (dataset(SMALL, seed).filling(noise=False) for seed in (1, 2))
    alike = {name for name, rows in one.tables.items() if rows == two.tables[name]}
    assert alike == {
        *("product", "arch", "version", "category", "category_directory"),
        *("repository", "repository_redirect", "country_continent_redirect"),
        "host_country_allowed",  # so few hosts have none
    }
    assert list(one.giant()) != list(two.giant())


# What the incumbent was measured with.
@pytest.mark.parametrize(
    ("scale", "hosts", "directories", "rows"),
    [
        pytest.param(1.0, 430, 16_414, 2_340_000, id="scale 1"),
        pytest.param(2.5, 1_075, 32_659, 9_700_000, id="scale 2.5", marks=pytest.mark.system),
    ],
)
def test_sizes(scale: float, hosts: int, directories: int, rows: int) -> None:
    """A scale has the incumbent's counts at least, and hardly more."""
    made = dataset(scale)
    counts = {
        "hosts": (len(made.hosts), hosts),
        "directories": (len(made.tree.directories), directories),
        "rows": (made.coverage.row_count, rows),
    }
    assert all(least <= count <= 1.02 * least for count, least in counts.values()), counts


def test_repositories_and_file_details_at_scale_1() -> None:
    """Scale 1 has the incumbent's repositories and file details at least, and hardly more."""
    tables = dataset(1.0).filling(noise=False).tables
    assert 524 <= len(tables["repository"]) <= 1.05 * 524
    assert 2_212 <= len(tables["file_detail"]) <= 1.05 * 2_212


@pytest.mark.parametrize("scale", [0.009, 2.51])
def test_other_scales_are_refused(scale: float) -> None:
    """A scale that does not work is refused."""
    with pytest.raises(ValueError, match=r"is not between 0\.01 and 2\.5"):
        sizes(scale)


def test_count_is_that_of_the_stream() -> None:
    """The number of rows of host_category_dir, which is known beforehand, is right."""
    coverage = dataset(0.1).coverage
    assert sum(1 for _ in coverage.rows(noise=False)) == coverage.row_count


def test_few_distinct_host_sets() -> None:
    """Hosts lag by whole subtrees, so 16,424 directories share some 800 sets of hosts."""
    # Of what a verdict says only "true" makes a host part of a set.
    only_true = bytes([0, 0, 1]) + bytes(253)
    by_category: defaultdict[str, list[bytes]] = defaultdict(list)
    for one in dataset(1.0).coverage.host_categories:
        if one.host.active:
            by_category[one.category.name].append(one.verdicts.translate(only_true))
    sets = {
        (name, column) for name, rows in by_category.items() for column in zip(*rows, strict=True)
    }
    assert 500 < len(sets) < 2_000


def test_subtrees_lag_as_a_whole() -> None:
    """A host's copies of a subtree's directories agree, but for repodata."""
    made = dataset(0.1)
    directories = {directory.id: directory for directory in made.tree.directories}
    seen: dict[tuple[int, int | None, bool], bool] = {}
    for row in made.coverage.rows(noise=False):
        directory = directories[row.directory_id]
        key = row.host_category_id, directory.subtree, directory.name.endswith(f"/{REPODATA}")
        assert seen.setdefault(key, row.up2date) == row.up2date


def test_whole_releases_lag() -> None:
    """A host that is slow now and then has all daily subtrees of a release outdated at once."""
    made = dataset(1.0)
    wholly = 0
    for one in made.coverage.host_categories:
        if one.host.habit.diligence is Diligence.SLOW and not one.host.private:
            releases: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
            for place, subtree in enumerate(made.tree.subtrees):
                if subtree.daily and one.verdicts[2 * place + 2]:
                    release = subtree.stage, subtree.version
                    releases[release].append(one.verdicts[2 * place + 2])
            wholly += sum(len(found) > 4 and set(found) == {1} for found in releases.values())
    assert wholly > 10


def test_always_up2date_hosts_are_not_crawled() -> None:
    """A host that counts as always up to date carries categories, but has no row."""
    always = [one for one in dataset(1.0).coverage.host_categories if one.host.always_up2date]
    assert len({one.category.name for one in always}) == 6
    assert {one.rows for one in always} == {0}


def test_some_copies_are_outdated() -> None:
    """A few in a hundred rows say that a directory is not up to date."""
    coverage = dataset(0.1).coverage
    outdated = sum(not row.up2date for row in coverage.rows(noise=False))
    assert 0.01 < outdated / coverage.row_count < 0.08


def test_noise_takes_single_directories() -> None:
    """Noise makes half a percent of the rows outdated, at random, and changes nothing else."""
    coverage = dataset(0.1).coverage
    pairs = list(zip(coverage.rows(noise=False), coverage.rows(noise=True), strict=True))
    assert all(noisy in (plain, plain._replace(up2date=False)) for plain, noisy in pairs)
    missed = sum(plain != noisy for plain, noisy in pairs)
    assert missed / len(pairs) == pytest.approx(NOISE, rel=0.2)


def test_private_hosts_report_only_what_they_have() -> None:
    """Rows of private hosts are as check-ins leave them, the others as the crawler does."""
    made = dataset(0.1)
    private = {one.id: one.host.private for one in made.coverage.host_categories}
    rows = list(made.coverage.rows(noise=False))
    reported = [row for row in rows if private[row.host_category_id]]
    crawled = [row for row in rows if not private[row.host_category_id]]
    assert all(row.up2date and not row.path.startswith("/") for row in reported)
    assert all(not row.path or row.path.startswith("/") for row in crawled)
    assert any(row.path for row in reported)


def test_hosts_are_skewed_as_in_reality() -> None:
    """Scale 1 has hosts in some 70 countries, many in few of them, and each kind of host."""
    hosts = dataset(1.0).hosts
    countries = Counter(host.country for host in hosts)
    assert 65 <= len(countries) <= 75
    assert [country for country, _ in countries.most_common(2)] == ["US", "DE"]
    assert sum(count for _, count in countries.most_common(12)) > len(hosts) / 2
    assert 0.35 < sum(host.private for host in hosts) / len(hosts) < 0.45
    assert {host.bandwidth for host in hosts} >= {10, 100, 1000, 10000, 40000}
    assert all(1 <= len(host.netblocks) <= 5 for host in hosts if host.private)
    assert {block.version for host in hosts for block in host.netblocks} == {4, 6}
    assert sum(not host.active for host in hosts) > 20
    assert sum(host.always_up2date for host in hosts) >= 2
    assert 1 <= sum(bool(host.countries_allowed) for host in hosts) <= 15
    assert sum(host.asn is not None for host in hosts) > 200
    assert sum(ARCHIVE in host.categories for host in hosts) == 2  # the others are drawn later
    assert len({host.name for host in hosts}) == len(hosts)


# From MirrorManager's own rules for prefixes.
@pytest.mark.parametrize(
    ("path", "arch", "prefix"),
    [
        ("fedora/linux/releases/44/Everything/x86_64/os", "x86_64", "fedora-44"),
        ("fedora/linux/releases/43/Everything/aarch64/debug/tree", "aarch64", "fedora-debug-43"),
        ("fedora/linux/releases/42/Everything/source/tree", "source", "fedora-source-42"),
        ("fedora/linux/releases/44/Server/x86_64/os", "x86_64", "fedora-install-44"),
        ("fedora/linux/development/45/Everything/x86_64/os", "x86_64", "fedora-45"),
        ("fedora/linux/development/rawhide/Everything/x86_64/os", "x86_64", "rawhide"),
        ("fedora/linux/development/rawhide/Everything/source/tree", "source", "rawhide-source"),
        ("fedora/linux/updates/44/Everything/x86_64", "x86_64", "updates-released-f44"),
        ("fedora/linux/updates/44/Everything/x86_64/debug", "x86_64", "updates-released-debug-f44"),
        ("fedora/linux/updates/testing/44/Everything/x86_64", "x86_64", "updates-testing-f44"),
        ("fedora-secondary/releases/44/Everything/s390x/os", "s390x", "fedora-44"),
        ("epel/10/Everything/ppc64le", "ppc64le", "epel-10"),
        ("epel/testing/9/Everything/x86_64/debug", "x86_64", "testing-debug-epel9"),
        ("codecs/44/x86_64/debug/tree", "x86_64", "fedora-cisco-openh264-debug-44"),
        ("archive/fedora/linux/updates/20/Everything/x86_64", "x86_64", "updates-released-f20"),
        ("archive/fedora/linux/releases/38/Modular/x86_64/os", "x86_64", "fedora-modular-38"),
        ("fedora/linux/releases/test/45_Beta/Everything/x86_64/os", "x86_64", None),
    ],
)
def test_prefixes(path: str, arch: str, prefix: str | None) -> None:
    """A repository's prefix follows from its path as in MirrorManager."""
    found = {subtree.path: subtree for subtree in all_subtrees() if subtree.is_repository}
    assert (found[f"pub/{path}"].arch, found[f"pub/{path}"].prefix) == (arch, prefix)


def test_subtrees_share_nothing() -> None:
    """No directory is in two subtrees, and no prefix with its arch is used twice."""
    subtrees = all_subtrees()
    directories = Counter(name for subtree in subtrees for name in subtree.directories())
    prefixes = Counter((one.prefix, one.arch) for one in subtrees if one.prefix)
    assert max(directories.values()) == max(prefixes.values()) == 1


def test_small_tree_is_part_of_a_big_one() -> None:
    """A bigger scale adds less popular subtrees and keeps the popular ones."""
    small, big = dataset(SMALL).tree.subtrees, dataset(1.0).tree.subtrees
    assert big[: len(small)] == small
    assert {"fedora-44", "updates-released-f44", "epel-10"} <= {one.prefix for one in small}


def test_repomd_has_alternates(path: Path) -> None:
    """A repository that changes daily has older versions of its repomd.xml, others have none."""
    with opened(path) as connection:
        versions = dict(
            connection.execute(
                "SELECT name, count(*) FROM file_detail JOIN directory ON directory_id ="
                " directory.id WHERE filename = 'repomd.xml' GROUP BY name"
            )
        )
    linux = "pub/fedora/linux"
    assert versions[f"{linux}/updates/44/Everything/x86_64/repodata"] == 6
    assert versions[f"{linux}/releases/44/Everything/x86_64/os/repodata"] == 1


def test_export_leaves_nothing_out(path: Path, tmp_path: Path) -> None:
    """Every row of the smallest scale can be exported, in each of its categories."""
    result = export(f"sqlite:///{path}", tmp_path / "mm.snap", resolve_dns=False)
    assert result.left_out == ()
    assert result.counts["hosts"] == 24
    assert result.counts["repositories"] == len(dataset(SMALL).tree.repositories)


# The incumbent's exporter stops at the first NULL in any of these.
@pytest.mark.parametrize(
    "column",
    [
        *("host.bandwidth_int", "host.site_id", "host_netblock.host_id", "host_netblock.netblock"),
        *("host_category_dir.directory_id", "category.topdir_id", "repository.directory_id"),
    ],
)
def test_incumbent_can_read_it(path: Path, column: str) -> None:
    """A column that the incumbent cannot read a NULL of has none."""
    table, _, name = column.partition(".")
    with opened(path) as connection:
        rows = connection.execute(f"SELECT count(*), count({name}) FROM {table}").fetchone()
    assert rows[0] == rows[1] > 0


def test_netblocks_need_no_dns() -> None:
    """Netblocks are networks or addresses in MirrorManager's spellings, never names to look up."""
    rows = dataset(1.0).filling(noise=False).tables["host_netblock"]
    netblocks = [str(row["netblock"]) for row in rows]
    assert all(parse_netblock(text) for text in netblocks)
    assert any("/255.255." in text for text in netblocks)
    assert any("/" not in text for text in netblocks)
