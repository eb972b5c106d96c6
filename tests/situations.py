"""Small worlds with a client's request in each, and which hosts may be told to that client."""

from hypothesis import strategies as st

from mirrorlist.lists.situation import Situation
from tests.small_worlds import CONTINENTS, Mirror, small_catalog, small_situation

NETBLOCKS = ("20.0.0.0/8", "20.30.0.0/16", "20.30.40.0/24", "2001:db8::/32", "20.30.40.50/32")


ASNS = {"20.30.0.0/16": 64500, "20.99.0.0/16": 64501, "2001:db8::/32": 64500}


ADDRESSES = ("20.30.40.50", "20.30.40.51", "20.99.0.1", "8.8.8.8", "2001:db8::1", "2001:db9::1")


COUNTRIES = (*CONTINENTS, "JP", "")


PROTOCOLS = ("https", "http", "ftp", "rsync")


MIRRORS = st.builds(
    Mirror,
    country=st.sampled_from(COUNTRIES),
    bandwidth=st.sampled_from([1, 100, 10000]),
    private=st.booleans(),
    inactive=st.sampled_from([0, 0, 0, 0, 1]),
    asns=st.lists(st.sampled_from([64500, 64501]), unique=True).map(sorted).map(tuple),
    allowed=st.lists(st.sampled_from(["DE", "US"]), max_size=1).map(tuple),
    protocols=st.lists(st.sampled_from(PROTOCOLS), max_size=3).map(tuple),
    netblocks=st.lists(st.sampled_from(NETBLOCKS), max_size=2, unique=True).map(tuple),
    carries=st.sampled_from([True, True, True, False]),
)


@st.composite
def queries(draw: st.DrawFn) -> str:
    """Return some of the parameters that change the selection."""
    asked = draw(st.lists(st.sampled_from([*COUNTRIES, "global", "ZZ"]), max_size=2))
    named = draw(st.lists(st.sampled_from(PROTOCOLS), max_size=2))
    parts = [
        f"country={','.join(asked)}" if draw(st.booleans()) else "",
        f"protocol={','.join(named)}" if draw(st.booleans()) else "",
        draw(st.sampled_from(["", "", "netblock=0", "netblock=1", "redirect"])),
    ]
    return "&".join(part for part in parts if part)


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Mirror], Situation]:
    """Return a world of up to nine mirrors, and a client's request in it.

    The first mirror always carries the directory, as nobody carrying it is an error.
    """
    mirrors = [Mirror("JP"), *draw(st.lists(MIRRORS, max_size=8))]
    situation = small_situation(
        small_catalog(*mirrors, asns=ASNS),
        draw(queries()),
        draw(st.sampled_from(ADDRESSES)),
        draw(st.sampled_from([None, *CONTINENTS, "JP"])),
        draw(st.integers(0, 6)),
        draw(st.booleans()),
    )
    return mirrors, situation


def usable(mirror: Mirror, situation: Situation) -> bool:
    """Whether a host counts as found and as enough: dnf passes over rsync in a metalink."""
    if situation.query.metalink and situation.query.wish.protocols is None:
        return set(mirror.protocols) != {"rsync"}
    return listable(mirror, situation)


def listable(mirror: Mirror, situation: Situation) -> bool:
    """Whether a host has a URL that may stand in the answer."""
    query, protocols = situation.query, set(mirror.protocols)
    if query.wish.protocols is not None:
        protocols &= query.wish.protocols
    if query.redirect and not query.metalink:
        protocols &= {"https", "http"}
    elif query.wish.protocols is None and not query.metalink:
        protocols &= {"https", "http", "ftp"}
    return bool(protocols)
