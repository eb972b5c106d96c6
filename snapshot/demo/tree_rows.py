"""Turns the demo's tree into rows of MirrorManager's tables: directories, repositories, files."""

from collections.abc import Iterable
from functools import cache

import msgspec

from snapshot.demo.expand import (
    DemoDirectory,
    DemoFileDetail,
    DemoRepository,
    directories,
    file_details,
    repositories,
)
from snapshot.demo.tree import demo_tree

Row = dict[str, object]
Tables = dict[str, list[Row]]


def tree_rows() -> Tables:
    """Return the rows of all tables about directories, repositories and files, by table name."""
    return {
        "product": [{"id": id, "name": name} for id, name in enumerate(demo_tree().products, 1)],
        "arch": _arch_rows(),
        "version": _version_rows(),
        "directory": _directory_rows(),
        "category": _category_rows(),
        "category_directory": _category_directory_rows(),
        "repository": [_repository_row(*item) for item in enumerate(repositories(), 1)],
        "repository_redirect": [
            {"from_repo": old, "to_repo": new} for old, new in demo_tree().redirects.items()
        ],
        "file_detail": [_file_detail_row(detail) for detail in file_details()],
    }


@cache
def directory_ids() -> dict[str, int]:
    """Return each directory's id by its full path."""
    return _ids(directory.name for directory in directories())


@cache
def category_ids() -> dict[str, int]:
    """Return each category's id by its name."""
    return _ids(category.name for category in demo_tree().categories)


def _ids(names: Iterable[str]) -> dict[str, int]:
    return {name: id for id, name in enumerate(names, 1)}


def _arch_rows() -> list[Row]:
    return [
        {"id": id, "name": name, "publiclist": name != "source", "primary_arch": name != "ppc64le"}
        for name, id in _ids(demo_tree().arches).items()
    ]


def _version_rows() -> list[Row]:
    products = _ids(demo_tree().products)
    return [
        {
            "id": id,
            "name": version.name,
            "display_name": version.display_name,
            "is_test": version.is_test,
            "display": version.display,
            "sortorder": id,
            "product_id": products[version.product],
        }
        for id, version in enumerate(demo_tree().versions, 1)
    ]


def _category_rows() -> list[Row]:
    products = _ids(demo_tree().products)
    return [
        {
            "id": id,
            "name": category.name,
            "canonicalhost": "https://dl.fedora.example",
            "admin_only": category.admin_only,
            "product_id": products[category.product],
            "topdir_id": directory_ids()[category.topdir],
        }
        for id, category in enumerate(demo_tree().categories, 1)
    ]


def _directory_rows() -> list[Row]:
    files: dict[str, dict[str, DemoFileDetail]] = {}
    for detail in file_details():
        # Details are sorted by time, so the last one with a name is the current one.
        files.setdefault(detail.directory, {})[detail.filename] = detail
    return [
        _directory_row(id, directory, files.get(directory.name, {}))
        for id, directory in enumerate(directories(), 1)
    ]


def _directory_row(id: int, directory: DemoDirectory, files: dict[str, DemoFileDetail]) -> Row:
    listed = [
        {"name": name, "size": detail.size, "timestamp": detail.timestamp}
        for name, detail in sorted(files.items())
    ]
    return {
        "id": id,
        "name": directory.name,
        "files": msgspec.json.encode(listed),
        "readable": directory.readable,
        "ctime": directory.ctime,
    }


def _category_directory_rows() -> list[Row]:
    return [
        {"category_id": category_ids()[category], "directory_id": directory_ids()[directory.name]}
        for directory in directories()
        for category in directory.categories
    ]


def _repository_row(id: int, repository: DemoRepository) -> Row:
    return {
        "id": id,
        "name": repository.directory,
        "prefix": repository.prefix,
        "category_id": repository.category and category_ids()[repository.category],
        "version_id": _ids(version.name for version in demo_tree().versions)[repository.version],
        "arch_id": _ids(demo_tree().arches)[repository.arch],
        "directory_id": directory_ids()[repository.directory],
        "disabled": repository.disabled,
    }


def _file_detail_row(detail: DemoFileDetail) -> Row:
    return {
        "filename": detail.filename,
        "timestamp": detail.timestamp,
        "size": detail.size,
        "md5": detail.md5,
        "sha1": detail.sha1,
        "sha256": detail.sha256,
        "sha512": detail.sha512,
        "directory_id": directory_ids()[detail.directory],
    }
