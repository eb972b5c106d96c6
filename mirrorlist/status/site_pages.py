"""The page about a site of `mirrorlist run`: its file, its primary, its mirrors."""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mirrorlist.status.admin import AnyRoutes, Reply, json_reply
from mirrorlist.status.shared import Shared, in_thread

if TYPE_CHECKING:
    from snapshot.sites.host_states import HostState
    from snapshot.sites.keeper_state import KeeperState


class SiteShown(NamedTuple):
    """What is shown of a site."""

    state: "KeeperState"
    """How it is kept."""
    mirrors: Callable[[], tuple[list["HostState"], str | None]]
    """Reads its mirrors, and says why they cannot be read."""


def site_routes(site: SiteShown) -> AnyRoutes:
    """Return the page for programs, and the one for people, which has the mirrors as well.

    The mirrors are in a database, which a writer may have locked for seconds.
    """

    def page() -> Reply:
        from mirrorlist.status.pages import site_page

        return site_page(site.state, *site.mirrors(), time.time())

    shown = Shared(partial(in_thread, page))
    return {("GET", "/site"): lambda: json_reply(site.state), ("GET", "/site.html"): shown}
