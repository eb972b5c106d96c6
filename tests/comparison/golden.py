"""mirrorlist-server's answers as recorded: one file of JSON lines for each kind of request."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from mirrorlist.replay.compare import Source, Verdict, judge
from mirrorlist.replay.meaning import Meaning
from mirrorlist.replay.request import Request
from tests.comparison.requests import requests
from tests.comparison.rules import RULES

FOLDER = Path(__file__).parent / "golden"
CACHE = FOLDER / "cache.proto"
"""What mirrorlist-server's own exporter made of the database of the comparison."""
SEED = 2
PER_KIND = 45
"""This many requests of each kind are recorded, evenly out of all."""
ASKS, REDIRECT_ASKS = 600, 6000
"""This many answers make a record: enough to see all that chance can do."""
REWRITTEN = "rewritten"
"""The kind, and file, of the requests that known differences are checked against."""


class Record(Struct, frozen=True, omit_defaults=True):
    """A request and what mirrorlist-server's answers to it mean."""

    request: Request
    meaning: Meaning


class Recorded:
    """mirrorlist-server as it was recorded; raises KeyError for what nobody asked it then."""

    def __init__(self, records: Sequence[Record]) -> None:
        """Take the records."""
        self._meanings = {_key(record.request): record.meaning for record in records}

    def see(self, request: Request, asks: int) -> Meaning:
        """Return what was recorded."""
        return self._meanings[_key(request)]


class Recorder:
    """A source that notes what it is asked."""

    def __init__(self, source: Source) -> None:
        """Take the source to pass on to."""
        self._source = source
        self.asked: dict[tuple[str, str | None, str], Request] = {}

    def see(self, request: Request, asks: int) -> Meaning:
        """Return what the source sees."""
        self.asked.setdefault(_key(request), request)
        return self._source.see(request, asks)

    def records(self) -> Iterator[Record]:
        """Yield a record of all that was asked, after as many answers as it needs."""
        for request in self.asked.values():
            is_redirect = request.value("redirect") is not None and not request.is_metalink
            asks = REDIRECT_ASKS if is_redirect else ASKS
            yield Record(request, self._source.see(request, asks))


def selected() -> list[Request]:
    """Return the requests to record: evenly of each kind."""
    kinds = defaultdict(list)
    for request in requests(SEED, 2000):
        kinds[request.kind].append(request)
    return [
        found[place * len(found) // PER_KIND] if len(found) > PER_KIND else found[place]
        for found in kinds.values()
        for place in range(min(PER_KIND, len(found)))
    ]


def record(theirs: Source, ours: Source) -> list[Verdict]:
    """Write the files again, and return how the recorded requests compare."""
    recorder = Recorder(theirs)
    chosen = selected()
    verdicts = [judge(request, recorder, ours, RULES) for request in chosen]
    originals = {_key(request) for request in chosen}
    files = defaultdict(list)
    for one in recorder.records():
        kind = one.request.kind if _key(one.request) in originals else REWRITTEN
        files[kind].append(one)
    FOLDER.mkdir(exist_ok=True)
    for kind, records in files.items():
        lines = [msgspec.json.encode(one, order="sorted") for one in records]
        (FOLDER / f"{kind.replace(' ', '-')}.jsonl").write_bytes(b"\n".join([*lines, b""]))
    return verdicts


def read(path: Path) -> list[Record]:
    """Return the records of a file."""
    return [msgspec.json.decode(line, type=Record) for line in path.read_bytes().splitlines()]


def _key(request: Request) -> tuple[str, str | None, str]:
    return request.target, request.forwarded, request.method
