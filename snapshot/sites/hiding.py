"""Which URLs of mirrors leave the lists: silent ones, and those beside a better one."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set

from snapshot.sites.judging import GOOD, UNKNOWN, Verdict
from snapshot.sites.probed_rows import MirrorUrl, Told
from snapshot.sites.rsyncing import RSYNC

Verdicts = Mapping[str, Verdict]
"""What a URL has, by the directory of the repository."""


def useless_urls(found: Iterable[tuple[MirrorUrl, Verdicts]], before: Set[int]) -> set[int]:
    """Return the URLs with nothing good, of mirrors that have another URL with something good.

    `before` are those that were useless; they stay so while the primary is silent.
    """
    by_carrier: dict[int, dict[int, set[Verdict]]] = defaultdict(dict)
    for url, verdicts in found:
        by_carrier[url.carrier][url.id] = set(verdicts.values())
    return {
        id
        for urls in by_carrier.values()
        for id, one in urls.items()
        if (id in before and Verdict.UNSURE in one and not one & GOOD)
        or (any(of & GOOD for of in urls.values()) and _is_useless(one))
    }


def _is_useless(one: set[Verdict]) -> bool:
    return bool(one - UNKNOWN) and not one & (GOOD | {Verdict.AHEAD})


def deciding(found: Iterable[tuple[MirrorUrl, Verdicts]], without: set[int]) -> set[int]:
    """Return the URLs that tell which directories a mirror has.

    dnf and browsers ask over http and https, so rsync tells it only of mirrors with nothing else.
    """
    left = [url for url, _ in found if url.id not in without]
    with_web = {url.carrier for url in left if not url.url.startswith(RSYNC)}
    return {url.id for url in left if url.carrier not in with_web or not url.url.startswith(RSYNC)}


def spared(
    hidden: set[int],
    urls: Iterable[MirrorUrl],
    was_hidden: Mapping[int, bool],
    told: Told,
    had: Callable[[int, str], bool],
) -> set[int]:
    """Return the URLs to hide without those whose loss would leave a repository without a mirror.

    A mirror that may be dead does less harm than no mirror.
    """
    urls = [*urls]
    shown = {one.carrier for one in urls if one.id not in hidden}
    left: dict[str, bool] = {}
    for one in urls:
        for file in one.files:
            name = file.directory
            has = told.get(one.carrier, {}).get(name, had(one.carrier, name))
            left[name] = left.get(name, False) or (has and one.carrier in shown)
    return hidden - {
        one.id
        for one in urls
        if one.id in hidden and not was_hidden[one.id]
        for file in one.files
        if not left[file.directory] and had(one.carrier, file.directory)
    }
