"""The software that asks: its family, by the beginning of its User-Agent.

Only the family is counted (docs/statistics.md#what-is-counted); the rest of the header is not read.
"""

from functools import lru_cache

from snapshot.stats.spool import CLIENTS

USER_AGENT = b"user-agent"
OTHER_SOFTWARE = len(CLIENTS) - 1

# The first row that fits counts. PackageKit and rpm-ostree ask by libdnf; urlgrabber is yum's.
_BEGINNINGS = (
    (b"libdnf5", "dnf5"),
    (b"dnf5", "dnf5"),
    (b"libdnf", "dnf"),
    (b"dnf", "dnf"),
    (b"rpm-ostree", "dnf"),
    (b"packagekit", "dnf"),
    (b"urlgrabber", "yum"),
    (b"yum", "yum"),
    (b"zypp", "zypper"),
    (b"librepo", "librepo"),
)
_MOST_BYTES = max(len(beginning) for beginning, _ in _BEGINNINGS)


def family_of(user_agent: bytes) -> int:
    """Return the family of a User-Agent: an index in CLIENTS."""
    return _family(user_agent[:_MOST_BYTES])


# Clients can invent beginnings: the old ones go.
@lru_cache(256)
def _family(begin: bytes) -> int:
    begin = begin.lower()
    found = [family for known, family in _BEGINNINGS if begin.startswith(known)]
    return CLIENTS.index(found[0]) if found else OTHER_SOFTWARE
