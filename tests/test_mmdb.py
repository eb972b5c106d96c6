"""mmdb files in Python: what they say, and whatever is damaged in them."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import maxminddb
import pytest

from snapshot.export.asn import read_asn_netblocks
from snapshot.export.leftout import LeftOutRows
from snapshot.file.errors import DataFileError
from snapshot.file.mmdb import Mmdb, read_mmdb
from snapshot.file.mmdb_values import DamagedMmdb
from tests.command import run_program
from tests.mmdb import write_mmdb
from tests.snapshots import small_content

RECORDS = {
    "80.1.0.0/16": {"autonomous_system_number": 64500, "autonomous_system_organization": "é" * 40},
    "80.3.4.0/24": {"autonomous_system_number": 4200000000, "list": [1, -2, 0.5, True, b"x"]},
    "2001:db8::/48": {"autonomous_system_number": 64501, "long": "x" * 70_000, "n": 1 << 100},
    "2001:db8:1::/64": {"autonomous_system_number": 64500, "more": "y" * 300},
}
DAMAGED = "damaged: "


@pytest.mark.parametrize("ip", [4, 6])
def test_networks(tmp_path: Path, ip: int) -> None:
    """Networks and records are those that the format's own reader finds."""
    records = {name: found for name, found in RECORDS.items() if ip == 6 or ":" not in name}
    path = write_mmdb(tmp_path / "x.mmdb", records, "x", ip)
    with maxminddb.open_database(path, maxminddb.MODE_FILE) as database:
        expected = {(str(network), repr(record)) for network, record in database}
    mmdb = Mmdb(read_mmdb(path))
    found = set()
    for version, address, length, place in mmdb.networks():
        network = (IPv4Network if version == 4 else IPv6Network)((address, length))
        found.add((str(network), repr(mmdb.value(place))))
    assert found == expected
    assert len(found) == len(records)


@pytest.mark.parametrize("size", [24, 28, 32])
def test_record_sizes(tmp_path: Path, size: int) -> None:
    """Nodes of each of the three sizes are read alike."""
    path = write_mmdb(tmp_path / "x.mmdb", RECORDS, "x")
    small = Mmdb(read_mmdb(path))
    resized = Mmdb(_resized(read_mmdb(path), small, size))
    assert list(resized.networks()) == list(small.networks())
    assert resized.metadata.record_size == size


def _resized(data: bytes, mmdb: Mmdb, size: int) -> bytes:
    """The same file with nodes of another size."""
    old, tree = mmdb.metadata.record_size, bytearray()
    numbers = list(mmdb._records)
    for left, right in zip(numbers[::2], numbers[1::2], strict=True):
        if size == 28:
            middle = bytes([left >> 24 << 4 | right >> 24])
            tree += left.to_bytes(4, "big")[1:] + middle + right.to_bytes(4, "big")[1:]
        else:
            tree += left.to_bytes(size // 8, "big") + right.to_bytes(size // 8, "big")
    rest = data[len(numbers) * old // 8 :]
    key = b"\x4brecord_size"
    place = rest.rindex(key) + len(key)
    assert rest[place + 1] == old
    return bytes(tree) + rest[: place + 1] + bytes([size]) + rest[place + 2 :]


def _spoilt(path: Path, change: Callable[[bytearray, int], None]) -> None:
    data = bytearray(write_mmdb(path, RECORDS, "x").read_bytes())
    mmdb = Mmdb(bytes(data))
    change(data, mmdb.metadata.node_count * mmdb.metadata.record_size // 4)
    path.write_bytes(data)


def _number(data: bytearray, place: int, value: int) -> None:
    data[place : place + 3] = value.to_bytes(3, "big")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda data, tree: _number(data, 0, 0), "hang together", id="a circle"),
        pytest.param(lambda data, tree: _number(data, 0, 5), "hang together", id="a lost node"),
        pytest.param(
            lambda data, tree: _number(data, tree - 3, 0xFFFFFF), "outside", id="far outside"
        ),
        pytest.param(
            lambda data, tree: _number(data, tree - 3, tree // 6 + 3), "outside", id="in the gap"
        ),
        pytest.param(
            lambda data, tree: data.__setitem__(tree + 7, 1), "does not end", id="a full gap"
        ),
        pytest.param(
            lambda data, tree: data.__delitem__(slice(0, 600)), "its tree", id="cut in front"
        ),
        pytest.param(
            lambda data, tree: data.__setitem__(tree + 16, 0xFF), "a record", id="a huge map"
        ),
        pytest.param(
            lambda data, tree: data.__setitem__(slice(tree + 16, tree + 18), b"\x20\x00"),
            "a record", id="a pointer to itself",
        ),
    ],
)  # fmt: skip
def test_what_is_damaged(
    tmp_path: Path, change: Callable[[bytearray, int], None], says: str
) -> None:
    """Each kind of damage is told, in one line that names the file."""
    path = tmp_path / "x.mmdb"
    _spoilt(path, change)
    with pytest.raises(DataFileError, match=says) as error:
        read_asn_netblocks(path, LeftOutRows())
    assert str(error.value).startswith(f"{path}: {DAMAGED}")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with a large tree."""
    networks = {f"80.{n}.{m}.0/24": {"n": n} for n in range(0, 40, 2) for m in range(0, 60, 3)}
    return write_mmdb(tmp_path_factory.mktemp("large") / "x.mmdb", networks, "x").read_bytes()


def test_a_sample_of_a_large_tree(large: bytes) -> None:
    """Of a large tree a number of ends that has a limit is looked at, left and right ones."""
    whole, sample = Mmdb(large), Mmdb(large, 200)
    assert len(sample.records) < len(whole.records)
    assert {*sample.records} < {*whole.records}
    assert Mmdb(large, 1 << 20).records == whole.records


@pytest.mark.parametrize(
    ("fill", "says"),
    [
        pytest.param(lambda data, at: bytes(600), "hang together", id="zeros"),
        pytest.param(lambda data, at: data[:6] * 300, "hang together", id="the same again"),
        pytest.param(lambda data, at: b"\xff" * 6, "outside", id="one far outside"),
    ],
)
def test_a_sample_finds_damage(
    large: bytes, fill: Callable[[bytes, int], bytes], says: str
) -> None:
    """A damaged part of a large tree is found by a sample, a number that is too large by itself."""
    data = bytearray(large)
    new = fill(bytes(data), 1800)
    data[1800 : 1800 + len(new)] = new
    with pytest.raises(DamagedMmdb, match=says):
        Mmdb(bytes(data), 400)


def test_pointers_that_grow(tmp_path: Path) -> None:
    """Thirty maps, each pointing twice at the next one, are refused and not unfolded."""
    path = tmp_path / "x.mmdb"
    data = bytearray(write_mmdb(path, {"80.1.0.0/16": {"a": "x" * 400}}, "x").read_bytes())
    mmdb = Mmdb(bytes(data))
    start = mmdb.metadata.node_count * mmdb.metadata.record_size // 4 + 16
    (place,) = mmdb.records
    for level in range(30):
        after = (place + 9 * (level + 1)).to_bytes(2, "big")
        pointer = bytes([0x20 | (after[0] & 7), after[1]])
        at = start + place + 9 * level
        data[at : at + 9] = b"\xe2\x41a" + pointer + b"\x41b" + pointer
    with pytest.raises(DamagedMmdb):
        Mmdb(bytes(data)).value(place)


FUZZ = """
import sys
from pathlib import Path
from mirrorlist.request.address import parse_address
from mirrorlist.errors import GeoipError
from mirrorlist.request.geo import MmdbGeo
from snapshot.export.asn import read_asn_netblocks
from snapshot.file.errors import DataFileError
from snapshot.export.leftout import LeftOutRows
from tests.mutations import mutated

asn, geo, folder, first, last = sys.argv[1:]
asn, geo, path = Path(asn).read_bytes(), Path(geo).read_bytes(), Path(folder, "damaged.mmdb")
texts = "80.1.0.1", "80.3.4.9", "2001:db8::1", "::", "9.9.9.9"
addresses = [parse_address(text) for text in texts]
for seed in range(int(first), int(last)):
    path.write_bytes(mutated(asn, seed))
    try:
        read_asn_netblocks(path, LeftOutRows()).ranges({64500})
    except DataFileError as error:
        assert "\\n" not in str(error), seed
    path.write_bytes(mutated(geo, seed))
    try:
        found = MmdbGeo(path)
    except GeoipError as error:
        assert "\\n" not in str(error), seed
        continue
    for address in addresses:
        country = found.country(address)
        assert country is None or len(country) == 2, (seed, country)
"""


def _fuzz(folder: Path, first: int, last: int) -> None:
    asn = write_mmdb(folder / "asn.mmdb", RECORDS, "GeoLite2-ASN")
    countries = {
        name: {"country": {"iso_code": "DE"}, **record} for name, record in RECORDS.items()
    }
    geo = write_mmdb(folder / "geo.mmdb", countries)
    # In a process of its own: the fault that this looks for is one that ends it.
    done = run_program(FUZZ, asn, geo, folder, first, last)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_mutations(tmp_path: Path) -> None:
    """However an ASN or GeoIP file is damaged, it is refused in one line or answers."""
    _fuzz(tmp_path, 0, 40)


@pytest.mark.system
def test_many_mutations(tmp_path: Path) -> None:
    """The same for 1,500 kinds of damage: the reader in C had died of 15 of them."""
    _fuzz(tmp_path, 1000, 2500)


OVERWRITTEN = """
import sys
from pathlib import Path
from threading import Thread
from mirrorlist.errors import GeoipError
from mirrorlist.request.geo import MmdbGeo
from snapshot.export.asn import read_asn_netblocks
from snapshot.file.errors import DataFileError, SnapshotError
from snapshot.export.leftout import LeftOutRows
from snapshot.file.reader import Snapshot

READERS = {
    "mmdb": lambda path: (read_asn_netblocks(path, LeftOutRows()), MmdbGeo(path)),
    "txt": lambda path: read_asn_netblocks(path, LeftOutRows()),
    "snap": Snapshot,
}
path = Path(sys.argv[1])
content, done = path.read_bytes(), False

def overwrite():
    while not done:
        with path.open("r+b") as file:
            file.truncate(0)
            file.write(content)

thread = Thread(target=overwrite)
thread.start()
for _ in range(int(sys.argv[2])):
    try:
        READERS[path.suffix[1:]](path)
    except (DataFileError, GeoipError, SnapshotError):
        pass
done = True
thread.join()
"""


@pytest.mark.parametrize("kind", ["mmdb", "txt", "snap"])
def test_written_over_while_it_is_read(tmp_path: Path, kind: str) -> None:
    """A file that is cut and written again in place, all the time, never ends its reader."""
    path = tmp_path / f"x.{kind}"
    if kind == "mmdb":
        both = {name: {"country_code": "DE", **record} for name, record in RECORDS.items()}
        write_mmdb(path, both, "x")
    else:
        path.write_bytes(b"192.0.2.0/24 64500\n" * 5000 if kind == "txt" else small_content())
    done = run_program(OVERWRITTEN, path, 25)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
