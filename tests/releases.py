"""A database with releases, a development tree and an archive, for `mirrorlist repo`."""

from pathlib import Path
from typing import Any

from snapshot.file.reader import Snapshot
from tests.factories import Row, Tables, file_detail, host, make_database, site
from tests.in_process import respond
from tests.metalink_document import Document, read_metalink

LINUX, ARCHIVE = "pub/fedora/linux", "pub/archive"
OLD = f"{LINUX}/releases/41/Everything/x86_64/os"
ARCHIVED = f"{ARCHIVE}/fedora/linux/releases/41/Everything/x86_64/os"
DEVELOPED = f"{LINUX}/development/44/Everything/x86_64/os"
RELEASED = f"{LINUX}/releases/44/Everything/x86_64/os"
CODECS = "pub/codecs/41/x86_64/os"
_PLACES = (OLD, f"{OLD}-debug", DEVELOPED, RELEASED, ARCHIVED, f"{ARCHIVED}-debug", CODECS)
_TOPS = {1: LINUX, 2: ARCHIVE, 3: "pub/codecs"}


class Ids:
    """The ids of directories by their names."""

    def __init__(self, places: tuple[str, ...]) -> None:
        """Give each place and its repodata an id, after the topdirs."""
        names = [*_TOPS.values()]
        for place in places:
            names += [place, f"{place}/repodata"]
        self.by_name = {name: id for id, name in enumerate(names, 1)}

    def category(self, name: str) -> int:
        """Return the category of a directory."""
        return next(id for id, top in _TOPS.items() if f"{name}/".startswith(f"{top}/"))


def releases(size: int = 1) -> Tables:
    """Return the database; `size` times as many repositories of version 41.

    Each repomd.xml has an alternate. Host 1 has everything, host 2 all but the archive.
    """
    more = tuple(f"{top}/{number}" for number in range(1, size) for top in (OLD, ARCHIVED))
    ids = Ids((*_PLACES, *more))
    tables: Tables = {
        "site": [site(1), site(2)],
        "host": [host(1), host(2)],
        "product": [{"id": 1, "name": "Fedora"}],
        "arch": [{"id": 1, "name": "x86_64"}],
        "version": [
            {"id": id, "name": name, "product_id": 1}
            for id, name in enumerate(("41", "44", "development"), 1)
        ],
        "category": [
            {"id": id, "name": name, "topdir_id": id, "product_id": 1}
            for id, name in enumerate(("Fedora Linux", "Fedora Archive", "Fedora Codecs"), 1)
        ],
        "directory": [{"id": id, "name": name} for name, id in ids.by_name.items()],
        "category_directory": [
            {"category_id": ids.category(name), "directory_id": id}
            for name, id in ids.by_name.items()
        ],
        "repository": [
            _repository(ids, 1, "fedora-41", OLD, 1),
            _repository(ids, 2, "fedora-debug-41", f"{OLD}-debug", 1),
            _repository(ids, 3, "fedora-44", DEVELOPED, 3),
            _repository(ids, 4, "fedora-codecs-41", CODECS, 1),
            *(
                _repository(ids, 4 + number, f"more-{number}", f"{OLD}/{number}", 1)
                for number in range(1, size)
            ),
        ],
        "file_detail": _details(ids),
    }
    _carry(tables, ids)
    return tables


def _repository(ids: Ids, id: int, prefix: str, place: str, version: int) -> Row:
    return {
        "id": id,
        "name": place,
        "prefix": prefix,
        "category_id": ids.category(place),
        "version_id": version,
        "arch_id": 1,
        "directory_id": ids.by_name[place],
    }


def _details(ids: Ids) -> list[Row]:
    found = []
    for name, id in ids.by_name.items():
        if name.endswith("/repodata"):
            sha256 = f"{id:064x}"
            found.append(file_detail(10 * id, id, sha256=f"{id + 1000:064x}"))
            found.append(file_detail(10 * id + 1, id, sha256=sha256))
    return found


def _carry(tables: Tables, ids: Ids) -> None:
    tables["host_category"], tables["host_category_url"], carried = [], [], []
    for one, category in ((1, 1), (1, 2), (1, 3), (2, 1), (2, 2)):
        id = 10 * one + category
        tables["host_category"].append({"id": id, "host_id": one, "category_id": category})
        url = f"http://host{one}.example/{category}"
        tables["host_category_url"].append({"id": id, "host_category_id": id, "url": url})
        for name, directory in ids.by_name.items():
            if ids.category(name) == category and (one, category) != (2, 2):
                row = {"host_category_id": id, "directory_id": directory, "path": str(directory)}
                carried.append({**row, "up2date": True})
    tables["host_category_dir"] = carried


def released(folder: Path, size: int = 1) -> str:
    """Write the database and return its URL."""
    return make_database(folder / "mm.sqlite", releases(size))


def metalink(snapshot: Path, prefix: str) -> Document:
    """Return the metalink of a repository in a snapshot."""
    target = f"/metalink?repo={prefix}&arch=x86_64"
    answer: Any = respond(Snapshot(snapshot), target)
    return read_metalink(answer.body)
