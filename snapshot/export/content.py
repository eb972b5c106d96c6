"""Directories, host sets, repositories and file details: what clients can ask for.

The rules are those of docs/mirrormanager.md#what-can-be-asked-for, and for categories those of
docs/mirrormanager.md#a-directory-in-several-categories.
"""

from collections import defaultdict
from typing import NamedTuple

from snapshot.export.directories import Carried
from snapshot.export.hosts import HostTable
from snapshot.export.hostsets import host_bits
from snapshot.export.leftout import LeftOutRows
from snapshot.export.rows import DirectoryRow, FileDetailRow, Rows
from snapshot.file.model import Directory, FileDetail, Repository
from snapshot.file.nametable import MAX_NAME_BYTES
from snapshot.file.redirects import odd_redirects
from snapshot.file.text import refuse_control, stripped, trimmed

_HASH_BYTES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}
_MAX_INTEGER = (1 << 63) - 1


class Content(NamedTuple):
    """The category of each directory, by id, and the things that point at directories."""

    categories: dict[int, int]
    repositories: list[Repository]
    redirects: dict[str, str]
    file_details: dict[int, dict[str, tuple[FileDetail, ...]]]


def usable_directories(rows: Rows, left_out: LeftOutRows) -> list[DirectoryRow]:
    """Return the directories whose names can stand in a list, sorted by the names' bytes."""
    if _are_plain([row.name for row in rows.directories]):
        return sorted(rows.directories, key=lambda row: row.name)
    usable = []
    for row in rows.directories:
        with left_out.row("directory", row.id):
            name = refuse_control(row.name, "name")
            if name != name.strip("/") or "//" in name:
                raise ValueError("name with outer or double slashes: no client can ask for it")
            if len(name.encode()) > MAX_NAME_BYTES:
                raise ValueError(f"name of more than {MAX_NAME_BYTES:,} bytes: no path can be")
            usable.append(row)
    # Such a directory may exist, so it is kept; more likely the blanks are a typing error.
    odd = [row.name for row in usable if _has_blanks(row.name)]
    if odd:
        count = "1 directory has" if len(odd) == 1 else f"{len(odd)} directories have"
        left_out.note(f"{count} blanks around the name: {odd[0]!a:.80}")
    return sorted(usable, key=lambda row: row.name.encode())


def _are_plain(names: list[str]) -> bool:
    """Whether all names are usable and without blanks, as nearly always: seen in all at once.

    Printable ASCII is sorted by its bytes as by its characters.
    """
    if (
        not all(type(name) is str for name in names)
        or max(map(len, names), default=0) > MAX_NAME_BYTES
    ):
        return False
    text = "\n".join(["", *names, ""])
    return (
        text.isascii()
        and text.count("\n") == len(names) + 1
        and text.replace("\n", "").isprintable()
        and not any(odd in text for odd in ("//", "\n/", "/\n", "\n ", " \n"))
    )


def make_content(
    rows: Rows, usable: list[DirectoryRow], host_table: HostTable, left_out: LeftOutRows
) -> Content:
    """Apply the rules for everything but the hosts of directories."""
    index = {row.id: at for at, row in enumerate(usable)}
    repositories = _repositories(rows, index, left_out)
    return Content(
        categories=_categories(rows, usable, host_table, left_out),
        repositories=repositories,
        redirects=_redirects(rows, repositories, left_out),
        file_details=_file_details(rows, index, left_out),
    )


def make_directories(
    up2date: Carried,
    usable: list[DirectoryRow],
    categories: dict[int, int],
    host_table: HostTable,
    left_out: LeftOutRows,
) -> tuple[list[int], list[Directory]]:
    """Return the host sets, and the directories that point at them."""
    bits = host_bits(up2date, categories, host_table)
    _report_unnamed(up2date, left_out)
    host_sets: dict[int, int] = {}  # bits, and their index in order of first use
    directories = []
    for row in usable:
        category = categories.get(row.id)
        host_set = None
        if category is not None:
            host_set = host_sets.setdefault(bits[row.id], len(host_sets))
        directories.append(
            Directory(row.name, category, host_set, bool(row.readable), _ctime(row, left_out))
        )
    return list(host_sets), directories


def _report_unnamed(up2date: Carried, left_out: LeftOutRows) -> None:
    """Report the rows without a directory, as one row and the number of others."""
    count, first = up2date.unnamed, up2date.first_unnamed
    if count:
        more = f", and {count - 1} more rows" if count > 1 else ""
        left_out.add("host_category_dir", first, f"no directory{more}")


def _ctime(row: DirectoryRow, left_out: LeftOutRows) -> int:
    ctime: object = row.ctime or 0
    if not isinstance(ctime, int) or abs(ctime) > _MAX_INTEGER:
        left_out.add("directory", row.id, "ctime is out of range: directory kept without it")
        return 0
    return ctime


def _categories(
    rows: Rows, usable: list[DirectoryRow], host_table: HostTable, left_out: LeftOutRows
) -> dict[int, int]:
    """Map directory ids to category indexes.

    A directory "belongs to the category with the longest topdir, and to the lowest id if the
    topdirs are equally long" (docs/mirrormanager.md#a-directory-in-several-categories).
    """
    names = {row.id: row.name for row in usable}
    places = {category.id: at for at, category in enumerate(host_table.categories)}
    best: dict[int, tuple[int, int, int]] = {}
    for category_id, directory_id in sorted(rows.category_directories):
        name, at = names.get(directory_id), places.get(category_id)
        if name is None or at is None:
            missing = "directory" if name is None else "category"
            left_out.add(
                "category_directory", directory_id, f"category {category_id}: no usable {missing}"
            )
            continue
        topdir = host_table.categories[at].topdir
        if not _is_within(name, topdir):
            left_out.add(
                "category_directory", directory_id, f"category {category_id}: outside its topdir"
            )
            continue
        rank = (-len(topdir), category_id, at)
        best[directory_id] = min(rank, best.get(directory_id, rank))
    return {directory_id: rank[2] for directory_id, rank in best.items()}


def _is_within(name: str, topdir: str) -> bool:
    return not topdir or name == topdir or name.startswith(topdir + "/")


def _repositories(rows: Rows, index: dict[int, int], left_out: LeftOutRows) -> list[Repository]:
    arches = {arch.id: arch.name for arch in rows.arches}
    found: dict[tuple[str, str], Repository] = {}
    # Rows without blanks come first, so that a row with blanks never takes their prefix.
    for row in sorted(rows.repositories, key=lambda row: (_has_blanks(row.prefix), row.id)):
        with left_out.row("repository", row.id):
            prefix = "" if row.prefix is None else stripped(row.prefix, "prefix")
            if not prefix:
                raise ValueError("no prefix: no client can ask for it")
            arch = None if row.arch_id is None else arches.get(row.arch_id)
            if arch is None or row.version_id is None:
                raise ValueError("no arch" if arch is None else "no version")
            directory = None if row.directory_id is None else index.get(row.directory_id)
            if directory is None:
                raise ValueError("no usable directory")
            key = prefix, stripped(arch, "arch")
            if not key[1]:
                raise ValueError("no arch")
            if key in found:
                blanks = " once the blanks around it are gone" if _has_blanks(row.prefix) else ""
                raise ValueError(f"the same prefix and arch as an earlier one{blanks}")
            found[key] = Repository(*key, directory, bool(row.disabled))
    return sorted(found.values(), key=lambda row: (row.prefix.encode(), row.arch.encode()))


def _has_blanks(name: object) -> bool:
    return isinstance(name, str) and name != trimmed(name)


def _redirects(rows: Rows, repositories: list[Repository], left_out: LeftOutRows) -> dict[str, str]:
    redirects: dict[str, str] = {}
    for row in sorted(rows.redirects, key=lambda row: (_has_blanks(row.from_repo), row.id)):
        with left_out.row("repository_redirect", row.id):
            target = "" if row.to_repo is None else stripped(row.to_repo, "to_repo")
            if not target:
                raise ValueError("leads nowhere")
            asked = stripped(row.from_repo, "from_repo")
            if not asked:
                raise ValueError("no from_repo: no client can ask for it")
            if redirects.setdefault(asked, target) != target:
                raise ValueError("the same from_repo as an earlier one, and another to_repo")
    for note in odd_redirects(redirects, repositories):
        left_out.note(note)
    return redirects


def _file_details(
    rows: Rows, index: dict[int, int], left_out: LeftOutRows
) -> dict[int, dict[str, tuple[FileDetail, ...]]]:
    found: dict[tuple[int, str], list[tuple[bool, int, int, FileDetail]]] = defaultdict(list)
    for row in rows.file_details:
        with left_out.row("file_detail", row.id):
            if row.directory_id not in index:
                raise ValueError("no usable directory")
            key = index[row.directory_id], stripped(row.filename, "filename")
            if not key[1]:
                raise ValueError("no filename")
            detail = _file_detail(row)
            # "A row without `timestamp` counts as the newest [...]; of equal timestamps, the higher
            # id is newer." (docs/mirrormanager.md#file-details)
            found[key].append((row.timestamp is None, detail.timestamp, row.id, detail))
    details: dict[int, dict[str, tuple[FileDetail, ...]]] = defaultdict(dict)
    for (directory, filename), versions in found.items():
        versions.sort(key=lambda version: version[:3], reverse=True)
        details[directory][filename] = tuple(version[3] for version in versions)
    return dict(details)


def _file_detail(row: FileDetailRow) -> FileDetail:
    return FileDetail(
        _count(row.timestamp, "timestamp"),
        _count(row.size, "size"),
        *(_hash(name, getattr(row, name)) for name in _HASH_BYTES),
    )


def _count(value: object, what: str) -> int:
    value = 0 if value is None else value
    if not isinstance(value, int) or not 0 <= value <= _MAX_INTEGER:
        raise ValueError(f"{what} {value!r} is out of range")
    return value


def _hash(name: str, text: object) -> bytes:
    # A bad hash leaves the whole row out: "without it, the file would count as unchecked"
    # (docs/mirrormanager.md#file-details).
    try:
        text = trimmed(text) if isinstance(text, str) else text
        value = bytes.fromhex(refuse_control("" if text is None else text, name))
    except ValueError as error:
        raise ValueError(f"{name} is not hexadecimal") from error
    if len(value) not in (0, _HASH_BYTES[name]):
        raise ValueError(f"{name} has {len(value)} bytes, not {_HASH_BYTES[name]}")
    return value
