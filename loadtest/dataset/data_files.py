"""Data files that go with the database: ASNs, GeoIP, continents, and a request log."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

from loadtest.common.progress import Phases
from loadtest.dataset.chance import chance
from loadtest.dataset.details import NOW
from loadtest.dataset.network import Internet
from loadtest.dataset.workload import Workload
from snapshot.export.continents import built_in_continents
from snapshot.file.errors import OutputError

ASN_FILE, GEOIP_FILE = "asn.txt", "geoip.mmdb"
CONTINENT_FILE, LOG_FILE = "country_continent.csv", "requests.log"

ASN_LINES = 311_000
"""How many prefixes the Internet announces, at each scale."""

_MORE_SPECIFIC_V6 = 45_000
# Of the more specific prefixes, those that somebody else than the block's operator announces.
_FOREIGN = 0.3
_LANGUAGES = ("de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN")


def check_room(directory: Path, replace: bool) -> None:
    """Make the directory; raise OutputError if one of the files is there and `replace` is false."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{directory}: cannot be made: {error.strerror}") from error
    for name in (ASN_FILE, GEOIP_FILE, CONTINENT_FILE, LOG_FILE):
        if (directory / name).exists() and not replace:
            raise OutputError(f"{directory / name}: is there already; --replace overwrites it")


def write_data_files(
    directory: Path,
    seed: int,
    internet: Internet,
    workload: Workload,
    requests: int,
    phases: Phases,
) -> None:
    """Write all data files, with a log of this many requests; raises OutputError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lines = phases.counted(ASN_FILE, asn_lines(seed, internet), ASN_LINES)
        _write_lines(directory / ASN_FILE, lines)
        with phases.phase(GEOIP_FILE):
            write_geoip(directory / GEOIP_FILE, internet)
        continents = sorted(built_in_continents().items())
        _write_lines(directory / CONTINENT_FILE, (",".join(pair) for pair in continents))
        lines = phases.counted(LOG_FILE, islice(log_lines(seed, workload), requests), requests)
        _write_lines(directory / LOG_FILE, lines)
    except OSError as error:
        raise OutputError(f"{error.filename}: cannot be written: {error.strerror}") from error


def asn_lines(seed: int, internet: Internet) -> Iterator[str]:
    """Yield the lines `prefix ASN`: each block, and more specific prefixes within it."""
    source = chance(seed, "asn")
    blocks4, blocks6 = _tops(internet, 4), _tops(internet, 6)
    more4 = ASN_LINES - len(blocks4) - len(blocks6) - _MORE_SPECIFIC_V6
    for (top, asn), parts in zip(blocks4, _parts(len(blocks4), 8, more4, source), strict=True):
        first, second = divmod(top, 256)
        yield f"{first}.{second}.0.0/16 {asn}"
        for part in parts:
            yield f"{first}.{second}.{part}.0/24 {_origin(asn, internet, source)}"
    parts6 = _parts(len(blocks6), 16, _MORE_SPECIFIC_V6, source)
    for (top, asn), parts in zip(blocks6, parts6, strict=True):
        first, second = divmod(top, 1 << 16)
        yield f"{first:x}:{second:x}::/32 {asn}"
        for part in parts:
            yield f"{first:x}:{second:x}:{part:x}::/48 {_origin(asn, internet, source)}"


def write_geoip(path: Path, internet: Internet) -> None:
    """Write the operators' blocks in the shape of GeoLite2-Country; its build time is now."""
    blocks: defaultdict[str, list[str]] = defaultdict(list)
    for operator in internet.operators:
        blocks[operator.country] += [str(block) for block in (*operator.v4, *operator.v6)]
    writer = MMDBWriter(
        ip_version=6,
        ipv4_compatible=True,
        database_type="GeoLite2-Country",
        languages=list(_LANGUAGES),
        description="Synthetic countries for load tests",
    )
    for country in sorted(blocks):
        writer.insert_network(IPSet(blocks[country]), _record(country))
    writer.to_db_file(str(path))


def log_lines(seed: int, workload: Workload) -> Iterator[str]:
    """Yield lines of a request log for ever, in MirrorManager's format."""
    date = datetime.fromtimestamp(NOW, UTC).date()
    for address, country, repo, arch in workload.requests(seed):
        yield f"IP: {address}; DATE: {date}; COUNTRY: {country}; REPO: {repo}; ARCH: {arch}"


def _tops(internet: Internet, version: int) -> list[tuple[int, int]]:
    """The leading bits of each block of one family, with its operator's ASN, sorted."""
    return sorted(
        (int(block.network_address) >> (block.max_prefixlen - block.prefixlen), operator.asn)
        for operator in internet.operators
        for block in (operator.v4 if version == 4 else operator.v6)
    )


def _parts(blocks: int, bits: int, count: int, source: Random) -> list[list[int]]:
    """Numbers of `bits` bits for each block, `count` in all, sorted and without repetition."""
    parts: list[list[int]] = [[] for _ in range(blocks)]
    for number in sorted(source.sample(range(blocks << bits), count)):
        parts[number >> bits].append(number % (1 << bits))
    return parts


def _origin(asn: int, internet: Internet, source: Random) -> int:
    return source.choice(internet.spare_asns) if source.random() < _FOREIGN else asn


def _record(country: str) -> dict[str, object]:
    """A record as long as the real one: names in eight languages make decoding it slow."""
    continent = built_in_continents()[country]
    named = {"iso_code": country, "names": dict.fromkeys(_LANGUAGES, f"Country {country}")}
    return {
        "continent": {"code": continent, "names": dict.fromkeys(_LANGUAGES, continent)},
        "country": named,
        "registered_country": named,
    }


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
