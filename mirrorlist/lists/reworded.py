"""Requests in other words: what the parameters and paths of a site's own shapes ask for.

Source: docs/protocol.md#requests-in-other-words.
"""

from msgspec import structs

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.errors import NotFound
from mirrorlist.request.listkey import split_path
from mirrorlist.request.query import Query, parse_query, values_of

NOTHING_HERE = "We don't serve their kind here!"
"""The text for any path that is unknown, as mirrorlist-server has it."""


def query_of(raw: bytes, metalink: bool, catalog: Catalog) -> Query:
    """Return the query of a request, in whatever words it asks; raises BadQuery or NotFound.

    `raw` is a raw query string, perhaps with a path before it (`request.listkey`).
    """
    path, raw = split_path(raw)
    query = parse_query(raw, metalink)
    if not path and (not catalog.request_shapes or query.path is not None):
        return query
    for shape in catalog.request_shapes:
        values = values_of(raw, shape.names)
        if values is None:
            continue
        asked = "&".join(f"{name}={values[name]}" for name in shape.names)
        if found := shape.requests.get(f"{path}?{asked}"):
            return structs.replace(query, repo=found[0], arch=found[1], path=None)
    if path:
        # As for any path that is unknown; a path that asks for one repository has no list of
        # another.
        raise NotFound(NOTHING_HERE)
    return query
