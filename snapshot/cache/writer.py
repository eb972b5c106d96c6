"""Writes what a snapshot says as the cache file that mirrorlist-server reads.

Fields are those of docs/mirrormanager.md#the-cache-file. The ids of URLs are numbers within the
file. Not written is what mirrorlist-server never looks at: LocationCache, HostMaxConnectionCache
and the hosts for Internet2.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_network, summarize_address_range
from typing import NamedTuple

from snapshot.cache.messages import make
from snapshot.file.model import FileDetail, Host, Ranges, SnapshotData

_HASHES = ("md5", "sha1", "sha256", "sha512")


def encode_cache(data: SnapshotData, redirected: Mapping[str, str]) -> bytes:
    """Return the bytes of a cache file; `redirected` are the continents that the database gives.

    The other continents are left out, because mirrorlist-server has them from a file of its own.
    """
    urls = _Urls(data)
    return b"".join(
        (
            make(
                "Cache",
                time=data.read,
                netblock_countries=_texts(_netblock_countries(data.country_ranges)),
                urls=[make("NumberToText", key=id, value=url) for id, url in urls.texts()],
                files=list(_files(data)),
                disabled=[
                    make("TextToFlag", key=prefix.encode(), value=True)
                    for prefix in sorted({one.prefix for one in data.repositories if one.disabled})
                ],
                continents=_texts(redirected.items()),
                redirects=_texts(data.redirects.items()),
                repositories=_texts(_repositories(data)),
                netblocks=list(_netblocks(data)),
                **_of_hosts(data.hosts),
            ),
            *_directories(data, urls),
        )
    )


class _Urls:
    """Numbers for the URLs of each host in each category."""

    def __init__(self, data: SnapshotData) -> None:
        self._texts: list[str] = []
        self._entries = [
            {one.host: self._entry(data.hosts[one.host].id, one.urls) for one in category.hosts}
            for category in data.categories
        ]

    def _entry(self, host: int, urls: tuple[str, ...]) -> bytes:
        first = len(self._texts) + 1
        self._texts += urls
        return make("NumberToNumbers", key=host, value=range(first, len(self._texts) + 1))

    def texts(self) -> Iterator[tuple[int, bytes]]:
        """Yield each id with its URL."""
        return ((id, url.encode()) for id, url in enumerate(self._texts, 1))

    def entry(self, category: int, host: int) -> bytes:
        """Return a host with the ids of its URLs in a category, as it stands in directories."""
        return self._entries[category][host]


def _texts(pairs: Iterable[tuple[str, str]]) -> list[bytes]:
    return [make("TextToText", key=key.encode(), value=value.encode()) for key, value in pairs]


def _repositories(data: SnapshotData) -> Iterator[tuple[str, str]]:
    for one in data.repositories:
        yield f"{one.prefix}+{one.arch}", data.directories[one.directory].name


def _of_hosts(hosts: list[Host]) -> dict[str, list[bytes]]:
    """Return the maps whose keys or values are hosts, by their names."""
    asns: dict[int, list[int]] = defaultdict(list)
    for host in hosts:
        for asn in host.asns:
            asns[asn].append(host.id)
    return {
        "asns": [make("NumberToNumbers", key=asn, value=ids) for asn, ids in sorted(asns.items())],
        "countries": [
            make("NumberToText", key=host.id, value=host.country.encode()) for host in hosts
        ],
        "bandwidths": [make("NumberToNumber", key=host.id, value=host.bandwidth) for host in hosts],
        "countries_allowed": [
            make("NumberToTexts", key=host.id, value=[one.encode() for one in allowed])
            for host in hosts
            if (allowed := host.countries_allowed) and not host.inactive
        ],
    }


class _Network(NamedTuple):
    version: int
    first: int
    prefix_length: int

    def __str__(self) -> str:
        address = ip_address(self.first.to_bytes(4 if self.version == 4 else 16, "big"))
        return str(ip_network((address, self.prefix_length)))


def _netblocks(data: SnapshotData) -> Iterator[bytes]:
    """Yield the netblocks of hosts, found again in the ranges: each chain has those around it."""
    found: dict[_Network, tuple[int, ...]] = {}
    for version, first, _, value in _known(data.netblock_ranges):
        for one in data.netblock_chains[value - 1]:
            rest = (32 if version == 4 else 128) - one.prefix_length
            found[_Network(version, first >> rest << rest, one.prefix_length)] = one.hosts
    for network, hosts in sorted(found.items()):
        ids = [data.hosts[host].id for host in hosts]
        yield make("TextToNumbers", key=str(network).encode(), value=ids)


def _netblock_countries(ranges: Ranges) -> Iterator[tuple[str, str]]:
    for version, first, last, value in _known(ranges):
        size = 4 if version == 4 else 16
        ends = (ip_address(one.to_bytes(size, "big")) for one in (first, last))
        for network in summarize_address_range(*ends):
            yield str(network), chr(value >> 8) + chr(value & 0xFF)


def _known(ranges: Ranges) -> Iterator[tuple[int, int, int, int]]:
    """Yield the IP version, the first and last address, and the value of each range with one."""
    families = (4, 32, ranges.starts4, ranges.values4), (6, 128, ranges.starts6, ranges.values6)
    for version, bits, starts, values in families:
        ends = [*starts[1:], 1 << bits]
        for first, end, value in zip(starts, ends, values, strict=False):
            if value:
                yield version, first, end - 1, value


def _files(data: SnapshotData) -> Iterator[bytes]:
    for directory, files in data.file_details.items():
        named = [
            make("File", filename=name.encode(), details=list(map(_details, versions)))
            for name, versions in files.items()
        ]
        name = data.directories[directory].name
        yield make("FilesOfDirectory", directory=name.encode(), files=named)


def _details(detail: FileDetail) -> bytes:
    hashes = {name: getattr(detail, name).hex().encode() for name in _HASHES}
    known = {name: text for name, text in hashes.items() if text}
    return make("FileDetails", timestamp=detail.timestamp, size=detail.size, **known)


def _directories(data: SnapshotData, urls: _Urls) -> Iterator[bytes]:
    """Yield the directories that are in a category, with their hosts."""
    # Whole subtrees have the same hosts: these are written once, and copied. Messages that are
    # joined are one message with the fields of both.
    known: dict[tuple[int, int], bytes] = {}
    for one in data.directories:
        if one.category is None or one.host_set is None:
            continue
        key = one.category, one.host_set
        if key not in known:
            known[key] = _hosts(data, one.category, data.host_sets[one.host_set], urls)
        topdir = data.categories[one.category].topdir
        subpath = one.name[len(topdir) :].removeprefix("/")
        names = make("NamesOfDirectory", directory=one.name.encode(), subpath=subpath.encode())
        yield make("Cache", directories=[names + known[key]])


def _hosts(data: SnapshotData, category: int, bits: int, urls: _Urls) -> bytes:
    indexes = [index for index, bit in enumerate(reversed(f"{bits:b}")) if bit == "1"]
    public = [host for host in (data.hosts[index] for index in indexes) if not host.private]
    countries: dict[str, list[int]] = defaultdict(list)
    for host in public:
        countries[host.country].append(host.id)
    return make(
        "HostsOfDirectory",
        public=[host.id for host in public],
        by_country=[
            make("TextToNumbers", key=country.encode(), value=ids)
            for country, ids in sorted(countries.items())
        ],
        urls_of_hosts=[urls.entry(category, index) for index in indexes],
    )
