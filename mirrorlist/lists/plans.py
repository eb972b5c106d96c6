"""The plans of query strings that came twice, kept while their catalog is in use.

Query strings that end with country= or protocol= are nearly all different, but what stands before
is that of a repository. So their plans are made of its plan, which is kept.
"""

from contextlib import suppress

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.kept import Kept
from mirrorlist.errors import QueryError
from mirrorlist.lists.label import label_of
from mirrorlist.lists.plan import Plan, Refusal, make_plan
from mirrorlist.lists.reworded import query_of
from mirrorlist.lists.subject import Subjects
from mirrorlist.request.query import cut_wish, with_wish

# For all plans that are kept; each repository has one or two.
PLANS_BYTES = 8 << 20
MOST_ASKED = 16_384
_KEPT_QUERY_BYTES = 512


class Plans:
    """The plans of query strings on the catalog in use, bounded in bytes."""

    def __init__(self, minimum: int) -> None:
        """Take how many hosts are enough without the global tier."""
        self.minimum = minimum
        self._kept = _nothing()
        self.subjects = Subjects()
        self._catalog: Catalog | None = None
        self._retired = _nothing()
        self._is_movable = False
        self._retired_subjects: Subjects | None = None
        self._asked: set[int] = set()
        self._asked_before: set[int] = set()

    @property
    def size(self) -> int:
        """About how many bytes are kept of the catalog in use."""
        return self._kept.bytes

    @property
    def kept(self) -> list[Plan | Refusal]:
        """The plans and refusals that are kept of the catalog in use."""
        return [*self._kept.values()]

    @property
    def retired(self) -> int:
        """How many plans of the last catalog wait for `forget`."""
        return len(self._retired)

    @property
    def remembered(self) -> int:
        """How many query strings are remembered as asked once, by their hashes."""
        return len(self._asked) + len(self._asked_before)

    def find(self, catalog: Catalog, is_metalink: bool, raw_query: bytes) -> Plan | Refusal:
        """Return the plan of a query string on a catalog, or its refusal; raises BadQuery."""
        if self._catalog is not catalog:
            # Freeing the old plans takes milliseconds, so `forget` does it in another thread.
            self._is_movable = self._catalog is not None and self._catalog.naming is catalog.naming
            self._retired, self._kept, self._catalog = self._kept, _nothing(), catalog
            self._retired_subjects, self.subjects = self.subjects, Subjects()
        key = is_metalink, raw_query
        # Nearly always the plan is among the young ones: a single look into a dictionary.
        return self._kept.young.get(key) or self._kept.find(key) or self._make(catalog, key)

    def forget(self) -> None:
        """Free the plans of the last catalog; to be called by another thread."""
        retired, self._retired = self._retired, _nothing()
        retired.let_go()
        self._retired_subjects = None

    def clear(self) -> None:
        """Drop all plans."""
        self._kept.clear()
        self.subjects = Subjects()

    def _move(self, catalog: Catalog, key: tuple[bool, bytes]) -> Plan | Refusal | None:
        """Return the plan that the last catalog had for a query string, if it can be used on."""
        before = self._retired.find(key) if self._is_movable else None
        if isinstance(before, Plan):
            return before.moved(catalog)
        return before if before is not None and before.is_unknown else None

    def _make(self, catalog: Catalog, key: tuple[bool, bytes]) -> Plan | Refusal:
        if self._is_movable and (moved := self._move(catalog, key)) is not None:
            return self._kept.keep(key, moved)
        return self._asking(catalog, key) or self._make_whole(catalog, key)

    def _asking(self, catalog: Catalog, key: tuple[bool, bytes]) -> Plan | Refusal | None:
        """Return a query string's plan, made of the plan of what stands before its wish.

        None if it does not end with country= or protocol=, or if the rest came once only; to ask
        for the rest with a wish counts too.
        """
        is_metalink, raw = key
        cut = cut_wish(raw)
        # A plan of a query with ip= is never kept; shapes may want any parameter.
        if cut is None or b"ip=" in raw or catalog.request_shapes:
            return None
        before = is_metalink, cut[0]
        plan = self._kept.young.get(before) or self._kept.find(before)
        if plan is None and (plan := self._made_before(catalog, before)) is None:
            return None
        asked = with_wish(plan.query, cut[1], cut[2])
        is_repeated = self._was_asked(key)
        asking = plan.asking(asked, is_repeated)
        return self._kept.keep(key, asking) if is_repeated else asking

    def _made_before(self, catalog: Catalog, key: tuple[bool, bytes]) -> Plan | Refusal | None:
        """Return the plan of what stands before a wish, None if it is new or a mistake."""
        if (moved := self._move(catalog, key)) is not None:
            return self._kept.keep(key, moved)
        if self._was_asked(key):
            with suppress(QueryError):
                return self._make_whole(catalog, key)
        return None

    def _make_whole(self, catalog: Catalog, key: tuple[bool, bytes]) -> Plan | Refusal:
        query = query_of(key[1], key[0], catalog)
        label = label_of(query, key[1], catalog)
        # A query with ip= is rarely repeated, but it shares its orders with other queries.
        if query.ip:
            return make_plan(query, catalog, self.minimum, True, self.subjects, label)
        is_repeated = self._was_asked(key)
        plan = make_plan(query, catalog, self.minimum, is_repeated, self.subjects, label)
        return self._kept.keep(key, plan) if is_repeated else plan

    def _was_asked(self, key: tuple[bool, bytes]) -> bool:
        """Return whether a query string was seen recently; only its second request is kept."""
        # So clients cannot fill the memory with plans by inventing query strings.
        if len(self._asked) >= MOST_ASKED // 2:
            self._asked_before, self._asked = self._asked, set()
        asked = hash(key)
        if asked in self._asked or asked in self._asked_before:
            return len(key[1]) <= _KEPT_QUERY_BYTES
        self._asked.add(asked)
        return False


def _nothing() -> Kept[tuple[bool, bytes], Plan | Refusal]:
    return Kept(PLANS_BYTES, lambda key, plan: plan.size + 3 * len(key[1]))
