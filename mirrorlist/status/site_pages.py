"""The page about a site of `mirrorlist run`: its file, its primary, its mirrors."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from mirrorlist.status.admin import Reply, Routes, json_reply

if TYPE_CHECKING:
    from snapshot.sites.host_states import HostState
    from snapshot.sites.keeper_state import KeeperState


class SiteShown(NamedTuple):
    """What is shown of a site."""

    state: "KeeperState"
    """How it is kept."""
    mirrors: Callable[[], tuple[list["HostState"], str | None]]
    """Reads its mirrors, and says why they cannot be read."""


def site_routes(site: SiteShown) -> Routes:
    """Return the page for programs, and the one for people, which has the mirrors as well."""

    def page() -> Reply:
        from mirrorlist.status.pages import site_page

        return site_page(site.state, *site.mirrors(), time.time())

    return {("GET", "/site"): lambda: json_reply(site.state), ("GET", "/site.html"): page}
