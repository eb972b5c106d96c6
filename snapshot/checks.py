"""What a new snapshot must be like to take the place of the published one.

A crawler that failed, a truncated table or a restored backup gives a database that is whole
and wrong. Whoever means it says so with `--force`.
"""

from itertools import compress
from typing import NamedTuple

from snapshot.errors import RefusedSnapshot
from snapshot.reader import Snapshot

# Percent. A distribution that drops its oldest release loses a fifth of its directories at once.
DEFAULT_MAX_LOSS = 30
_HINT = "nothing was published; if this is meant, export with --force"


class Served(NamedTuple):
    """What clients can be given: active hosts, directories some host has, repositories in them."""

    hosts: frozenset[object]
    directories: frozenset[object]
    repositories: frozenset[object]


def served(snapshot: Snapshot) -> Served:
    """Return the ids of the hosts, the names of the directories, the repositories' two names."""
    empty = {index for index in range(snapshot.host_set_count) if not snapshot.host_set(index)}
    empty_or_none = {None, *empty}
    carried = [row not in empty_or_none for row in snapshot.host_sets_of_directories()]
    return Served(
        frozenset(host.id for host in snapshot.hosts if not host.inactive),
        frozenset(compress(snapshot.directory_names(), carried)),
        frozenset(
            (row.prefix, row.arch)
            for row in snapshot.repositories
            if carried[row.directory] and not row.disabled
        ),
    )


def check_publishable(
    new: Snapshot, old: Snapshot | None, max_loss: int, *, own: bool = False
) -> None:
    """Raise RefusedSnapshot if a snapshot had better not be published in place of the old one.

    It must hold hosts and directories, must not be read before the old one was, and must keep
    of the old one's hosts, directories and repositories all but `max_loss` percent. One's `own`
    old one was read before, whatever the clock says.
    """
    if not new.hosts or not new.directory_count:
        missing = "directory" if new.hosts else "host"
        raise RefusedSnapshot(f"the new snapshot is empty: it has no {missing}; {_HINT}")
    if old is None:
        return
    if new.read < old.read and not own:
        seconds = old.read - new.read
        raise RefusedSnapshot(
            f"the new snapshot is older: its database was read {seconds} s before that of the"
            f" published one (is the clock right?); {_HINT}"
        )
    for kind, before, now in zip(Served._fields, served(old), served(new), strict=True):
        lost = len(before - now)
        if lost * 100 > max_loss * len(before):
            raise RefusedSnapshot(
                f"the new snapshot lost {lost:,} of {len(before):,} {kind} that clients can use,"
                f" more than {max_loss} %; {_HINT} or a larger --max-loss"
            )
