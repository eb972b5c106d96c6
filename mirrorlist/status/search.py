"""Pages of the admin listener that search a database, which may take long or hang.

Each search runs in a thread of its own, so that health and metrics are answered meanwhile, and one
search runs at a time. The thread ends with the process: a database that hangs keeps neither alive.
"""

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mirrorlist.status.admin import Reply, json_reply, response
from mirrorlist.status.shared import in_thread

MOST_NAME_BYTES = 256
_BUSY_SECONDS = "10"


def searching(path: str, search: Callable[[str], Reply]) -> Route:
    """Return the page of a search, which is given the name that stands in the query."""
    lock = asyncio.Lock()

    async def endpoint(request: Request) -> Response:
        name = _name(request.scope["query_string"])
        if name is None:
            error = f"one name= of at most {MOST_NAME_BYTES} bytes must be given"
            return response(json_reply({"error": error}, 400))
        if lock.locked():
            busy = json_reply({"error": "another search is running"}, 503)
            return response(busy._replace(headers=(("retry-after", _BUSY_SECONDS),)))
        async with lock:
            return response(await in_thread(lambda: search(name)))

    return Route(path, endpoint)


def _name(query: bytes) -> str | None:
    """Return the name that is searched for; None if the query has no name, or it cannot be one."""
    try:
        given = parse_qs(query.decode("ascii"), errors="strict", max_num_fields=32).get("name", [])
    except ValueError:
        return None
    name = given[0] if len(given) == 1 else ""
    return name if 0 < len(name.encode()) <= MOST_NAME_BYTES and name.isprintable() else None
