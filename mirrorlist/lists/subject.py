"""What repositories' queries ask for, found once: `country=` and `protocol=` do not change it.

Finding a directory by its name and rendering the hashes of its file are a third of the cost of a
query string that came once only.
"""

from base64 import b64encode

from msgspec import Struct

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.kept import Kept
from mirrorlist.lists import metalink, metalink4
from mirrorlist.lists.listing import Filling, ListKind, filling
from mirrorlist.lists.target import METADATA, Target, find_details, find_target, known_details
from mirrorlist.request.query import Query

SUBJECTS_BYTES = 2 << 20
# "If the encoded path is over 512 characters, a text list ends after 128 KiB of paths, and has the
# nearest hosts" (docs/protocol.md#the-target). Real directories are never that long.
LONG_PATH, MOST_LONG_BYTES = 512, 128 << 10
# Roughly what a subject and its key take, without the opening.
_SUBJECT_BYTES = 1200

_Key = tuple[bool, str, str]


class Subject(Struct, frozen=True):
    """A target, and what stands in its list before the hosts and what the client decides.

    `filling` is its path as it stands behind the hosts' URLs. `document_type` is the content type
    of a metalink. `most_lines` is how many lines of hosts a text list has at most, None for any
    number. `digest` is the value of a redirect's Repr-Digest, if the file's SHA-256 is known.
    """

    target: Target
    opening: bytes
    filling: Filling
    document_type: str = metalink.CONTENT_TYPE
    most_lines: int | None = None
    digest: str | None = None

    @property
    def size(self) -> int:
        """About how many bytes its texts take."""
        return len(self.opening) + 3 * len(self.target.path.encoded)


class Subjects:
    """The subjects of a catalog's repositories, bounded in bytes."""

    def __init__(self) -> None:
        """Begin without any."""
        self._kept = Kept[_Key, Subject](SUBJECTS_BYTES, _size)

    @property
    def bytes(self) -> int:
        """About how many bytes are kept."""
        return self._kept.bytes

    def find(self, query: Query, catalog: Catalog) -> Subject:
        """Return the subject of a query; raises QueryError."""
        if query.path is not None or query.repo is None or query.arch is None:
            return find_subject(query, catalog)
        key = query.metalink, query.repo, query.arch
        return self._kept.find(key) or self._kept.keep(key, find_subject(query, catalog))


def find_subject(query: Query, catalog: Catalog) -> Subject:
    """Return what a query asks for; raises QueryError."""
    target = find_target(query, catalog)
    if not query.metalink:
        digest = _digest(target, catalog) if query.redirect else None
        path = filling(target.path, ListKind.TEXT)
        return Subject(
            target, target.heading.encode(), path, most_lines=_most_lines(path), digest=digest
        )
    path = filling(target.path, ListKind.METALINK)
    details = find_details(target, catalog)
    if target.is_meta4:
        opening = metalink4.opening(target.file_name, details)
        return Subject(target, opening, path, metalink4.CONTENT_TYPE)
    # "The metalink of a `repomd.xml` has no `pieces`, because it is the most frequent one, and
    # clients also take older versions" (docs/protocol.md#the-metalink).
    pieces = target.file != METADATA
    opening = metalink.opening(target.file_name, details, pieces=pieces)
    return Subject(target, opening, path)


def _most_lines(path: Filling) -> int | None:
    # A path that a client made long is not repeated for hundreds of hosts.
    length = len(path.encoded)
    return MOST_LONG_BYTES // length if length > LONG_PATH else None


def _digest(target: Target, catalog: Catalog) -> str | None:
    """Return the value of Repr-Digest (RFC 9530) for the newest version of a target's file."""
    details = known_details(target, catalog) if target.file else ()
    if not details or not details[0].sha256:
        return None
    # RFC 8941 section 3.3.5: a byte sequence is base64 between colons.
    return f"sha-256=:{b64encode(details[0].sha256).decode()}:"


def _size(key: _Key, subject: Subject) -> int:
    texts = subject.opening, subject.filling.encoded, *key[1:]
    return _SUBJECT_BYTES + sum(map(len, texts))
