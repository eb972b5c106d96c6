"""A spoilt snapshot under a right checksum is refused, or every request has an answer."""

import random
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.roster import Roster
from mirrorlist.errors import QueryError
from mirrorlist.rsync.filter import Held, RsyncFilter
from mirrorlist.service import Service
from mirrorlist.store import Store
from mirrorlist.web.app import App
from snapshot.file.errors import MalformedSnapshot, SnapshotError
from snapshot.file.reader import Snapshot
from tests.asgi import call
from tests.factories import export_tables, world
from tests.in_process import make_service
from tests.snapshots import sections_of, with_sections, write

SEED = 20261121
# Twenty times as many in test_refused_or_answered_often.
SPOILT_A_SECTION = 20
TARGETS = [
    (kind, query)
    for kind in (True, False)
    for query in (
        b"repo=linux-40&arch=x86_64&ip=192.0.2.7",
        b"repo=linux-40&arch=x86_64&country=fr,us",
        b"repo=epel-9&arch=x86_64",
        b"repo=unknown&arch=x86_64",
        b"path=pub/linux/40/x86_64/os/repodata/repomd.xml&ip=2001:db8::1",
    )
]
CHANGES = b"categories=Linux,EPEL&since=150"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A sound snapshot file of the small world."""
    folder = tmp_path_factory.mktemp("spoilt")
    snapshot, _ = export_tables(folder, world())
    return Path(snapshot.path).read_bytes()


def _spoil(data: bytes, dice: random.Random) -> bytes:
    """Change, cut or repeat a few bytes at random."""
    spoilt = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(spoilt) + 1)
        match dice.randrange(4):
            case 0:
                spoilt[place:] = b""
            case 1:
                spoilt[place : place + 1] = dice.randbytes(1)
            case 2:
                spoilt[place : place + 4] = dice.choice([b"\xff" * 4, bytes(4), b"\x7f" * 4])
            case _:
                spoilt[place:place] = spoilt[: dice.randint(1, 9)]
    return bytes(spoilt)


def _ask_everything(service: Service) -> set[int | bytes]:
    found: set[int | bytes] = {
        service.respond(kind, query, "127.0.0.1", ()).status for kind, query in TARGETS
    }
    for kind, query in TARGETS:
        with suppress(QueryError):
            msgspec.json.encode(service.explain(query, "127.0.0.1", (), kind))
    changes = RsyncFilter().answer(service.store.catalog, CHANGES, Held())
    for path in (b"/repositories", b"/repositories?format=json"):
        answer = call(App(service), path)
        found.add(answer.status)
    return found | {changes.status}


NAMES = [
    *("asn_ranges", "categories", "continents", "country_ranges", "directories"),
    *("directory_names", "file_details", "host_sets", "hosts", "netblock_chains"),
    *("netblock_ranges", "redirects", "repositories", "report", "history"),
]


@pytest.mark.parametrize("name", NAMES)
def test_refused_or_answered(
    content: bytes, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a section holds, it is a SnapshotError at the start or an answer, never a 5xx."""
    _spoil_section(content, tmp_path / "mm.snap", name, SPOILT_A_SECTION)
    # Nor the plain order, which an internal error would give, with a traceback.
    assert capsys.readouterr().err == ""


@pytest.mark.system
@pytest.mark.parametrize("name", NAMES)
def test_refused_or_answered_often(
    content: bytes, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for hundreds of kinds of damage to each section."""
    _spoil_section(content, tmp_path / "mm.snap", name, 400)
    assert capsys.readouterr().err == ""


def _spoil_section(content: bytes, path: Path, name: str, times: int) -> None:
    dice = random.Random(f"{SEED} {name}")
    sound = {section.name: bytes(section.data) for section in sections_of(content)}
    (path.parent / "before").mkdir()
    before = Snapshot(write(path.parent / "before", content))
    for number in range(times):
        spoilt = _spoil(sound[name], dice)
        path.write_bytes(with_sections(content, {name: spoilt}))
        try:
            # Every second one comes after a sound snapshot, which is taken over in part.
            snapshot = Snapshot(path, None, before if number % 2 else None)
            service = make_service(snapshot, {"2001:db8::1": "US"})
        except SnapshotError:
            continue
        assert _ask_everything(service) <= {200, 400, 404}, spoilt


def test_no_list_can_be_made(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no check thought of is found by trying a list of each category before it is used."""
    path = write(tmp_path, content)
    store = Store(path)
    monkeypatch.setattr(Roster, "urls", lambda *_: 1 / 0)
    monkeypatch.setattr(Roster, "listed", lambda *_: 1 / 0)
    with pytest.raises(MalformedSnapshot, match="no lists can be made of it: ZeroDivisionError"):
        Store(path)
    with pytest.raises(MalformedSnapshot, match="no lists can be made of it"):
        store.load()
    monkeypatch.setattr(Catalog, "__init__", lambda *_: 1 / 0)
    with pytest.raises(MalformedSnapshot, match="cannot be compiled"):
        store.load()


def test_names_are_those_of_a_snapshot(content: bytes) -> None:
    """Every section that is written is spoilt here."""
    assert sorted(NAMES) == sorted(section.name for section in sections_of(content))


@pytest.mark.parametrize("name", ["directory_names", "file_details", "directories"])
def test_spoilt_after_a_sound_one(content: bytes, tmp_path: Path, name: str) -> None:
    """What changed since the snapshot before is verified, though the rest is not again."""
    before = Snapshot(write(tmp_path, content))
    sound = next(bytes(one.data) for one in sections_of(content) if one.name == name)
    path = write(tmp_path, with_sections(content, {name: sound[:-1]}))
    with pytest.raises(MalformedSnapshot):
        Snapshot(path, None, before)
    path = write(tmp_path, content)
    assert Snapshot(path, None, before).id == before.id
