"""Connects to PostgreSQL so that no byte in any text ends a read, whatever the server's encoding.

A database in SQL_ASCII may hold any bytes, and refuses to send invalid UTF-8 to a client that asks
for UTF-8. A database in WIN1252 or a similar encoding cannot convert bytes that are undefined in
it. So this module asks for text in the server's own encoding and decodes it itself. Undecodable
bytes become surrogates, which `snapshot.file.text` refuses in the row where they are.
"""

import codecs
from typing import Any

import psycopg
from psycopg import BaseConnection
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

from snapshot.export.url import URL, libpq_parameters

CONNECT_SECONDS = 10
KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""Lets libpq notice within 25 seconds that a server has vanished without closing the connection.

See the parameters in https://www.postgresql.org/docs/current/libpq-connect.html.
"""
# PostgreSQL's single-byte encodings by their names in Python. Text in all its other encodings can
# be converted to UTF-8 without loss.
_ONE_BYTE = {
    "SQL_ASCII": "utf-8",
    "WIN866": "cp866",
    "WIN874": "cp874",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
    **{f"WIN125{number}": f"cp125{number}" for number in range(9)},
    **{f"ISO_8859_{number}": f"iso8859-{number}" for number in range(5, 9)},
    **{
        f"LATIN{number}": f"iso8859-{part}"
        for number, part in enumerate((1, 2, 3, 4, 9, 10, 13, 14, 15, 16), 1)
    },
}
_TEXTS = ("text", "varchar", "bpchar", "name", '"char"')


def connect(url: URL, application: str, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to the server of a URL; raises psycopg's errors.

    The query of the URL overrides the options that are set here.
    """
    parts = {
        "connect_timeout": CONNECT_SECONDS,
        **KEEPALIVE,
        **libpq_parameters(url),
        "application_name": application,
        **options,
    }
    connection = _connected({**parts, "client_encoding": "utf8"})
    server = _encoding(connection)
    if server in _ONE_BYTE:
        # A new connection instead of SET client_encoding: a connection pooler would pass the
        # session with that setting on to its next client.
        connection.close()
        connection = _connected({**parts, "client_encoding": server})
    for name in _TEXTS:
        connection.adapters.register_loader(name, _AnyText)
        connection.adapters.register_loader(name, _AnyBinaryText)
    return connection


def _connected(parts: dict[str, Any]) -> psycopg.Connection[tuple[Any, ...]]:
    try:
        return psycopg.connect(**parts)
    except UnicodeError as error:
        # psycopg looks names up by Python, which refuses a label that is empty or too long.
        why = "the host cannot be the name of one: a part of it is empty or too long"
        raise psycopg.OperationalError(why) from error


def _encoding(connection: BaseConnection[Any]) -> str:
    return connection.info.parameter_status("server_encoding") or "UTF8"


def codec_of(connection: BaseConnection[Any]) -> str:
    """Return the server's encoding by its name in Python; UTF-8 for one that Python lacks."""
    server = _encoding(connection)
    try:
        return codecs.lookup(_ONE_BYTE.get(server, server)).name
    except LookupError:
        return "utf-8"


class _AnyText(Loader):
    """Makes text of whatever bytes a server has, by the server's own encoding."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        server = _encoding(self.connection) if self.connection else ""
        self._encoding = _ONE_BYTE.get(server, "utf-8")

    def load(self, data: Buffer) -> str:
        return bytes(data).decode(self._encoding, "surrogateescape")


class _AnyBinaryText(_AnyText):
    # An adapter is asked for in each of PostgreSQL's two formats; text is the same bytes in both.
    format = Format.BINARY


def client_codec_of(connection: BaseConnection[Any]) -> str:
    """Return the encoding of what this client sends, by its name in Python."""
    return _ONE_BYTE.get(_encoding(connection), "utf-8")


def safe_codec_of(connection: BaseConnection[Any]) -> str:
    """Return an encoding, by its name in Python, of which a database holds all characters.

    It is ASCII for a server whose table of an encoding may differ from Python's.
    """
    server = _encoding(connection)
    return "utf-8" if server == "UTF8" else _ONE_BYTE.get(server, "ascii")
