"""The contract's cases on every surface: the service, with kept orders, the app, a live server."""

import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from snapshot.file.reader import Snapshot
from tests.contract import CASES
from tests.contract.case import Case, Got, check
from tests.contract.surfaces import SURFACES, Surface, open_surface
from tests.contract_world import COUNTRIES, contract_world
from tests.mmdb import write_countries


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The contract's snapshot."""
    return contract_world(tmp_path_factory.mktemp("contract"))


@pytest.fixture(scope="module")
def surfaces(
    snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Surface]]:
    """All surfaces, the live server's GeoIP from a file with the same countries."""
    folder = tmp_path_factory.mktemp("surfaces")
    geoip = write_countries(folder / "countries.mmdb", COUNTRIES)
    with (
        open_surface("service", snapshot, geoip, folder) as service,
        open_surface("kept", snapshot, geoip, folder) as kept,
        open_surface("app", snapshot, geoip, folder) as app,
        open_surface("server", snapshot, geoip, folder) as server,
        open_surface("asgi", snapshot, geoip, folder) as asgi,
    ):
        yield {"service": service, "kept": kept, "app": app, "server": server, "asgi": asgi}


Answered = Callable[[str, Case], Got]


@pytest.fixture(scope="module")
def answered(surfaces: dict[str, Surface]) -> Answered:
    """Return what a surface said to a case, which it is asked once."""
    found: dict[tuple[str, str], Got] = {}

    def ask(name: str, case: Case) -> Got:
        if (name, case.name) not in found:
            found[name, case.name] = surfaces[name].ask(case)
        return found[name, case.name]

    return ask


def _each_on_its_surfaces() -> Iterator[object]:
    for name, surface in SURFACES.items():
        for case in CASES:
            if surface.answers(case):
                yield pytest.param(name, case, id=f"{name}-{case.name}")


@pytest.mark.parametrize(("surface", "case"), list(_each_on_its_surfaces()))
def test_contract(answered: Answered, snapshot: Snapshot, surface: str, case: Case) -> None:
    """A case's request has the answer that the case says, on each surface that can express it."""
    check(case, answered(surface, case), snapshot.read)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_surfaces_agree(answered: Answered, case: Case) -> None:
    """With the same seed all surfaces give the same bytes, but for the pubdate."""
    answers = {
        re.sub(rb' pubdate="[^"]*"', b"", answered(name, case).body)
        for name, surface in SURFACES.items()
        if surface.answers(case) and name != "kept"
    }
    assert len(answers) == 1


def test_names_are_unique() -> None:
    """No two cases have the same name."""
    names = Counter(case.name for case in CASES)
    assert [name for name, count in names.items() if count > 1] == []
