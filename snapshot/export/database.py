"""Opens a MirrorManager database for one consistent, read-only read."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

from snapshot.export.session import PostgresqlSession, Session, SqliteSession
from snapshot.export.url import URL, take_apart
from snapshot.file.errors import DatabaseError, DatabaseURLError
from snapshot.file.wholefile import check_regular, read_text

_KNOWN = "sqlite:///FILE, postgresql://USER@HOST/NAME or @FILE (a file that holds the URL)"
_BARE_AT = (
    "the password has an @ in it; write it as %40 (also / as %2F, : as %3A, ? as %3F, % as %25)"
)
_OPTION = re.compile("[a-z_]+=")
# A shorter password may occur within ordinary words, so it is replaced only as a whole word.
_LONG_PASSWORD = 6
LOCK_SECONDS = 60.0
"""A read of PostgreSQL waits this long for a table that others have locked."""
_BUSY_SECONDS = 5.0
# psycopg's function takes these beside the options of libpq: objects of Python, and a second URL.
_OF_PYTHON = frozenset(
    {
        *("autocommit", "cls", "conninfo", "context", "cursor_factory"),
        *("prepare_threshold", "row_factory"),
    }
)
# Options with a password, or a mistyped one.
_SECRET = re.compile("pass|pwd|secret", re.IGNORECASE)
_SECRET_VALUE = re.compile(f"((?:{_SECRET.pattern})[^?&=]*=)[^&]*", re.IGNORECASE)
_WORK_MEMORY = "128MB"
_OUT_OF_WAL = (
    "in WAL mode a reader makes files beside it: let this user write its folder, or end that mode"
    " by PRAGMA journal_mode = DELETE"
)
# By SQLite's name of an error that says only "attempt to write a readonly database".
_ADVICE = {
    "SQLITE_READONLY_ROLLBACK": (
        "a program was cut off while it wrote: the next one that opens it for writing undoes that,"
        " such as sqlite3 FILE .tables"
    ),
    "SQLITE_READONLY_DIRECTORY": _OUT_OF_WAL,
    "SQLITE_READONLY_CANTINIT": _OUT_OF_WAL,
    "SQLITE_READONLY_RECOVERY": _OUT_OF_WAL,
}


def parse_url(text: str) -> URL:
    """Return a database URL given as text, or as `@FILE` whose first line is the URL.

    Raises DatabaseURLError; no error text holds a password.
    """
    if text == "@":
        raise DatabaseURLError("@ without a file behind it; use @FILE")
    if text.startswith("@"):
        text = _first_line(_at_home(text[1:]))
    try:
        url = take_apart(text)
    except ValueError as error:
        raise DatabaseURLError(_BARE_AT if _is_split(text) else _no_url(text)) from error
    kind = url.drivername.partition("+")[0]
    if _has_bare_at(text, url):
        raise DatabaseURLError(_BARE_AT)
    if "\0" in _texts(url):
        raise DatabaseURLError(f"a database URL with a NUL byte; use {_KNOWN}")
    if kind == "sqlite" and url.database:
        return url
    # MirrorManager's own configuration says postgres://.
    if kind in ("postgresql", "postgres"):
        _refuse_odd(url)
        return url._replace(drivername="postgresql+psycopg")
    if kind == "sqlite":
        raise DatabaseURLError(_without_a_file(url))
    raise DatabaseURLError(f"{kind}: not a kind of database we read; use {_KNOWN}")


def _texts(url: URL) -> str:
    """Return all texts of a URL, one behind the other."""
    options = (one for key, values in url.query.items() for one in (key, *values))
    return "".join([url.username or "", url.password or "", url.database or "", *options])


def _refuse_odd(url: URL) -> None:
    """Raise DatabaseURLError for what libpq cannot be given."""
    for name in url.query:
        if name in _OF_PYTHON:
            raise DatabaseURLError(f"?{name}=: not an option of PostgreSQL's connections")
    try:
        f"{url.host}{_texts(url)}".encode()
    except UnicodeEncodeError as error:
        raise DatabaseURLError(f"a database URL that is not UTF-8; use {_KNOWN}") from error


def _without_a_file(url: URL) -> str:
    """Return what is wrong with a SQLite URL without a file; usually it has two slashes."""
    # A URL with a user or a port names a server, not a file.
    if url.host and url.username is None and url.port is None:
        return f"sqlite://{url.host}: a slash too few; write sqlite:///{url.host}"
    return f"a database URL without a file; use {_KNOWN}"


def _is_split(text: str) -> bool:
    """Whether a text is not a URL only because its password has an @ that is not escaped."""
    return "://" in text and text.count("@") > 1


def _has_bare_at(text: str, url: URL) -> bool:
    """Whether a part of the password was parsed as the host, the database or an option.

    RFC 3986 (section 3.2.1) ends user name and password at the @. After an @ that is not escaped,
    the rest of the password would be shown with the host.
    """
    # A password in the options (?password=...) that is cut short leaves its rest in the host.
    if {*"@&=?"} & {*(url.host or "")}:
        return True
    rest = text.partition("://")[2]
    location = rest if url.username is None else rest.partition("@")[2]
    options = location.partition("?")[2].split("&")
    # A SQLite file may have an @ in its name.
    return not url.drivername.startswith("sqlite") and (
        "@" in (url.database or "")
        or any("@" in option and not _OPTION.match(option) for option in options)
    )


def _no_url(text: str) -> str:
    """Return what is wrong with a text that is not a URL; it is shown only if it is a path."""
    path = _at_home(text)
    if text and os.path.exists(path):
        if not path.is_dir():
            return f"{text}: not a database URL but a file: write sqlite:///{path.absolute()}"
        return f"{text}: not a database URL but a folder; use {_KNOWN}"
    # Not shown, because each may hold a password: USER:PASSWORD@HOST, a connection string with
    # password=..., a single word.
    is_path = bool(set(text) & set("/.")) and not set(text) & set("@:= ")
    shown = f"{text}: " if is_path else ""
    return f"{shown}not a database URL; use {_KNOWN}"


def _at_home(text: str) -> Path:
    return Path(os.path.expanduser(text) if text.startswith("~/") else text)


def database_file(url: URL) -> Path | None:
    """Return the file of a SQLite database, or None for another kind."""
    path = database_path(url)
    return path and path.absolute()


def database_path(url: URL) -> Path | None:
    """Return the file of a SQLite database as it was written, or None for another kind."""
    return _at_home(url.database or "") if url.drivername.startswith("sqlite") else None


@contextmanager
def read_only(url: URL, lock_seconds: float | None = None) -> Iterator[Session]:
    """Connect and begin one consistent read-only transaction; raises DatabaseError.

    Without `lock_seconds`, a statement may wait for a table or a file that others have locked for
    as long as an export should.
    """
    if database_file(url) is None:
        reading = _postgresql(url, lock_seconds or LOCK_SECONDS)
    else:
        reading = _sqlite(url, lock_seconds or _BUSY_SECONDS)
    with reading as session:
        yield session


@contextmanager
def _told(url: URL, kind: type[Exception]) -> Iterator[None]:
    """Turn a driver's errors into one line, without a password."""
    try:
        yield
    except (kind, UnicodeDecodeError) as error:
        raise unreadable(url, error) from error


def _first_line(path: Path) -> str:
    try:
        lines = read_text(path).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise DatabaseURLError(f"{path}: cannot be read: {why}") from error
    return lines[0].strip()


@contextmanager
def _sqlite(url: URL, busy_seconds: float) -> Iterator[Session]:
    with _told(url, sqlite3.Error), closing(open_sqlite(url, busy_seconds)) as connection:
        session = SqliteSession(connection)
        # Without BEGIN, each SELECT would see the database as it is at that moment.
        session.execute("BEGIN")
        yield session


def open_sqlite(url: URL, busy_seconds: float = _BUSY_SECONDS) -> sqlite3.Connection:
    """Open the SQLite file of a URL as `connect_sqlite` does, for texts of any bytes."""
    connection = connect_sqlite(_at_home(url.database or "").absolute(), busy_seconds)
    # One broken byte in one row must not end the read: it becomes a surrogate, and the rules of
    # snapshot.file.text report the row.
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    return connection


def connect_sqlite(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Open a SQLite file read-only, without automatic transactions; raises DatabaseError.

    While another program has the file locked, a statement waits for `busy_seconds`.
    """
    try:
        # Looked at by hand, because SQLite's own error does not say why a file cannot be opened.
        check_regular(path)
    except OSError as error:
        raise no_database_file(path, error) from error

    # By default SQLite creates a missing file (https://sqlite.org/uri.html): a mistyped name would
    # become an empty database. With mode=ro it does not. Threads may use it in turns.
    uri = f"file:{quote(os.fsencode(path))}?mode=ro"
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=busy_seconds, check_same_thread=False
    )


def no_database_file(path: Path, error: OSError) -> DatabaseError:
    """Return the error for a SQLite file that cannot be opened."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return DatabaseError(f"{path}: no such database file{_fourth_slash(path)}")
    return DatabaseError(f"{path}: cannot be read: {error.strerror}")


def _fourth_slash(path: Path) -> str:
    """Return a hint for an absolute path that was written with three slashes."""
    with suppress(OSError, ValueError):
        meant = Path("/") / path.relative_to(Path.cwd())
        if len(meant.parts) > 2 and meant.parents[len(meant.parts) - 3].is_dir():
            return (
                "; three slashes begin a path from this folder, four an absolute one:"
                f" sqlite:///{meant}"
            )
    return ""


@contextmanager
def _postgresql(url: URL, lock_seconds: float) -> Iterator[Session]:
    # Imported here, because an export from a SQLite file needs no PostgreSQL driver.
    import psycopg

    from snapshot.export.postgresql import connect

    with _told(url, psycopg.Error):
        connection = connect(url, "mirrorlist export", autocommit=True)
        try:
            session = PostgresqlSession(connection)
            # PostgreSQL groups millions of rows of host_category_dir: with the default work_mem of
            # 4 MB it writes them to temporary files. lock_timeout: a migration that has locked a
            # table must not block the export for ever.
            session.execute(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                f" SET LOCAL work_mem = '{_WORK_MEMORY}';"
                f" SET LOCAL lock_timeout = '{lock_seconds * 1000:.0f}ms'"
            )
            yield session
        finally:
            with suppress(psycopg.Error):
                # A connection pooler would give up a session that is closed in a transaction.
                connection.rollback()
            connection.close()


def explain(url: URL, error: Exception) -> str:
    """Return a driver's error as one line with the database's URL, without a password."""
    # SQLAlchemy's errors have the driver's.
    cause = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    text = lines[0] if lines else type(cause).__name__
    for secret in _secrets(url):
        # A short password is replaced only as a whole word: it may be a part of other words.
        word = secret if len(secret) >= _LONG_PASSWORD else rf"(?<!\w){re.escape(secret)}(?!\w)"
        text = re.sub(re.escape(word) if word is secret else word, "***", text)
    return f"{display(url)}: the database cannot be read: {text}"


def unreadable(url: URL, error: Exception) -> DatabaseError:
    """Return the error for a database that cannot be read: a driver's error, and what to do."""
    cause = getattr(error, "orig", None) or error
    advice = _ADVICE.get(getattr(cause, "sqlite_errorname", ""))
    return DatabaseError(f"{explain(url, error)}{f'; {advice}' if advice else ''}")


def _secrets(url: URL) -> list[str]:
    """The passwords of a URL, plain and percent-encoded, the longest first."""
    plain = [one for key, values in url.query.items() if _SECRET.search(key) for one in values]
    plain += [url.password] if url.password else []
    return sorted({*plain, *map(quote_plus, plain), *map(quote, plain)} - {""}, key=len)[::-1]


def display(url: URL) -> str:
    """Return a URL for people, without a password."""
    shown = url._replace(drivername=url.drivername.partition("+")[0])
    return _SECRET_VALUE.sub(r"\1***", shown.text(password="***"))
