"""What changed since a mirror's last run: which directories, how they are written, the headers."""

import sys
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path
from types import FrameType
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.process.jobs import Abandoned
from mirrorlist.rsync import filter as rsyncfilter
from mirrorlist.rsync import pathglob
from mirrorlist.rsync.filter import FilterAnswer, Held, RsyncFilter
from snapshot.file.errors import MalformedSnapshot
from snapshot.file.model import Category, Directory, History
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.snapshots import small_data

NULL = "# rsync --exclude-from=(this file)\n# includes\n# excludes\n- *\n# end of list\n"
SINCE, CURSOR = 1000, 2000
CATEGORIES = [Category(3, "Linux", "pub/linux", ()), Category(5, "EPEL", "pub/epel", ())]
LINUX, EPEL = 0, 1
NOW = "categories=Linux&since=2000"


def directory(name: str, ctime: int = 0, category: int | None = LINUX) -> Directory:
    """Return a readable directory; without a change time it has one long ago."""
    return Directory(name, category, None, True, ctime or 1)


def catalog(
    folder: Path,
    directories: Sequence[Directory],
    moments: dict[str, int] | None = None,
    newest: dict[int, str] | None = None,
) -> Catalog:
    """Return a catalog of directories, some of them with moments."""
    directories = sorted(directories, key=lambda one: one.name.encode())
    history = [(moments or {}).get(one.name, 0) for one in directories]
    data = small_data(
        categories=CATEGORIES, directories=directories, repositories=[], file_details={},
        history=History(SINCE, CURSOR, history), newest=newest,
    )  # fmt: skip
    path = folder / "mm.snap"
    path.write_bytes(encode(data))
    return Catalog(Snapshot(path))


def ask(catalog: Catalog, query: str, **held: str) -> FilterAnswer:
    """Return the answer to a query."""
    return RsyncFilter().answer(catalog, query.encode(), Held(**held))


def rules(answer: FilterAnswer) -> list[str]:
    """Return the include rules of a classic list, whose frame is as it must be."""
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain")
    head, tail = NULL.split("# excludes", 1)
    text = answer.body.decode()
    assert text.startswith(head)
    assert text.endswith("# excludes" + tail)
    return text[len(head) : -len("# excludes" + tail)].splitlines()


def listed(catalog: Catalog, query: str = "", since: int = 1500) -> list[str]:
    """Return the directories of the files form, without their slashes."""
    answer = ask(catalog, f"categories=Linux&since={since}&form=files&{query}")
    assert answer.status == 200
    lines = answer.body.decode().split("\n")
    assert lines.pop() == ""
    assert all(line.endswith("/") for line in lines)
    assert answer.headers["X-Mirrorlist-Directories"] == str(len(lines))
    return [line[:-1] for line in lines]


TREE = [
    directory("pub/linux"),
    directory("pub/linux/40", 1400),
    directory("pub/linux/40/os"),
    directory("pub/linux/40/os/repodata", 1600),
    directory("pub/linux/41", 1500),
    directory("pub/linux/41-beta", 1501),
    directory("pub/epel/9/repodata", 1700, EPEL),
    directory("pub/elsewhere", 1800, None),
    Directory("pub/linux/secret", LINUX, None, False, 1900),
    directory("pub/linux/secret/os", 1900),
    directory("pub/linux/secret/not/in/between", 1900),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A small tree, nothing of which has a moment."""
    return catalog(tmp_path_factory.mktemp("tree"), TREE)


def test_the_classic_form(tree: Catalog) -> None:
    """Each changed directory and each of its parents, sorted, let themselves and all in them in."""
    answer = ask(tree, "categories=Linux&since=1500&stripprefix=pub")
    assert answer.body.decode() == (
        "# rsync --exclude-from=(this file)\n"
        "# includes\n"
        "+ linux/\n"
        "+ linux/*\n"
        "+ linux/40/\n"
        "+ linux/40/*\n"
        "+ linux/40/os/\n"
        "+ linux/40/os/*\n"
        "+ linux/40/os/repodata/\n"
        "+ linux/40/os/repodata/*\n"
        "+ linux/41-beta/\n"
        "+ linux/41-beta/*\n"
        "# excludes\n"
        "- *\n"
        "# end of list\n"
    )
    assert answer.headers["X-Mirrorlist-Directories"] == "2"


def test_nothing_changed(tree: Catalog) -> None:
    """If nothing changed, the classic list is five lines, and that of files empty."""
    for since in (1600, 5000, 10**19 - 1):
        answer = ask(tree, f"categories=Linux&since={since}&stripprefix=pub/linux")
        assert (answer.status, answer.body.decode()) == (200, NULL)
        assert answer.headers["X-Mirrorlist-Directories"] == "0"
        assert listed(tree, since=since) == []


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        pytest.param(1500, ["40/os/repodata", "41-beta"], id="later than, not at"),
        pytest.param(1499, ["40/os/repodata", "41", "41-beta"], id="sorted by bytes"),
        pytest.param(0, ["", "40", "40/os", "40/os/repodata", "41", "41-beta"], id="for ever"),
    ],
)
def test_since(tree: Catalog, since: int, expected: list[str]) -> None:
    """What changed later is listed, unreadable directories and other categories' never."""
    found = listed(tree, "stripprefix=pub/linux", since)
    assert found == [name or "." for name in expected]


def test_categories(tree: Catalog) -> None:
    """Several categories give one list."""
    answer = ask(tree, "categories=EPEL,Linux&since=1500&form=files&stripprefix=pub")
    assert answer.body == b"epel/9/repodata/\nlinux/40/os/repodata/\nlinux/41-beta/\n"


def test_moments(tmp_path: Path) -> None:
    """A directory whose change an export showed later is listed since then."""
    world = catalog(tmp_path, TREE, {"pub/linux/40": 1700, "pub/linux/41-beta": 1400})
    assert listed(world, "stripprefix=pub/linux") == ["40", "40/os/repodata", "41-beta"]
    assert listed(world, "stripprefix=pub/linux", 1699) == ["40"]
    assert listed(world, "stripprefix=pub/linux", 1700) == []


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        pytest.param("", ["pub/linux/40/os/repodata", "pub/linux/41-beta"], id="none"),
        pytest.param("pub/linux/41", [], id="whole components"),
        pytest.param("pub/linux/41-beta", ["."], id="itself"),
        pytest.param("/pub/linux/40/", ["os/repodata"], id="slashes"),
        pytest.param("linux", [], id="from the start"),
        pytest.param("pub/fedora/linux", [], id="not as many components of another"),
    ],
)
def test_stripprefix(tree: Catalog, prefix: str, expected: list[str]) -> None:
    """Names lose the prefix, and those outside it are left out."""
    assert listed(tree, f"stripprefix={prefix}") == expected


def test_the_prefix_itself(tree: Catalog) -> None:
    """What is in the directory of the prefix is let in from the root."""
    answer = ask(tree, "categories=Linux&since=1500&stripprefix=pub/linux/41-beta")
    assert rules(answer) == ["+ /", "+ /*"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("a*b", ["+ a\\*b/", "+ a\\*b/*"], id="star"),
        pytest.param("a?b", ["+ a\\?b/", "+ a\\?b/*"], id="question mark"),
        pytest.param("a[b]", ["+ a\\[b]/", "+ a\\[b]/*"], id="brackets"),
        # Without a wildcard rsync takes it as it is; the second rule always has one.
        pytest.param("a\\b", ["+ a\\b/", "+ a\\\\b/*"], id="backslash"),
        pytest.param("a\\*b", ["+ a\\\\\\*b/", "+ a\\\\\\*b/*"], id="backslash and star"),
        pytest.param(" #a ", ["+  #a /", "+  #a /*"], id="blanks"),
        pytest.param("ä&<", ["+ ä&</", "+ ä&</*"], id="nothing else"),
    ],
)
def test_escapes(tmp_path: Path, name: str, expected: list[str]) -> None:
    """What rsync takes for wildcards stands for itself."""
    world = catalog(tmp_path, [directory(name, 1600)])
    assert rules(ask(world, "categories=Linux&since=1500")) == expected


@pytest.mark.parametrize(
    ("name", "line"),
    [
        pytest.param("a*?[b]\\c", "a*?[b]\\c/", id="wildcards"),
        pytest.param("#a", "./#a/", id="number sign"),
        pytest.param(";a", "./;a/", id="semicolon"),
        pytest.param("a/#b", "a/#b/", id="further down"),
        pytest.param(" ä ", " ä /", id="blanks"),
    ],
)
def test_lines_of_files(tmp_path: Path, name: str, line: str) -> None:
    """In the files form a name is itself, unless it would begin a comment."""
    world = catalog(tmp_path, [directory(name, 1600)])
    answer = ask(world, "categories=Linux&since=1500&form=files")
    assert answer.body.decode() == line + "\n"
    assert "X-Mirrorlist-Left-Out" not in answer.headers


@pytest.mark.parametrize("name", ["a\\*", "a\\?/b", "\\[a"])
def test_names_that_end_a_run(tmp_path: Path, name: str) -> None:
    """What rsync's own check refuses, with the whole run, is left out and counted."""
    world = catalog(tmp_path, [directory(name, 1600), directory("b", 1600)])
    answer = ask(world, "categories=Linux&since=1500&form=files")
    assert answer.body == b"b/\n"
    assert answer.headers["X-Mirrorlist-Left-Out"] == "1"
    assert answer.headers["X-Mirrorlist-Directories"] == "1"


@pytest.mark.parametrize("control", ["\n", "\r", "\x00", "\x7f", "\u2028"])
def test_control_characters(tmp_path: Path, control: str) -> None:
    """A name that could start a line of its own is in no snapshot that can be opened."""
    with pytest.raises(MalformedSnapshot, match="control character"):
        catalog(tmp_path, [directory(f"a{control}+ /***", 1600), directory("b", 1600)])


@pytest.mark.parametrize("noise", [".snapshot", ".snapshot/daily", "a/.~tmp~", "a/.~tmp~/b"])
def test_noise(tmp_path: Path, noise: str) -> None:
    """What storage and rsync make on their own is left out, unless it is asked for."""
    world = catalog(tmp_path, [directory(noise, 1600), directory("a.snapshot", 1600)])
    assert listed(world) == ["a.snapshot"]
    assert rules(ask(world, "categories=Linux&since=1500")) == ["+ a.snapshot/", "+ a.snapshot/*"]
    assert listed(world, "noise=1") == sorted([noise, "a.snapshot"])


def test_select(tree: Catalog) -> None:
    """Globs choose among the names without their prefix; with several, any may match."""
    prefix = "stripprefix=pub/linux&"
    assert listed(tree, f"{prefix}select=40/**") == ["40/os/repodata"]
    assert listed(tree, f"{prefix}select=41*&select=40") == ["41-beta"]
    assert listed(tree, f"{prefix}select=pub/**") == []
    answer = ask(tree, f"categories=Linux&since=1500&{prefix}select=40/**")
    assert len(rules(answer)) == 6


@pytest.mark.parametrize("query", ["", "since=5", NOW + "&form=x", "categories=x&since=1"])
def test_mistakes(tree: Catalog, query: str) -> None:
    """A mistake is 400 with its text in a list that transfers nothing and is not the null one."""
    answer = ask(tree, query)
    lines = answer.body.decode().splitlines(keepends=True)
    assert answer.status == 400
    assert lines.pop(1).startswith("# ")
    assert "".join(lines) == NULL
    assert answer.headers == {"Content-Type": "text/plain", "Cache-Control": "no-store"}


def test_mistakes_in_the_files_form(tree: Catalog) -> None:
    """A mistake in the files form has its text alone: a list of names has no comments."""
    answer = ask(tree, "categories=Linux&form=files")
    assert answer.body.startswith(b"# since=: missing")
    assert answer.body.count(b"\n") == 1


@pytest.mark.parametrize("form", ["classic", "files"])
def test_without_change_times(tmp_path: Path, form: str) -> None:
    """A category of which nothing is known is 404, and never says that nothing changed."""
    world = catalog(
        tmp_path,
        [replace(directory("pub/linux"), ctime=0), directory("pub/epel", 1600, EPEL)],
        {"pub/linux": 1600},
    )
    for categories in ("Linux", "EPEL,Linux"):
        answer = ask(world, f"categories={categories}&since=5&form={form}")
        assert answer.status == 404
        assert answer.body == b"# no change times are known here: make a full run\n"
        assert answer.headers["Cache-Control"] == "no-store"
    assert ask(world, f"categories=EPEL&since=5&form={form}").status == 200


def test_a_category_without_directories(tmp_path: Path) -> None:
    """Where there is nothing, nothing changed."""
    world = catalog(tmp_path, [directory("pub/linux")])
    assert ask(world, "categories=EPEL&since=5").body.decode() == NULL


def test_headers(tree: Catalog) -> None:
    """An answer says when it was read and may be kept for a minute by anybody."""
    answer = ask(tree, NOW)
    assert answer.headers == {
        "Content-Type": "text/plain",
        "Cache-Control": "public, max-age=60",
        "ETag": f'"{tree.id}-2000"',
        "Last-Modified": formatdate(CURSOR, usegmt=True),
        "X-Mirrorlist-Cursor": "2000",
        "X-Mirrorlist-History": "1000",
        "X-Mirrorlist-Directories": "0",
    }


LATER, EARLIER = formatdate(CURSOR + 1, usegmt=True), formatdate(CURSOR - 1, usegmt=True)


@pytest.mark.parametrize(
    ("held", "status"),
    [
        pytest.param({"tag": '"{id}-2000"'}, 304, id="tag"),
        pytest.param({"tag": 'W/"{id}-2000"'}, 304, id="weak tag"),
        pytest.param({"tag": '"x", "{id}-2000"'}, 304, id="one of two tags"),
        pytest.param({"tag": "*"}, 304, id="any tag"),
        pytest.param({"tag": '"{id}-1999"'}, 200, id="another cursor"),
        pytest.param({"tag": "{id}-2000"}, 200, id="no tag"),
        pytest.param({"date": formatdate(CURSOR, usegmt=True)}, 304, id="date"),
        pytest.param({"date": LATER}, 304, id="later date"),
        pytest.param({"date": EARLIER}, 200, id="earlier date"),
        pytest.param({"date": "yesterday"}, 200, id="no date"),
        pytest.param({"date": "Mon, 99 Xxx 99999 99:99:99 GMT"}, 200, id="impossible date"),
        pytest.param({"tag": '"x"', "date": LATER}, 200, id="the tag comes first"),
    ],
)
def test_what_a_client_has(tree: Catalog, held: dict[str, str], status: int) -> None:
    """A client that has this very answer gets 304 with its headers and no body."""
    held = {name: value.replace("{id}", tree.id) for name, value in held.items()}
    answer = ask(tree, "categories=Linux&since=0", **held)
    assert answer.status == status
    assert answer.headers["X-Mirrorlist-Cursor"] == "2000"
    if status == 304:
        assert answer.body == b""
        assert "Content-Type" not in answer.headers
    assert ask(tree, "categories=Linux", **held).status == 400


def test_a_cursor_that_no_date_can_say(tmp_path: Path) -> None:
    """A time beyond the year 9999 has no Last-Modified."""
    data = small_data(history=History(0, 1 << 50, [0, 0, 0]))
    (tmp_path / "mm.snap").write_bytes(encode(data))
    far = Catalog(Snapshot(tmp_path / "mm.snap"))
    answer = ask(far, NOW, date=LATER)
    assert answer.status == 200
    assert "Last-Modified" not in answer.headers


def test_another_catalog(tmp_path: Path, tree: Catalog) -> None:
    """After a swap the new catalog's changes are listed."""
    other = catalog(tmp_path, [directory("pub/linux/new", 1600)])
    filter = RsyncFilter()
    query = b"categories=Linux&since=1500&form=files&stripprefix=pub/linux"
    for world, body in ((tree, b"40/os/repodata/\n41-beta/\n"), (other, b"new/\n")) * 2:
        assert filter.answer(world, query, Held()).body == body


def test_kept_bodies(tree: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is used again is the same, whatever was kept or given up in between."""
    queries = [
        urlencode({"categories": "Linux", "since": since, "form": form, **more}).encode()
        for since in (0, 1400, 1450, 1500, 1600)
        for form in ("classic", "files")
        for more in ({}, {"stripprefix": "pub/linux"}, {"select": "**/repodata"}, {"noise": "1"})
    ]
    expected = {query: RsyncFilter().answer(tree, query, Held()) for query in queries}
    for most in (0, 200, 1 << 20):
        monkeypatch.setattr(rsyncfilter, "KEPT_BYTES", most)
        filter = RsyncFilter()
        for query in [*queries, *queries[::-1], *queries]:
            assert filter.answer(tree, query, Held()) == expected[query]
        assert filter.kept_bytes <= most
    assert 0 < filter.kept_answers < len(queries)


def test_unchanged_directories_cost_nothing(tmp_path: Path) -> None:
    """However many directories did not change, an answer takes the same steps."""
    steps = set()
    for unchanged in (10, 3000):
        names = [f"unchanged/{number:04}" for number in range(unchanged)]
        world = catalog(tmp_path, [*map(directory, names), directory("changed", 1600)])
        filter = RsyncFilter()
        # The first answer puts them in the order of their changes.
        filter.answer(world, NOW.encode(), Held())
        counted: list[str] = []

        def note(frame: FrameType, event: str, argument: object, to: list[str] = counted) -> None:
            to.append(event)

        sys.setprofile(note)
        try:
            answer = filter.answer(world, b"categories=Linux&since=1500&form=files", Held())
        finally:
            sys.setprofile(None)
        assert answer.body == b"changed/\n"
        steps.add(len(counted))
    assert len(steps) == 1


def test_how_many_bodies_are_kept(tree: Catalog) -> None:
    """However many queries clients think up, and be their answers empty, few are kept."""
    filter = RsyncFilter()
    for number in range(rsyncfilter.KEPT_ANSWERS + 9):
        filter.answer(tree, f"{NOW}&form=files&select={number}".encode(), Held())
    assert filter.kept_answers == rsyncfilter.KEPT_ANSWERS


def test_what_nobody_uses_drives_out_nothing(
    tree: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What mirrors asked for twice stays kept, whatever a stranger asks for once or twice."""
    monkeypatch.setattr(rsyncfilter, "KEPT_ANSWERS", 4)
    filter = RsyncFilter()
    honest = b"categories=Linux&since=1500&form=files"
    for _ in range(5):
        body = filter.answer(tree, honest, Held()).body
    for number in [*range(50)] * 2:
        filter.answer(tree, f"{NOW}&select={number}".encode(), Held())
    drawn: list[object] = []
    monkeypatch.setattr(rsyncfilter, "_write", lambda *given: drawn.append(given))
    assert filter.answer(tree, honest, Held()).body == body
    assert drawn == []


def test_what_is_asked_more_often_is_kept(tree: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that comes when strangers have filled all places gets one when it comes again."""
    monkeypatch.setattr(rsyncfilter, "KEPT_ANSWERS", 4)
    filter = RsyncFilter()
    for number in range(50):
        filter.answer(tree, f"{NOW}&select={number}".encode(), Held())
    honest = b"categories=Linux&since=1500&form=files"
    for _ in range(2):
        body = filter.answer(tree, honest, Held()).body
    monkeypatch.setattr(rsyncfilter, "_write", lambda *given: None)
    assert filter.answer(tree, honest, Held()).body == body


def test_counting_what_was_asked_is_bounded(tree: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are counted for at most MOST_COUNTED different answers."""
    monkeypatch.setattr(rsyncfilter, "MOST_COUNTED", 8)
    filter = RsyncFilter()
    for number in range(50):
        filter.answer(tree, f"{NOW}&select={number}".encode(), Held())
    assert len(filter._asked) <= 8


def test_globs_that_take_too_long(tree: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Globs beyond the steps of a request are 400, in a list that transfers nothing."""
    monkeypatch.setattr(pathglob, "MOST_STEPS", 20)
    for form, first in (("classic", 1), ("files", 0)):
        query = f"categories=Linux&since=0&select=**/repodata/**&form={form}"
        answer = ask(tree, query)
        assert answer.status == 400
        text = answer.body.decode().splitlines()[first]
        assert text.startswith("# select=: too much work for all these directories")


def test_work_ends_when_nobody_waits(tmp_path: Path) -> None:
    """Each step of a thousand directories looks whether anybody waits, in both forms."""
    many = 3 * 1024 + 1
    world = catalog(tmp_path, [directory(f"d/{number:05}", 1600) for number in range(many)])
    for form in ("classic", "files"):
        query = f"categories=Linux&since=1500&form={form}&select=**".encode()
        looks = _Looks(least=0)
        assert RsyncFilter().answer(world, query, Held(), looks).status == 200
        assert looks.count >= 12
        with pytest.raises(Abandoned):
            RsyncFilter().answer(world, query, Held(), _Looks(least=looks.count - 5))


class _Looks:
    """Counts looks; after a few nobody waits any more."""

    def __init__(self, least: int) -> None:
        self.count = 0
        self._least = least

    def __call__(self) -> None:
        self.count += 1
        if self.count == self._least:
            raise Abandoned


def test_many_tags(tree: Catalog) -> None:
    """Thousands of tags that are not ours are one look; one among them that is ours is found."""
    tags = [f'"{number}"' for number in range(2500)]
    query = "categories=Linux&since=0"
    assert ask(tree, query, tag=",".join(tags)).status == 200
    assert ask(tree, query, tag=",".join([*tags, f'W/"{tree.id}-2000"'])).status == 304


OLD = [directory("pub/linux/a", 1600), directory("pub/linux/b", 1600), directory("pub/linux/c")]


def test_the_newest(tmp_path: Path) -> None:
    """With `select=newest`, the other files of a directory with older packages are listed."""
    found = catalog(tmp_path, OLD, newest={0: "#1.rpm\n2.rpm\nx\\*.rpm", 2: "3.rpm"})
    answer = ask(found, "categories=Linux&since=1500&form=files&select=newest")
    lines = ["pub/linux/a/#1.rpm", "pub/linux/a/2.rpm", "pub/linux/b/"]
    assert answer.body.decode().splitlines() == lines
    assert answer.headers["X-Mirrorlist-Directories"] == "3"
    assert answer.headers["X-Mirrorlist-Left-Out"] == "1"
    none = catalog(tmp_path, OLD, newest={0: ""})
    answer = ask(none, "categories=Linux&since=1500&form=files&select=newest")
    assert answer.body == b"pub/linux/b/\n"
    more = "&select=pub/linux/a&stripprefix=pub/linux/a&select=**"
    answer = ask(found, f"categories=Linux&since=1500&form=files&select=newest{more}")
    assert answer.body.decode().splitlines() == ["./#1.rpm", "2.rpm"]
    answer = ask(found, "categories=Linux&since=1500&form=files&select=[n]ewest")
    assert answer.body == b""


def test_the_newest_are_not_known(tree: Catalog, tmp_path: Path) -> None:
    """Without an export that knows them, or in the classic form, it is refused."""
    query = "categories=Linux&since=1500&select=newest"
    answer = ask(tree, f"{query}&form=files")
    assert (answer.status, answer.body[:35]) == (404, b"# the newest packages are not known")
    answer = ask(tree, query)
    assert (answer.status, b"only with form=files" in answer.body) == (400, True)
    known = catalog(tmp_path, OLD, newest={})
    assert ask(known, f"{query}&form=files").body == b"pub/linux/a/\npub/linux/b/\n"


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer has at most so many lines."""
    monkeypatch.setattr(rsyncfilter, "MOST_LINES", 3)
    found = catalog(tmp_path, OLD, newest={0: "1\n2", 1: "3"})
    query = "categories=Linux&since={}&form=files&select=newest"
    assert ask(found, query.format(1500)).status == 200
    found = catalog(tmp_path, OLD, newest={0: "1\n2", 1: "3\n4"})
    answer = ask(found, query.format(1500))
    assert (answer.status, b"more than 3 files" in answer.body) == (400, True)


@pytest.mark.parametrize("newest", [{3: "a"}, {0: "a\tb"}])
def test_malformed_newest(tmp_path: Path, newest: dict[int, str]) -> None:
    """A directory that does not exist, or a control character, is refused."""
    with pytest.raises(MalformedSnapshot, match="newest"):
        catalog(tmp_path, OLD, newest=newest)
