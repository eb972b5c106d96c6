"""The load tests' data set: seeded, as big as asked for, and with data files that fit it."""

import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

import pytest

from loadtest.common.sizes import sizes
from loadtest.dataset.data_files import (
    ASN_FILE,
    ASN_LINES,
    CONTINENT_FILE,
    GEOIP_FILE,
    LOG_FILE,
    check_room,
    log_lines,
    write_geoip,
)
from loadtest.dataset.dataset import Dataset
from loadtest.dataset.tree import all_subtrees
from loadtest.dataset.workload import ClientRequest
from mirrorlist.request.address import parse_address
from mirrorlist.request.geo import MmdbGeo
from snapshot.export.asn import read_asn_netblocks
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.export.leftout import LeftOutRows
from snapshot.file.errors import OutputError
from tests.dataset_rows import QUIET, SMALL, digest, fill_small

LINES = 3_000


@cache
def dataset(scale: float, seed: int = 1) -> Dataset:
    """The data set of a scale, made once."""
    return Dataset(scale, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All data files; the longest takes a second."""
    folder = tmp_path_factory.mktemp("data")
    dataset(SMALL).write_files(folder, LINES, QUIET)
    return folder


@pytest.fixture(scope="module")
def geoip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The GeoIP file alone."""
    path = tmp_path_factory.mktemp("geoip") / GEOIP_FILE
    write_geoip(path, dataset(SMALL).internet)
    return path


@pytest.fixture(scope="module")
def requests() -> list[ClientRequest]:
    """The requests that are in the log."""
    return list(islice(dataset(SMALL).workload.requests(1), LINES))


DIGEST = f"""
from loadtest.dataset.dataset import Dataset; from tests.dataset_rows import digest
print(digest(Dataset({SMALL}, 1)))
"""


# Figures of different commits can be compared only if they are of the same rows.
ROWS = "110ca019460044317121ef428c8a96a21e6267f7226fc1d82de454a644773948"


def test_same_seed_same_rows() -> None:
    """A seed gives the same rows in any release."""
    assert digest(dataset(SMALL)) == ROWS


@pytest.mark.system
def test_same_seed_same_rows_elsewhere() -> None:
    """A seed gives the same rows in any process, whatever hashes strings have."""
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", DIGEST]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ROWS


def test_other_seed_other_rows() -> None:
    """Another seed gives other rows of each table that chance has a part in."""
    one, two = (dataset(SMALL, seed).rows(noise=False) for seed in (1, 2))
    alike = {name for name, rows in one.tables.items() if rows == two.tables[name]}
    assert alike == {
        *("product", "arch", "version", "category", "category_directory"),
        *("repository", "repository_redirect", "country_continent_redirect"),
        "host_country_allowed",  # so few hosts have none
    }
    assert list(one.giant()) != list(two.giant())


# What mirrorlist-server was measured with.
@pytest.mark.parametrize(
    ("scale", "hosts", "directories", "rows"),
    [
        pytest.param(1.0, 430, 16_414, 2_340_000, id="scale 1"),
        pytest.param(2.5, 1_075, 32_659, 9_700_000, id="scale 2.5", marks=pytest.mark.system),
    ],
)
def test_sizes(scale: float, hosts: int, directories: int, rows: int) -> None:
    """A scale has the counts of that measurement at least, and hardly more."""
    made = dataset(scale)
    counts = {
        "hosts": (len(made.hosts), hosts),
        "directories": (len(made.tree.directories), directories),
        "rows": (made.coverage.row_count, rows),
    }
    assert all(least <= count <= 1.02 * least for count, least in counts.values()), counts


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


def test_export_leaves_nothing_out(tmp_path: Path) -> None:
    """Every row of the smallest scale can be exported, in each of its categories."""
    database = f"sqlite:///{tmp_path / 'mm.sqlite'}"
    fill_small(database)
    result = export(database, Job(tmp_path / "mm.snap", resolve_dns=False))
    assert result.left_out == ()
    assert result.counts["hosts"] == 24
    assert result.counts["repositories"] == len(dataset(SMALL).tree.repositories)


@pytest.mark.system
def test_asn_file_is_as_long_as_the_real_one(folder: Path) -> None:
    """The ASN file has 311,000 different prefixes of both families, and the exporter reads all."""
    prefixes = [line.split()[0] for line in (folder / ASN_FILE).read_text().splitlines()]
    assert len(prefixes) == len(set(prefixes)) == ASN_LINES
    assert sum(":" in prefix for prefix in prefixes) > 40_000
    left_out = LeftOutRows()
    asns = {host.asn for host in dataset(SMALL).hosts if host.asn}
    assert set(read_asn_netblocks(folder / ASN_FILE, left_out).ranges(asns).values4) == asns | {0}
    assert left_out.sorted() == ()


def test_geoip_file_knows_the_clients(geoip: Path, requests: list[ClientRequest]) -> None:
    """GeoIP knows each client's country, unless it is in the block that nobody has."""
    geo = MmdbGeo(geoip)
    assert "GeoLite2-Country" in geo.name
    for request in requests:
        address = parse_address(request.address)
        assert address
        nowhere = ip_address(request.address) in dataset(SMALL).internet.nowhere
        assert geo.country(address) == (None if nowhere else request.country)


def test_log_is_in_mirrormanagers_format(requests: list[ClientRequest]) -> None:
    """The log has one line for each request, as MirrorManager's statistics read it."""
    lines = list(islice(log_lines(1, dataset(SMALL).workload), LINES))
    form = "IP: {0.address}; DATE: 2026-11-01; COUNTRY: {0.country}; REPO: {0.repo}; ARCH: {0.arch}"
    assert lines == [form.format(request) for request in requests]
    assert re.fullmatch(
        r"IP: [0-9a-f.:]+; DATE: \d{4}-\d\d-\d\d; COUNTRY: ([A-Z]{2}|N/A); REPO: \S+; ARCH: \w+",
        lines[0],
    )


@pytest.mark.system
def test_all_files_are_written(folder: Path, geoip: Path) -> None:
    """Beside the ASN file are the GeoIP file, the continents, and a log of this many requests."""
    assert {path.name for path in folder.iterdir()} == {
        *(ASN_FILE, GEOIP_FILE, CONTINENT_FILE, LOG_FILE)
    }
    lines = list(islice(log_lines(1, dataset(SMALL).workload), LINES))
    assert (folder / LOG_FILE).read_text().splitlines() == lines
    assert (folder / GEOIP_FILE).stat().st_size == geoip.stat().st_size


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    """Data files are overwritten only when asked for."""
    (tmp_path / LOG_FILE).write_text("mine")
    with pytest.raises(OutputError, match=r"requests\.log: is there already; --replace"):
        check_room(tmp_path, replace=False)
    check_room(tmp_path, replace=True)
    assert (tmp_path / LOG_FILE).read_text() == "mine"
