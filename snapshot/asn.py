"""Reads which networks belong to which ASN: `prefix ASN` lines or an ASN mmdb."""

import socket
from collections.abc import Iterator
from pathlib import Path

import maxminddb

from snapshot.errors import DataFileError
from snapshot.leftout import LeftOutRows
from snapshot.model import Ranges
from snapshot.netblock import Netblock, flatten_both, make_ranges

_MMDB_MARKER = b"\xab\xcd\xefMaxMind.com"
# The mmdb format promises its marker within the last 128 KiB.
_MMDB_TAIL = 128 * 1024
# A wrong file has a bad line at every turn; the first ones say enough.
_MOST_REPORTED = 20


def read_asn_ranges(path: Path, needed: set[int], left_out: LeftOutRows) -> Ranges:
    """Return the ranges of the needed ASNs; more specific foreign prefixes stay as holes.

    Raises DataFileError if the file cannot be read or has no usable line.
    """
    try:
        found = _mmdb(path) if _MMDB_MARKER in _tail(path) else _lines(path, left_out)
        netblocks = {netblock: asn if asn in needed else 0 for netblock, asn in found}
    # A damaged mmdb makes its reader raise whatever its bytes happen to say.
    except (OSError, ValueError, OverflowError, maxminddb.InvalidDatabaseError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise DataFileError(f"{path}: cannot be read: {why}") from error
    if not netblocks:
        raise DataFileError(f"{path}: no line of the form PREFIX ASN in it, such as 192.0.2.0/24 1")
    # The innermost prefix decides alone, so what is around it does not matter.
    return make_ranges(*flatten_both(netblocks, 0, lambda value, _: value))


def check_readable(path: Path) -> None:
    """Raise DataFileError if a file cannot be opened for reading."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise DataFileError(f"{path}: cannot be read: {error.strerror}") from error


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _MMDB_TAIL))
        return file.read()


def _mmdb(path: Path) -> Iterator[tuple[Netblock, int]]:
    with maxminddb.open_database(path) as database:
        for network, record in database:
            asn = record.get("autonomous_system_number") if isinstance(record, dict) else None
            if isinstance(asn, int):
                yield (
                    Netblock(network.version, int(network.network_address), network.prefixlen),
                    asn,
                )


def _lines(path: Path, left_out: LeftOutRows) -> Iterator[tuple[Netblock, int]]:
    bad = 0
    with path.open(encoding="ascii", errors="replace") as file:
        for number, line in enumerate(file, 1):
            fields = line.split()
            if not fields or fields[0].startswith("#"):
                continue
            try:
                prefix, origin = _columns(fields)
                netblock, asn = _network(prefix), _number(origin)
            except (ValueError, OSError, IndexError):
                bad += 1
                if bad <= _MOST_REPORTED:
                    left_out.add("asn file", number, "not a line PREFIX ASN")
                continue
            # A default route says nothing about anybody (the incumbent skips it too).
            if netblock.prefix_length:
                yield netblock, asn
    if bad > _MOST_REPORTED:
        left_out.add("asn file", None, f"{bad - _MOST_REPORTED} more such lines")


def _columns(fields: list[str]) -> tuple[str, str]:
    # CAIDA's pfx2as files have the prefix length in a column of its own.
    if "/" not in fields[0] and len(fields) == 3 and fields[1].isdigit():
        return f"{fields[0]}/{fields[1]}", fields[2]
    return fields[0], fields[1]


def _network(text: str) -> Netblock:
    # Ten times faster than ipaddress, which counts over 300,000 lines.
    address, _, length = text.partition("/")
    family, version, width = (
        (socket.AF_INET6, 6, 128) if ":" in address else (socket.AF_INET, 4, 32)
    )
    prefix_length = int(length) if length else width
    if not 0 <= prefix_length <= width:
        raise ValueError("prefix length")
    first = int.from_bytes(socket.inet_pton(family, address), "big")
    shift = width - prefix_length
    return Netblock(version, first >> shift << shift, prefix_length)


def _number(text: str) -> int:
    # Several origins (`64500_64501`, `64500,64501`) count for the first one.
    asn = int(text.upper().removeprefix("AS").replace(",", "_").split("_")[0])
    if not 0 <= asn < 1 << 32:
        raise ValueError("ASN")
    return asn
