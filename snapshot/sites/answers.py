"""What mirrors answered last: what to ask whether it is still the same, and since when."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, select

from snapshot.export import schema
from snapshot.export.declared import answer
from snapshot.sites.judging import Memory
from snapshot.sites.probed_rows import MirrorUrl
from snapshot.sites.rows import chunks, insert_all, rows_of

Answers = dict[int, dict[str, Memory]]
"""By the id of the URL and the name of the repository's directory."""


def read_answers(connection: Connection, urls: Iterable[int]) -> Answers:
    """Return what is remembered of URLs."""
    found: Answers = defaultdict(dict)
    name = schema.directory.c.name
    joined = select(answer, name).join(
        schema.directory, answer.c.directory_id == schema.directory.c.id
    )
    for part in chunks(urls):
        for row in connection.execute(joined.where(answer.c.url_id.in_(part))):
            found[row.url_id][row.name] = Memory(
                row.etag, row.sha256, row.timestamp, row.verdict, row.since
            )
    return found


def write_answers(
    connection: Connection, found: Iterable[tuple[MirrorUrl, Mapping[str, Memory]]]
) -> None:
    """Remember the answers; only URLs of which one differs are written."""
    changed = {}
    for url, answers in found:
        kept = {**url.answers, **answers}
        if kept != url.answers:
            changed[url.id] = kept
    for part in chunks(changed):
        connection.execute(delete(answer).where(answer.c.url_id.in_(part)))
    names = {name for answers in changed.values() for name in answers}
    ids = {row.name: row.id for row in rows_of(connection, schema.directory, "name", names)}
    rows: list[dict[str, Any]] = [
        {
            "url_id": url,
            "directory_id": ids[name],
            "etag": one.etag,
            "sha256": one.sha256,
            "timestamp": one.timestamp,
            "verdict": str(one.verdict),
            "since": one.since,
        }
        for url, answers in changed.items()
        for name, one in answers.items()
        if name in ids
    ]
    insert_all(connection, answer, rows)
