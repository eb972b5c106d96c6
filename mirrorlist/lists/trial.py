"""Tries a catalog out before it is used: a few real lists of each category, and explanations.

Opening a snapshot verified everything in it that has a rule; this finds damage that no rule covers.
A worker that is ready while every list fails is worse than a worker that refuses the snapshot.
"""

from collections.abc import Callable
from contextlib import suppress
from random import Random

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.errors import QueryError
from mirrorlist.lists.answer import answer_plan
from mirrorlist.lists.defaults import DEFAULT_MINIMUM
from mirrorlist.lists.explain import explain, plan_any
from mirrorlist.lists.orders import Orders
from mirrorlist.lists.place import NOWHERE
from mirrorlist.lists.plan import Plan, make_plan
from mirrorlist.lists.selection import offer
from mirrorlist.request.client import NO_CLIENT
from mirrorlist.request.query import Query
from snapshot.file.errors import MalformedSnapshot, SnapshotError


def try_out(
    catalog: Catalog, before: Catalog | None = None, rest: Callable[[], object] = lambda: None
) -> None:
    """Raise MalformedSnapshot if a list cannot be made: a few milliseconds a category.

    What is said of hosts is not made again if `before`, which was tried out, has the same roster.
    `rest` is called after each list.
    """
    is_new = before is None or catalog.roster is not before.roster
    # One for all lists, so that each host is rendered once.
    orders = Orders(1)
    try:
        for prefix, arch in _repositories(catalog):
            for is_metalink in (True, False):
                query = Query(repo=prefix, arch=arch, metalink=is_metalink)
                plan = make_plan(query, catalog, DEFAULT_MINIMUM)
                if is_new:
                    answer_plan(plan, NO_CLIENT, NOWHERE, orders, Random(0), catalog.read)
                elif isinstance(plan, Plan):
                    offer(plan.situation(NO_CLIENT, NOWHERE))
                rest()
            if is_new:
                _explain(query, catalog)
    except SnapshotError:
        raise
    except Exception as error:
        raise MalformedSnapshot(
            f"{catalog.snapshot.path}: malformed: no lists can be made of it: {error!r}"
        ) from error


def _explain(query: Query, catalog: Catalog) -> None:
    # A QueryError is a fine answer, for example where no host carries the directory.
    with suppress(QueryError):
        plan = plan_any(query, catalog, DEFAULT_MINIMUM)
        explain(plan, NO_CLIENT, NOWHERE, Random(0), catalog.read)


def _repositories(catalog: Catalog) -> list[tuple[str, str]]:
    """Return one repository of each category, and one whose directory is in no category."""
    found = {
        catalog.snapshot.place_of(directory)[0]: key
        for key, directory in catalog.repositories.items()
        if key[0] not in catalog.disabled
    }
    return list(found.values())
