"""Reads the files that tell a repository's state from the primary, then from each mirror."""

from pathlib import Path

from msgspec import Struct

from snapshot.export.database import parse_url
from snapshot.export.rows import Progress
from snapshot.sites.config import Config
from snapshot.sites.database import writing
from snapshot.sites.details import read_known, read_there, renew, write_found
from snapshot.sites.drains import end_drains
from snapshot.sites.getting import Limits
from snapshot.sites.inside import inside_of
from snapshot.sites.mirror_probe import ask_mirrors, read_urls
from snapshot.sites.primary import Found, known_sums, open_tree, read_all
from snapshot.sites.state import declared
from snapshot.sites.verdict_rows import ProbedUrl, write_verdicts


class Probed(Struct, frozen=True):
    """What the primary has of a repository."""

    repository: str
    """What clients ask for, and the arch."""
    state: str
    """`new`, `unchanged` or `failed`."""
    timestamp: int | None = None
    """The newest time in its repomd.xml or checked file, in seconds since 1970."""
    reason: str | None = None
    """Why it failed."""


class ProbedAll(Struct, frozen=True):
    """What a probe read from the primary and from the mirrors."""

    repositories: list[Probed]
    mirrors: list[ProbedUrl]


def probe(
    database: str,
    config: Config,
    folder: Path,
    agent: str,
    progress: Progress,
    now: int,
    *,
    mirrors: bool = True,
    limits: Limits | None = None,
) -> ProbedAll:
    """Write the details of every file that changed, then which mirrors have it.

    Nothing changes for a repository that cannot be read, or that is half published: its repomd.xml
    names files that are not there yet. Mirrors are asked for it all the same: they are found to
    answer or not, and to have what the primary had last. `folder` is where a relative path begins,
    and `now` is in seconds since 1970.
    """
    url, tree, want = parse_url(database), open_tree(config, folder, agent), declared(config)
    lag = config.site.lag_hours * 3600
    with writing(url, create=False, commit=False) as connection:
        known = read_known(connection, want)
    found = read_all(tree, known, progress)
    with writing(url, create=False) as connection:
        end_drains(connection, now)
        renew(connection, found, want)
        write_found(connection, found, now, lag)
        sums = known_sums(read_there(connection, want), found, lag)
        urls = read_urls(connection, config.site.name, want) if mirrors else []
    judged = ask_mirrors(urls, sums, agent, progress, now, limits, inside_of(config))
    with writing(url, create=False) as connection:
        asked = write_verdicts(connection, config.site.name, judged, now, config.site.failures)
    return ProbedAll([said for one in found for said in _said(one)], asked)


def _said(found: Found) -> list[Probed]:
    if found.content is None:
        return [Probed(name, "failed", reason=found.reason) for name in found.names]
    state = "new" if found.is_new else "unchanged"
    return [Probed(name, state, found.content.timestamp) for name in found.names]
