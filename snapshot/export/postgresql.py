"""Connects to PostgreSQL so that no byte of any text ends a read, whatever encoding a server has.

A server of SQL_ASCII hands out whatever bytes somebody wrote once, and refuses to do so to a
client that wants UTF-8; one of WIN1252 or the like cannot convert bytes that stand for nothing
there. So text is taken as the server has it, and broken bytes become what `snapshot.file.text`
finds.
"""

from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from sqlalchemy import URL

CONNECT_SECONDS = 10
KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""How PostgreSQL's library notices that a server is gone without a word: within 25 seconds."""
# The server's encodings of one byte a character, and what Python calls them. All others that a
# server may have hold nothing that UTF-8 lacks.
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

    What the URL's query says wins over our own options.
    """
    _, given = url.get_dialect()().create_connect_args(url)
    parts = {
        "connect_timeout": CONNECT_SECONDS,
        **KEEPALIVE,
        **given,
        "application_name": application,
        **options,
    }
    connection = psycopg.connect(**{**parts, "client_encoding": "utf8"})
    server = connection.info.parameter_status("server_encoding") or "UTF8"
    if server in _ONE_BYTE:
        # Anew, and not by SET: in a pooler a setting of the session would outlive us.
        connection.close()
        connection = psycopg.connect(**{**parts, "client_encoding": server})
    _take_any_bytes(connection, _ONE_BYTE.get(server, "utf-8"))
    return connection


def _take_any_bytes(connection: psycopg.Connection[Any], encoding: str) -> None:
    def load(data: Buffer) -> str:
        return bytes(data).decode(encoding, "surrogateescape")

    for form in (Format.TEXT, Format.BINARY):
        kind = type("_Text", (Loader,), {"format": form, "load": lambda _, data: load(data)})
        for name in _TEXTS:
            connection.adapters.register_loader(name, kind)
