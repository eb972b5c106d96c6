"""The figures of a run: raw figures of each round, and their medians."""

from collections.abc import Callable
from statistics import median

from msgspec import Struct

from loadtest.common.records import Machine
from loadtest.common.wrk import Load


class Round(Struct, frozen=True):
    """One round of a case: what wrk saw, CPU in microseconds a request, PSS in bytes."""

    load: Load
    cpu: float
    pss_before: int
    pss_after: int


class CaseFigures(Struct, frozen=True):
    """A case's rounds."""

    case: str
    rounds: list[Round]

    def median(self, figure: Callable[[Load], float]) -> float:
        """Return the median of a figure of wrk's."""
        return float(median(figure(one.load) for one in self.rounds))

    @property
    def cpu(self) -> float:
        """CPU time of the server's processes in microseconds a request."""
        return median(one.cpu for one in self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most CPU time of a round in microseconds a request."""
        found = [one.cpu for one in self.rounds]
        return min(found), max(found)


class Start(Struct, frozen=True):
    """One start, in milliseconds: from exec to `listening`, then the first and second answers."""

    listening: float
    first: float
    second: float

    @property
    def cold(self) -> float:
        """From exec to the first answer."""
        return self.listening + self.first


class Memory(Struct, frozen=True):
    """PSS in bytes of each process of a server, by its name, in the order of its table.

    It is taken at the `start`, when it was `loaded` with this many requests, and after that when
    all pages of the admin process were `looked` at.
    """

    requests: int
    start: dict[str, int]
    loaded: dict[str, int]
    looked: dict[str, int]


class BenchRun(Struct, frozen=True):
    """All figures of a run, with where and how they were made."""

    machine: Machine
    versions: dict[str, str]
    settings: dict[str, str]
    figures: list[CaseFigures]
    starts: list[Start] = []
    memory: Memory | None = None

    def find(self, case: str) -> CaseFigures | None:
        """Return the figures of a case, or None if it was not measured."""
        return next((one for one in self.figures if one.case == case), None)
