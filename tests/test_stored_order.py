"""When something is wrong with us, a client still gets a list: never a 5xx."""

import re

import pytest

from mirrorlist import service as services
from mirrorlist.catalog.catalog import Catalog
from mirrorlist.lists import plan as plans
from mirrorlist.lists.answer import Answer, answer_stored
from mirrorlist.lists.plan import make_plan
from mirrorlist.request.query import parse_query
from snapshot.file.reader import Snapshot
from tests.factories import export_tables, world
from tests.in_process import NOW, respond
from tests.small_worlds import Mirror, small_catalog, small_situation

REPO = "repo=linux-40&arch=x86_64"
PUBLIC = [1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The small world."""
    return export_tables(tmp_path_factory.mktemp("order"), world())[0]


def _hosts(found: Answer) -> list[int]:
    numbers = re.findall(rb"http://host(\d+)\.example", found.body)
    return [int(number) for number in dict.fromkeys(numbers)]


@pytest.mark.parametrize("kind", ["metalink", "mirrorlist"])
def test_the_stored_order(snapshot: Snapshot, kind: str) -> None:
    """The public hosts that carry it stand in the order of their ids, private ones do not."""
    query = parse_query(REPO.encode(), kind == "metalink")
    found = answer_stored(make_plan(query, Catalog(snapshot), 5), NOW)
    assert found.status == 200
    assert _hosts(found) == PUBLIC
    # A list's heading names neither a netblock nor a country of the client.
    if kind == "mirrorlist":
        assert found.body.startswith(b"# repo = linux-40 arch = x86_64 country = global \n")


def test_the_stored_order_of_allowed_countries() -> None:
    """A host that is for clients of some countries only is not in the stored order."""
    catalog = small_catalog(Mirror("DE", allowed=("DE",)), Mirror("FR"))
    found = answer_stored(make_plan(small_situation(catalog).query, catalog, 5), NOW)
    assert re.findall(rb"host\d", found.body) == [b"host2"]


def test_errors_stay_errors(snapshot: Snapshot) -> None:
    """A client's mistake is still told as such."""
    query = parse_query(b"repo=x&arch=y", False)
    assert answer_stored(make_plan(query, Catalog(snapshot), 5), NOW).status == 404


def _broken(*arguments: object, **options: object) -> Answer:
    raise RuntimeError("planted")


def test_an_error_of_ours_is_a_list(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error within the answer is printed for the operator; the client gets a list with 200."""
    monkeypatch.setattr(services, "answer_plan", _broken)
    found = respond(snapshot, f"/mirrorlist?{REPO}")
    assert found.status == 200
    assert _hosts(found) == PUBLIC
    assert "planted" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["metalink", "mirrorlist"])
def test_even_if_no_list_can_be_made(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """If that fails too, it is a 200 without hosts, which librepo asks for once, not 12 times."""
    monkeypatch.setattr(services, "answer_plan", _broken)
    monkeypatch.setattr(plans, "find_subject", _broken)
    found = respond(snapshot, f"/{kind}?{REPO}")
    assert found.status == 200
    assert b"no list can be made at the moment" in found.body
