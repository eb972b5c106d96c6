"""Pages of an admin listener, asked for without one."""

import asyncio
from collections.abc import Awaitable

from mirrorlist.status.admin import AnyRoutes, Reply


def page(routes: AnyRoutes, path: str) -> Reply:
    """Return a page, whether it is awaited or not."""
    reply = routes["GET", path]()
    return reply if isinstance(reply, Reply) else asyncio.run(_awaited(reply))


async def _awaited(reply: Awaitable[Reply]) -> Reply:
    return await reply
