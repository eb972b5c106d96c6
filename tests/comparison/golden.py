"""Recorded answers of the incumbent: JSON lines, one request with its answers a line."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random

from tests.comparison.meaning import Reply
from tests.comparison.requests import Request

FOLDER = Path(__file__).parent / "golden"
MOST_BYTES = 600_000
# A long list shows nothing that shorter ones do not.
MOST_BYTES_A_LINE = 6_000
TIMES = 2

Recorded = tuple[Request, Sequence[Reply]]


def record(path: Path, answers: Sequence[Recorded]) -> int:
    """Write the first two answers to each request, as many as fit; return how many."""
    lines, room = [], MOST_BYTES
    # In another order, so that what does not fit is of every kind.
    for request, replies in Random(1).sample(answers, len(answers)):
        shown = [asdict(reply) for reply in replies[:TIMES]]
        line = json.dumps({"target": request.target, "method": request.method, "replies": shown})
        if len(line) <= min(room, MOST_BYTES_A_LINE):
            room -= len(line) + 1
            lines.append(line + "\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")
    return len(lines)


def recorded() -> Iterator[Recorded]:
    """Return every recorded request with its answers."""
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            replies = [Reply(**reply) for reply in row["replies"]]
            yield Request(row["target"], row["method"]), replies
