"""What a file would change in a database, and whether that is too much to be meant."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from snapshot.file.errors import BackendError
from snapshot.sites.state import MirrorState, State

_WEB = ("http://", "https://")
_HARMLESS = frozenset(("weight", "contact", "sponsor", "sponsor_url"))


class RefusedChange(BackendError):
    """A change that takes more from clients than the limit; nothing was written."""

    exit_code = 3


class ChangedRow(Struct, frozen=True):
    """A mirror or repository that is in the file and in the database, and differs."""

    name: str
    """The mirror, or the repository and its arch."""
    fields: dict[str, tuple[Any, Any]]
    """Each value that differs: what the database says, and what the file says."""


class Changes(Struct, frozen=True):
    """The changes of one kind, by name."""

    added: list[str]
    """In the file alone."""
    changed: list[ChangedRow]
    gone: list[str]
    """In the database alone: removed with `--prune`, kept without it."""

    @property
    def is_empty(self) -> bool:
        """Whether file and database say the same."""
        return not (self.added or self.changed or self.gone)


class SiteDifference(Struct, frozen=True):
    """What `mirrorlist sites apply` changes."""

    site: str
    """The name of the site."""
    mirrors: Changes
    repositories: Changes
    prune: bool
    """Whether what is gone from the file is removed from the database."""
    requests: bool = False
    """Whether `[[shapes]]` and `[aliases]` allow other requests than before."""
    renamed_from: str | None = None
    """The name that the site has in the database, if the file renames it."""

    @property
    def changes_anything(self) -> bool:
        """Whether something is written."""
        both = (self.mirrors, self.repositories)
        return bool(self.requests or self.renamed_from) or any(
            one.added or one.changed or (self.prune and one.gone) for one in both
        )

    @property
    def reduces(self) -> bool:
        """Whether clients may get less than before, which the next export has to accept."""
        return (
            (self.prune and bool(self.mirrors.gone or self.repositories.gone))
            or bool(self.repositories.changed)
            or any(not one.fields.keys() <= _HARMLESS for one in self.mirrors.changed)
        )


def difference(site: str, have: State, want: State, *, prune: bool) -> SiteDifference:
    """Compare what a database holds with what a file says."""
    mirrors = _changes(have.mirrors, want.mirrors)
    repositories = _changes(_named(have.repositories), _named(want.repositories))
    return SiteDifference(site, mirrors, repositories, prune)


def _named(repositories: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    return {" ".join(key): state for key, state in repositories.items()}


def _changes(have: Mapping[str, Any], want: Mapping[str, Any]) -> Changes:
    return Changes(
        added=[name for name in want if name not in have],
        changed=[
            ChangedRow(name, _fields(have[name], want[name]))
            for name in want
            if name in have and have[name] != want[name]
        ],
        gone=sorted(have.keys() - want.keys()),
    )


def _fields(have: Struct, want: Struct) -> dict[str, tuple[Any, Any]]:
    after = asdict(want)
    return {
        name: (value, after[name]) for name, value in asdict(have).items() if value != after[name]
    }


def check_loss(have: State, want: State, *, prune: bool, max_loss: int) -> None:
    """Raise RefusedChange if more than `max_loss` percent of mirrors or repositories would go.

    One may always go while another one stays: of two or three mirrors, one is more than any share
    that would protect a large site.
    """
    kept = {} if prune else have.mirrors
    after = _public({**kept, **want.mirrors})
    _check("public mirrors with an http or https URL", _public(have.mirrors), after, max_loss)
    if prune:
        before = {" ".join(key) for key in have.repositories}
        now = {" ".join(key) for key in want.repositories}
        _check("repositories", before, now, max_loss)


def _public(mirrors: Mapping[str, MirrorState]) -> set[str]:
    return {
        name
        for name, one in mirrors.items()
        if one.active and not one.private and _has_web(url for _, url in one.urls)
    }


def _has_web(urls: Iterable[str]) -> bool:
    return any(url.startswith(_WEB) for url in urls)


def _check(what: str, before: Set[str], after: Set[str], max_loss: int) -> None:
    lost = sorted(before - after)
    few = len(lost) <= 1 and after
    if lost and not few and max_loss < 100 and len(lost) * 100 > max_loss * len(before):
        shown = ", ".join(lost[:3]) + (" ..." if lost[3:] else "")
        raise RefusedChange(
            f"{len(lost)} of {len(before)} {what} would go ({shown}), more than {max_loss} %;"
            " nothing was written; if this is meant, apply with --max-loss 100"
        )
