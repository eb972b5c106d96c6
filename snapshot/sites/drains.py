"""Takes a mirror out of the lists for a while, and back when the time is over."""

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from snapshot.export import schema
from snapshot.export.database import parse_url
from snapshot.export.declared import drained
from snapshot.file.errors import DataFileError
from snapshot.sites.current import OWNER
from snapshot.sites.database import writing
from snapshot.sites.difference import RefusedChange
from snapshot.sites.host_states import HostState
from snapshot.sites.hosts import find_host, last_ones, read_hosts
from snapshot.sites.reduced import note_reduced


def drain(database: str, name: str, reason: str, seconds: int, now: int) -> HostState:
    """Take a mirror out of the lists until some seconds after `now`, and return its state.

    Raises RefusedChange if clients would have no mirror of a repository; then nothing is written.
    """
    with writing(parse_url(database), create=False) as connection:
        hosts = read_hosts(connection)
        host = find_host(hosts, name)
        if only := last_ones(hosts, host.name):
            raise RefusedChange(
                f"{name} is the last mirror that clients get for {only[0]}"
                f"{f' and {len(only) - 1} more' if only[1:] else ''}; nothing was written"
            )
        row = _row(connection, host)
        if host.drained is None and not row.admin_active:
            raise DataFileError(
                f"{name} is switched off by an administrator of the database; nothing was written"
            )
        since = host.drained.since if host.drained else now
        connection.execute(delete(drained).where(drained.c.host_id == row.id))
        values = {"since": since, "until": now + seconds, "reason": reason}
        connection.execute(insert(drained).values(host_id=row.id, **values))
        _switch(connection, [row.id], on=False)
        note_reduced(connection, host.site, now)
        return find_host(read_hosts(connection), f"{host.site}: {host.name}")


def undrain(database: str, name: str) -> HostState:
    """Bring a mirror back before its time, and return its state."""
    with writing(parse_url(database), create=False) as connection:
        host = find_host(read_hosts(connection), name)
        if host.drained is None:
            raise DataFileError(f"{name} is not drained; `mirrorlist sites host show` says more")
        _end(connection, [_row(connection, host).id])
        return find_host(read_hosts(connection), f"{host.site}: {host.name}")


def end_drains(connection: Connection, now: int) -> list[str]:
    """Bring back the mirrors whose time is over, and return their names."""
    over = [*connection.scalars(select(drained.c.host_id).where(drained.c.until <= now))]
    if not over:
        return []
    _end(connection, over)
    host = schema.host
    return sorted(connection.scalars(select(host.c.name).where(host.c.id.in_(over))))


def next_end(connection: Connection) -> int | None:
    """Return when the next drain is over, in seconds since 1970; None without drains."""
    found = connection.scalar(select(func.min(drained.c.until)))
    return None if found is None else int(found)


def _row(connection: Connection, host: HostState) -> Any:
    """Return the row of a host; names are unique within a file, and owners are marked."""
    table, site = schema.host, schema.site
    mark = f"{OWNER}{host.site}"
    statement = (
        select(table).join(site, site.c.id == table.c.site_id).where(table.c.name == host.name)
    )
    return connection.execute(statement.where(site.c.created_by == mark)).one()


def _end(connection: Connection, hosts: list[int]) -> None:
    connection.execute(delete(drained).where(drained.c.host_id.in_(hosts)))
    _switch(connection, hosts, on=True)


def _switch(connection: Connection, hosts: list[int], *, on: bool) -> None:
    """Set the flag of MirrorManager's administrators, which a file's `active` does not touch."""
    table = schema.host
    connection.execute(update(table).where(table.c.id.in_(hosts)).values(admin_active=on))
