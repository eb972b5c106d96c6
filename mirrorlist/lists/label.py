"""What the statistics say of a query: the same for all of its clients, found once with its plan.

Only names that the catalog has are kept as they are, so clients cannot invent labels
(docs/statistics.md#limits).
"""

import re

from msgspec import Struct

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.lists.numbered import Numbered
from mirrorlist.request.query import Query
from snapshot.stats.spool import METALINK, MIRRORLIST, NO_REPOSITORY, OTHER, UNKNOWN_REPOSITORY

# The age of a system in steps of a week, a month, half a year.
_COUNTME = re.compile(rb"(?:^|&)countme=([1-4])(?=&|$)")


class Label(Struct, frozen=True, eq=False, gc=False):
    """The labels that a query decides; each is one object.

    `code` is its part of a counter's key. `repository` and `arch` are names of the catalog, or
    stand for the rest. `status` is that of a list: 302 for a redirect.
    """

    code: int
    kind: str
    repository: str
    arch: str
    countme: int
    status: int

    @property
    def has_repository(self) -> bool:
        """Whether it names a repository of the catalog."""
        return self.repository not in (NO_REPOSITORY, UNKNOWN_REPOSITORY)


LABELS = Numbered(Label, 36, 1 << 20, OTHER, OTHER, OTHER, 0, 200)
"""All labels; the rest is for those beyond a million, which no catalogs have."""

_KIND = {True: METALINK, False: MIRRORLIST}
_NOTHING = {one: LABELS.find(kind, NO_REPOSITORY, "", 0, 200) for one, kind in _KIND.items()}
NO_LABEL = _NOTHING[True]
"""For plans that no client asks for."""


def label_of(query: Query, raw_query: bytes, catalog: Catalog) -> Label:
    """Return the label of a query on a catalog."""
    repository, arch = _names(query, catalog)
    status = 302 if query.redirect and not query.metalink else 200
    return LABELS.find(_KIND[query.metalink], repository, arch, countme(raw_query), status)


def label_of_nothing(is_metalink: bool) -> Label:
    """Return the label of a request that could not be understood."""
    return _NOTHING[is_metalink]


def countme(raw_query: bytes) -> int:
    """Return the value of countme=, 1 to 4; 0 for another one, and without it."""
    # Few queries have it, and the search alone would take a microsecond.
    found = _COUNTME.search(raw_query) if b"countme=" in raw_query else None
    return int(found[1]) if found else 0


def _names(query: Query, catalog: Catalog) -> tuple[str, str]:
    repo, arch = query.repo, query.arch
    # Beside path= the names are any text, and the list is not that repository's.
    if repo is None or arch is None or query.path is not None:
        return NO_REPOSITORY, ""
    prefix = catalog.redirects.get(repo, repo)
    is_known = (prefix, arch) in catalog.repositories or prefix in catalog.disabled
    return repo if is_known else UNKNOWN_REPOSITORY, arch if arch in catalog.archs else OTHER
