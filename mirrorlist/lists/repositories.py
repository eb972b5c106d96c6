"""The list of all repositories that can be asked for, rendered once for each snapshot.

Source: docs/protocol.md#the-endpoints.
"""

import weakref
from enum import Enum
from typing import TypedDict

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.jsonbody import as_json
from mirrorlist.process.jobs import Check
from mirrorlist.request.query import spelling

# This many rows are rendered between two checks whether the client is still there.
_STEP = 256


class Form(Enum):
    """The form of the list, by its media type."""

    TEXT = "text/plain"
    JSON = "application/json"


class ListedRepository(TypedDict):
    """One repository that can be asked for."""

    repo: str
    """As in `repo=`."""
    arch: str
    """As in `arch=`."""
    directory: str
    """Its directory."""
    disabled: bool
    """Whether it is switched off: no list of it is answered at present."""


class RepositoryListing(TypedDict):
    """All repositories of a snapshot."""

    total: int
    """How many there are."""
    repositories: list[ListedRepository]


class Repositories:
    """The lists of one catalog's repositories: about 150 bytes for each repository and form."""

    def __init__(self) -> None:
        """Begin without a list."""
        # A weak reference: it does not keep a catalog in memory that was swapped out.
        self._of: weakref.ref[Catalog] | None = None
        self._bodies: dict[Form, bytes] = {}

    def kept(self, catalog: Catalog, form: Form) -> bytes | None:
        """Return the list of a catalog if it was rendered already, else None."""
        is_same = self._of is not None and self._of() is catalog
        return self._bodies.get(form) if is_same else None

    def keep(self, catalog: Catalog, form: Form, body: bytes) -> bytes:
        """Keep a list, drop those of any other catalog, and return the list."""
        if self._of is None or self._of() is not catalog:
            self._of, self._bodies = weakref.ref(catalog), {}
        self._bodies[form] = body
        return body


def render(catalog: Catalog, form: Form, check: Check) -> bytes:
    """Return the list of a catalog's repositories.

    This takes milliseconds, so it runs in a thread and not on the event loop that answers clients.
    """
    known = catalog.snapshot.repositories
    if form is Form.TEXT:
        # Each line can be asked for as it stands, so a disabled repository has no line.
        lines = [
            f"repo={spelling(one.prefix)}&arch={spelling(one.arch)}\n"
            for one in known
            if one.prefix not in catalog.disabled
        ]
        return "".join(lines).encode()
    rows: list[ListedRepository] = []
    for index, one in enumerate(known):
        if not index % _STEP:
            check()
        rows.append(
            ListedRepository(
                repo=one.prefix,
                arch=one.arch,
                directory=catalog.snapshot.directory(one.directory).name,
                disabled=one.prefix in catalog.disabled,
            )
        )
    return as_json(RepositoryListing(total=len(rows), repositories=rows))
