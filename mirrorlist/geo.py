"""Where an address is: the country by GeoIP, from a file or from the built-in registry data."""

import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from string import ascii_uppercase
from typing import Protocol, cast

import geoip2.database
import maxminddb
import maxminddb_rust
from maxminddb.reader import Metadata

from mirrorlist.address import Address
from mirrorlist.errors import GeoipError

_RECORDS_LOOKED_AT = 1000
# Where a record has its country: GeoLite2, a plain code, a plain text.
_CODES = {a + b: a + b for a in ascii_uppercase for b in ascii_uppercase}
_SHAPES = (("country", "iso_code"), ("country_code",), ("country",))


class Geo(Protocol):
    """A source of countries."""

    @property
    def name(self) -> str:
        """What the source is, with its date, for people."""

    @property
    def built(self) -> int | None:
        """When its data were built, in seconds since 1970, UTC; None where that is unknown."""

    def country(self, address: Address) -> str | None:
        """Return the two letters of an address's country, or None."""


class NoGeo:
    """No source at all: every country is unknown."""

    name = "none"
    built = None

    def country(self, address: Address) -> str | None:
        """Return None."""
        return None


class RegistryGeo:
    """The registries' delegation files within the iptocc package: no file, no account."""

    built = None

    def __init__(self) -> None:
        """Load the package; raises ImportError where there is none for this machine."""
        module = importlib.import_module("iptocc")
        self._country_code = cast(Callable[[str], str | None], module.country_code)
        self.name = f"iptocc {version('iptocc')} (built in)"

    def country(self, address: Address) -> str | None:
        """Return the country that the registry delegated the address to."""
        return self._country_code(str(address.tunnelled))


class MmdbGeo:
    """A GeoIP file: the GeoLite2 shape, or one with a plain `country_code`."""

    def __init__(self, path: Path) -> None:
        """Open and check a file; raises GeoipError that names it and says why."""
        try:
            metadata, self._shape = _checked(path)
            # The reader in C can end the process over a damaged file; this one in Rust cannot,
            # and in memory the file may be written over. It also decodes the country alone.
            self._database = maxminddb_rust.open_database(path, maxminddb_rust.MODE_MEMORY)
            self.built: int | None = metadata.build_epoch
            built = datetime.fromtimestamp(metadata.build_epoch, UTC)
        except GeoipError:
            raise
        # A damaged file makes its reader raise whatever its bytes happen to say.
        except Exception as error:
            why = error.strerror if isinstance(error, OSError) else "not a GeoIP (mmdb) file"
            raise GeoipError(f"{path}: cannot be used for GeoIP: {why}") from error
        self._ip_version = metadata.ip_version
        self.name = f"{path.name} ({metadata.database_type}, built {built:%Y-%m-%d})"

    def country(self, address: Address) -> str | None:
        """Return the country (never the registered country) of an address."""
        address = address.tunnelled
        if address.version > self._ip_version:
            return None
        try:
            found = self._database.get_path(str(address), self._shape)
        except (maxminddb_rust.InvalidDatabaseError, ValueError):
            # A damaged record costs its clients the country, not the answer.
            return None
        # One string a country: it stands in a great many keys.
        return (_CODES.get(found) or _code(found)) if isinstance(found, str) else None


def open_geo(path: Path | None) -> Geo:
    """Return the source that a file or, without one, the built-in data gives."""
    if path is not None:
        return MmdbGeo(path)
    try:
        return RegistryGeo()
    except ImportError:
        return NoGeo()


def _checked(path: Path) -> tuple[Metadata, tuple[str, ...]]:
    # In Python: the faster reader in C can end the process over a damaged file.
    with geoip2.database.Reader(path, mode=maxminddb.MODE_MMAP) as reader:
        metadata = reader.metadata()
    with maxminddb.open_database(path, maxminddb.MODE_MMAP) as database:
        # An ASN or ISP file opens well and then knows no country for anybody.
        for _, record in islice(database, _RECORDS_LOOKED_AT):
            for shape in _SHAPES:
                if _code(_within(record, shape)):
                    return metadata, shape
    raise GeoipError(
        f"{path}: cannot be used for GeoIP: it has no countries (type {metadata.database_type});"
        " a Country or City file is needed"
    )


def _within(record: object, shape: tuple[str, ...]) -> object:
    for key in shape:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def _code(value: object) -> str | None:
    sound = isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalnum()
    return str(value).upper() if sound else None
