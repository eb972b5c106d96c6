"""Plans of queries that end with country= or protocol=: made of the plan of what stands before."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.errors import QueryError
from mirrorlist.lists import plans as plans_module
from mirrorlist.lists.label import label_of
from mirrorlist.lists.plan import Plan, Refusal, make_plan
from mirrorlist.lists.plans import Plans
from mirrorlist.lists.reworded import query_of
from mirrorlist.request.query import Query
from snapshot.file.model import RequestShape
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.examples import examples
from tests.factories import export_tables, world
from tests.published import put
from tests.small_worlds import Mirror, small_data

MINIMUM = 5
REPOSITORY = "repo=REPO&arch=ARCH"
ODD = (
    *("repo=nowhere", "repo=%zz", "path=pub", "path=", "ip=192.0.2.1", "ip=x", "xip=1", "", "a=1"),
    "&".join(["b"] * 40),
)
ASKED = (
    *("country=FR", "country=%zz", "protocol=http", "protocol", "netblock=0", "redirect=1"),
    *("time=1", "countme=3"),
)
BEFORE = st.tuples(
    st.sampled_from([REPOSITORY] * 9 + [*ODD]),
    st.lists(st.sampled_from(ASKED), max_size=2).map("&".join),
    st.sampled_from([""] * 9 + [*ODD]),
).map(lambda parts: [part for part in parts if part])
VALUES = (
    st.lists(st.sampled_from(["DE", "us", "global", "http", "Rsync", "", "XX"]), max_size=4)
    .map(",".join)
    .map(str.encode)
    | st.sampled_from([b"," * 40, b"D" * 257, b"%44" * 257, b"\xff", b"%00", b"%zz", b"%2c+,DE+"])
    | st.binary(max_size=6)
)
ENDINGS = st.sampled_from(
    [b"country=", b"protocol=", b"country", b"Country=", b"time=", b"country=="]
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A catalog with repositories."""
    return Catalog(export_tables(tmp_path_factory.mktemp("wishes"), world())[0])


@pytest.fixture
def asked(catalog: Catalog) -> bytes:
    """A repository's query string."""
    return _filled(catalog, REPOSITORY)


def _filled(catalog: Catalog, text: str) -> bytes:
    prefix, arch = next(iter(catalog.repositories))
    return text.replace("REPO", prefix).replace("ARCH", arch).encode()


def _found(plans: Plans, catalog: Catalog, is_metalink: bool, raw: bytes) -> object:
    """Return all that decides about the answers of a plan, or the text of a mistake."""
    try:
        plan = plans.find(catalog, is_metalink, raw)
    except QueryError as error:
        return type(error), str(error)
    return _said(plan)


def _said(plan: Plan | Refusal) -> object:
    if isinstance(plan, Refusal):
        return plan
    pieces = plan.mirrorlist(b"said", b"body"), plan.metalink(b"head", b"body")
    known = plan.query, plan.target, plan.label, plan.digest, plan.document_type, plan.is_resolved
    return known, pieces, plan.size, plan._content()


def _whole(catalog: Catalog, is_metalink: bool, raw: bytes) -> object:
    """Return the same of a plan that is made of the whole query string."""
    try:
        query = query_of(raw, is_metalink, catalog)
    except QueryError as error:
        return type(error), str(error)
    label = label_of(query, raw, catalog)
    return _said(make_plan(query, catalog, MINIMUM, label=label))


@examples(200)
@given(before=BEFORE, ending=ENDINGS, value=VALUES, is_metalink=st.booleans())
def test_a_plan_is_that_of_the_whole(
    catalog: Catalog, before: list[str], ending: bytes, value: bytes, is_metalink: bool
) -> None:
    """However often a query string and what stands before its wish were asked for."""
    rest = _filled(catalog, "&".join(before))
    raw = rest + b"&" + ending + value
    plans, due = Plans(MINIMUM), _whole(catalog, is_metalink, raw)
    for one in (raw, raw, rest, raw, rest, raw, raw):
        found = _found(plans, catalog, is_metalink, one)
        assert found == (due if one is raw else _whole(catalog, is_metalink, rest))


@pytest.mark.parametrize("is_metalink", [True, False])
@pytest.mark.parametrize(
    "wish",
    [
        *("netblock=0&country=DE", "netblock=0&protocol=http", "protocol=http&country=DE"),
        *("country=FR&protocol=http", "country=FR&country=DE", "country=FR&country"),
        *("country=DE=FR", "country=%zz&country=DE", "protocol=%zz&country=DE", "country=%zz"),
        *("redirect=1&time=1&country=DE", "country=DE&countme=2", "countme=2&country=DE"),
    ],
)
def test_each_parameter_keeps_its_meaning(
    catalog: Catalog, asked: bytes, wish: str, is_metalink: bool
) -> None:
    """The rest stays as it was asked for, and the last value of a parameter wins."""
    plans, raw = Plans(MINIMUM), asked + b"&" + wish.encode()
    due = _whole(catalog, is_metalink, raw)
    for _ in range(4):
        assert _found(plans, catalog, is_metalink, raw) == due
        _found(plans, catalog, is_metalink, raw.rpartition(b"&")[0])


def _count_made(monkeypatch: pytest.MonkeyPatch) -> list[Query]:
    made = list[Query]()

    def counted(query: Query, *arguments: Any) -> Plan | Refusal:
        made.append(query)
        return make_plan(query, *arguments)

    monkeypatch.setattr(plans_module, "make_plan", counted)
    return made


def test_the_rest_is_planned_once(
    catalog: Catalog, asked: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New countries and protocols for a known repository are no reason to look it up again."""
    plans, made = Plans(MINIMUM), _count_made(monkeypatch)
    for one in (b"country=DE", b"country=FR", b"protocol=http", b"country=US"):
        plan = plans.find(catalog, True, asked + b"&" + one)
        assert isinstance(plan, Plan)
        assert not plan.is_repeated
    # The second request shows that the rest is asked for often.
    assert [query.wish.countries for query in made] == [("DE",), ()]
    assert [plan.query.repo for plan in plans.kept] == [made[1].repo]


def test_a_wish_that_came_twice_is_kept(catalog: Catalog, asked: bytes) -> None:
    """The same query string has one plan, and its orders are kept."""
    plans, raw = Plans(MINIMUM), asked + b"&country=DE"
    for _ in range(2):
        plans.find(catalog, True, asked)
    first, second, third = [plans.find(catalog, True, raw) for _ in range(3)]
    assert isinstance(first, Plan)
    assert isinstance(second, Plan)
    assert (first.is_repeated, second.is_repeated) == (False, True)
    assert third is second
    assert second.query.wish.countries == ("DE",)


def test_mistakes_cost_no_memory(catalog: Catalog) -> None:
    """Repositories that are invented with a wish each leave nothing behind."""
    plans = Plans(MINIMUM)
    for number in range(50):
        plans.find(catalog, True, b"repo=x%d&arch=y&country=DE" % number)
    assert plans.kept == []


def test_a_client_named_before_a_wish_is_not_kept(catalog: Catalog, asked: bytes) -> None:
    """A plan of a query with ip= is made for each request, with a wish as well as without."""
    plans = Plans(MINIMUM)
    for raw in [asked + b"&ip=192.0.2.1", asked + b"&ip=192.0.2.1&country=DE"] * 3:
        found = plans.find(catalog, True, raw)
        assert isinstance(found, Plan)
        assert found.query.ip == "192.0.2.1"
    assert plans.kept == []


def test_shapes_may_want_any_parameter(tmp_path: Path) -> None:
    """Where a site has requests in other words, a query string is read as a whole."""
    put(path := tmp_path / "mm.snap", encode(small_data((Mirror("DE"),), {})))
    shape = RequestShape(("country",), {"?country=de": ("r", "a"), "?country=fr": ("s", "a")})
    catalog = Catalog(Snapshot(path))
    catalog.request_shapes = (shape,)
    plans = Plans(MINIMUM)
    for asked, repo in ((b"country=de", "r"), (b"country=de&country=fr", "s")) * 3:
        assert plans.find(catalog, False, asked).query.repo == repo
