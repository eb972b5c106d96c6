"""Asks each URL of each mirror for each repomd.xml or checked file, and judges the answers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from snapshot.export import schema
from snapshot.export.declared import url_state
from snapshot.export.rows import Progress
from snapshot.sites.answers import read_answers
from snapshot.sites.asking import ask_all
from snapshot.sites.current import read_current
from snapshot.sites.getting import Limits, Question, Reply
from snapshot.sites.inside import Inside
from snapshot.sites.judging import (
    GOOD,
    Known,
    Memory,
    Verdict,
    combined,
    judge,
    remember,
)
from snapshot.sites.parts import Part, part_of
from snapshot.sites.primary import Place
from snapshot.sites.probed_rows import MirrorUrl
from snapshot.sites.repomd import MOST_BYTES
from snapshot.sites.rows import rows_of
from snapshot.sites.rsyncing import RSYNC, has_rsync
from snapshot.sites.state import CheckedFile, State
from snapshot.sites.url_states import FAMILIES, UrlState

_WEB = ("http://", "https://")
_CARRIER = "host_category_id"


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
    named = _Named(sums)
    for one in urls:
        for file in _known_files(one, sums):
            asked.setdefault((one.url, file.path), _question(one, file))
            named.about[one.url, file.path] = file, one.answers.get(file.directory)
    if not asked:
        return []

    def told(done: int, total: int) -> None:
        progress("asking the mirrors", done, total)

    replies = ask_all(asked.values(), MOST_BYTES, agent, told, limits, inside, named)
    return [_judged(one, sums, asked, replies, now) for one in urls]


class _Named:
    """Says which file is looked for after an answer: once for each new state of a mirror."""

    def __init__(self, sums: Mapping[Place, Known]) -> None:
        self._sums = sums
        self.about: dict[tuple[str, str], tuple[CheckedFile, Memory | None]] = {}

    def __call__(self, question: Question, reply: Reply) -> Part | None:
        file, before = self.about[question.url, question.path]
        known, content = self._sums[file.folder, file.name], reply.content
        if content is None or content.error or not known.has(content.sha256):
            return None
        is_known = before and before.sha256 == content.sha256 and before.verdict in GOOD
        return None if is_known else part_of(file, content)


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
