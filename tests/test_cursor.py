"""A mirror that sends back the cursor of its last answer misses no change, in whatever order
changes, scans, exports and polls come.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.rsync.filter import Held, RsyncFilter
from snapshot.export.history import continue_history
from snapshot.file.model import Category, Directory
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.examples import examples
from tests.snapshots import small_data

NAMES = ("top", "top/a", "top/a/x", "top/b", "top/b/y", "top/c")
MIRRORS = 2


@dataclass
class Tree:
    """The primary: each directory with its change time, what is in it, and who may read it."""

    now: int = 1000
    changed: dict[str, int] = field(default_factory=dict)
    content: dict[str, int] = field(default_factory=dict)
    secret: set[str] = field(default_factory=set)


@dataclass
class Mirror:
    """What a mirror has of the tree, and the cursor of its last answer."""

    content: dict[str, int] = field(default_factory=dict)
    cursor: int | None = None


class World:
    """A primary, its database, its exports one after another, and mirrors that poll them."""

    def __init__(self, folder: Path) -> None:
        """Begin with the whole tree, scanned, exported and on every mirror."""
        self.tree = Tree()
        self.mirrors = [Mirror() for _ in range(MIRRORS)]
        self.versions = 0
        self._path = folder / "mm.snap"
        self._database: dict[str, Directory] = {}
        self._filter = RsyncFilter()
        self._catalog: Catalog | None = None
        for name in NAMES:
            self.change(name)
        self.scan()
        self.export()
        for mirror in self.mirrors:
            self.poll(mirror)

    def change(self, name: str) -> None:
        """Change something in a directory, which is made if it is not there."""
        parent = name.rpartition("/")[0]
        if parent and parent not in self.tree.content:
            self.change(parent)
        if parent and name not in self.tree.content:
            self._touch(parent)
        self._touch(name)

    def _touch(self, name: str) -> None:
        # Nobody can see a second change within the second of a scan: times have no fractions.
        known = self._database.get(name)
        if known is not None and known.ctime == self.tree.now:
            self.tree.now += 1
        self.versions += 1
        self.tree.changed[name], self.tree.content[name] = self.tree.now, self.versions

    def remove(self, name: str) -> None:
        """Remove a directory with all below it."""
        if name in self.tree.content and "/" in name:
            for one in [one for one in self.tree.content if f"{one}/".startswith(f"{name}/")]:
                del self.tree.content[one], self.tree.changed[one]
            self._touch(name.rpartition("/")[0])

    def hide(self, name: str) -> None:
        """Let nobody read a directory and what is below, or everybody again; no time changes."""
        self.tree.secret ^= {name}

    def scan(self, name: str | None = None) -> None:
        """Look at the tree, or at one directory; the database knows what was seen."""
        for one in NAMES if name is None else (name,):
            if one in self.tree.changed:
                readable = one not in self.tree.secret
                self._database[one] = Directory(one, 0, None, readable, self.tree.changed[one])
            else:
                self._database.pop(one, None)

    def export(self) -> None:
        """Publish what the database knows, continuing what is published."""
        data = small_data(
            read=self.tree.now, categories=[Category(1, "Tree", "top", ())], repositories=[],
            file_details={}, directories=[self._database[name] for name in sorted(self._database)],
        )  # fmt: skip
        last = None if self._catalog is None else self._catalog.snapshot
        content = encode(replace(data, history=continue_history(data, last)))
        self._path.write_bytes(content)
        self._catalog = Catalog(Snapshot(self._path))

    def poll(self, mirror: Mirror, overlap: int = 0, upstream: Mirror | None = None) -> set[str]:
        """Ask what changed and copy it, all of it without a cursor; the names that were listed.

        With an overlap ask for what changed so many seconds before the cursor; the copy is of
        the primary or of another mirror.
        """
        since = 0 if mirror.cursor is None else max(0, mirror.cursor - overlap)
        source = self.tree.content if upstream is None else upstream.content
        query = f"categories=Tree&since={since}&form=files".encode()
        assert self._catalog is not None
        answer = self._filter.answer(self._catalog, query, Held())
        listed = set(answer.body.decode().replace("/\n", "\n").split())
        for name in NAMES if mirror.cursor is None else listed:
            self._copy(mirror, name, source)
        # Where rsync could not read what is listed it fails, and the run counts for nothing.
        if not any(self._is_secret(name) for name in listed & set(self.tree.content)):
            mirror.cursor = int(answer.headers["X-Mirrorlist-Cursor"])
        return listed

    def _is_secret(self, name: str) -> bool:
        """Whether a directory or one above it cannot be read."""
        return any(f"{name}/".startswith(f"{one}/") for one in self.tree.secret)

    def _copy(self, mirror: Mirror, name: str, source: dict[str, int]) -> None:
        """Do what rsync does with a directory: its content, and what is gone from it."""
        if name in source and not self._is_secret(name):
            mirror.content[name] = source[name]
            for one in [one for one in mirror.content if one.startswith(f"{name}/")]:
                child = "/".join(one.split("/")[: name.count("/") + 2])
                if child not in source:
                    del mirror.content[one]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world in which every mirror has everything."""
    return World(tmp_path)


def test_the_lost_update(world: World) -> None:
    """Change, poll, scan, export, poll: the change is listed, though its time is before the cursor.

    The time of the change alone would have lost it for ever.
    """
    mirror = world.mirrors[0]
    world.tree.now += 100
    world.change("top/a")
    changed = world.tree.changed["top/a"]
    world.tree.now += 100
    world.export()
    assert world.poll(mirror) == set()
    world.tree.now += 100
    world.scan()
    world.tree.now += 100
    world.export()
    assert mirror.cursor is not None
    assert changed < mirror.cursor
    assert world.poll(mirror) == {"top/a"}
    assert mirror.content == world.tree.content
    assert world.poll(mirror) == set()


def test_all_within_a_second(world: World) -> None:
    """An export in the same second as the one before it has a later cursor, and loses nothing."""
    world.tree.now += 100
    world.change("top/b")
    world.export()
    assert world.poll(world.mirrors[0]) == set()
    world.scan()
    world.export()
    assert world.poll(world.mirrors[0]) == {"top/b"}


def test_a_clock_that_was_set_back(world: World) -> None:
    """What changes after the clock was set back is listed to mirrors with cursors ahead of it."""
    world.tree.now -= 500
    world.change("top/b")
    world.scan()
    world.export()
    assert world.poll(world.mirrors[0]) == {"top/b"}
    assert world.poll(world.mirrors[0]) == set()


@pytest.mark.parametrize(
    ("overlap", "arrives"),
    [
        pytest.param(0, False, id="none"),
        pytest.param(400, False, id="too short"),
        pytest.param(800, True, id="as long as upstream may be behind"),
    ],
)
def test_a_mirror_of_a_mirror(world: World, overlap: int, arrives: bool) -> None:
    """What upstream did not have yet arrives if the overlap is as long as it may be behind.

    The second tier asks every 100 seconds and copies from the first, which asks after 700.
    """
    first, second = world.mirrors
    world.tree.now += 1000
    world.change("top/a/x")
    world.remove("top/b")
    world.scan()
    for step in range(20):
        world.tree.now += 100
        world.export()
        if step % 7 == 6:
            world.poll(first)
        world.poll(second, overlap, first)
    assert first.content == world.tree.content
    assert (second.content == world.tree.content) is arrives


OPERATIONS: dict[str, Callable[[World, str], object]] = {
    "change": World.change,
    "remove": World.remove,
    "hide": World.hide,
    "scan": lambda world, name: world.scan(),
    "scan one": World.scan,
    "export": lambda world, name: world.export(),
    "poll 0": lambda world, name: world.poll(world.mirrors[0]),
    "poll 1": lambda world, name: world.poll(world.mirrors[1]),
}
steps = st.tuples(st.sampled_from(sorted(OPERATIONS)), st.sampled_from(NAMES), st.integers(0, 2))


@examples(50)
@given(st.lists(steps, min_size=5, max_size=40))
def test_nothing_is_lost(history: list[tuple[str, str, int]]) -> None:
    """After whatever happened, one more scan, export and poll gives each mirror the whole tree."""
    with ExitStack() as stack:
        world = World(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        for operation, name, seconds in history:
            world.tree.now += seconds
            OPERATIONS[operation](world, name)
        world.tree.secret.clear()
        world.scan()
        world.export()
        for mirror in world.mirrors:
            world.poll(mirror)
            assert mirror.content == world.tree.content
            assert world.poll(mirror) == set()
