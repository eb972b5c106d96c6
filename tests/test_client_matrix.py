"""The client matrix: a cell is as good as the worst test behind it, and the page is the run's."""

import pytest

from tests.clients.matrix import CASES, CLIENTS, PAGE, Matrix, make_page

pytest_plugins = ["pytester"]

TESTS = """
    import pytest

    @pytest.mark.client_case("dnf", 1, 2)
    def test_good():
        pass

    @pytest.mark.client_case("dnf", 2)
    def test_bad():
        assert False

    @pytest.mark.client_case("curl", 3)
    def test_skipped():
        pytest.skip("no curl")

    @pytest.mark.parametrize(
        "case", [pytest.param(4, marks=pytest.mark.client_case("curl", 4)), 5]
    )
    def test_of_some(case):
        pass
"""


def test_cells(pytester: pytest.Pytester) -> None:
    """Each marked test counts for its cells; one that failed or did not run spoils them."""
    pytester.makeconftest(
        """
        from tests.clients.matrix import Matrix

        def pytest_configure(config):
            config.addinivalue_line("markers", "client_case: cells")
            config.pluginmanager.register(Matrix(config))
        """
    )
    pytester.makepyfile(TESTS)
    output = pytester.runpytest_inprocess("-p", "no:cacheprovider").outlines
    cells = _cells("\n".join(output))
    assert list(cells) == ["dnf", "curl"]
    assert cells["dnf"][:4] == ["ok", "failed", "", ""]
    assert cells["curl"][:5] == ["", "", "not run", "ok", ""]


def _cells(page: str) -> dict[str, list[str]]:
    """Return each client's column of the table in a text, from the first case on."""
    rows = [line.split("|")[2:-1] for line in page.splitlines() if line.startswith("| ")]
    columns = [[cell.strip() for cell in column] for column in zip(*rows, strict=True)]
    return {column[0]: column[2:] for column in columns[1:]}


def test_the_page_is_whole() -> None:
    """docs/client-matrix.md has a column for each client, every cell of it ok or empty."""
    cells = _cells(PAGE.read_text())
    assert list(cells) == list(CLIENTS)
    assert {cell for column in cells.values() for cell in column} <= {"ok", ""}
    assert all("ok" in column for column in cells.values())


def test_the_page_names_each_case() -> None:
    """Each row begins with its number and what the case is."""
    page = make_page({("dnf", 1): "ok"})
    assert all(f"| {number} | {text} | " in page for number, text in CASES.items())


def test_part_of_the_clients_is_no_matrix(request: pytest.FixtureRequest) -> None:
    """A run of some clients' tests alone is not held against the page."""
    assert Matrix(request.config)._is_whole() is False
