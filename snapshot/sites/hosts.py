"""Which mirrors clients are offered, since when they are not, and why."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from snapshot.export import schema
from snapshot.export.declared import answer, drained, url_state
from snapshot.file.errors import DataFileError
from snapshot.sites.current import OWNER
from snapshot.sites.host_states import Drain, FileAnswer, HostState, HostUrl
from snapshot.sites.judging import GOOD
from snapshot.sites.rows import chunks, rows_of
from snapshot.sites.shape import proposal

_CARRIER = "host_category_id"
_WEB = ("http://", "https://")


class _Rows(Struct, frozen=True):
    """All rows that are needed, read with a fixed number of statements."""

    hosts: list[Any]
    sites: dict[int, str]
    drains: dict[int, Drain]
    carriers: dict[int, list[Any]]
    urls: dict[int, list[Any]]
    states: dict[int, Any]
    answers: dict[int, list[Any]]
    up_to_date: dict[int, dict[str, bool]]
    repositories: dict[int, list[tuple[str, str]]]


def read_hosts(connection: Connection) -> list[HostState]:
    """Return the mirrors of all files of a database, by name."""
    rows = _read(connection)
    return sorted((_host(row, rows) for row in rows.hosts), key=lambda one: one.name)


def find_host(found: Iterable[HostState], name: str) -> HostState:
    """Return a mirror by its name, or by `SITE: NAME`; raises DataFileError with a proposal."""
    found = [*found]
    mine = [one for one in found if name in (one.name, f"{one.site}: {one.name}")]
    if mine[1:]:
        sites = ", ".join(f"'{one.site}: {one.name}'" for one in mine)
        raise DataFileError(f"several sites have a mirror {name:.100}; say which: {sites}")
    if mine:
        return mine[0]
    by_name = [one.name for one in found]
    there = proposal(name, by_name) or "; `mirrorlist sites host list` has all"
    raise DataFileError(f"no mirror of a file has the name {name:.100}{there}")


def _read(connection: Connection) -> _Rows:
    mark = schema.site.c.created_by
    owned = connection.execute(select(schema.site.c.id, mark).where(mark.startswith(OWNER))).all()
    hosts = rows_of(connection, schema.host, "site_id", [row.id for row in owned])
    ids = [row.id for row in hosts]
    carriers = rows_of(connection, schema.host_category, "host_id", ids)
    urls = rows_of(connection, schema.host_category_url, _CARRIER, [one.id for one in carriers])
    url_ids = [row.id for row in urls]
    drains = rows_of(connection, drained, "host_id", ids)
    states = rows_of(connection, url_state, "url_id", url_ids)
    directories = defaultdict[int, dict[str, bool]](dict)
    for row in rows_of(connection, schema.host_category_dir, _CARRIER, [c.id for c in carriers]):
        directories[row.host_category_id][row.path] = bool(row.up2date)
    return _Rows(
        hosts=hosts,
        sites={row.id: row.created_by[len(OWNER) :] for row in owned},
        drains={row.host_id: Drain(row.since, row.until, row.reason) for row in drains},
        carriers=_grouped(carriers, "host_id"),
        urls=_grouped(urls, _CARRIER),
        states={row.url_id: row for row in states},
        answers=_grouped(_answers(connection, url_ids), "url_id"),
        up_to_date=directories,
        repositories=_repositories(connection, {row.category_id for row in carriers}),
    )


def _grouped(rows: Iterable[Any], column: str) -> dict[int, list[Any]]:
    found = defaultdict(list)
    for row in sorted(rows, key=lambda row: getattr(row, "id", 0)):
        found[getattr(row, column)].append(row)
    return found


def _answers(connection: Connection, urls: Iterable[int]) -> list[Any]:
    joined = select(answer, schema.directory.c.name).join(
        schema.directory, answer.c.directory_id == schema.directory.c.id
    )
    return [
        row
        for part in chunks(urls)
        for row in connection.execute(joined.where(answer.c.url_id.in_(part)))
    ]


def _repositories(connection: Connection, categories: set[int]) -> dict[int, list[tuple[str, str]]]:
    """Return name and directory of the repositories of categories."""
    row, arch, directory = schema.repository, schema.arch, schema.directory
    statement = (
        select(row.c.prefix, row.c.category_id, arch.c.name.label("arch"), directory.c.name)
        .join(arch, arch.c.id == row.c.arch_id)
        .join(directory, directory.c.id == row.c.directory_id)
        .where(row.c.category_id.in_(categories))
        .order_by(row.c.id)
    )
    found = defaultdict(list)
    for one in connection.execute(statement):
        found[one.category_id].append((f"{one.prefix} {one.arch}", one.name))
    return found


def _host(row: Any, rows: _Rows) -> HostState:
    carriers = rows.carriers.get(row.id, [])
    urls = [one for carrier in carriers for one in rows.urls.get(carrier.id, [])]
    files = [*_files(carriers, rows)]
    active = bool(row.user_active and row.admin_active)
    offered: list[str] = []
    missing: list[str] = []
    for carrier in carriers:
        shown = active and any(not one.private for one in rows.urls.get(carrier.id, []))
        for name, directory in rows.repositories.get(carrier.category_id, []):
            has = shown and (
                carrier.always_up2date or rows.up_to_date[carrier.id].get(directory, False)
            )
            (offered if has else missing).append(name)
    state = HostState(
        name=row.name,
        site=rows.sites[row.site_id],
        country=row.country,
        private=bool(row.private),
        offered=offered,
        not_offered=missing,
        since=None,
        why=[],
        drained=rows.drains.get(row.id),
        urls=[_url(one, rows.states.get(one.id)) for one in urls],
        files=files,
    )
    if not missing:
        return state
    reasons = [*_reasons(row, state)] or [*_silence(state)]
    times = [time for _, time in reasons if time is not None]
    return _with(state, [text for text, _ in reasons], max(times, default=None))


def _with(state: HostState, why: list[str], since: int | None) -> HostState:
    return HostState(
        **{
            **{name: getattr(state, name) for name in HostState.__struct_fields__},
            "why": why,
            "since": since,
        }
    )


def _url(row: Any, state: Any) -> HostUrl:
    return HostUrl(
        url=row.url,
        offered=not row.private,
        since=state and state.since,
        checked=state and state.checked,
        good=state and state.good,
        failures=state.failures if state else 0,
        error=state and state.error,
        tls_expires=state and state.tls_expires,
        ipv4=state and state.ipv4,
        ipv6=state and state.ipv6,
    )


def _files(carriers: Iterable[Any], rows: _Rows) -> Iterator[FileAnswer]:
    for carrier in carriers:
        names = {directory: name for name, directory in rows.repositories[carrier.category_id]}
        for url in rows.urls.get(carrier.id, []):
            for one in rows.answers.get(url.id, []):
                if one.name in names:
                    about = (one.verdict, one.since, one.timestamp, one.sha256)
                    yield FileAnswer(names[one.name], url.url, *about)


def _reasons(row: Any, state: HostState) -> Iterator[tuple[str, int | None]]:
    """Yield why a mirror is not offered for all repositories, and since when."""
    if state.drained is not None:
        yield f"drained: {state.drained.reason}", state.drained.since
    elif not row.admin_active:
        yield "switched off by an administrator of the database", None
    if not row.user_active:
        yield "switched off in the file: active = false", None
    hidden = [one for one in state.urls if not one.offered]
    if hidden and not any(one.offered for one in state.urls):
        yield f"no URL answers: {hidden[-1].error}", _latest(one.since for one in hidden)
    bad: dict[str, list[FileAnswer]] = defaultdict(list)
    for one in state.files:
        if one.repository in state.not_offered and one.verdict not in _NOT_BAD:
            bad[one.verdict].append(one)
    for verdict, files in bad.items():
        many = len({one.repository for one in files})
        of = len(state.offered) + len(state.not_offered)
        yield f"{verdict}: {many} of {of} repositories", _latest(one.since for one in files)


def _silence(state: HostState) -> Iterator[tuple[str, int | None]]:
    """Yield that a mirror does not answer which is offered for what no other mirror has."""
    if state.urls and all(one.failures for one in state.urls):
        good = [one.good for one in state.urls]
        yield f"no URL answers: {state.urls[-1].error}", _latest(good)


_NOT_BAD = frozenset(map(str, GOOD)) | {"ahead", "unreachable"}


def _latest(times: Iterable[int | None]) -> int | None:
    return max((time for time in times if time is not None), default=None)


def last_ones(found: Iterable[HostState], name: str) -> list[str]:
    """Return the repositories that only this mirror is offered for, to all clients."""
    others: Mapping[str, set[str]] = defaultdict(set)
    for one in found:
        if not one.private:
            for repository in one.offered:
                others[repository].add(one.name)
    return sorted(repository for repository, names in others.items() if names == {name})
