"""Mirrors that do not answer, where no other mirror is good: which of them stay, and for what."""

from collections.abc import Callable, Iterable, Set

from snapshot.sites.probed_rows import MirrorUrl, Told

Had = Callable[[int, str], bool]
"""Whether a mirror, by its host_category, had a directory before this probe."""
Pairs = Set[tuple[int, str]]
"""Mirrors by their host_category, each with a directory."""


def without_late(told: Told, pairs: Pairs, late: Pairs, alive: Set[int], had: Had) -> Told:
    """Return what was told, but for mirrors that are late where no mirror that answers is good.

    `pairs` is all that is asked, `late` what is an older state, and `alive` the mirrors that
    answer. An old mirror does less harm than a dead one, which would be alone in a list otherwise.
    """
    there = _there(told, pairs, alive, had)
    return {
        carrier: {
            name: state
            for name, state in of.items()
            if name in there or (carrier, name) not in late or not had(carrier, name)
        }
        for carrier, of in told.items()
    }


def without_dead(told: Told, pairs: Pairs, dead: Set[int], alive: Set[int], had: Had) -> Told:
    """Return what was told, and that `dead` mirrors do not have what another one has.

    They are in lists for the repositories that no other mirror has, and stay for these alone. The
    first answer brings them back for the others.
    """
    there = _there(told, pairs, alive, had)
    found = {carrier: dict(of) for carrier, of in told.items()}
    for carrier, name in pairs:
        if carrier in dead and name in there and had(carrier, name):
            found.setdefault(carrier, {})[name] = False
    return found


def _there(told: Told, pairs: Pairs, alive: Set[int], had: Had) -> set[str]:
    """Return the directories that a mirror has which answers."""
    return {
        name
        for carrier, name in pairs
        if carrier in alive and told.get(carrier, {}).get(name, had(carrier, name))
    }


def pairs_of(urls: Iterable[MirrorUrl]) -> set[tuple[int, str]]:
    """Return each mirror with each directory for which it is asked."""
    return {(one.carrier, file.directory) for one in urls for file in one.files}
