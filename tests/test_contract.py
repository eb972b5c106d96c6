"""The contract's cases on every surface: the service, with kept orders, the app, a live server."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from snapshot.file.reader import Snapshot
from tests.contract import CASES
from tests.contract.case import Case, check
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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(surfaces: dict[str, Surface], snapshot: Snapshot, case: Case) -> None:
    """A case's request has the answer that the case says, on each surface that can express it;
    with the same seed all surfaces give the same bytes, but for the pubdate.
    """
    bodies: dict[str, bytes] = {}
    for name, surface in surfaces.items():
        if SURFACES[name].answers(case):
            got = surface.ask(case)
            try:
                check(case, got, snapshot.read)
            except AssertionError as error:
                error.add_note(f"on the surface {name}")
                raise
            bodies[name] = re.sub(rb' pubdate="[^"]*"', b"", got.body)
    bodies.pop("kept", None)
    assert bodies
    assert len({*bodies.values()}) == 1, bodies


def test_names_are_unique() -> None:
    """No two cases have the same name."""
    names = Counter(case.name for case in CASES)
    assert [name for name, count in names.items() if count > 1] == []
