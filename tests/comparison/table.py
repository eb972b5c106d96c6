"""The table of a comparison, and its unexplained requests."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from mirrorlist.replay.compare import Verdict
from mirrorlist.replay.meaning import Meaning


def table(verdicts: Sequence[Verdict]) -> str:
    """Return the figures as a table of Markdown: by kind of request, then by known difference."""
    kinds: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        kinds.setdefault(verdict.request.kind, Counter())[verdict.outcome] += 1
    columns = ("equal", "known", "unexplained")
    rows: list[tuple[str, ...]] = [("requests", "compared", *columns), ("---", *("---:",) * 4)]
    rows += [(kind, *_counts(counts, columns)) for kind, counts in kinds.items()]
    rows.append(("all", *_counts(sum(kinds.values(), Counter()), columns)))
    known = Counter(what for verdict in verdicts for what in verdict.known)
    differences = [("known difference", "requests"), ("---", "---:")]
    differences += [(what, str(count)) for what, count in known.most_common()]
    return "\n".join([*_lines(rows), "", *_lines(differences)])


def unexplained(verdicts: Iterable[Verdict]) -> str:
    """Return each request that nothing explains, with what differs on both sides."""
    return "\n".join(_described(verdict) for verdict in verdicts if verdict.differences)


def _counts(counts: Counter[str], columns: Sequence[str]) -> tuple[str, ...]:
    return str(counts.total()), *(str(counts[column]) for column in columns)


def _lines(rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in rows]


def _described(verdict: Verdict) -> str:
    request = verdict.request
    header = "" if request.forwarded is None else f" X-Forwarded-For: {request.forwarded!r}"
    lines = [f"{request.kind}: {request.method} {request.target}{header}"]
    for name in verdict.differences:
        lines.append(f"  {name}")
        lines += [
            f"    {who}: {_part(meaning, name)}"
            for who, meaning in (("theirs", verdict.theirs), ("here", verdict.ours))
        ]
    return "\n".join(lines)


def _part(meaning: Meaning, name: str) -> str:
    part: object = getattr(meaning, name.partition(":")[0])
    return msgspec.json.encode(part, order="sorted").decode()
