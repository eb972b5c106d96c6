"""Reads which networks belong to which ASN: `prefix ASN` lines or an ASN mmdb."""

import socket
from pathlib import Path

from snapshot.export.asn_lines import plain_networks
from snapshot.export.asn_netblocks import AsnNetblocks
from snapshot.export.leftout import LeftOutRows
from snapshot.file.errors import DataFileError
from snapshot.file.mmdb import Mmdb, is_mmdb, read_mmdb
from snapshot.file.mmdb_values import DamagedMmdb
from snapshot.file.wholefile import MOST_DATA_BYTES, blocks_of, open_regular

# Long enough for an AS set of a thousand members.
_MOST_LINE_BYTES = 1 << 14
# A file of the wrong kind has only bad lines: the first ones are reported, the others counted.
_MOST_REPORTED = 20


def read_asn_netblocks(path: Path, left_out: LeftOutRows) -> AsnNetblocks:
    """Read a whole file; raises DataFileError if it cannot be read or has no usable line."""
    netblocks = AsnNetblocks()
    try:
        if is_mmdb(path):
            _read_mmdb(path, netblocks)
        else:
            _read_lines(path, netblocks, left_out)
    except DamagedMmdb as error:
        raise DataFileError(f"{path}: damaged: {error}; fetch it again") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise DataFileError(f"{path}: cannot be read: {why}") from error
    if not netblocks:
        raise DataFileError(f"{path}: no line of the form PREFIX ASN in it, such as 192.0.2.0/24 1")
    return netblocks


def check_readable(path: Path) -> None:
    """Raise DataFileError if a file cannot be opened for reading."""
    try:
        open_regular(path, MOST_DATA_BYTES).close()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise DataFileError(f"{path}: cannot be read: {why}") from error


def _read_mmdb(path: Path, netblocks: AsnNetblocks) -> None:
    mmdb = Mmdb(read_mmdb(path))
    # Each record is decoded once: there are far fewer records than networks.
    asns = {index: _asn_of(mmdb.value(index)) for index in mmdb.records}
    for version, address, prefix_length, index in mmdb.networks():
        asn = asns[index]
        if asn is not None:
            packed = address.to_bytes(4 if version == 4 else 16, "big")
            netblocks.add(packed, prefix_length, asn)


def _asn_of(record: object) -> int | None:
    asn = record.get("autonomous_system_number") if isinstance(record, dict) else None
    if asn is not None and (type(asn) is not int or not 0 <= asn < 1 << 32):
        raise DamagedMmdb("a record's autonomous_system_number is not an ASN")
    return asn


def _read_lines(path: Path, netblocks: AsnNetblocks, left_out: LeftOutRows) -> None:
    bad = _BadLines(left_out)
    number = 1
    with open_regular(path, MOST_DATA_BYTES) as file:
        for block in blocks_of(file, _MOST_LINE_BYTES, whole=True):
            networks = plain_networks(block)
            if networks is None:
                _read_block(block, number, netblocks, bad)
            else:
                netblocks.add_all(networks)
            number += block.count(b"\n")
    bad.report_others()


def _read_block(block: bytes, number: int, netblocks: AsnNetblocks, bad: "_BadLines") -> None:
    """Read the lines of a block singly; `number` is that of the first one."""
    for at, line in enumerate(block.split(b"\n"), number):
        fields = line[:_MOST_LINE_BYTES].decode("ascii", "replace").split()
        if not fields or fields[0].startswith("#"):
            continue
        try:
            prefix, origin = _columns(fields)
            packed, prefix_length = _network(prefix)
            asn = _number(origin)
        except (ValueError, OSError, IndexError):
            bad.add(at)
            continue
        netblocks.add(packed, prefix_length, asn)


class _BadLines:
    """Reports the first bad lines of a file, and counts the others."""

    def __init__(self, left_out: LeftOutRows) -> None:
        self._left_out = left_out
        self._count = 0

    def add(self, number: int) -> None:
        self._count += 1
        if self._count <= _MOST_REPORTED:
            self._left_out.add("asn file", number, "not a line PREFIX ASN")

    def report_others(self) -> None:
        if self._count > _MOST_REPORTED:
            more = self._count - _MOST_REPORTED
            self._left_out.add("asn file", None, f"{more} more such lines")


def _columns(fields: list[str]) -> tuple[str, str]:
    # CAIDA's pfx2as files have the prefix length in a separate column.
    if "/" not in fields[0] and len(fields) == 3 and fields[1].isdigit():
        return f"{fields[0]}/{fields[1]}", fields[2]
    return fields[0], fields[1]


def _network(text: str) -> tuple[bytes, int]:
    # Ten times faster than ipaddress, which matters for 300,000 lines.
    address, _, length = text.partition("/")
    family, width = (socket.AF_INET6, 128) if ":" in address else (socket.AF_INET, 32)
    prefix_length = int(length) if length else width
    if not 0 <= prefix_length <= width:
        raise ValueError("prefix length")
    return socket.inet_pton(family, address), prefix_length


def _number(text: str) -> int:
    # Several origins (`64500_64501`, `64500,64501`) count for the first one.
    if not text.isdigit():
        text = text.upper().removeprefix("AS").replace(",", "_").split("_")[0]
    asn = int(text)
    if not 0 <= asn < 1 << 32:
        raise ValueError("ASN")
    return asn
