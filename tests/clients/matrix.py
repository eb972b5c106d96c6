"""The client matrix: one row a case, one column a client, made from the test run itself.

A test says with `@case("dnf", 6)` which cell it stands for. After a run the matrix is printed;
when every cell was run, the page `docs/client-matrix.md` must say the same, and is written
with UPDATE_DOCS=1.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "client-matrix.md"
CLIENTS = ("dnf", "librepo", "reposync", "zypper", "aria2", "wget2", "rsync", "curl")
CASES = {
    1: "a good list: the client takes what it wants from the first mirror",
    2: "the first mirror's repomd.xml matches no hash: the next mirror is used",
    3: "the first mirror's repomd.xml is an accepted alternate: it is used",
    4: "no mirror's repomd.xml matches: a clear failure, and nothing is believed",
    5: "the first mirror is dead, or answers 404 or 500: the next mirror is used",
    6: "five mirrors: the client's order of preference is the list's order",
    7: "a text list with comment lines is read",
    8: "an unknown repository: a short 404, which the client says plainly",
    9: "a disabled repository or a missing parameter: one request, and the reason",
    10: "`protocol=` gives these schemes only",
    11: "`countme` and unknown parameters change no byte of the list",
    12: "a sorted, re-encoded query gives the same list",
    13: "a raw `$infra` in the query does no harm",
    14: "a server on an IPv6 address",
    15: "HTTP/1.0, HEAD, no User-Agent, an odd Host",
    16: "the list is never compressed, whatever Accept-Encoding says",
    17: "a refresh: one request when nothing changed, the new metadata when it did",
    18: "the media type of a metalink, on which some clients decide",
    19: "a mirror whose URL holds an ampersand",
    20: "`redirect=` is followed",
    21: "a list of 300 mirrors is read whole",
    22: "`path=` of a file: its size and hashes are checked",
    23: "what is known of this client alone (a limit, a habit, a fault of its own)",
}
_RESULT = "client case"

Cells = Mapping[tuple[str, int], str]


def case(client: str, *numbers: int) -> pytest.MarkDecorator:
    """Mark a test as one of those behind a client's cells; numbers are keys of CASES."""
    assert client in CLIENTS
    assert all(number in CASES for number in numbers)
    return pytest.mark.client_case(client, *numbers)


class Matrix:
    """A pytest plugin: carries each test's cells with its report, and sums them up at the end."""

    def __init__(self, config: pytest.Config) -> None:
        """Start with nothing run."""
        self._selected = bool(config.option.keyword or config.option.markexpr)
        self._outcomes: dict[tuple[str, int], set[str]] = {}

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Let a test's cells travel with its report, from a worker process too."""
        for mark in item.iter_markers("client_case"):
            client, *numbers = mark.args
            item.user_properties += [(_RESULT, (client, number)) for number in numbers]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what became of the cells behind a test."""
        if report.when == "call" or not report.passed:
            for name, cell in report.user_properties:
                if name == _RESULT:
                    assert isinstance(cell, list | tuple)
                    client, number = cell
                    self._outcomes.setdefault((client, number), set()).add(report.outcome)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the page when asked to; fail a whole run whose matrix is not the page's."""
        if hasattr(session.config, "workerinput") or not self._is_whole():
            return
        page = make_page(self._cells())
        if os.environ.get("UPDATE_DOCS") == "1":
            PAGE.write_text(page)
        elif page != PAGE.read_text() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the matrix, and say when the page no longer says the same."""
        if not self._outcomes:
            return
        terminalreporter.section("clients")
        for line in _table(self._cells(), clients={client for client, _ in self._outcomes}):
            terminalreporter.line(line)
        if self._is_whole() and make_page(self._cells()) != PAGE.read_text():
            terminalreporter.line(f"{PAGE.name} says otherwise: run the tests with UPDATE_DOCS=1")

    def _is_whole(self) -> bool:
        """Tell whether every client's tests ran, so that the matrix can stand on the page."""
        everybody = {client for client, _ in self._outcomes} == set(CLIENTS)
        skipped = any("skipped" in outcomes for outcomes in self._outcomes.values())
        return everybody and not skipped and not self._selected

    def _cells(self) -> Cells:
        return {cell: _verdict(outcomes) for cell, outcomes in self._outcomes.items()}


def _verdict(outcomes: set[str]) -> str:
    """A cell is only as good as the worst test behind it."""
    return "failed" if "failed" in outcomes else "not run" if "skipped" in outcomes else "ok"


def make_page(cells: Cells) -> str:
    """The text of docs/client-matrix.md."""
    table = "\n".join(_table(cells, set(CLIENTS)))
    return f"""\
# Clients against the server

Real programs from Debian against a running server and mirrors on loopback. A cell is `ok` when
every test behind it passed, and empty where the case does not concern the client. The test run
makes this page: `make test ARGS=tests/clients UPDATE_DOCS=1`. The numbers are those of
`CASES` in `tests/clients/matrix.py`, which the tests use too.

{table}
"""


def _table(cells: Cells, clients: Iterable[str]) -> list[str]:
    """The matrix as lines of a Markdown table, cases and clients in their fixed order."""
    columns = [client for client in CLIENTS if client in clients]
    rows = [["", "case", *columns], ["---"] * (len(columns) + 2)]
    rows += [
        [str(number), text, *(cells.get((client, number), "") for client in columns)]
        for number, text in CASES.items()
    ]
    return [f"| {' | '.join(row)} |" for row in rows]
