"""In which country an address is, by GeoIP: from a file, or from the built-in registry data."""

import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from socket import inet_ntoa
from string import ascii_uppercase
from types import ModuleType
from typing import Protocol, cast

from mirrorlist.errors import GeoipError
from mirrorlist.request.address import BITS, Address
from snapshot.file.mmdb import Metadata, Mmdb, read_mmdb
from snapshot.file.mmdb_values import DamagedMmdb
from snapshot.file.text import printable

# A file of countries has a few hundred different records, and all are checked. Of a file of cities
# an even sample of records and of the tree's ends is checked, because all 60 MB would cost each
# worker seconds. The ends that are checked lie less than a page of the file apart.
_RECORDS_LOOKED_AT = 1_000
_ENDS_LOOKED_AT = 1_000_000
# One string object for each code.
_CODES = {a + b: a + b for a in ascii_uppercase for b in ascii_uppercase}
# The keys that lead to the country in a record: GeoLite2's, a plain code, a plain text.
_SHAPES = (("country", "iso_code"), ("country_code",), ("country",))


class Geo(Protocol):
    """A source of countries."""

    @property
    def name(self) -> str:
        """The source's name and date, for people."""

    @property
    def built(self) -> int | None:
        """The time when its data were built, in seconds since 1970, UTC; None if unknown."""

    def country(self, address: Address) -> str | None:
        """Return the two letters of an address's country, or None."""

    def prefix_length(self, address: Address) -> int:
        """Return the prefix length, in bits, of a network around an address in one country."""


class NoGeo:
    """Stands for a missing source: every country is unknown."""

    name = "none"
    built = None

    def __init__(self, reason: str = "") -> None:
        """Take the reason for which there is no source."""
        self.reason = reason

    def country(self, address: Address) -> str | None:
        """Return None."""
        return None

    def prefix_length(self, address: Address) -> int:
        """Return 0: all addresses are in the same country."""
        return 0


class RegistryGeo:
    """The registries' delegation files in the package iptocc: needs no file and no account."""

    built = None

    def __init__(self) -> None:
        """Load the package; raises ImportError on machines for which there is no build of it, and
        AttributeError for one of its old releases.
        """
        # Takes 0.7 MB, and a server with --geoip needs it for nothing else.
        from importlib.metadata import version

        module = importlib.import_module("iptocc")
        self._country_code = cast(Callable[[str], str | None], module.country_code)
        self.name = f"iptocc {version('iptocc')} (built in)"

    def country(self, address: Address) -> str | None:
        """Return the country that the registry delegated the address to."""
        return self._country_code(str(address.tunnelled))

    def prefix_length(self, address: Address) -> int:
        """Return that of a single address: the package does not tell its networks."""
        return BITS[address.version]


class MmdbGeo:
    """A GeoIP file: the GeoLite2 shape, or one with a plain `country_code`."""

    def __init__(self, path: Path) -> None:
        """Read and check a file; raises GeoipError that names it and says why."""
        reader = _reader(path)
        try:
            # Read once, into memory: lookups then use the bytes that were checked, even if the
            # file changes later.
            data = read_mmdb(path)
            metadata, self._shape = _checked(Mmdb(data, _ENDS_LOOKED_AT), path)
            # A damaged file can crash the process in the reader that is written in C, but not in
            # this one, in Rust. It also decodes the country alone and not the whole record.
            self._database = reader.open_database(BytesIO(data), reader.MODE_FD)
        except GeoipError:
            raise
        except OSError as error:
            raise GeoipError(f"{path}: cannot be used for GeoIP: {error.strerror}") from error
        except BaseException as error:
            _let_pass(error)
            raise GeoipError(
                f"{path}: cannot be used for GeoIP: not a GeoIP (mmdb) file, or damaged: {error}"
            ) from error
        self.built: int | None = metadata.build_epoch
        self._ip_version = metadata.ip_version
        built = datetime.fromtimestamp(metadata.build_epoch, UTC)
        kind = printable(metadata.database_type)
        self.name = f"{path.name} ({kind}, built {built:%Y-%m-%d})"

    def country(self, address: Address) -> str | None:
        """Return the country of an address.

        "`country`, never `registered_country`" (docs/protocol.md#which-hosts-in-which-order): the
        registered one is where the network's owner is.
        """
        version, value = address
        if version == 4:
            # As `str(address)`, without a call in Python.
            text = inet_ntoa(value.to_bytes(4, "big"))
        else:
            address = address.tunnelled
            if address.version > self._ip_version:
                return None
            text = str(address)
        try:
            found = self._database.get_path(text, self._shape)
        except BaseException as error:
            # A damaged record costs its clients the country, not the answer.
            _let_pass(error)
            return None
        # One string object for each country, because many keys of caches hold it.
        return (_CODES.get(found) or _code(found)) if isinstance(found, str) else None

    def prefix_length(self, address: Address) -> int:
        """Return that of the file's network around an address."""
        try:
            length: int = self._database.get_with_prefix_len(str(address))[1]
        except BaseException as error:
            _let_pass(error)
            return BITS[address.version]
        return length


def open_geo(path: Path | None) -> Geo:
    """Return the source of countries: the file, or the built-in data without one."""
    if path is not None:
        return MmdbGeo(path)
    try:
        return RegistryGeo()
    except (ImportError, AttributeError) as error:
        why = " ".join(str(error).split())
        return NoGeo(f"iptocc cannot be loaded ({why}): without --geoip no client has a country")


def _reader(path: Path) -> ModuleType:
    # Without --geoip nothing needs it.
    try:
        import maxminddb_rust
    except ImportError as error:
        raise GeoipError(
            f"{path}: cannot be used for GeoIP: maxminddb-rust cannot be loaded ({error}); without"
            " --geoip the built-in data are used"
        ) from error
    return maxminddb_rust


def _let_pass(error: BaseException) -> None:
    """Raise an exception that ends the process; return after all others.

    A panic of the reader in Rust is a BaseException, but not an Exception.
    """
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        raise error


def _checked(mmdb: Mmdb, path: Path) -> tuple[Metadata, tuple[str, ...]]:
    """Return the metadata, and the keys of a record's country; raises GeoipError or DamagedMmdb."""
    every = -(-len(mmdb.records) // _RECORDS_LOOKED_AT) or 1
    records = [mmdb.value(index) for index in mmdb.records[::every]]
    # A file of ASNs or ISPs opens well, but has no country of any address: refuse it.
    for shape in _SHAPES:
        found = [_within(record, shape) for record in records]
        if any(map(_code, found)):
            if any(map(_is_damaged, found)):
                raise DamagedMmdb("a country is not two letters")
            return mmdb.metadata, shape
    raise GeoipError(
        f"{path}: cannot be used for GeoIP: it has no countries"
        f" (type {printable(mmdb.metadata.database_type)}); a Country or City file is needed"
    )


def _is_damaged(value: object) -> bool:
    """Return whether a value is not a country, but stands where a record has it.

    Texts that are not two characters long, as some files have them, are not damage.
    """
    if isinstance(value, str):
        return len(value) == 2 and _code(value) is None
    return value is not None


def _within(record: object, shape: tuple[str, ...]) -> object:
    for key in shape:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def _code(value: object) -> str | None:
    sound = isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalnum()
    return str(value).upper() if sound else None
