"""What the load test says of a site and of a host.

All are fictional, with names under `.example` (RFC 2606).
"""

from dataclasses import dataclass
from enum import Enum

from loadtest.dataset.network import Block


class Diligence(Enum):
    """How well a host keeps up."""

    PROMPT = "prompt"
    SLOW = "slow"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Habit:
    """What a host leaves out of whatever it carries, and how well it keeps up.

    `skips` are contents and stages. Subtrees of more than `depth` releases ago are left out.
    """

    arches: frozenset[str]
    skips: frozenset[str]
    depth: int
    diligence: Diligence


@dataclass(frozen=True, slots=True)
class Site:
    """An organisation."""

    id: int
    name: str
    domain: str
    private: bool
    admin_active: bool
    user_active: bool


@dataclass(frozen=True, slots=True)
class Host:
    """One mirror; bandwidth in Mbit/s, categories by name, netblocks of both families."""

    id: int
    name: str
    site: Site
    country: str
    bandwidth: int
    categories: tuple[str, ...]
    protocols: tuple[str, ...]
    base: str
    habit: Habit
    always_up2date: bool
    private: bool
    admin_active: bool
    user_active: bool
    internet2: bool
    asn: int | None
    asn_clients: bool
    peer_asns: tuple[int, ...]
    netblocks: tuple[Block, ...]
    countries_allowed: tuple[str, ...]

    @property
    def active(self) -> bool:
        """Say whether host and site are switched on by user and admin."""
        site = self.site
        return all((self.admin_active, self.user_active, site.admin_active, site.user_active))
