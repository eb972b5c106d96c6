"""A database URL: its parts, as SQLAlchemy takes a URL apart, and what they are for libpq.

SQLAlchemy is not imported, because that takes longer than to read a small database.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, quote_plus, unquote

_URL = re.compile(
    r"""(?P<drivername>[\w\+]+)://
    (?:(?P<username>[^:/]*)(?::(?P<password>[^@]*))?@)?
    (?:\[(?P<ipv6>[^/\?]+)\]|(?P<host>[^/:\?]+))?
    (?::(?P<port>[^/\?]*))?
    (?:/(?P<database>[^\?]*))?
    (?:\?(?P<query>.*))?""",
    re.VERBOSE,
)
_HOST_AND_PORT = re.compile(r"([a-zA-Z0-9.-]*):([0-9]*)")
_NO_OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class URL(NamedTuple):
    """The parts of a URL, without percent signs; `query` has each option with all its values."""

    drivername: str
    username: str | None = None
    password: str | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None
    query: Mapping[str, tuple[str, ...]] = _NO_OPTIONS

    def text(self, *, password: str | None) -> str:
        """Return the URL with something in the place of the password, None for itself."""
        user = _user(self.username, self.password, password)
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host or ""
        port = "" if self.port is None else f":{self.port}"
        database = "" if self.database is None else "/" + quote(self.database, safe=" +/")
        options = "&".join(
            f"{quote_plus(key)}={quote_plus(value)}"
            for key in sorted(self.query)
            for value in self.query[key]
        )
        rest = f"?{options}" if options else ""
        return f"{self.drivername}://{user}{host}{port}{database}{rest}"


def _user(name: str | None, password: str | None, shown: str | None) -> str:
    if name is None:
        return ""
    after = "" if password is None else ":" + (shown or quote(password, safe=" +"))
    return f"{quote(name, safe=' +')}{after}@"


def take_apart(text: str) -> URL:
    """Return the parts of a URL; raises ValueError for a text that is not a URL."""
    found = _URL.match(text)
    if found is None:
        raise ValueError("not a URL")
    parts = found.groupdict()
    options: dict[str, tuple[str, ...]] = {}
    for key, value in parse_qsl(parts["query"] or ""):
        options[key] = (*options.get(key, ()), value)
    return URL(
        parts["drivername"],
        _plain(parts["username"]),
        _plain(parts["password"]),
        parts["host"] or parts["ipv6"],
        None if parts["port"] is None else int(parts["port"]),
        _plain(parts["database"]),
        options,
    )


def _plain(part: str | None) -> str | None:
    return None if part is None else unquote(part)


def libpq_parameters(url: URL) -> dict[str, Any]:
    """Return the parameters with which libpq connects; those of the query count more."""
    named = {
        "host": url.host,
        "dbname": url.database,
        "user": url.username,
        "password": url.password,
        "port": url.port,
    }
    given = {key: value for key, value in named.items() if value}
    # Of an option that is there twice, the last one counts, as in libpq's own URLs.
    return {**given, **{key: values[-1] for key, values in url.query.items()}, **_hosts(url)}


def _hosts(url: URL) -> dict[str, str]:
    """Return what ?host=A:1&host=B:2 and ?host=A,B are for libpq, with a list of ports for each."""
    given = url.query.get("host", ())
    hosts = given if len(given) > 1 else "".join(given).split(",")
    if not given or (len(given) == 1 and "port" in url.query):
        return {}
    has_ports = len(given) > 1 or len(hosts) == 1
    found = [_HOST_AND_PORT.fullmatch(host) if has_ports else None for host in hosts]
    ports = ",".join(one[2] if one else "" for one in found)
    names = [one[1] if one else host for one, host in zip(found, hosts, strict=True)]
    return {"host": ",".join(names), **({"port": ports} if ports else {})}
