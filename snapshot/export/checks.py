"""The checks that a new snapshot must pass to replace the published one.

A crawler that failed, a truncated table or a restored backup gives a database that is consistent
and wrong. An operator who wants its snapshot nevertheless says so with `--force`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from snapshot.export.spread import measure, spreads
from snapshot.export.usable import (
    Loss,
    Quality,
    Things,
    Usable,
    by_arch,
    losses_by_category,
    usable,
)
from snapshot.file.errors import RefusedSnapshot
from snapshot.file.reader import Snapshot

# A category may lose this many: a small category that drops a release does, on a normal day.
FEW = 10
# This many may go of things that change singly, on any day: redirects, netblocks, host names.
_VERY_FEW = 3
_HINT = "nothing was published; if this is meant, export with --force"
_CLIENTS = "that clients can use"
_STRANGERS = "with a public host and an http or https URL"


class _Counted(NamedTuple):
    """A kind of thing that is counted: the field that holds it, and its words in a refusal."""

    field: str
    quality: Quality
    words: str


# The counted kinds, of which the totals must not lose too much; a refusal names the first loss.
_TOTALS = (
    _Counted("hosts", Quality.USABLE, f"hosts {_CLIENTS}"),
    _Counted("directories", Quality.USABLE, f"directories {_CLIENTS}"),
    _Counted("repositories", Quality.USABLE, f"repositories {_CLIENTS}"),
    _Counted("hosts", Quality.PUBLIC, "public hosts with an http or https URL"),
    _Counted("directories", Quality.PUBLIC, f"directories {_STRANGERS}"),
    _Counted("directories", Quality.SECURE, "directories with a public host and an https URL"),
    _Counted("directories", Quality.EVERYWHERE, f"directories {_STRANGERS} for every country"),
    _Counted("repositories", Quality.PUBLIC, f"repositories {_STRANGERS}"),
    _Counted("repositories", Quality.CHECKED, "repositories with checksums of their repomd.xml"),
    _Counted(
        "repositories", Quality.STRONG, "repositories with a SHA-256 or SHA-512 of repomd.xml"
    ),
    _Counted("redirects", Quality.USABLE, "redirects to repositories"),
)
# The counted kinds, of which no single category must lose too much.
_BY_CATEGORY = (
    # http counts too: in a small category, the only mirror with https may be off for a day.
    *(
        kind
        for kind in _TOTALS
        if kind.field in ("directories", "repositories") and kind.quality is not Quality.SECURE
    ),
    _Counted("carriers", Quality.USABLE, f"hosts {_CLIENTS}"),
    _Counted("carriers", Quality.PUBLIC, "public hosts with an http or https URL"),
)


def check_publishable(
    new: Snapshot, old: Snapshot | None, max_loss: int, *, own: bool = False
) -> None:
    """Raise RefusedSnapshot if a snapshot must not be published in place of the old one.

    The new snapshot must hold hosts and directories, and the very first one also something that
    every client may use. Its database read must not be older than that of the old snapshot. It must
    keep all but `max_loss` percent of what clients can use, in all and in each category. With
    `own`, the old snapshot is this process's own, so it was read earlier even if the clock differs.
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
    # 100 % switches the check off, and equal content loses nothing.
    losses = [*_all_losses(old, new, max_loss)] if max_loss < 100 and old.id != new.id else []
    if losses:
        more = f"; {len(losses) - 1} more such losses" if losses[1:] else ""
        raise RefusedSnapshot(
            f"the new snapshot lost {losses[0]}{more}; {_HINT} or a larger --max-loss"
        )


def get_ready(old: Snapshot) -> None:
    """Count what clients can use of the published snapshot, before there is a new one."""
    usable(old)
    measure(old)


def _check_first(new: Usable) -> None:
    # Only the first one: an operator who forced a snapshot of private hosts alone goes on with it.
    if not any(one & Quality.PUBLIC for one in new.directories.qualities):
        raise RefusedSnapshot(
            "the new snapshot is empty: it has no directory of which an active, public host has an"
            f" http or https URL; {_HINT}"
        )


def _all_losses(old: Snapshot, new: Snapshot, max_loss: int) -> Iterator[str]:
    before, now = usable(old), usable(new)
    yield from _losses(before, now, max_loss)
    yield from _arch_losses(before, now)
    yield from _sum_losses(old, new, max_loss)
    for spread in spreads(old, new):
        loss = Loss(spread.before, spread.lost, spread.before - spread.lost)
        if loss.lost >= _VERY_FEW and _is_much(loss, max_loss):
            yield (
                f"{loss.lost:,} of {loss.before:,} {spread.words}, more than {max_loss} %"
                f" ({loss.before:,} before, {loss.now:,} of these now)"
            )


def _sum_losses(old: Snapshot, new: Snapshot, max_loss: int) -> Iterator[str]:
    """Yield the loss of sums of single files; a new snapshot without `--files` has lost none."""
    before, now = old.file_sum_table, new.file_sum_table
    if before and now and _is_much(Loss(before.count, before.count - now.count, 0), max_loss):
        yield (
            f"{before.count - now.count:,} of {before.count:,} sums of single files, more than"
            f" {max_loss} % ({before.count:,} before, {now.count:,} now)"
        )


def _arch_losses(old: Usable, new: Usable) -> Iterator[str]:
    """Yield the arches that are gone for clients, although the totals are fine."""
    kind = _Counted("repositories", Quality.PUBLIC, f"repositories {_STRANGERS}")
    found = losses_by_category(by_arch(old.repositories), by_arch(new.repositories), kind.quality)
    if any(loss.now for loss in found.values()):
        for arch, loss in sorted(found.items()):
            if not loss.now and loss.lost >= _VERY_FEW:
                yield _say(kind, loss, f"of arch {arch}, all of them")


def _losses(old: Usable, new: Usable, max_loss: int) -> Iterator[str]:
    """Yield each loss beyond the limit: of the totals, then of categories if the total is fine.

    A category may lose a few things, however large their share, but not all that it has.
    """
    told = set()
    for kind in _TOTALS:
        found = _of_kind(kind, old, new).values()
        total = Loss(*(sum(one[index] for one in found) for index in range(3)))
        # A few redirects may go whatever their share: one of three goes when a release does.
        few = kind.field == "redirects" and total.lost < _VERY_FEW and total.now
        if _is_much(total, max_loss) and not few:
            told.add(kind)
            yield _say(kind, total, f"more than {max_loss} %")
    for kind in _BY_CATEGORY:
        for category, loss in {} if kind in told else sorted(_of_kind(kind, old, new).items()):
            gone = loss.lost == loss.before and not loss.now
            if gone or (loss.lost >= FEW and _is_much(loss, max_loss)):
                why = "all of them" if gone else f"more than {max_loss} %"
                yield _say(kind, loss, f"in category {category}, {why}")


def _of_kind(kind: _Counted, old: Usable, new: Usable) -> dict[str, Loss]:
    before: Things = getattr(old, kind.field)
    now: Things = getattr(new, kind.field)
    return losses_by_category(before, now, kind.quality)


def _is_much(loss: Loss, max_loss: int) -> bool:
    return loss.lost * 100 > max_loss * loss.before


def _say(kind: _Counted, loss: Loss, where: str) -> str:
    return (
        f"{loss.lost:,} of {loss.before:,} {kind.words}, {where}"
        f" ({loss.before:,} before, {loss.now:,} now)"
    )
