"""The configuration: scan-primary-mirror's TOML as it is, and a few keys of our own.

Unknown keys are ignored, as scan-primary-mirror does, so one file can serve both programs.
"""

import hashlib
import tomllib
from pathlib import Path
from re import Pattern
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from snapshot.file.errors import ScanSettingsError
from snapshot.file.wholefile import read_text
from snapshot.scan.patterns import compiled

STALE_DAYS, PROPAGATION_DAYS = 3, 2
"""scan-primary-mirror's values where the configuration has none."""


# With less than none, each alternate would go at once; with a century, none ever.
Days = Annotated[int, Meta(ge=0, le=36_500)]


class CategorySettings(Struct, frozen=True):
    """A `[[category]]`: `type` is `directory` or `rsync`; `list` and `list_prefix` are ours."""

    name: str
    type: str
    url: str
    options: str = ""
    checksum_base: str | None = None
    excludes: list[str] = []
    list: str | None = None
    list_prefix: str | None = None


class Mapping(Struct, frozen=True):
    """A `[[repository_mapping]]`: the first one whose regex is found in a path names its prefix."""

    regex: str
    prefix: str
    version_prefix: str = ""


class Alias(Struct, frozen=True, rename={"old": "from", "new": "to"}):
    """A `[[repository_aliases]]`: another name for a prefix that ends with a hyphen."""

    old: str
    new: str


class Settings(Struct, frozen=True):
    """A configuration; the names of the fields are its keys."""

    common_rsync_options: str = ""
    max_propagation_days: Days = PROPAGATION_DAYS
    max_stale_days: Days = STALE_DAYS
    excludes: list[str] = []
    skip_paths_for_version: list[str] = []
    test_paths: list[str] = []
    skip_repository_paths: list[str] = []
    do_not_display_paths: list[str] = []
    category: list[CategorySettings] = []
    repository_mapping: list[Mapping] = []
    repository_aliases: list[Alias] = []
    # The name that scan-primary-mirror's own comments give it.
    repository_alias: list[Alias] = []
    digest: str = field(default="", name="_digest")

    def aliases(self) -> list[tuple[str, str]]:
        """Return what each prefix is called instead, in order."""
        return [(one.old, one.new) for one in [*self.repository_aliases, *self.repository_alias]]

    def mappings(self) -> "list[tuple[Pattern[str], Mapping]]":
        """Return the mappings with their patterns, in order; raises ScanSettingsError."""
        return [
            (compiled(one.regex, f"repository_mapping {number}"), one)
            for number, one in enumerate(self.repository_mapping, 1)
        ]

    def excluded(self, category: CategorySettings) -> "list[Pattern[str]]":
        """Return the patterns of directories that are left out; raises ScanSettingsError."""
        return [compiled(one, "excludes") for one in [*self.excludes, *category.excludes]]

    def of_category(self, name: str, source: str | None) -> CategorySettings:
        """Return a category's settings, with another source if given; raises ScanSettingsError.

        From another source come the files as well, so `checksum_base` and `list` are not used.
        """
        found = next((one for one in reversed(self.category) if one.name == name), None)
        if found is None and source is None:
            known = ", ".join(one.name for one in self.category) or "no category"
            raise ScanSettingsError(
                f"category {name}: not in the configuration, which has {known}; add a [[category]]"
                " of this name, or give --source"
            )
        found = found or CategorySettings(name, "", "")
        if source is not None:
            kind = "rsync" if source.startswith("rsync://") or "::" in source else "directory"
            found = msgspec.structs.replace(
                found, url=source, type=kind, checksum_base=None, list=None
            )
        if found.type not in ("directory", "rsync"):
            raise ScanSettingsError(f"category {name}: type {found.type}: not directory or rsync")
        for text in (self.common_rsync_options, found.options, found.url, found.list or ""):
            if "\0" in text:
                raise ScanSettingsError(f"category {name}: {text!r}: has a NUL")
        if found.type == "rsync":
            # Without the slash, rsync puts the folder's own name before each path.
            found = msgspec.structs.replace(found, url=found.url.rstrip("/") + "/")
        return found


def read_settings(path: Path) -> Settings:
    """Read a configuration; raises ScanSettingsError."""
    try:
        text = read_text(path)
        given = tomllib.loads(text)
        given["_digest"] = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        return msgspec.convert(given, Settings)
    except msgspec.ValidationError as error:
        raise ScanSettingsError(f"{path}: {error}") from error
    except RecursionError:
        raise ScanSettingsError(f"{path}: cannot be read: too many levels") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ScanSettingsError(f"{path}: cannot be read: {why}") from error
