"""Reads AlmaLinux's mirrors: config.yml, and mirrors.d/*.yml beside it."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from snapshot.file.errors import DataFileError
from snapshot.sites.imports.cleaning import Places, clean_urls
from snapshot.sites.imports.draft import Draft, Notes, RepositoryDraft, SiteDraft, quoted
from snapshot.sites.imports.yamltext import Value, read_yaml

_MOST_DIGITS = 10
_HOURS = {"m": 1 / 60, "h": 1, "d": 24}
_UNUSED = {
    "config_version": "the format of their file",
    "required_protocols": "a mirror needs at least one URL, of any of http, https, rsync and ftp",
    "vault_versions": "old versions, which are at vault_mirror alone",
    "vault_mirror": "not a mirror of the versions that the others have",
}
_UNUSED_OF_MIRRORS = {
    "update_frequency": "a probe measures it",
    "monopoly": "a mirror's own networks get it first, and others after it",
    "cloud_type": "regions of clouds are not known here; netblocks do the same",
    "cloud_regions": "regions of clouds are not known here; netblocks do the same",
    "state_province": "a mirror has a country",
    "city": "a mirror has a country",
}


def read_almalinux(folder: Path, name: str, places: Places, notes: Notes) -> SiteDraft:
    """Return the site of a folder; raises DataFileError for what cannot be read."""
    config = _read(folder / "config.yml", notes)
    rest = dict(config.mapping())
    where = rest.pop("mirrors_dir", None)
    inner = where.text if where else "mirrors.d"
    if where and (inner.startswith("/") or ".." in Path(inner).parts):
        raise DataFileError(f"{where.place}: mirrors_dir leads out of {folder}")
    files = sorted((folder / inner).glob("*.y*ml"))
    if not files:
        raise DataFileError(f"{folder}: no mirrors in {inner}/*.yml")
    versions = _Versions(rest)
    repositories = [*_repositories(rest.pop("repos", None), versions, notes)]
    lag = rest.pop("allowed_outdate", None)
    site = SiteDraft(
        name=name,
        repositories=repositories,
        mirrors=[_mirror(_read(file, notes), places, notes) for file in files],
        lag_hours=_lag(lag, notes) if lag else None,
        more=versions.requests,
    )
    for key, value in rest.items():
        notes.leave_out(key, value.place, value.plain, _UNUSED.get(key, "an unknown key"))
    return site


def _read(file: Path, notes: Notes) -> Value:
    """Return a file, after a note on each key that stands there twice."""
    found = read_yaml(file)
    for key, value in found.doubled():
        notes.leave_out(key, value.place, value.plain, "the key comes again, and the last counts")
    return found


def _lag(value: Value, notes: Notes) -> int | None:
    found = re.fullmatch(r"(\d{1,4})([mhd])", value.text)
    if found is None:
        notes.leave_out("allowed_outdate", value.place, value.text, "not a time such as 12h")
        return None
    return max(1, round(int(found[1]) * _HOURS[found[2]]))


_SHAPE = """\
# Clients ask for /mirrorlist/9/baseos, and fill $basearch in themselves.
[[shapes]]
path = "/mirrorlist/{version}/{prefix}"
arch = "$basearch"
"""


class _Versions:
    """The versions and arches of the distribution; takes their keys out of the configuration."""

    def __init__(self, rest: dict[str, Value]) -> None:
        same = rest.pop("duplicated_versions", None)
        self.same = {key: one.text for key, one in same.mapping().items()} if same else {}
        main = rest.pop("versions", None)
        self.main = [v for v in (main.texts() if main else []) if v not in self.same]
        modules = rest.pop("optional_module_versions", None)
        self.trees = {
            f"{version}-{module}": module
            for module, found in (modules.mapping() if modules else {}).items()
            for version in found.texts()
        }
        arches = rest.pop("arches", None)
        self.arches = {k: one.texts() for k, one in (arches.mapping() if arches else {}).items()}

    @property
    def requests(self) -> str:
        """What AlmaLinux's clients ask for, and the versions that they may shorten."""
        pairs = ", ".join(f"{quoted(a)} = {quoted(b)}" for a, b in self.same.items())
        return _SHAPE + (f"[aliases]\nversions = {{ {pairs} }}\n" if pairs else "")

    def arches_of(self, version: str) -> list[str]:
        """Return the arches of a version, which are listed by its major version or its name."""
        return self.arches.get(version) or self.arches.get(version.partition(".")[0]) or []


def _repositories(
    repos: Value | None, versions: _Versions, notes: Notes
) -> Iterator[RepositoryDraft]:
    for repo in repos.items() if repos else []:
        keys = dict(repo.mapping())
        name, path = repo.need(keys, "name"), repo.need(keys, "path")
        vault = keys.pop("vault", None)
        if vault is not None and vault.is_true:
            why = "vault: true, so it is at vault_mirror alone"
            notes.leave_out("repos", repo.place, name.text, why)
            continue
        wanted = keys.pop("versions", None)
        only = keys.pop("arches", None)
        for key, value in keys.items():
            notes.leave_out(f"repos.{key}", value.place, value.plain, "an unknown key")
        arches = only.texts() if only else None
        chosen = wanted.texts() if wanted else [*versions.main, *versions.trees]
        yield from _by_tree(name.text, _pattern(path.text), chosen, arches, versions)


def _pattern(path: str) -> str:
    return "{version}/" + path.strip("/").replace("$basearch", "{arch}")


def _by_tree(
    prefix: str, path: str, chosen: list[str], only: list[str] | None, versions: _Versions
) -> Iterator[RepositoryDraft]:
    """Yield a repository for each tree: kitten has URLs of its own."""
    by_tree: dict[str | None, list[str]] = defaultdict(list)
    for version in chosen:
        by_tree[versions.trees.get(version)].append(version)
    for tree, mine in by_tree.items():
        by_arches: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for version in mine:
            there = versions.arches_of(version)
            by_arches[tuple(a for a in only or there if a in there or not there)].append(version)
        (arches, _), *others = by_arches.items()
        exceptions = [([*of], [*found]) for found, of in others]
        yield RepositoryDraft(prefix, mine, [*arches], path, tree, exceptions)


def _mirror(root: Value, places: Places, notes: Notes) -> Draft:
    keys = dict(root.mapping())
    name = keys.pop("name", None)
    draft = Draft(name.text if name else root.place.file, root.place)
    draft.urls = _urls(keys.pop("address", None), notes)
    if optional := keys.pop("address_optional", None):
        for tree, found in optional.mapping().items():
            draft.trees[tree] = _urls(found, notes)
    if where := keys.pop("geolocation", None):
        _locate(draft, where, places, notes)
    for key, attribute in (("email", "contact"), ("sponsor", "sponsor"), ("sponsor_url",) * 2):
        if value := keys.pop(key, None):
            setattr(draft, attribute, value.text or None)
    if value := keys.pop("private", None):
        draft.private = value.is_true
    if value := keys.pop("subnets", None):
        draft.netblocks = [_netblock(one, notes) for one in value.items()]
    if value := keys.pop("asn", None):
        _asn(draft, value, notes)
    if (value := keys.get("monopoly")) and not value.is_true:
        keys.pop("monopoly")
    for key, value in keys.items():
        why = _UNUSED_OF_MIRRORS.get(key, "an unknown key")
        notes.leave_out(key, value.place, value.plain, why)
    if draft.private and not draft.netblocks and draft.asn is None:
        why = "kept, but no client gets it: it has neither subnets nor an ASN"
        notes.change("private", draft.place, "true", why)
    places.complete(draft, notes)
    return draft


def _urls(found: Value | None, notes: Notes) -> list[str]:
    values = found.mapping().values() if found else []
    return clean_urls([(one.text, one.place) for one in values], notes)


def _locate(draft: Draft, where: Value, places: Places, notes: Notes) -> None:
    for key, value in where.mapping().items():
        if key != "country":
            why = _UNUSED_OF_MIRRORS.get(key, "an unknown key")
            notes.leave_out(f"geolocation.{key}", value.place, value.plain, why)
            continue
        draft.country = places.parse(value.text)
        if draft.country is None:
            notes.leave_out("country", value.place, value.text, "there is no such country")
        elif draft.country != value.text:
            notes.change("country", value.place, value.text, draft.country)


def _netblock(value: Value, notes: Notes) -> str:
    """Return a network without bits behind its prefix, which some write as their gateway has it."""
    from ipaddress import ip_network

    try:
        found = str(ip_network(value.text, strict=False))
    except ValueError:
        return value.text
    if found != value.text:
        notes.change("subnets", value.place, value.text, found)
    return found


def _asn(draft: Draft, value: Value, notes: Notes) -> None:
    numbers = value.items() if value.is_list else [value]
    for number in numbers:
        if not number.text.isdecimal() or len(number.text) > _MOST_DIGITS:
            notes.leave_out("asn", number.place, number.text, "not a number")
        elif draft.asn is None:
            draft.asn = int(number.text)
        else:
            why = f"a mirror has one ASN here, and {draft.asn} stands before it"
            notes.leave_out("asn", number.place, number.text, why)
