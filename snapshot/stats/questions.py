"""Questions to the statistics: what may be asked together, and what an answer is made of."""

from collections.abc import Mapping
from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache
from weakref import WeakSet

from msgspec import Struct

from snapshot.file.errors import DatabaseError, QuestionError
from snapshot.link import Link
from snapshot.stats.cubes import CUBES, HOST, HOSTS, HOURLY, LABELS, Cube, name
from snapshot.stats.tables import DAY, HOUR, MONTH, TABLES

RELEASE = "release"
"""The label that a repository's release is; no cube has it, because the repository says it."""
ASKED = (*LABELS, RELEASE)
"""All labels that a question can be by."""
TIMES = {"hour": HOUR, "day": DAY, "month": MONTH}
"""What a table can be by, beside labels."""

# Connections whose database has the tables: a page asks twenty questions.
_FOUND: WeakSet[Link] = WeakSet()


class Question(Struct, frozen=True):
    """Which requests, by what; the days are both in it."""

    by: tuple[str, ...] = ()
    """Labels, and among them at most one of TIMES."""
    since: date | None = None
    until: date | None = None
    where: Mapping[str, str] = {}
    """Values that labels must have."""


class Line(Struct, frozen=True):
    """A sum: a value for each name in `by`, and the requests."""

    values: tuple[str, ...]
    requests: int


class Course(Struct, frozen=True):
    """A sum's course: requests in each step."""

    values: tuple[str, ...]
    requests: list[int]


class Step(Struct, frozen=True):
    """A part of a period; `end` is not in it."""

    first: datetime
    end: datetime


def check(link: Link, question: Question) -> None:
    """Raise QuestionError for what cannot be asked, DatabaseError if there are no tables."""
    for label in (*question.by, *question.where):
        if label not in ASKED and (label not in TIMES or label in question.where):
            near = get_close_matches(label, (*ASKED, *TIMES), 1)
            hint = f" (perhaps {near[0]}?)" if near else ""
            known = ", ".join((*ASKED, *TIMES))
            raise QuestionError(f"{label}: not a label{hint}; there are {known}")
    if len(labels_of(question) & {*TIMES}) > 1 or len({*question.by}) < len(question.by):
        raise QuestionError(f"{','.join(question.by)}: each once, and one of {', '.join(TIMES)}")
    if question.since and question.until and question.since > question.until:
        raise QuestionError(f"since {question.since} is after until {question.until}")
    if "host" in labels_of(question) and not labels_of(question) <= {*HOST, *TIMES}:
        raise QuestionError("host: counted with tier alone; leave out the other labels")
    if link in _FOUND:
        return
    if not {*TABLES} <= link.tables([*TABLES]):
        raise DatabaseError(
            "the database has no statistics yet: mirrorlist stats collect, or import, adds them"
        )
    _FOUND.add(link)


def labels_of(question: Question) -> set[str]:
    """Return all that a question is by, and what it is limited by."""
    return {*question.by, *question.where}


def together(question: Question) -> str:
    """Return the labels of a question, for people."""
    return ",".join(label for label in ASKED if label in labels_of(question))


def kept(*, hourly: bool = False) -> str:
    """Return which labels are kept together for long, for people."""
    several = [name(cube) for cube in _cubes(hourly) if len(cube) > 1]
    return "; ".join([*several, "each label alone; and release in the place of repo"])


def _cubes(hourly: bool) -> list[Cube]:
    return [cube for cube in (*CUBES, *HOSTS) if cube in HOURLY or not hourly]


def cube_of(question: Question, *, hourly: bool = False) -> Cube | None:
    """Return the smallest cube that has all labels, or None."""
    return _cube_of(frozenset(labels_of(question)), hourly)


@lru_cache
def _cube_of(asked: frozenset[str], hourly: bool) -> Cube | None:
    labels = {"repo" if label == RELEASE else label for label in asked}
    hourly = hourly or bool(labels & {"hour", "month"})
    fit = [cube for cube in _cubes(hourly) if labels - {*TIMES} <= {*cube}]
    return min(fit, key=len, default=None)
