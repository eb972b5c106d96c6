"""What a new snapshot must be like to take the place of the published one.

A crawler that failed, a truncated table or a restored backup gives a database that is whole
and wrong. Whoever means it says so with `--force`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from snapshot.export.spread import spreads
from snapshot.export.usable import Quality, Tally, Things, Usable, by_arch, tallies, usable
from snapshot.file.errors import RefusedSnapshot
from snapshot.file.reader import Snapshot

# Of a category alone: fewer are lost on a normal day, when a small one drops a release.
FEW = 10
# Of what changes hands one by one, on any day: redirects, netblocks, names of machines.
_VERY_FEW = 3
_HINT = "nothing was published; if this is meant, export with --force"
_CLIENTS = "that clients can use"
_STRANGERS = "with a public host and an http or https URL"


class _Kind(NamedTuple):
    """Something that is counted, in the words of a refusal; of things in `field`."""

    field: str
    quality: Quality
    words: str


# What the totals may not lose too much of; the first that did is named.
_TOTALS = (
    _Kind("hosts", Quality.USABLE, f"hosts {_CLIENTS}"),
    _Kind("directories", Quality.USABLE, f"directories {_CLIENTS}"),
    _Kind("repositories", Quality.USABLE, f"repositories {_CLIENTS}"),
    _Kind("hosts", Quality.PUBLIC, "public hosts with an http or https URL"),
    _Kind("directories", Quality.PUBLIC, f"directories {_STRANGERS}"),
    _Kind("directories", Quality.SECURE, "directories with a public host and an https URL"),
    _Kind("directories", Quality.EVERYWHERE, f"directories {_STRANGERS} for every country"),
    _Kind("repositories", Quality.PUBLIC, f"repositories {_STRANGERS}"),
    _Kind("repositories", Quality.CHECKED, "repositories with checksums of their repomd.xml"),
    _Kind("repositories", Quality.STRONG, "repositories with a SHA-256 or SHA-512 of repomd.xml"),
    _Kind("redirects", Quality.USABLE, "redirects to repositories"),
)
# And no category for itself.
_BY_CATEGORY = (
    # Not https: the one mirror of a small category that has it may be off for a day.
    *(
        kind
        for kind in _TOTALS
        if kind.field in ("directories", "repositories") and kind.quality is not Quality.SECURE
    ),
    _Kind("carriers", Quality.USABLE, f"hosts {_CLIENTS}"),
    _Kind("carriers", Quality.PUBLIC, "public hosts with an http or https URL"),
)


def check_publishable(
    new: Snapshot, old: Snapshot | None, max_loss: int, *, own: bool = False
) -> None:
    """Raise RefusedSnapshot if a snapshot had better not be published in place of the old one.

    It must hold hosts and directories, the first one something for strangers too; must not be
    read before the old one was; and must keep all but `max_loss` percent of what clients can use
    of the old one, in all and of each category. One's `own` old one was read before, whatever the
    clock says.
    """
    if not new.hosts or not new.directory_count:
        missing = "directory" if new.hosts else "host"
        raise RefusedSnapshot(f"the new snapshot is empty: it has no {missing}; {_HINT}")
    if old is None:
        _check_first(usable(new))
        return
    if new.read < old.read and not own:
        seconds = old.read - new.read
        raise RefusedSnapshot(
            f"the new snapshot is older: its database was read {seconds} s before that of the"
            f" published one (is the clock right?); {_HINT}"
        )
    # At 100 % nobody asks.
    losses = [*_all_losses(old, new, max_loss)] if max_loss < 100 else []
    if losses:
        more = f"; {len(losses) - 1} more such losses" if losses[1:] else ""
        raise RefusedSnapshot(
            f"the new snapshot lost {losses[0]}{more}; {_HINT} or a larger --max-loss"
        )


def _check_first(new: Usable) -> None:
    # Later ones are compared: an operator who forced one for private hosts alone goes on with it.
    if not any(one & Quality.PUBLIC for one in new.directories.qualities):
        raise RefusedSnapshot(
            "the new snapshot is empty: it has no directory of which an active, public host has an"
            f" http or https URL; {_HINT}"
        )


def _all_losses(old: Snapshot, new: Snapshot, max_loss: int) -> Iterator[str]:
    before, now = usable(old), usable(new)
    yield from _losses(before, now, max_loss)
    yield from _arch_losses(before, now)
    for spread in spreads(old, new):
        tally = Tally(spread.before, spread.lost, spread.before - spread.lost)
        if tally.lost >= _VERY_FEW and _is_much(tally, max_loss):
            yield (
                f"{tally.lost:,} of {tally.before:,} {spread.words}, more than {max_loss} %"
                f" ({tally.before:,} before, {tally.now:,} of these now)"
            )


def _arch_losses(old: Usable, new: Usable) -> Iterator[str]:
    """Say which arches are gone for clients, where the whole is well."""
    kind = _Kind("repositories", Quality.PUBLIC, f"repositories {_STRANGERS}")
    found = tallies(by_arch(old.repositories), by_arch(new.repositories), kind.quality)
    if any(tally.now for tally in found.values()):
        for arch, tally in sorted(found.items()):
            if not tally.now and tally.lost >= _VERY_FEW:
                yield _say(kind, tally, f"of arch {arch}, all of them")


def _losses(old: Usable, new: Usable, max_loss: int) -> Iterator[str]:
    """Say what was lost beyond what is allowed: of all, then of categories where the whole is well.

    A category may lose a few things whatever the share, but not all that it has.
    """
    told = set()
    for kind in _TOTALS:
        found = _tallies(kind, old, new).values()
        total = Tally(*(sum(one[place] for one in found) for place in range(3)))
        # One redirect of three goes when a release does.
        few = kind.field == "redirects" and total.lost < _VERY_FEW and total.now
        if _is_much(total, max_loss) and not few:
            told.add(kind)
            yield _say(kind, total, f"more than {max_loss} %")
    for kind in _BY_CATEGORY:
        for category, tally in {} if kind in told else sorted(_tallies(kind, old, new).items()):
            gone = tally.lost == tally.before and not tally.now
            if gone or (tally.lost >= FEW and _is_much(tally, max_loss)):
                why = "all of them" if gone else f"more than {max_loss} %"
                yield _say(kind, tally, f"in category {category}, {why}")


def _tallies(kind: _Kind, old: Usable, new: Usable) -> dict[str, Tally]:
    before: Things = getattr(old, kind.field)
    now: Things = getattr(new, kind.field)
    return tallies(before, now, kind.quality)


def _is_much(tally: Tally, max_loss: int) -> bool:
    return tally.lost * 100 > max_loss * tally.before


def _say(kind: _Kind, tally: Tally, where: str) -> str:
    return (
        f"{tally.lost:,} of {tally.before:,} {kind.words}, {where}"
        f" ({tally.before:,} before, {tally.now:,} now)"
    )
