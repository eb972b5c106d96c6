"""Asks each URL of each mirror for each repomd.xml, and writes which mirrors are up to date."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import Connection

from snapshot.export import schema
from snapshot.export.declared import url_state
from snapshot.export.rows import Progress
from snapshot.sites.answers import read_answers, write_answers
from snapshot.sites.asking import ask_all
from snapshot.sites.current import read_current
from snapshot.sites.getting import Limits, Question, Reply
from snapshot.sites.hiding import deciding, spared, useless_urls
from snapshot.sites.inside import Inside
from snapshot.sites.judging import (
    FAMILIES,
    Known,
    Memory,
    UrlState,
    Verdict,
    by_directory,
    combined,
    judge,
    next_state,
    remember,
    up_to_date,
)
from snapshot.sites.primary import Place
from snapshot.sites.probed_rows import Directories, MirrorUrl
from snapshot.sites.reduced import note_reduced
from snapshot.sites.repomd import MOST_BYTES
from snapshot.sites.rows import chunks, insert_all, rows_of, update_all
from snapshot.sites.rsyncing import RSYNC, has_rsync
from snapshot.sites.state import CheckedFile, State

_WEB = ("http://", "https://")
_CARRIER = "host_category_id"


class ProbedUrl(Struct, frozen=True):
    """A URL of a mirror."""

    mirror: str
    """The mirror's name."""
    url: str
    """Its URL; http, https and rsync are asked, and rsync only if this program is there."""
    offered: bool
    """Whether the URL is in lists, of repositories that the mirror has up to date."""
    verdicts: dict[str, int]
    """How many repositories were `current`, `alternate`, `behind`, `wrong`, `missing`, `ahead`
    (of the primary) or `unreachable`."""
    failures: int
    """Tries in a row without any answer; a probe tries up to 3 times."""
    good: int | None
    """When it last had something up to date, in seconds since 1970."""
    error: str | None
    """What was wrong with it last, until all is right again."""
    tls_expires: int | None
    """When its certificate ends, in seconds since 1970."""
    since: int | None
    """When it left the lists or came back last, in seconds since 1970."""
    ipv4: str | None
    """What is wrong over IPv4, or an empty text; null if IPv4 and IPv6 were not asked apart,
    because the host or the machine of the probe has only one of them."""
    ipv6: str | None
    """The same of IPv6."""


class Judged(Struct, frozen=True):
    """What one URL answered: replies by family, the rest by the repository's directory."""

    url: MirrorUrl
    replies: dict[int, list[Reply]]
    verdicts: dict[str, Verdict]
    found: dict[str, Memory]


def read_urls(connection: Connection, site: str, want: State) -> list[MirrorUrl]:
    """Return the http and https URLs of a site's mirrors, and with the program rsync its URLs."""
    have = read_current(connection, site)
    names = {id: name for name, id in have.hosts.items()}
    carriers = {id: pair for pair, id in have.host_categories.items()}
    files = defaultdict(list)
    for one in want.repositories.values():
        if one.category in have.categories:
            files[have.categories[one.category]].append(want.files[one.directory])
    rows = rows_of(connection, schema.host_category_url, _CARRIER, carriers)
    states = {
        row.url_id: row for row in rows_of(connection, url_state, "url_id", (r.id for r in rows))
    }
    answers = read_answers(connection, [row.id for row in rows])
    asked = (*_WEB, RSYNC) if has_rsync() else _WEB
    found = []
    for row in sorted(rows, key=lambda row: row.id):
        host, category = carriers[row.host_category_id]
        has = have.state.mirrors[names[host]].has
        parts = tuple(one for one in files[category] if has is None or one.directory in has)
        if row.url.startswith(asked) and parts:
            state = _state(states.get(row.id))
            about = (row.id, row.host_category_id, names[host], row.url)
            found.append(MirrorUrl(*about, parts, state, answers[row.id]))
    return found


def _state(row: Any) -> UrlState:
    if row is None:
        return UrlState()
    return UrlState(**{name: getattr(row, name) for name in UrlState.__struct_fields__})


def ask_mirrors(
    urls: Iterable[MirrorUrl],
    sums: Mapping[Place, Known],
    agent: str,
    progress: Progress,
    now: int,
    limits: Limits | None = None,
    inside: Inside | None = None,
) -> list[Judged]:
    """Return what every URL has of each file whose sums are known."""
    asked: dict[tuple[str, str], Question] = {}
    for one in urls:
        for file in _known_files(one, sums):
            asked.setdefault((one.url, file.path), _question(one, file))
    if not asked:
        return []

    def told(done: int, total: int) -> None:
        progress("asking the mirrors", done, total)

    replies = ask_all(asked.values(), MOST_BYTES, agent, told, limits, inside)
    return [_judged(one, sums, asked, replies, now) for one in urls]


def _known_files(one: MirrorUrl, sums: Mapping[Place, Known]) -> list[CheckedFile]:
    return [file for file in one.files if (file.folder, file.name) in sums]


def _question(one: MirrorUrl, file: CheckedFile) -> Question:
    before = one.answers.get(file.directory)
    return Question(one.url, file.path, file.is_repomd, before.etag if before else None)


def _judged(
    one: MirrorUrl,
    sums: Mapping[Place, Known],
    asked: Mapping[tuple[str, str], Question],
    replies: Mapping[Question, Reply],
    now: int,
) -> Judged:
    by_family: dict[int, list[Reply]] = defaultdict(list)
    verdicts, found = {}, {}
    for file in _known_files(one, sums):
        question, before = asked[one.url, file.path], one.answers.get(file.directory)
        mine = {
            family: replies[key]
            for family in FAMILIES
            if (key := question._replace(family=family)) in replies
        }
        for family, reply in mine.items():
            by_family[family].append(reply)
        known = sums[file.folder, file.name]
        verdict = combined(judge(reply, known, before, now) for reply in mine.values())
        verdicts[file.directory] = verdict
        found[file.directory] = remember([*mine.values()], verdict, before, now)
    return Judged(one, by_family, verdicts, found)


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
    silent = _silent_families(judged)
    states = {
        one.url.id: next_state(
            one.url.state,
            {family: of for family, of in one.replies.items() if family not in silent},
            one.verdicts.values(),
            now,
            anybody=anybody,
            limit=limit,
        )
        for one in judged
    }
    directories = Directories(connection, [one.url for one in judged])
    found = [(one.url, one.verdicts) for one in judged]
    useless = useless_urls(found)
    told = _told(judged, deciding(found, useless))
    hidden = useless | {id for id, one in states.items() if one.failures >= limit}
    hidden = spared(hidden, [one.url for one in judged], there, told, directories.had)
    states = {
        id: replace(one, since=now if there[id] != (id in hidden) else one.since)
        for id, one in states.items()
    }
    is_less = _write_states(connection, states, there, hidden)
    write_answers(connection, [(one.url, one.found) for one in judged])
    shown = {one.url.carrier for one in judged if one.url.id not in hidden}
    if directories.write(told, shown) or is_less:
        note_reduced(connection, site, now)
    return [_said(one, states[one.url.id], one.url.id not in hidden) for one in judged]


def _silent_families(judged: list[Judged]) -> set[int]:
    """Return the families over which no URL answered, of several: then the trouble is here."""
    answers = defaultdict[int, list[bool]](list)
    for one in judged:
        for family, replies in one.replies.items():
            answers[family].append(any(reply.error is None for reply in replies))
    silent = {family for family, of in answers.items() if len(of) > 1 and not any(of)}
    # One that is left tells the states; without any, all are the same.
    return silent if answers.keys() - silent else set()


def _said(one: Judged, state: UrlState, offered: bool) -> ProbedUrl:
    counts: dict[str, int] = {}
    for verdict in one.verdicts.values():
        counts[verdict.value] = counts.get(verdict.value, 0) + 1
    return ProbedUrl(
        mirror=one.url.mirror,
        url=one.url.url,
        offered=offered,
        verdicts=counts,
        failures=state.failures,
        good=state.good,
        error=state.error,
        tls_expires=state.tls_expires,
        since=state.since,
        ipv4=state.ipv4,
        ipv6=state.ipv6,
    )


def _write_states(
    connection: Connection,
    states: Mapping[int, UrlState],
    private: Mapping[int, bool],
    hidden: set[int],
) -> bool:
    """Write how URLs answered, and hide or show them; return whether one is hidden now."""
    for part in chunks(states):
        connection.execute(url_state.delete().where(url_state.c.url_id.in_(part)))
    insert_all(connection, url_state, [{"url_id": id, **asdict(one)} for id, one in states.items()])
    changed = [
        {"id": id, "private": id in hidden} for id in states if private[id] != (id in hidden)
    ]
    update_all(connection, schema.host_category_url, changed)
    return any(row["private"] for row in changed)


def _told(judged: list[Judged], deciding: set[int]) -> dict[int, dict[str, bool]]:
    """Return which directories each mirror has up to date, of those that are known."""
    by_carrier: dict[int, dict[tuple[int, str], Verdict]] = defaultdict(dict)
    for one in judged:
        for directory, verdict in one.verdicts.items() if one.url.id in deciding else ():
            by_carrier[one.url.carrier][one.url.id, directory] = verdict
    return {
        carrier: {
            directory: known
            for directory, urls in by_directory(verdicts).items()
            if (known := up_to_date(urls)) is not None
        }
        for carrier, verdicts in by_carrier.items()
    }
