"""Whatever strangers think up: each cache stays within its bytes, and nobody else pays for it."""

import re
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from mirrorlist.catalog import catalog as compiled
from mirrorlist.catalog import roster
from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.kept import Kept
from mirrorlist.catalog.roster import Carriers, Roster
from mirrorlist.catalog.urls import make_url
from mirrorlist.lists import orders, plans, subject
from mirrorlist.lists.listing import Listing
from mirrorlist.request.client import Trust
from mirrorlist.request.query import MAX_LIST_ELEMENTS, Wish
from mirrorlist.rsync import filter as rsyncfilter
from mirrorlist.rsync.filter import Held, RsyncFilter
from mirrorlist.service import Service, Tuning
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.in_process import NOW, LoadedStore, TableGeo
from tests.small_worlds import DIRECTORY, Mirror, small_data

PERFORMANCE = Path(__file__).parent.parent / "docs/performance.md"
FEW = 60_000
PROTOCOLS = ("https", "http", "rsync")
REPO = f"path={DIRECTORY}".encode()
NOBODY = "192.0.2.1"
BOUNDS = [
    (roster, "KINDS_BYTES"), (roster, "NUMBERS_BYTES"), (roster, "PROTOCOLS_BYTES"),
    (roster, "CARRIERS_BYTES"), (plans, "PLANS_BYTES"), (orders, "FEWEST_BYTES"),
    (rsyncfilter, "KEPT_BYTES"), (subject, "SUBJECTS_BYTES"),
]  # fmt: skip


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service whose caches are a thousandth of the real ones."""
    for module, name in BOUNDS:
        monkeypatch.setattr(module, name, FEW)
    monkeypatch.setattr(compiled, "CARRIERS_BYTES", FEW)
    monkeypatch.setattr(roster, "KINDS_BYTES_A_HOST", 0)
    monkeypatch.setattr(orders, "BYTES_A_HOST", 0)
    monkeypatch.setattr(plans, "MOST_ASKED", 400)
    mirrors = tuple(Mirror(bandwidth=1 + one, protocols=PROTOCOLS) for one in range(30))
    path = tmp_path / "mm.snap"
    path.write_bytes(encode(small_data(mirrors, {})))
    return Service(
        LoadedStore(Snapshot(path)), TableGeo({}), Trust(), lambda: NOW, Tuning(reuse=1 << 20)
    )


def _protocols(dice: Random) -> str:
    names = [f"{dice.randrange(1 << 20):x}" for _ in range(MAX_LIST_ELEMENTS - 2)]
    known = dice.sample(["https", "HTTP", "rsync", "ftp"], dice.randint(1, 2))
    return f"path={DIRECTORY}&protocol={','.join([*names, *known])}"


def _countries(dice: Random) -> str:
    codes = [f"{chr(dice.randint(65, 90))}{chr(dice.randint(65, 90))}" for _ in range(32)]
    return f"path={DIRECTORY}&country={','.join(codes)}"


def _both(dice: Random) -> str:
    return f"{_protocols(dice)}&{_countries(dice)}&netblock={dice.randrange(9)}"


def _files(dice: Random) -> str:
    return f"path={DIRECTORY}/{dice.randrange(1 << 60):x}{'x' * dice.randint(0, 240)}"


def _unknown(dice: Random) -> str:
    return f"repo={dice.randrange(1 << 60):x}&arch=x86_64"


KINDS = [_protocols, _countries, _both, _files, _unknown]


def _attack(asked: Service, kinds: Sequence[Callable[[Random], str]], count: int) -> None:
    dice = Random(7)
    for number in range(count):
        query = kinds[number % len(kinds)](dice).encode()
        # Twice, or it would not be kept at all.
        for _ in range(2):
            asked.respond(False, query, f"198.51.{number >> 8 & 255}.{number & 255}", [])
        if not number % 4:
            asked.respond(False, REPO, NOBODY, [])


def _roster(asked: Service) -> Roster:
    return asked.store.catalog.roster


def _kept(asked: Service) -> dict[str, int]:
    """The bytes that each cache says it has."""
    held = _roster(asked)
    assert asked._orders is not None
    return {
        "listed": held._listed.bytes, "numbers": held._numbers.bytes, "most": held._most.bytes,
        "carriers": held._carriers.bytes + held._nearby.bytes,
        "plans": asked.plans.size, "urls": asked._orders._by_urls_bytes,
        "orders": asked._orders.size, "subjects": asked.plans.subjects.bytes,
    }  # fmt: skip


@pytest.mark.parametrize("kind", [*KINDS, None], ids=lambda one: one.__name__ if one else "all")
def test_each_cache_stays_within_its_bytes(
    asked: Service, kind: Callable[[Random], str] | None
) -> None:
    """Hundreds of variants of each kind, each asked twice, leave every cache within its bound."""
    _attack(asked, [kind] if kind else KINDS, 500)
    for name, size in _kept(asked).items():
        assert size <= FEW, name
    assert asked.plans.remembered <= plans.MOST_ASKED


def _fill(cache: Kept[Any, Any], key: Callable[[int], object], value: object) -> int:
    """Keep a value by a thousand keys, and return the most bytes that were kept at once."""
    return max(cache.bytes for number in range(1000) if cache.keep(key(number), value) is value)


def test_each_cache_of_a_catalog_fills_its_bytes(asked: Service) -> None:
    """Each cache keeps nearly as many bytes as it may, never more; host sets have three caches."""
    catalog, none = asked.store.catalog, frozenset[str]()
    held, few = _roster(asked), Carriers(0, 0, {})
    filled = {
        "listed": (_fill(held._listed, lambda one: (one, None, 0, None), {}), FEW),
        "most": (_fill(held._most, lambda one: (one, none), 1), FEW),
        "numbers": (_fill(held._numbers, lambda one: (one,), 1), FEW),
        "carriers of the roster": (_fill(held._carriers, int, few), FEW // 3),
        "carriers of the catalog": (_fill(catalog._carriers, int, few), FEW // 3),
        "carriers nearby": (_fill(held._nearby, int, 1), FEW // 3),
    }
    for name, (size, most) in filled.items():
        assert most * 0.9 < size <= most, name


@pytest.mark.parametrize("urls", [0, 1, 3])
def test_the_size_of_a_listing(asked: Service, urls: int) -> None:
    """A listing takes no more bytes than it says, and says less than twice that for long URLs."""
    bases = [make_url(f"https://{number}.example/{'x' * 1000}/") for number in range(urls)]
    listing = Listing(bases, _roster(asked).hosts[0], 1)
    texts = [listing.lines, *listing.around]
    taken = sum(map(sys.getsizeof, [listing, listing.around, *texts]))
    assert taken <= listing.size < taken * 1.5 + 500


def test_memory_is_what_the_caches_say(asked: Service) -> None:
    """What the process really takes stays within the sum of all bounds."""
    _attack(asked, KINDS, 100)
    tracemalloc.start()
    try:
        _attack(asked, KINDS, 600)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size <= FEW * len(BOUNDS)


def test_nobody_else_pays(asked: Service) -> None:
    """What others ask for now and then is looked into, drawn and rendered no more than before."""
    for _ in range(3):
        before = asked.respond(False, REPO, NOBODY, []).pieces
    catalog = asked.store.catalog
    plan, listed = asked.plans.find(catalog, False, REPO), catalog.listed(0, None, None)
    _attack(asked, KINDS, 500)
    assert asked.plans.find(catalog, False, REPO) is plan
    assert asked.respond(False, REPO, NOBODY, []).pieces[-1] == before[-1]
    # Only what is in use: text lists that name no protocol look into another kind of it.
    assert catalog.listed(0, None, None) == listed


def test_sets_that_lead_to_the_same_lists_are_one(asked: Service) -> None:
    """Unknown protocols and countries, their order and case make no key of their own."""
    held = _roster(asked)
    dice = Random(3)
    for _ in range(200):
        for query in (_protocols(dice), f"path={DIRECTORY}&country=Q{dice.randrange(10)},Q%31"):
            asked.respond(False, query.encode(), NOBODY, [])
    # https, http, rsync and ftp in pairs, of which this world has but some, with their numbers.
    assert len(held._listed) <= 12
    assert len(held._numbers) <= 12


def test_how_many_urls_a_host_may_have(asked: Service) -> None:
    """The number of protocols named counts unknown ones too, as far as any host has so many."""
    named = _roster(asked).named
    assert named(0, None) == (None, 0)
    assert named(0, frozenset(["https", "x", "y", "z"])) == (frozenset(["https"]), 1)
    assert named(0, frozenset(["x"])) == (frozenset(), 0)


def test_countries_that_nobody_knows(asked: Service) -> None:
    """Having asked for unknown countries alone is not the same as having asked for none."""
    named = _roster(asked).named_countries
    assert named(()) == ()
    assert named(("QQ", "QZ")) == named(("Q1",)) != ()
    assert named(("GLOBAL", "QQ")) == ("GLOBAL",)


def test_wishes_that_lead_to_the_same_lists_are_equal(asked: Service) -> None:
    """What is unknown leaves a wish, but how many protocols it names, as far as that matters."""
    known = asked.store.catalog.known
    plain, dice = Wish(), Random(3)
    assert known(plain, 0) == plain
    assert known(Wish(near=False), 0) == Wish(near=False)
    for field in Wish.__struct_fields__:
        assert field in ("countries", "protocols", "near"), f"{field}: bounded, or normalised?"
    unknown = [frozenset(f"{dice.randrange(99)}x" for _ in range(20)) for _ in range(9)]
    assert len({known(Wish(protocols=one), 0) for one in unknown}) == 1
    assert known(Wish(protocols=frozenset(["https", "x"])), 0) == known(
        Wish(protocols=frozenset(["https", "y", "z"])), 0
    )
    assert known(Wish(protocols=unknown[0]), 0) != known(plain, 0)
    assert known(Wish(countries=("QQ",)), 0) == known(Wish(countries=("QX", "QZ")), 0)
    once = known(Wish(protocols=frozenset(["https", "http", "x"]), countries=("DE", "QQ")), 0)
    assert known(once, 0) == once


def _dated(folder: Path) -> Catalog:
    """A catalog whose directories have change times."""
    data = small_data((Mirror(),), {})
    dated = [replace(one, ctime=1) for one in data.directories]
    (folder / "dated.snap").write_bytes(encode(replace(data, directories=dated)))
    return Catalog(Snapshot(folder / "dated.snap"))


def test_answers_to_mirrors_stay_within_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rsync filter keeps no more than its bytes, the texts of queries included."""
    monkeypatch.setattr(rsyncfilter, "KEPT_BYTES", FEW)
    answers, catalog = RsyncFilter(), _dated(tmp_path)
    for number in range(100):
        select = "&".join(f"select={number}-{one}-{'x' * 100}" for one in range(20))
        query = f"categories=Top&since=0&{select}".encode()
        for _ in range(3):
            assert answers.answer(catalog, query, Held()).status == 200
        assert answers.kept_bytes <= FEW
    assert 0 < answers.kept_answers < 40


def test_the_table_of_bounds_is_right() -> None:
    """docs/performance.md names each bound with its value in bytes or things."""
    rows = re.findall(r"\| `([\w.]+)\.(\w+)` \| ([\d,]+) \|", PERFORMANCE.read_text())
    assert {(module, name) for module, name, _ in rows} >= {
        (one.__name__.removeprefix("mirrorlist."), name) for one, name in BOUNDS
    }
    for module, name, value in rows:
        found = getattr(import_module(f"mirrorlist.{module}"), name)
        assert found == int(value.replace(",", "")), name
