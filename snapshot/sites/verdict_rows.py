"""Writes what mirrors answered: states of URLs, those that leave the lists, directories."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import Connection

from snapshot.export import schema
from snapshot.export.declared import url_state
from snapshot.sites.answers import write_answers
from snapshot.sites.dead import pairs_of, without_dead, without_late
from snapshot.sites.getting import CERTIFICATE
from snapshot.sites.hiding import deciding, spared, useless_urls
from snapshot.sites.judging import (
    Verdict,
    by_directory,
    is_late,
    up_to_date,
)
from snapshot.sites.mirror_probe import Judged
from snapshot.sites.probed_rows import Directories, MirrorUrl, Told
from snapshot.sites.reduced import note_reduced
from snapshot.sites.rows import chunks, insert_all, rows_of, update_all
from snapshot.sites.url_states import UrlState, next_state

# One or two mirrors may well have certificates that ended at the same time.
_SEVERAL = 3


class ProbedUrl(Struct, frozen=True):
    """A URL of a mirror."""

    mirror: str
    """The mirror's name."""
    url: str
    """Its URL; http, https and rsync are asked, and rsync only if this program is there."""
    offered: bool
    """Whether the URL is in lists, of repositories that the mirror has up to date."""
    verdicts: dict[str, int]
    """How many repositories were `current`, `alternate`, `behind`, `partial`, `wrong`,
    `missing`, `ahead` (of the primary), `unsure` (while the primary is silent) or
    `unreachable`."""
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


def write_verdicts(
    connection: Connection, site: str, judged: list[Judged], now: int, limit: int
) -> list[ProbedUrl]:
    """Write the states of URLs and of directories; return what was found."""
    anybody = any(one is not Verdict.UNREACHABLE for url in judged for one in url.verdicts.values())
    rows = rows_of(connection, schema.host_category_url, "id", [one.url.id for one in judged])
    now_there = {(row.id, row.host_category_id, row.url) for row in rows}
    there = {row.id: row.private for row in rows}
    # A URL that an apply took away meanwhile is not written, nor one to which SQLite gave its id.
    judged = [one for one in judged if one.url.key in now_there and one.verdicts]
    silent, trusts = _silent_families(judged), _trusts_any(judged)
    states = {
        one.url.id: next_state(
            one.url.state,
            {family: of for family, of in one.replies.items() if family not in silent},
            one.verdicts.values(),
            now,
            anybody=anybody,
            limit=limit,
            trusts=trusts,
        )
        for one in judged
    }
    found = [(one.url, one.verdicts) for one in judged]
    urls = [url for url, _ in found]
    directories = Directories(connection, urls)
    # A URL that is hidden, and was not for its silence.
    useless_before = {one.id for one, _ in found if there[one.id] and one.state.failures < limit}
    useless = useless_urls(found, useless_before)
    told, late = _told(judged, deciding(found, useless))
    hidden = useless | {id for id, one in states.items() if one.failures >= limit}
    alive, pairs = _shown(urls, hidden), pairs_of(urls)
    told = without_late(told, pairs, late, alive, directories.had)
    hidden = spared(hidden, urls, there, told, directories.had)
    dead = _shown(urls, hidden) - alive
    told = without_dead(told, pairs, dead, alive, directories.had)
    states = {
        id: replace(one, since=now if there[id] != (id in hidden) else one.since)
        for id, one in states.items()
    }
    is_less = _write_states(connection, states, there, hidden)
    write_answers(connection, [(one.url, one.found) for one in judged])
    if directories.write(told, _shown(urls, hidden)) or is_less:
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


def _trusts_any(judged: list[Judged]) -> bool:
    """Whether a certificate of one of several hosts was taken; else the trouble is here.

    A clock that is wrong, or a machine without its authorities, refuses every certificate.
    """
    hosts: dict[str | None, bool] = {}
    for one in judged:
        if one.url.url.startswith("https://"):
            refused = all(
                (reply.error or "").startswith(CERTIFICATE)
                for of in one.replies.values()
                for reply in of
            )
            host = urlsplit(one.url.url).hostname
            hosts[host] = hosts.get(host, False) or not refused
    return len(hosts) < _SEVERAL or any(hosts.values())


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


def _shown(urls: Iterable[MirrorUrl], hidden: Set[int]) -> set[int]:
    """Return the mirrors that have a URL in lists."""
    return {one.carrier for one in urls if one.id not in hidden}


def _told(judged: list[Judged], deciding: set[int]) -> tuple[Told, set[tuple[int, str]]]:
    """Return which directories each mirror has up to date, of those that are known; and where it is
    late.
    """
    by_carrier: dict[int, dict[tuple[int, str], Verdict]] = defaultdict(dict)
    for one in judged:
        for directory, verdict in one.verdicts.items() if one.url.id in deciding else ():
            by_carrier[one.url.carrier][one.url.id, directory] = verdict
    told: dict[int, dict[str, bool]] = {carrier: {} for carrier in by_carrier}
    late = set()
    for carrier, verdicts in by_carrier.items():
        for directory, urls in by_directory(verdicts).items():
            if (known := up_to_date(urls)) is not None:
                told[carrier][directory] = known
            if is_late(urls):
                late.add((carrier, directory))
    return told, late
