"""Sums of single files: those of the packages that `mirrorlist packages import` read.

To read hundreds of thousands of packages takes seconds, and most exports find no new ones. So the
sections are taken from the published snapshot if the repositories are the same ones.
"""

import hashlib
from functools import partial

import msgspec

from snapshot.export.imported import may_read_packages
from snapshot.export.leftout import LeftOutRows
from snapshot.export.session import Session
from snapshot.file.errors import SnapshotError
from snapshot.file.filesums import STATE_BYTES, Files, pack_file_sums
from snapshot.file.model import FileSum, PackedSums
from snapshot.file.reader import Snapshot

_STATE = "SELECT directory, sum, packages FROM mirrorlist_repodata ORDER BY directory"
_FILES = """SELECT i.directory, l.path, p.size, p.sum_kind, p.sum FROM mirrorlist_location l
    JOIN mirrorlist_repodata i ON i.id = l.repodata_id
    JOIN mirrorlist_package p ON p.id = l.package_id"""
# Part of the state: to be changed when other sections are made of the same repositories.
_MAKING = "1"
_SHA256_BYTES = 32
# Each note begins with it, and is known again by it.
_OPTION = "--files"


def read_file_sums(
    session: Session, present: set[str], old: Snapshot | None, left_out: LeftOutRows
) -> PackedSums:
    """Return the sections; without tables of packages they are empty, and a note says so.

    `present` are the tables that there are. `old` is the published snapshot.
    """
    if not may_read_packages(session, present, _OPTION, left_out):
        return pack_file_sums(bytes(STATE_BYTES), lambda: ()).sections
    state = _state(session)
    return _known(old, state, left_out) or _read(session, state, left_out)


def _state(session: Session) -> bytes:
    """Return what changes whenever packages of any repository do."""
    told = msgspec.msgpack.encode([_MAKING, *session.query(_STATE)])
    return hashlib.blake2b(told, digest_size=STATE_BYTES).digest()


def _known(old: Snapshot | None, state: bytes, left_out: LeftOutRows) -> PackedSums | None:
    """Return the sections of the published snapshot with its notes, if they are of this state."""
    try:
        table = old.file_sum_table if old else None
        if old is None or table is None or table.state != state:
            return None
        found = old.packed_sums()
        notes = [note for note in old.report.notes if note.startswith(_OPTION)]
    except SnapshotError:
        return None
    for note in notes if found else ():
        left_out.note(note)
    return found


def _read(session: Session, state: bytes, left_out: LeftOutRows) -> PackedSums:
    unusable: set[tuple[str, str]] = set()
    packed = pack_file_sums(state, partial(_files, session, unusable))
    if unusable:
        left_out.note(f"{_OPTION}: {len(unusable):,} packages have no SHA-256 or no usable path")
    if packed.left_out:
        left_out.note(f"{_OPTION}: of {packed.left_out:,} files, repositories tell different sums")
    return packed.sections


def _files(session: Session, unusable: set[tuple[str, str]]) -> Files:
    for directory, path, size, kind, sum in session.stream(_FILES):
        one = _sum(size, kind, sum)
        name = _name(directory, path)
        if one is None or name is None:
            unusable.add((directory, path))
        else:
            yield name, one


def _sum(size: object, kind: object, sum: object) -> FileSum | None:
    if kind != "sha256" or type(size) is not int or size < 0 or not isinstance(sum, str):
        return None
    try:
        value = bytes.fromhex(sum)
    except ValueError:
        return None
    return FileSum(size, value) if len(value) == _SHA256_BYTES else None


def _name(directory: str, path: str) -> str | None:
    """Return a file's whole path as a request names it; None if no request can."""
    name = f"{directory}/{path}"
    if "//" in name or "./" in name:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            return None
        name = "/".join(parts)
    try:
        name.encode()
    except UnicodeEncodeError:
        return None
    return name.strip("/")
