"""Where an address is: the country by GeoIP, from a file or from the built-in registry data."""

import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from string import ascii_uppercase
from typing import Protocol, cast

import maxminddb_rust

from mirrorlist.errors import GeoipError
from mirrorlist.request.address import Address
from snapshot.file.mmdb import Metadata, Mmdb, read_mmdb
from snapshot.file.mmdb_values import DamagedMmdb
from snapshot.file.text import printable

# A file of countries has some hundreds of different ones; of cities an even sample is looked at,
# of its tree too: 60 MB would cost each worker seconds. So few are far apart by less than a page.
_RECORDS_LOOKED_AT = 1_000
_ENDS_LOOKED_AT = 1_000_000
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
        """Read and check a file; raises GeoipError that names it and says why."""
        try:
            # Once, into memory: what was checked is what answers, whatever becomes of the file.
            data = read_mmdb(path)
            metadata, self._shape = _checked(Mmdb(data, _ENDS_LOOKED_AT), path)
            # The reader in C can end the process over a damaged file; this one in Rust cannot.
            # It also decodes the country alone.
            self._database = maxminddb_rust.open_database(BytesIO(data), maxminddb_rust.MODE_FD)
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
        """Return the country (never the registered country) of an address."""
        address = address.tunnelled
        if address.version > self._ip_version:
            return None
        try:
            found = self._database.get_path(str(address), self._shape)
        except BaseException as error:
            # A damaged record costs its clients the country, not the answer.
            _let_pass(error)
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


def _let_pass(error: BaseException) -> None:
    """Raise what is not of a file: a panic of the reader in Rust is an Exception to nobody."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        raise error


def _checked(mmdb: Mmdb, path: Path) -> tuple[Metadata, tuple[str, ...]]:
    """Return the metadata, and where records have their country; raises DamagedMmdb too."""
    every = -(-len(mmdb.records) // _RECORDS_LOOKED_AT) or 1
    records = [mmdb.value(index) for index in mmdb.records[::every]]
    # An ASN or ISP file opens well and then knows no country for anybody.
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
    """Whether a record has something else where its country belongs; an odd length is just odd."""
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
