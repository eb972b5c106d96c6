"""The contract of the server, docs/protocol.md, as one table: one case a sentence."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.contract.bodies import BODIES, LOG, REDIRECTS, URLS
from tests.contract.case import Case
from tests.contract.changes import CHANGES
from tests.contract.client import BELIEVED, TUNNELS, WISHES
from tests.contract.hostile import DECODING, ECHO, LIMITS
from tests.contract.near import ASN, NETBLOCK
from tests.contract.request import (
    DIRECTORIES,
    METHODS,
    NOBODY_CARRIES,
    PARAMETERS,
    PATHS,
    REPOSITORIES,
    UNSPECIFIED,
)
from tests.contract.tiers import ASKED, GEO, LIMITED

_GROUPS: dict[str, Sequence[Case]] = {
    "paths": PATHS,
    "methods": METHODS,
    "parameters": PARAMETERS,
    "unspecified": UNSPECIFIED,
    "directories": DIRECTORIES,
    "repositories": REPOSITORIES,
    "nobody carries": NOBODY_CARRIES,
    "decoding": DECODING,
    "echo": ECHO,
    "limits": LIMITS,
    "believed": BELIEVED,
    "wishes": WISHES,
    "tunnels": TUNNELS,
    "netblock": NETBLOCK,
    "asn": ASN,
    "asked": ASKED,
    "geo": GEO,
    "countries allowed": LIMITED,
    "urls": URLS,
    "redirects": REDIRECTS,
    "bodies": BODIES,
    "log": LOG,
    "changes": CHANGES,
}


def _cases() -> Iterator[Case]:
    for group, cases in _GROUPS.items():
        for case in cases:
            yield replace(case, name=f"{group}: {case.name}")


CASES = tuple(_cases())
