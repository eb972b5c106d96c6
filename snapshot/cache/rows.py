"""Turns a cache into rows of MirrorManager's tables, so that the rules for a database hold for it.

"Sites, names of hosts, peer ASNs, change times, inactive hosts as such, `always_up2date`, and
further categories of a directory are not in the cache": docs/mirrormanager.md#what-the-cache-lacks.
Hosts and URLs keep the ids of the database; all other rows get new ids in the cache's order.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from snapshot.cache.fields import fields
from snapshot.cache.messages import (
    FILES_OF_DIRECTORY,
    HOSTS_OF_DIRECTORY,
    MAPS,
    TIME,
    parse,
    parse_names,
)
from snapshot.export.directories import Carried, Shared
from snapshot.export.leftout import LeftOutRows
from snapshot.export.rows import (
    ArchRow,
    CategoryDirectoryRow,
    CategoryRow,
    ContinentRow,
    CountryAllowedRow,
    DirectoryRow,
    FileDetailRow,
    HostCategoryRow,
    HostRow,
    NetblockCountryRow,
    NetblockRow,
    PeerAsnRow,
    Progress,
    RedirectRow,
    RepositoryRow,
    Rows,
    SiteRow,
    UrlRow,
)
from snapshot.file.errors import CacheError

_SITE = _VERSION = 1
# The progress bar moves once for this many fields.
_FIELDS_A_STEP = 256

Urls = dict[int, tuple[int, ...]]
"""The ids of the URLs of hosts, by host id."""


class Cache:
    """The content of a cache file, not yet turned into rows.

    `directories` maps a name to its subpath and an index in `carriers`, which has each list of
    hosts once. `public` has the hosts that are in the public list of some directory.
    """

    def __init__(self) -> None:
        """Start with nothing read."""
        self.time = 0
        self.maps: dict[str, list[tuple[Any, Any]]] = {name: [] for name, _ in MAPS.values()}
        self.files: list[Any] = []
        self.directories: dict[str, tuple[str, int]] = {}
        self.carriers: list[Urls] = []
        self.public: set[int] = set()
        self._places: dict[bytes, int] = {}
        self._hosts: dict[bytes, tuple[int, tuple[int, ...]]] = {}

    def take(self, number: int, value: bytes | int) -> None:
        """Take one field of the file; raises DecodeError; an unknown field is skipped."""
        if isinstance(value, int):
            self.time = value if number == TIME else self.time
        elif number == HOSTS_OF_DIRECTORY:
            self._take_directory(*parse_names(value))
        elif number == FILES_OF_DIRECTORY:
            self.files.append(parse("FilesOfDirectory", value))
        elif number in MAPS:
            name, message = MAPS[number]
            entry = parse(message, value)
            self.maps[name].append((entry.key, entry.value))

    def _take_directory(self, name: bytes, subpath: bytes, hosts: bytes) -> None:
        # Whole subtrees have the same hosts, so each list is parsed once.
        digest = hashlib.blake2b(hosts, digest_size=16).digest()
        index = self._places.setdefault(digest, len(self.carriers))
        if index == len(self.carriers):
            found = parse("HostsOfDirectory", hosts)
            self.carriers.append(dict(map(self._urls_of_host, found.urls_of_hosts)))
            self.public.update(found.public)
        self.directories[_text(name)] = _text(subpath), index

    def _urls_of_host(self, data: bytes) -> tuple[int, tuple[int, ...]]:
        """Return a host and its URLs; a host has the same ones in nearly all lists."""
        known = self._hosts.get(data)
        if known is None:
            entry = parse("NumberToNumbers", data)
            known = self._hosts[data] = entry.key, tuple(entry.value)
        return known


def read_cache(path: Path, progress: Progress, left_out: LeftOutRows) -> tuple[int, Rows]:
    """Return when the cache's database was read, and its rows; raises CacheError."""
    cache = Cache()
    for count, (number, value, end, size) in enumerate(fields(path)):
        if count % _FIELDS_A_STEP == 0:
            progress(f"reading {path.name}", end, size)
        try:
            cache.take(number, value)
        except DecodeError as error:
            raise CacheError(
                f"{path}: not a mirrorlist cache: its field {number} that ends at byte {end:,}"
                " cannot be read"
            ) from error
    if not cache.time or not cache.directories:
        missing = "directories" if cache.time else "time"
        raise CacheError(f"{path}: not a mirrorlist cache, or cut short: it has no {missing}")
    progress("applying the rules", 1, 1)
    try:
        return cache.time, _rows(cache, left_out)
    except DecodeError as error:
        raise CacheError(f"{path}: not a mirrorlist cache: a file detail cannot be read") from error


def _rows(cache: Cache, left_out: LeftOutRows) -> Rows:
    ids = _directory_ids(cache)
    categories = _Categories(cache)
    arches: dict[str, int] = {}
    asns = _asns(cache)
    maps = cache.maps
    up2date = _up2date(cache, categories, ids)
    return Rows(
        sites=[SiteRow(_SITE, "", False, True, True)],
        hosts=_hosts(cache, asns),
        categories=[
            CategoryRow(id, topdir, ids[topdir]) for id, topdir in enumerate(categories.topdirs)
        ],
        host_categories=[
            HostCategoryRow(id, host, category, False)
            for (category, host), id in categories.members.items()
        ],
        urls=list(_urls(cache, categories, left_out)),
        directories=[DirectoryRow(id, name, True, None) for name, id in ids.items()],
        category_directories=[
            CategoryDirectoryRow(categories.of(name), ids[name]) for name in cache.directories
        ],
        up2date=lambda: up2date,
        repositories=list(_repositories(cache, ids, arches, left_out)),
        arches=[ArchRow(id, name) for name, id in arches.items()],
        file_details=list(_file_details(cache, ids)),
        netblocks=[NetblockRow(id, host, text) for id, (text, host) in _pairs(maps["netblocks"])],
        countries_allowed=[
            CountryAllowedRow(id, host, country)
            for id, (host, country) in _pairs(maps["countries_allowed"])
        ],
        peer_asns=[
            PeerAsnRow(id, host, asn)
            for id, (asn, host) in _pairs(maps["asns"])
            if asns[host] != asn
        ],
        redirects=[RedirectRow(id, *pair) for id, pair in _pairs(maps["redirects"])],
        continents=[ContinentRow(id, *pair) for id, pair in _pairs(maps["continents"])],
        netblock_countries=[
            NetblockCountryRow(id, *pair) for id, pair in _pairs(maps["netblock_countries"])
        ],
    )


def _text(value: bytes) -> str:
    # Broken UTF-8 becomes surrogates, which the rules refuse.
    return value.decode("utf-8", "surrogateescape")


def _pairs(entries: list[tuple[Any, Any]]) -> Iterator[tuple[int, tuple[Any, Any]]]:
    """Yield each pair of key and single value with a number from 1 on; bytes become text."""
    pairs = (
        (key, value)
        for key, values in entries
        for value in ([values] if isinstance(values, bytes | int) else values)
    )
    for number, pair in enumerate(pairs, 1):
        key, value = (_text(one) if isinstance(one, bytes) else one for one in pair)
        yield number, (key, value)


def _topdir(name: str, subpath: str) -> str:
    """Return the topdir of a directory: its name without its subpath."""
    return name[: len(name) - len(subpath)].removesuffix("/") if subpath else name


def _directory_ids(cache: Cache) -> dict[str, int]:
    """Give a number to each directory that is named anywhere, in the order of the names."""
    topdirs = {_topdir(name, subpath) for name, (subpath, _) in cache.directories.items()}
    repositories = {_text(directory) for _, directory in cache.maps["repositories"]}
    files = {_text(one.directory) for one in cache.files}
    names = sorted({*cache.directories} | topdirs | repositories | files)
    return {name: id for id, name in enumerate(names, 1)}


class _Categories:
    """Categories found again: the cache has only topdirs and the URLs of their hosts.

    Two categories may share a topdir and have different URLs on the same host. Then they are two
    categories here too.
    """

    def __init__(self, cache: Cache) -> None:
        self.topdirs: list[str] = []
        self.urls: list[Urls] = []
        self._of: dict[tuple[str, int], int] = {}
        self._cache = cache
        below: dict[str, _Lists] = {}
        for name in sorted(cache.directories):
            subpath, index = cache.directories[name]
            key = _topdir(name, subpath), index
            if key not in self._of:
                lists = below.setdefault(key[0], _Lists())
                self._of[key] = self._find(key[0], lists, cache.carriers[index])
        pairs = ((category, host) for category, urls in enumerate(self.urls) for host in urls)
        self.members = {pair: id for id, pair in enumerate(pairs, 1)}

    def of(self, directory: str) -> int:
        """The category of a directory."""
        subpath, index = self._cache.directories[directory]
        return self._of[_topdir(directory, subpath), index]

    def _find(self, topdir: str, lists: "_Lists", urls: Urls) -> int:
        """The first category of this topdir in which no host has different URLs, or a new one."""
        index = lists.fitting(urls)
        if index == len(lists.categories):
            lists.categories.append(len(self.topdirs))
            self.topdirs.append(topdir)
            self.urls.append({})
        category = lists.categories[index]
        lists.add(
            index, {host: own for host, own in urls.items() if host not in self.urls[category]}
        )
        self.urls[category].update(urls)
        return category


class _Lists:
    """The categories of one topdir, found by the URLs that their hosts have.

    Sets of categories are integers with one bit for each category, so that a thousand categories
    cost as much as one. Even a cache in which each directory needs its own category takes linear
    time.
    """

    def __init__(self) -> None:
        self.categories: list[int] = []
        self._having: dict[int, int] = {}
        # For a host and its URLs: the first category that has them, and the bits from there on.
        self._alike: dict[tuple[int, tuple[int, ...]], tuple[int, int]] = {}

    def fitting(self, urls: Urls) -> int:
        """Return the first place in which no host has different URLs, or the end of the list."""
        others = 0
        for pair in urls.items():
            having = self._having.get(pair[0], 0)
            if having:
                first, alike = self._alike.get(pair, (0, 0))
                others |= having & ~(alike << first)
        return (~others & others + 1).bit_length() - 1

    def add(self, index: int, urls: Urls) -> None:
        """Note that a category has these hosts' URLs too."""
        for pair in urls.items():
            self._having[pair[0]] = self._having.get(pair[0], 0) | 1 << index
            first, alike = self._alike.get(pair, (index, 0))
            least = min(first, index)
            self._alike[pair] = least, alike << (first - least) | 1 << (index - least)


def _hosts(cache: Cache, asns: dict[int, int]) -> list[HostRow]:
    countries, bandwidths = dict(cache.maps["countries"]), dict(cache.maps["bandwidths"])
    carrying = {host for urls in cache.carriers for host in urls}
    return [
        HostRow(
            id=host,
            name=f"host {host}",
            site_id=_SITE,
            admin_active=True,
            user_active=True,
            country=_text(countries.get(host, b"")),
            bandwidth_int=bandwidths.get(host),
            # "A host in 6 that is in no entry's 2 is private."
            # (docs/mirrormanager.md#the-cache-file)
            private=host not in cache.public,
            asn=asns.get(host),
            asn_clients=True,
        )
        for host in sorted({*countries, *bandwidths} | carrying)
    ]


def _asns(cache: Cache) -> dict[int, int]:
    """The ASN of each host; in a cache a host has at most one."""
    return {host: asn for _, (asn, host) in _pairs(cache.maps["asns"])}


def _urls(cache: Cache, categories: _Categories, left_out: LeftOutRows) -> Iterator[UrlRow]:
    texts = dict(cache.maps["urls"])
    for (category, host), host_category in categories.members.items():
        for url in categories.urls[category][host]:
            if url in texts:
                yield UrlRow(url, host_category, _text(texts[url]), False)
            else:
                left_out.add(
                    "host_category_url", url, "a directory names this URL, and it is missing"
                )


def _up2date(cache: Cache, categories: _Categories, ids: dict[str, int]) -> Carried:
    # Whole subtrees have the same hosts: the directories are joined for each list of hosts first.
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for name, (_, index) in cache.directories.items():
        alike[categories.of(name), index].append(ids[name])
    found: dict[int, list[int]] = defaultdict(list)
    for (category, index), directories in alike.items():
        for host in cache.carriers[index]:
            found[categories.members[category, host]] += directories
    shared = Shared()
    return Carried(
        {member: shared.of(directories) for member, directories in found.items()},
        sum(map(len, found.values())),
    )


def _repositories(
    cache: Cache, ids: dict[str, int], arches: dict[str, int], left_out: LeftOutRows
) -> Iterator[RepositoryRow]:
    disabled = {_text(prefix) for prefix, flag in cache.maps["disabled"] if flag}
    for id, (name, directory) in _pairs(cache.maps["repositories"]):
        # Split at the last plus sign, because a prefix may have one and an arch has none.
        prefix, plus, arch = name.rpartition("+")
        if not plus:
            left_out.add("repository", id, "no plus sign between prefix and arch")
            continue
        arch_id = arches.setdefault(arch, len(arches) + 1)
        yield RepositoryRow(id, prefix, _VERSION, arch_id, ids[directory], prefix in disabled)


def _file_details(cache: Cache, ids: dict[str, int]) -> Iterator[FileDetailRow]:
    # "Details of a file stand newest first" (docs/mirrormanager.md#the-cache-file). The rules put
    # the higher id first if timestamps are equal, so ids fall here.
    id = 0
    for directory in cache.files:
        for file in (parse("File", one) for one in directory.files):
            for found in (parse("FileDetails", one) for one in file.details):
                id -= 1
                yield FileDetailRow(
                    id,
                    ids[_text(directory.directory)],
                    _text(file.filename),
                    # "0 stands for NULL" (docs/mirrormanager.md#the-cache-file).
                    found.timestamp or None,
                    found.size,
                    *(_text(getattr(found, name)) for name in ("md5", "sha1", "sha256", "sha512")),
                )
