"""The rules that a site's file must keep beyond the types of its values.

Each rule gets what it judges together with its place, so that a problem names its line.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from msgspec import UNSET

from snapshot.export.countries import Countries
from snapshot.export.coverage import check_width
from snapshot.export.hosturl import host_url
from snapshot.export.netblock import Netblock, parse_netblock
from snapshot.file.text import without_userinfo
from snapshot.sites.config import Config, Mirror, Primary, Repository
from snapshot.sites.patterns import check_name, check_path, expand, leads_up, outer, why_unusable
from snapshot.sites.shape import Tell, proposal

T = TypeVar("T")
MOST_REPOSITORIES = 20_000
"""Twice as many as Fedora has in all of its products."""
_WIDE = "wide_netblocks = true in [site], and --allow-wide-netblocks for run and export"
_SCHEMES = ("http", "https", "rsync", "ftp")


class Placed(NamedTuple, Generic[T]):
    """A table of the file: its value, its file and line, and what takes its problems."""

    value: T
    place: str
    tell: Tell


def check_rules(
    config: Config,
    tops: Mapping[str, Tell],
    repositories: list[Placed[Repository]],
    mirrors: list[Placed[Mirror]],
    *,
    whole: bool,
) -> None:
    """Tell of all that is wrong beside types; `whole`: no table was left out for its types."""
    check_path(config.site.topdir, tops["site"], ("topdir",))
    if not outer(config.site.topdir):
        tops["site"](("topdir",), "`topdir` is empty; MirrorManager needs one, such as pub")
    if config.site.renamed_from == config.site.name:
        tops["site"](("renamed_from",), "`renamed_from` is the name that the site has now")
    if config.primary is not UNSET and isinstance(config.primary, Primary):
        _primary(config.primary, tops["primary"])
    if whole and not repositories:
        tops["site"]((), "no [[repository]]: give at least one")
    if whole and not mirrors:
        tops["site"]((), "no [[mirror]]: give at least one, here or in mirrors.d")
    _repositories(repositories)
    _mirrors(config, mirrors)
    if whole:
        for one in mirrors:
            _known(config, one)


def _primary(primary: Primary, tell: Tell) -> None:
    if (primary.url is None) == (primary.path is None):
        tell((), "give either `url` or `path`")
    if primary.url is not None:
        _url(primary.url, ("url",), tell, ("http", "https"))


def _repositories(repositories: list[Placed[Repository]]) -> None:
    count = 0
    names: dict[tuple[str, str], str] = {}
    paths: dict[tuple[str | None, str], str] = {}
    for one in repositories:
        count += len(one.value.versions) * len(_arches(one.value))
        if count > MOST_REPOSITORIES:
            why = f"more than {MOST_REPOSITORIES:,} repositories, each version and arch counted"
            one.tell((), f"{why}: give fewer versions or arches")
            return
        if not _patterns(one):
            continue
        _once_for_each(one, names, paths)


def _once_for_each(
    one: Placed[Repository],
    names: dict[tuple[str, str], str],
    paths: dict[tuple[str | None, str], str],
) -> None:
    """Tell of the first name and of the first path that come a second time."""
    is_new = [True, True]
    for found in expand(one.value):
        if why := why_unusable(found):
            one.tell((), why)
            return
        shown = f"repo={found.name} for {found.arch}"
        path = f"the path {found.path}"
        more = f" ({found.name}, {found.arch}): does the pattern need {{version}} or {{arch}}?"
        if is_new[0]:
            is_new[0] = _once(names, (found.name, found.arch), one, ("name",), shown)
        if is_new[1]:
            is_new[1] = _once(paths, (one.value.tree, found.path), one, ("path",), path, more)


def _once(
    seen: dict[Any, str],
    key: Any,
    one: Placed[Any],
    path: tuple[str, ...],
    what: str,
    more: str = "",
) -> bool:
    """Tell of a thing that comes a second time; return whether it does not."""
    is_new = key not in seen
    if not is_new:
        # The same place: one pattern makes it twice.
        before = "twice here" if seen[key] == one.place else f"already at {seen[key]}"
        one.tell(path, f"{what} stands {before}{more}")
    seen.setdefault(key, one.place)
    return is_new


def _patterns(one: Placed[Repository]) -> bool:
    told: list[str] = []

    def tell(path: tuple[str | int, ...], text: str) -> None:
        told.append(text)
        one.tell(path, text)

    check_name(one.value.name, tell)
    check_path(one.value.path, tell, ("path",))
    if one.value.check is not None:
        check_path(one.value.check, tell, ("check",))
        if one.value.check.endswith("/"):
            tell(("check",), f"a file, not a folder: {one.value.check:.100}")
    for at, other in enumerate(one.value.exception):
        if other.path is not None:
            check_path(other.path, tell, ("exception", at, "path"))
        for index, version in enumerate(other.versions):
            if version not in one.value.versions:
                why = f"no version `{version}` in `versions`{proposal(version, one.value.versions)}"
                tell(("exception", at, "versions", index), why)
    return not told


def _mirrors(config: Config, mirrors: list[Placed[Mirror]]) -> None:
    names: dict[str, str] = {}
    urls: dict[str, str] = {}
    netblocks: list[tuple[Netblock, str, Placed[Mirror], int]] = []
    countries = Countries()
    for one in mirrors:
        _once(names, one.value.name.casefold(), one, ("name",), f"mirror `{one.value.name}`")
        _country(one.value.country, ("country",), one.tell, countries)
        for at, country in enumerate(one.value.countries_allowed):
            _country(country, ("countries_allowed", at), one.tell, countries)
        _urls(one, urls)
        netblocks += _netblocks(one, config.site.wide_netblocks)
    _overlaps(netblocks, config.site.overlapping_netblocks)


def _country(text: str, path: tuple[str | int, ...], tell: Tell, countries: Countries) -> None:
    try:
        found = countries.parse(text)
    except ValueError as error:
        hint = "" if "meant?" in str(error) else "; write two letters of ISO 3166, such as DE"
        tell(path, f"{error}{hint}")
    else:
        if not found:
            tell(path, "`country` is blank; write two letters of ISO 3166, such as DE")


def _urls(one: Placed[Mirror], seen: dict[str, str]) -> None:
    mirror = one.value
    if not mirror.all_urls:
        one.tell((), f'mirror `{mirror.name}` has no URL: give urls = ["https://..."]')
    lists: list[tuple[tuple[str, ...], list[str]]] = [(("urls",), mirror.urls)]
    lists += [(("trees", tree), urls) for tree, urls in mirror.trees.items()]
    for path, urls in lists:
        for at, text in enumerate(urls):
            if url := _url(text, (*path, at), one.tell, _SCHEMES):
                if url in seen:
                    one.tell((*path, at), f"the URL {url} stands already at {seen[url]}")
                seen.setdefault(url, one.place)


def _url(text: str, path: tuple[str | int, ...], tell: Tell, schemes: Iterable[str]) -> str | None:
    """Return a URL as the export writes it; None if no client could use it, which is told."""
    scheme, mark, _ = text.partition("://")
    if not mark:
        # HOST::MODULE is rsync's own way to write rsync://HOST/MODULE.
        host, module, rest = text.partition("::")
        meant = f"rsync://{host}/{rest}" if module else f"https://{text.lstrip('/')}"
        tell(path, f"URL without scheme: did you mean `{meant}`?")
        return None
    if scheme.lower() not in schemes:
        tell(path, f"URL of {scheme:.20}; use {', '.join(schemes)}{proposal(scheme, schemes)}")
        return None
    try:
        url = host_url(text)
    except ValueError as error:
        tell(path, f"{error}: {without_userinfo(text):.100}")
        return None
    if leads_up(url.partition("://")[2]):
        tell(path, f"URL with . or .. in its path: {text:.100}")
        return None
    return url


def _netblocks(one: Placed[Mirror], wide: bool) -> list[tuple[Netblock, str, Placed[Mirror], int]]:
    found = []
    for at, text in enumerate(one.value.netblocks):
        try:
            netblock = parse_netblock(text)
        except ValueError:
            one.tell(("netblocks", at), f"not a network such as 192.0.2.0/24: {text:.60}")
            continue
        try:
            check_width(netblock, text, wide)
        except ValueError as error:
            why = str(error).partition(" (--")[0]
            one.tell(("netblocks", at), f"{why}; if meant: {_WIDE}")
        found.append((netblock, text, one, at))
    return found


def _overlaps(netblocks: list[tuple[Netblock, str, Placed[Mirror], int]], allowed: bool) -> None:
    """Tell of each netblock within another; networks overlap only by one holding the other."""
    around: list[tuple[Netblock, str, Placed[Mirror], int]] = []
    for found in sorted(netblocks, key=lambda item: item[0]):
        netblock, text, one, at = found
        while around and not _holds(around[-1][0], netblock):
            around.pop()
        for _, wider, other, _ in around[-1:]:
            same = other is one
            if same or not allowed:
                hint = "" if same else "; if meant: overlapping_netblocks = true in [site]"
                whose = "this mirror" if same else f"`{other.value.name}` ({other.place})"
                one.tell(("netblocks", at), f"{text} overlaps {wider} of {whose}{hint}")
        around.append(found)


def _holds(outer: Netblock, inner: Netblock) -> bool:
    return outer.version == inner.version and outer.first <= inner.first <= outer.last


def _known(config: Config, one: Placed[Mirror]) -> None:
    """Tell of repositories, versions, arches and trees that the site does not have."""
    site = {
        "repositories": {row.prefix for row in config.repository},
        "versions": {version for row in config.repository for version in row.versions},
        "arches": {arch for row in config.repository for arch in _arches(row)},
        "trees": {row.tree for row in config.repository if row.tree is not None},
    }
    for name, known in site.items():
        values = getattr(one.value, name) or ()
        keys: Callable[[int, str], Any] = (
            (lambda at, value: value) if name == "trees" else (lambda at, value: at)
        )
        for at, value in enumerate(values):
            if value not in known:
                what = (
                    "no repository is of the tree" if name == "trees" else f"no such {_ONE[name]}"
                )
                one.tell((name, keys(at, value)), f"{what} `{value}`{proposal(value, known)}")


_ONE = {"repositories": "repository", "versions": "version", "arches": "arch"}


def _arches(row: Repository) -> set[str]:
    return {*row.arches, *(arch for other in row.exception for arch in other.arches or ())}
