"""Turns the load test's tree into rows of MirrorManager's tables: directories, repositories."""

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from loadtest.dataset.chance import vary
from loadtest.dataset.details import FileDetail, changed, composed, file_details
from loadtest.dataset.families import ARCHES, PRODUCTS, REDIRECTS
from loadtest.dataset.tree import CATEGORY, DatasetTree, Directory, Subtree, age_of

Row = dict[str, object]
Tables = dict[str, list[Row]]

_PRODUCT_IDS = {name: id for id, name in enumerate(PRODUCTS, 1)}
_ARCH_IDS = {name: id for id, name in enumerate(ARCHES, 1)}
# Where there are many packages, MirrorManager lists the newest three.
_LISTED = 3


def category_ids() -> dict[str, int]:
    """Return each category's id by its name; it is the same at each scale."""
    return {name: id for id, name in enumerate(CATEGORY, 1)}


def tree_rows(seed: int, tree: DatasetTree) -> Tables:
    """Return the rows of all tables that say what there is to mirror, by table name."""
    details = [detail for subtree in tree.subtrees for detail in file_details(seed, subtree)]
    return {
        "product": [{"id": id, "name": name} for name, id in _PRODUCT_IDS.items()],
        "arch": [_arch_row(name) for name in ARCHES],
        "version": _version_rows(tree),
        "directory": list(_directory_rows(seed, tree, details)),
        "category": _category_rows(tree),
        "category_directory": _category_directory_rows(tree),
        "repository": _repository_rows(tree),
        "repository_redirect": [
            {"id": id, "from_repo": old, "to_repo": new}
            for id, (old, new) in enumerate(REDIRECTS, 1)
        ],
        "file_detail": [_file_detail_row(id, item, tree) for id, item in enumerate(details, 1)],
    }


def _arch_row(name: str) -> Row:
    return {
        "id": _ARCH_IDS[name],
        "name": name,
        "publiclist": name != "source",
        "primary_arch": name in ("x86_64", "aarch64"),
    }


def _version_ids(tree: DatasetTree) -> dict[tuple[str, str], int]:
    """Each version's id by product and name, oldest first."""
    versions = {(subtree.product, subtree.version) for subtree in tree.subtrees}
    oldest_first = sorted(versions, key=lambda one: (one[0], -age_of(one[1], one[0]), one[1]))
    return {version: id for id, version in enumerate(oldest_first, 1)}


def _version_rows(tree: DatasetTree) -> list[Row]:
    return [
        {
            "id": id,
            "name": name,
            "display_name": f"{product} {name}",
            "is_test": name.endswith("Beta"),
            "display": age_of(name, product) < 3,
            "sortorder": id,
            "product_id": _PRODUCT_IDS[product],
        }
        for (product, name), id in _version_ids(tree).items()
    ]


def _category_rows(tree: DatasetTree) -> list[Row]:
    return [
        {
            "id": category_ids()[category.name],
            "name": category.name,
            "canonicalhost": "https://dl.fedora.example",
            "admin_only": False,
            "product_id": _PRODUCT_IDS[category.product],
            "topdir_id": tree.ids[category.topdir],
        }
        for category in tree.categories
    ]


def _category_directory_rows(tree: DatasetTree) -> list[Row]:
    return [
        {"category_id": category_ids()[directory.category.name], "directory_id": directory.id}
        for directory in tree.directories
        if directory.category
    ]


def _directory_rows(seed: int, tree: DatasetTree, details: list[FileDetail]) -> Iterator[Row]:
    files: dict[str, dict[str, FileDetail]] = defaultdict(dict)
    for detail in details:
        # The last one of a name is the current one.
        files[detail.directory][detail.filename] = detail
    # What lies above all subtrees is as old as the project.
    oldest = min(composed(seed, subtree) for subtree in tree.subtrees)
    for directory in tree.directories:
        subtree = None if directory.subtree is None else tree.subtrees[directory.subtree]
        listed = [
            {"name": name, "size": detail.size, "timestamp": detail.timestamp}
            for name, detail in sorted(files[directory.name].items())
        ]
        yield {
            "id": directory.id,
            "name": directory.name,
            "files": msgspec.json.encode(listed or _packages(seed, directory, subtree)),
            "readable": subtree is None or subtree.readable,
            "ctime": changed(seed, subtree, directory.name) if subtree else oldest,
        }


def _packages(seed: int, directory: Directory, subtree: Subtree | None) -> list[Row]:
    parent, _, letter = directory.name.rpartition("/")
    if subtree is None or not parent.endswith("/Packages"):
        return []
    time = changed(seed, subtree, directory.name)
    names = [f"{letter}{number}-1.{number}-1.{subtree.arch}.rpm" for number in range(_LISTED)]
    return [
        {
            "name": name,
            "size": 9_000 + vary(seed, directory.name + name, 1 << 22),
            "timestamp": time,
        }
        for name in names
    ]


def _repository_rows(tree: DatasetTree) -> list[Row]:
    versions = _version_ids(tree)
    return [
        {
            "id": id,
            "name": subtree.path,
            "prefix": subtree.prefix,
            "category_id": category_ids()[subtree.category.name],
            "version_id": versions[subtree.product, subtree.version],
            "arch_id": _ARCH_IDS[subtree.arch],
            "directory_id": tree.ids[subtree.path],
            "disabled": subtree.disabled,
        }
        for id, subtree in enumerate(tree.repositories, 1)
    ]


def _file_detail_row(id: int, detail: FileDetail, tree: DatasetTree) -> Row:
    nothing = dict.fromkeys(("md5", "sha1", "sha256", "sha512"))
    return {
        "id": id,
        "filename": detail.filename,
        "timestamp": detail.timestamp,
        "size": detail.size,
        **nothing,
        **detail.hashes,
        "directory_id": tree.ids[detail.directory],
    }
