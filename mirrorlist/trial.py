"""Tries a catalog out before it is used: a few real lists of each category, and why they are so.

Everything in a snapshot was verified when it was opened; this is for what nobody thought of. A
worker that is ready while every list fails is worse than one that refuses a snapshot.
"""

from contextlib import suppress
from random import Random

from mirrorlist.address import Address
from mirrorlist.answer import DEFAULT_MINIMUM, answer
from mirrorlist.catalog import Catalog
from mirrorlist.client import Client
from mirrorlist.errors import QueryError
from mirrorlist.explain import explain_any
from mirrorlist.query import Query
from snapshot.file.errors import MalformedSnapshot, SnapshotError

_NOBODY = Client(Address(4, 0), Address(4, 0), "none")


def try_out(catalog: Catalog) -> None:
    """Raise MalformedSnapshot if a list cannot be made: a few milliseconds a category."""
    try:
        for prefix, arch in _repositories(catalog):
            for is_metalink in (True, False):
                query = Query(repo=prefix, arch=arch, metalink=is_metalink)
                answer(query, _NOBODY, catalog, Random(0), catalog.read)
            _explain(query, catalog)
    except SnapshotError:
        raise
    except Exception as error:
        raise MalformedSnapshot(
            f"{catalog.snapshot.path}: malformed: no lists can be made of it: {error!r}"
        ) from error


def _explain(query: Query, catalog: Catalog) -> None:
    # No host carries it, say; the answer was that too.
    with suppress(QueryError):
        explain_any(query, _NOBODY, catalog, Random(0), catalog.read, DEFAULT_MINIMUM)


def _repositories(catalog: Catalog) -> list[tuple[str, str]]:
    """One repository of each category, and of what is in none."""
    found = {
        catalog.snapshot.place_of(directory)[0]: key
        for key, directory in catalog.repositories.items()
        if key[0] not in catalog.disabled
    }
    return list(found.values())
