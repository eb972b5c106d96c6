"""The load test's data files: ASNs, GeoIP and a request log that fit the database."""

import re
from collections import Counter
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

import pytest

from loadtest.data_files import (
    ASN_FILE,
    ASN_LINES,
    CONTINENT_FILE,
    GEOIP_FILE,
    LOG_FILE,
    check_room,
    write_data_files,
)
from loadtest.dataset import Dataset
from loadtest.workload import Request
from mirrorlist.address import parse_address
from mirrorlist.geo import MmdbGeo
from snapshot.export.asn import read_asn_netblocks
from snapshot.export.continents import built_in_continents, read_continents
from snapshot.export.leftout import LeftOutRows
from snapshot.file.errors import OutputError
from tests.dataset_rows import QUIET
from tests.test_addresses import value_at

LINES = 3_000


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """A data set that has repositories of many kinds."""
    return Dataset(0.25, 1)


@pytest.fixture(scope="module")
def folder(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All data files."""
    folder = tmp_path_factory.mktemp("data")
    write_data_files(folder, dataset.seed, dataset.internet, dataset.workload, LINES, QUIET)
    return folder


@pytest.fixture(scope="module")
def requests(dataset: Dataset) -> list[Request]:
    """The requests that are in the log."""
    return list(islice(dataset.workload.requests(dataset.seed), LINES))


def test_asn_file_is_as_long_as_the_real_one(folder: Path) -> None:
    """The ASN file has 311,000 different prefixes of both families."""
    prefixes = [line.split()[0] for line in (folder / ASN_FILE).read_text().splitlines()]
    assert len(prefixes) == len(set(prefixes)) == ASN_LINES
    assert sum(":" in prefix for prefix in prefixes) > 40_000


def test_asn_file_has_the_hosts_asns_with_holes(folder: Path, dataset: Dataset) -> None:
    """All ASNs of hosts announce blocks, in which somebody else announces smaller ones."""
    asns = {host.asn for host in dataset.hosts if host.asn}
    left_out = LeftOutRows()
    ranges = read_asn_netblocks(folder / ASN_FILE, left_out).ranges(asns)
    assert left_out.sorted() == ()
    assert set(ranges.values4) == asns | {0}
    assert set(ranges.values6) - {0} <= asns
    operator = next(one for one in dataset.internet.operators if one.asn in asns)
    start = str(operator.v4[0]).removesuffix("0.0/16")
    lines = [line.split() for line in (folder / ASN_FILE).read_text().splitlines()]
    inside = {network: int(asn) for network, asn in lines if network.startswith(start)}
    assert inside.pop(str(operator.v4[0])) == operator.asn
    assert {asn == operator.asn for asn in inside.values()} == {True, False}
    for network, asn in inside.items():
        expected = operator.asn if asn == operator.asn else 0
        assert value_at(ranges, network.removesuffix("0/24") + "1") == expected


def test_geoip_file_is_of_the_real_shape(folder: Path) -> None:
    """The GeoIP file says that it is a GeoLite2-Country one, and the server reads it."""
    assert "GeoLite2-Country" in MmdbGeo(folder / GEOIP_FILE).name


def test_geoip_file_knows_the_clients(
    folder: Path, dataset: Dataset, requests: list[Request]
) -> None:
    """GeoIP knows each client's country, unless it is in the block that nobody has."""
    geo = MmdbGeo(folder / GEOIP_FILE)
    for request in requests:
        address = parse_address(request.address)
        assert address
        if ip_address(request.address) in dataset.internet.nowhere:
            assert geo.country(address) is None
        else:
            assert geo.country(address) == request.country


def test_continents_are_complete(folder: Path) -> None:
    """The file of continents has the built-in table."""
    assert read_continents(folder / CONTINENT_FILE) == built_in_continents()


def test_log_is_in_the_incumbents_format(folder: Path, requests: list[Request]) -> None:
    """The log has one line for each request, as MirrorManager's statistics read it."""
    lines = (folder / LOG_FILE).read_text().splitlines()
    form = "IP: {0.address}; DATE: 2026-11-01; COUNTRY: {0.country}; REPO: {0.repo}; ARCH: {0.arch}"
    assert lines == [form.format(request) for request in requests]
    assert re.fullmatch(
        r"IP: [0-9a-f.:]+; DATE: \d{4}-\d\d-\d\d; COUNTRY: ([A-Z]{2}|N/A); REPO: \S+; ARCH: \w+",
        lines[0],
    )


def test_few_repositories_get_most_requests(requests: list[Request]) -> None:
    """Updates and releases of the newest two Fedoras and EPEL come first, in that sense."""
    counts = Counter((request.repo, request.arch) for request in requests)
    popular = [
        *("fedora-44", "updates-released-f44", "fedora-43", "updates-released-f43"),
        *("epel-10", "epel-9", "epel-8"),
    ]
    first = {repo for (repo, _), _ in counts.most_common(9)}
    assert first >= set(popular)
    assert 0.3 < sum(counts[repo, "x86_64"] for repo in popular) / LINES < 0.7
    assert len(counts) > 100


def test_few_requests_are_for_unknown_repositories(
    dataset: Dataset, requests: list[Request]
) -> None:
    """About two in a hundred requests name no repository, half of them one that is redirected."""
    known = {subtree.prefix for subtree in dataset.tree.repositories}
    unknown = Counter(request.repo for request in requests if request.repo not in known)
    assert 0.01 < unknown.total() / LINES < 0.04
    assert unknown["epel-latest"] > 0
    assert unknown["my-repo"] > 0


def test_clients_are_of_every_kind(dataset: Dataset, requests: list[Request]) -> None:
    """Clients have IPv4 or IPv6, some are in a host's netblock, a few have no country."""
    blocks = [block for host in dataset.hosts for block in host.netblocks]
    addresses = [ip_address(request.address) for request in requests]
    six = sum(address.version == 6 for address in addresses)
    inside = sum(any(address in block for block in blocks) for address in addresses)
    nowhere = sum(request.country == "N/A" for request in requests)
    assert 0.15 < six / LINES < 0.3
    assert 0.04 < inside / LINES < 0.2
    assert 0.005 < nowhere / LINES < 0.02


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    """Data files are overwritten only when asked for."""
    (tmp_path / LOG_FILE).write_text("mine")
    with pytest.raises(OutputError, match=r"requests\.log: is there already; --replace"):
        check_room(tmp_path, replace=False)
    check_room(tmp_path, replace=True)
    assert (tmp_path / LOG_FILE).read_text() == "mine"
