"""Asks each URL of each mirror for each repomd.xml, and writes which mirrors are up to date."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select, update

from snapshot.export import schema
from snapshot.export.declared import site_file, url_state
from snapshot.export.usable import METADATA
from snapshot.sites.answers import read_answers, write_answers
from snapshot.sites.asking import Limits, Question, Reply, ask_all
from snapshot.sites.current import read_current
from snapshot.sites.judging import (
    Known,
    Memory,
    UrlState,
    Verdict,
    by_directory,
    judge,
    next_state,
    remember,
    up_to_date,
)
from snapshot.sites.probed_rows import Directories, MirrorUrl
from snapshot.sites.repomd import MOST_BYTES
from snapshot.sites.rows import chunks, insert_all, rows_of, update_all
from snapshot.sites.state import METADATA_FOLDER, State

_WEB = ("http://", "https://")
_CARRIER = "host_category_id"
Progress = Callable[[str, int, int], None]


class ProbedUrl(Struct, frozen=True):
    """A URL of a mirror."""

    mirror: str
    """The mirror's name."""
    url: str
    """Its URL; only http and https are asked."""
    offered: bool
    """Whether the URL is in lists, of repositories that the mirror has up to date."""
    verdicts: dict[str, int]
    """How many repositories were `current`, `alternate`, `behind`, `wrong`, `missing`, `ahead`
    (of the primary) or `unreachable`."""
    failures: int
    """Probes in a row without any answer."""
    good: int | None
    """When it last had something up to date, in seconds since 1970."""
    error: str | None
    """What was wrong with it last, until all is right again."""
    tls_expires: int | None
    """When its certificate ends, in seconds since 1970."""


class Judged(Struct, frozen=True):
    """What one URL answered, by directory."""

    url: MirrorUrl
    replies: dict[str, Reply]
    verdicts: dict[str, Verdict]
    found: dict[str, Memory | None]


def read_urls(connection: Connection, site: str, want: State) -> list[MirrorUrl]:
    """Return the http and https URLs of a site's mirrors."""
    have = read_current(connection, site)
    names = {id: name for name, id in have.hosts.items()}
    topdirs = {have.categories[name]: top for name, top in have.state.categories.items()}
    carriers = {id: pair for pair, id in have.host_categories.items()}
    directories = defaultdict(list)
    for one in want.repositories.values():
        if one.category in have.categories:
            directories[have.categories[one.category]].append(one.directory)
    rows = rows_of(connection, schema.host_category_url, _CARRIER, carriers)
    states = {
        row.url_id: row for row in rows_of(connection, url_state, "url_id", (r.id for r in rows))
    }
    answers = read_answers(connection, [row.id for row in rows])
    found = []
    for row in sorted(rows, key=lambda row: row.id):
        host, category = carriers[row.host_category_id]
        has = have.state.mirrors[names[host]].has
        parts = [one for one in directories[category] if has is None or one in has]
        if row.url.startswith(_WEB) and parts:
            found.append(
                MirrorUrl(
                    row.id,
                    row.host_category_id,
                    names[host],
                    row.url,
                    topdirs[category],
                    tuple(parts),
                    _state(states.get(row.id)),
                    answers[row.id],
                )
            )
    return found


def _state(row: Any) -> UrlState:
    if row is None:
        return UrlState()
    return UrlState(row.failures, row.checked, row.good, row.error, row.tls_expires)


def ask_mirrors(
    urls: Iterable[MirrorUrl],
    sums: Mapping[str, Known],
    agent: str,
    progress: Progress,
    limits: Limits | None = None,
) -> list[Judged]:
    """Return what every URL has of each repository whose sums are known."""
    asked = {
        (one.id, directory): _question(one, directory)
        for one in urls
        for directory in one.directories
        if directory in sums
    }
    replies: dict[Question, Reply] = {}
    if asked:

        def told(done: int) -> None:
            progress("asking the mirrors", done, len(asked))

        replies = ask_all(asked.values(), MOST_BYTES, agent, told, limits)
    judged = []
    for one in urls:
        mine = {
            directory: replies[asked[one.id, directory]]
            for directory in one.directories
            if directory in sums
        }
        found = {name: remember(reply, one.answers.get(name)) for name, reply in mine.items()}
        verdicts = {name: judge(reply, sums[name], found[name]) for name, reply in mine.items()}
        judged.append(Judged(one, mine, verdicts, found))
    return judged


def _question(one: MirrorUrl, directory: str) -> Question:
    before = one.answers.get(directory)
    return Question(one.url, _path(one, directory), before.etag if before else None)


def _path(one: MirrorUrl, directory: str) -> str:
    path = directory[len(one.topdir) + 1 :]
    return f"{path}/{METADATA_FOLDER}/{METADATA}".lstrip("/")


def write_verdicts(
    connection: Connection, site: str, judged: list[Judged], now: int, limit: int
) -> list[ProbedUrl]:
    """Write the states of URLs and of directories; return what was found."""
    anybody = any(one is not Verdict.UNREACHABLE for url in judged for one in url.verdicts.values())
    there = {
        row.id: row.private
        for row in rows_of(connection, schema.host_category_url, "id", [j.url.id for j in judged])
    }
    # A URL that an apply took away meanwhile is not written.
    judged = [one for one in judged if one.url.id in there and one.verdicts]
    states = {
        one.url.id: next_state(
            one.url.state,
            one.replies.values(),
            one.verdicts.values(),
            now,
            anybody=anybody,
            limit=limit,
        )
        for one in judged
    }
    hidden = _write_states(connection, states, there, limit)
    write_answers(connection, [(one.url, one.found) for one in judged])
    if _write_directories(connection, judged) or hidden:
        _note_reduced(connection, site, now)
    return [_said(one, states[one.url.id], limit) for one in judged]


def _note_reduced(connection: Connection, site: str, now: int) -> None:
    """Let the next export lose what mirrors do not have (docs/sites.md#when-much-goes-at-once)."""
    mine = site_file.c.name == site
    before = connection.scalar(select(site_file.c.reduced).where(mine)) or 0
    moment = max(now, before + 1)
    connection.execute(update(site_file).where(mine).values(reduced=moment))


def _said(one: Judged, state: UrlState, limit: int) -> ProbedUrl:
    counts: dict[str, int] = {}
    for verdict in one.verdicts.values():
        counts[verdict.value] = counts.get(verdict.value, 0) + 1
    return ProbedUrl(
        mirror=one.url.mirror,
        url=one.url.url,
        offered=state.failures < limit,
        verdicts=counts,
        failures=state.failures,
        good=state.good,
        error=state.error,
        tls_expires=state.tls_expires,
    )


def _write_states(
    connection: Connection, states: Mapping[int, UrlState], private: Mapping[int, bool], limit: int
) -> bool:
    """Write how URLs answered, and hide or show them; return whether one is hidden now."""
    for part in chunks(states):
        connection.execute(url_state.delete().where(url_state.c.url_id.in_(part)))
    rows = [
        {
            "url_id": id,
            "failures": one.failures,
            "checked": one.checked,
            "good": one.good,
            "error": one.error,
            "tls_expires": one.tls_expires,
        }
        for id, one in states.items()
    ]
    insert_all(connection, url_state, rows)
    changed = [
        {"id": id, "private": one.failures >= limit}
        for id, one in states.items()
        if private[id] != (one.failures >= limit)
    ]
    update_all(connection, schema.host_category_url, changed)
    return any(row["private"] for row in changed)


def _write_directories(connection: Connection, judged: list[Judged]) -> bool:
    """Write which directories each mirror has up to date; return whether one lost something."""
    by_carrier: dict[int, dict[tuple[int, str], Verdict]] = defaultdict(dict)
    for one in judged:
        for directory, verdict in one.verdicts.items():
            by_carrier[one.url.carrier][one.url.id, directory] = verdict
    told = {
        carrier: {
            directory: known
            for directory, urls in by_directory(verdicts).items()
            if (known := up_to_date(urls)) is not None
        }
        for carrier, verdicts in by_carrier.items()
    }
    return Directories(connection, [one.url for one in judged]).write(told)
