"""Counts what was compared, and says it as one table."""

from collections import Counter
from collections.abc import Sequence

from tests.comparison.compare import Difference, compare
from tests.comparison.expected import Ours
from tests.comparison.known import Judge
from tests.comparison.meaning import Meaning, Reply, read_meaning
from tests.comparison.requests import Request


class Report:
    """The outcome of all requests so far."""

    def __init__(self) -> None:
        """Start with nothing compared."""
        self.compared = self.equal = self.known_requests = 0
        self.known: Counter[str] = Counter()
        self.unexplained: list[tuple[Request, list[Difference]]] = []

    def add(self, request: Request, kinds: frozenset[str], left: list[Difference]) -> None:
        """Count a request with its known differences and what is left."""
        self.compared += 1
        if left:
            self.unexplained.append((request, left))
        elif kinds:
            self.known_requests += 1
            self.known.update(kinds)
        else:
            self.equal += 1

    def table(self) -> str:
        """Return the table in Markdown, the unexplained with their requests below it."""
        rows = [
            ("requests compared", self.compared),
            ("equal", self.equal),
            ("with known differences", self.known_requests),
            *sorted((f"- {kind}", count) for kind, count in self.known.items()),
            ("unexplained", len(self.unexplained)),
        ]
        lines = ["| what | requests |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]
        for request, left in self.unexplained:
            lines.append(f"{request.method} {request.target}")
            lines += [f"    {one.field}: ours {one.expected}, theirs {one.found}" for one in left]
        return "\n".join([*lines, ""])


def judge_all(
    judge: Judge, request: Request, replies: Sequence[Reply]
) -> tuple[frozenset[str], list[Difference]]:
    """Judge every answer to a request; what is left of the first unexplained one counts."""
    kinds: frozenset[str] = frozenset()
    for reply in replies:
        found, left = judge.judge(request, read_meaning(reply))
        if left:
            return found, left
        kinds |= found
    return kinds, []


def check_ours(ours: Ours, request: Request, replies: Sequence[Reply]) -> list[Difference]:
    """Return where the answers of our live server are not what we say in process."""
    expected = ours.expect(request)
    meanings: list[Meaning] = [read_meaning(reply) for reply in replies]
    return [difference for one in meanings for difference in compare(expected, one)]
